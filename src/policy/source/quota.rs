//! How much a caller may ask for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

#[cfg(not(target_family = "wasm"))]
use schemars::JsonSchema;

use super::Span;

/// How much a caller may ask for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Quotas {
    /// The plan of operations that have no `x-quota`. Default: no quota.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// The plans by name.
    #[serde(default)]
    pub plans: BTreeMap<String, Plan>,
    /// How many callers can be counted at once; each costs about 220 bytes of shared memory.
    #[serde(default = "default_slots")]
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
            plans: BTreeMap::new(),
            slots: default_slots(),
        }
    }
}

/// A token bucket: `requests` each `per`, and at most `burst` at once.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// How many requests the bucket regains in the time `per`.
    #[cfg_attr(
        not(target_family = "wasm"),
        schemars(range(min = 1, max = 1_000_000_000))
    )]
    pub requests: u32,
    /// The time in which the bucket regains `requests`.
    pub per: Span,
    /// How many requests a full bucket holds. Default: `requests`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        not(target_family = "wasm"),
        schemars(range(min = 1, max = 1_000_000_000))
    )]
    pub burst: Option<u32>,
    /// Who owns a bucket.
    #[serde(default)]
    pub key: QuotaKey,
}

/// Who owns a bucket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum QuotaKey {
    /// The OAuth client (`client_id` or `azp`), or the subject where the token names none.
    #[default]
    Client,
    /// The subject of the token.
    Subject,
    /// The address of the peer.
    Address,
}

fn default_slots() -> u32 {
    65_536
}
