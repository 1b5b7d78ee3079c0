//! What clients are told of their limits.

use serde::{Deserialize, Serialize};

#[cfg(not(target_family = "wasm"))]
use schemars::JsonSchema;

/// Whether clients are told how they stand, in the fields `RateLimit-Policy` and
/// `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10).
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Announce {
    /// With which responses.
    pub on: AnnounceOn,
    /// Whether they get `X-RateLimit-Limit`, `-Remaining` and `-Reset` as well.
    pub legacy: bool,
}

/// The responses that tell clients how they stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum AnnounceOn {
    /// Those that refuse a request for a limit.
    #[default]
    Refused,
    /// All.
    Always,
    /// None.
    Never,
}
