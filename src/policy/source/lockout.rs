//! How much failing to authenticate is borne.

use serde::{Deserialize, Serialize};

#[cfg(not(target_family = "wasm"))]
use schemars::JsonSchema;

use super::Span;

/// What failures to authenticate are counted against, and who is never locked out.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Lockout {
    /// Counts by the client's address, of IPv6 by its /64. Default: does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_address: Option<LockoutLimits>,
    /// Counts by the API key whose id came with a wrong secret. Default: does not, since
    /// whoever knows the id can then lock its owner out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_key: Option<LockoutLimits>,
    /// Counts by the subject of a token whose signature is good and which is refused all
    /// the same. Default: does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_account: Option<LockoutLimits>,
    /// Who is never locked out, and whoever is locked out and shall not be any longer.
    pub pardon: Pardon,
    /// Any text. Another one forgets all that was counted before.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub epoch: String,
}

/// How much failing is borne before it costs time.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct LockoutLimits {
    /// Failures that cost nothing; as many are forgotten in each `window`.
    #[cfg_attr(not(target_family = "wasm"), schemars(range(min = 1, max = 1_000_000)))]
    pub failures: u32,
    /// The time in which they are forgotten.
    pub window: Span,
    /// How long to wait after the first failure too many. It doubles with each further one.
    pub delay: Span,
    /// Failures after which a ban follows.
    #[cfg_attr(not(target_family = "wasm"), schemars(range(min = 1, max = 1_000_000)))]
    pub ban_after: u32,
    /// How long a ban, and thereby the longest wait, lasts.
    pub ban: Span,
}

impl Default for LockoutLimits {
    fn default() -> Self {
        LockoutLimits {
            failures: 10,
            window: Span::of_seconds(600),
            delay: Span::of_seconds(1),
            ban_after: 18,
            ban: Span::of_seconds(900),
        }
    }
}

/// Who is never locked out.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Pardon {
    /// Addresses and networks.
    pub networks: Vec<String>,
    /// Ids of API keys.
    pub keys: Vec<String>,
    /// Accounts, as the audit record writes them in `subject`.
    pub accounts: Vec<String>,
}
