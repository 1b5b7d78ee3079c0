//! How much a caller may ask for.

mod announce;
mod defence;
mod key;
mod shared;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

#[cfg(not(target_family = "wasm"))]
use schemars::JsonSchema;

use super::{ClaimPath, Span};
pub use announce::{Announce, AnnounceOn};
pub use defence::{Adaptive, Suspicion};
pub use key::{Key, KeyPart, Prefixes};
pub use shared::{OnFailure, Service, Shared, SharedMode};

/// How much a caller may ask for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Quotas {
    /// The plan of operations that have no `x-quota`. Default: no quota.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// A plan that holds for every request to a declared operation before anybody looks
    /// at its credentials. Its keys know no caller. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before_authentication: Option<String>,
    /// The claim of a token that names its bearer's tier; API keys and certificates have
    /// theirs in the policy. Default: `tier`.
    pub tier: ClaimPath,
    /// The plans by name.
    pub plans: BTreeMap<String, Plan>,
    /// Whether clients are told how they stand.
    pub announce: Announce,
    /// The rate limit service that counts the limits which gateways share.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<Service>,
    /// When the limits that are counted here tighten for a caller, by what it has done.
    /// Default: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suspicion: Option<Suspicion>,
    /// How many keys can be counted at once, of all limits together.
    #[cfg_attr(
        not(target_family = "wasm"),
        schemars(range(min = 64, max = 4_194_304))
    )]
    pub slots: u32,
}

impl Default for Quotas {
    fn default() -> Self {
        Quotas {
            default: None,
            before_authentication: None,
            tier: ClaimPath::Name("tier".into()),
            plans: BTreeMap::new(),
            announce: Announce::default(),
            service: None,
            suspicion: None,
            slots: 65_536,
        }
    }
}

impl Quotas {
    /// The expressions that keys consist of, each with its path.
    pub fn expressions(&self) -> impl Iterator<Item = (String, &str)> {
        let limits = self.plans.iter().flat_map(|(plan, written)| {
            let path = format!("policy.quotas.plans.{plan}.limits");
            let limits = written.limits.iter();
            limits.map(move |(name, limit)| (format!("{path}.{name}.key"), limit))
        });
        limits.flat_map(|(path, limit)| {
            let parts = limit.key.parts_at(&path).into_iter();
            parts.filter_map(|(path, part)| match part {
                KeyPart::Cel(text) => Some((format!("{path}.cel"), text.as_str())),
                _ => None,
            })
        })
    }
}

/// Limits that hold at once; the tightest answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The plans that count callers of these tiers in its place.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tiers: BTreeMap<String, String>,
    /// The limits by name.
    pub limits: BTreeMap<String, Limit>,
}

/// One limit. What a request costs it counts in `requests`, whatever the unit is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// How it counts.
    #[serde(default)]
    pub algorithm: Algorithm,
    /// How many requests: regained in the time `per`, spent in a window of `per`, or
    /// under way at once.
    #[cfg_attr(
        not(target_family = "wasm"),
        schemars(range(min = 1, max = 1_000_000_000))
    )]
    pub requests: u32,
    /// The time; not for `concurrency`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per: Option<Span>,
    /// How many requests a full bucket holds; only for `token_bucket`. Default: `requests`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        not(target_family = "wasm"),
        schemars(range(min = 1, max = 1_000_000_000))
    )]
    pub burst: Option<u32>,
    /// How long a request is counted at least, should its end never be seen; only for
    /// `concurrency`. Default: `60s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longest: Option<Span>,
    /// What is counted apart.
    #[serde(default)]
    pub key: Key,
    /// What a request costs.
    #[serde(default)]
    pub cost: Cost,
    /// What happens to a request that goes over it.
    #[serde(default)]
    pub over: Over,
    /// How it is shared with other gateways; only for `fixed_window`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared: Option<Shared>,
    /// When it tightens by how the upstream does. Default: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adaptive: Option<Adaptive>,
}

impl Limit {
    /// How long a request is counted at least, should its end never be seen.
    pub fn longest(&self) -> Span {
        self.longest.unwrap_or(Span::of_seconds(60))
    }
}

/// How a limit counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Algorithm {
    /// A bucket of `burst` requests that regains `requests` in the time `per`.
    #[default]
    TokenBucket,
    /// `requests` in any time `per`, by the two-bucket approximation.
    SlidingWindow,
    /// `requests` under way at once.
    Concurrency,
    /// `requests` in each `1s`, `1m`, `1h` or `24h` of the clock, counted by a rate limit
    /// service for all gateways that share the limit.
    FixedWindow,
}

/// What a request costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(untagged)]
pub enum Cost {
    /// So much, whatever it is.
    Fixed(#[cfg_attr(not(target_family = "wasm"), schemars(range(min = 1, max = 1_000_000)))] u32),
    /// As much as something about it says.
    By(CostBy),
}

/// What says how much a request costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CostBy {
    /// `x-quota` of its operation; where that says nothing, 1.
    Operation,
    /// Its body: one for so many bytes, and one for the rest; 1 without a body. A body
    /// whose length is not announced is refused with 411.
    BodyBytes(
        #[cfg_attr(
            not(target_family = "wasm"),
            schemars(range(min = 1, max = 1_073_741_824))
        )]
        u32,
    ),
}

impl Default for Cost {
    fn default() -> Self {
        Cost::By(CostBy::Operation)
    }
}

/// What happens to a request that goes over a limit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Over {
    /// It is refused.
    #[default]
    Deny,
    /// It passes, and the audit record says so.
    Observe,
    /// This plan counts it in place of the limit's.
    Shed(String),
}
