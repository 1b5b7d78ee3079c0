//! What is asked of tokens that are bound to their sender, as it is written.

use serde::{Deserialize, Serialize};

#[cfg(not(target_family = "wasm"))]
use schemars::JsonSchema;

use super::Span;

/// What the tokens of an issuer must be bound to. A token that is bound must be
/// proven in any case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum SenderConstraint {
    /// Nothing: whoever has an unbound token may use it.
    #[default]
    Optional,
    /// A key or a client certificate.
    Required,
    /// A key that signs DPoP proofs (RFC 9449).
    Dpop,
    /// A client certificate (RFC 8705 §3).
    Mtls,
}

impl SenderConstraint {
    pub(super) fn is_optional(&self) -> bool {
        *self == SenderConstraint::Optional
    }
}

/// DPoP: tokens that are bound to a key of their sender (RFC 9449).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Dpop {
    /// The origins at which clients know this API, such as `https://api.example.com`:
    /// a proof is for one of them (`htu`).
    #[cfg_attr(not(target_family = "wasm"), schemars(length(min = 1)))]
    pub origins: Vec<String>,
    /// The signature algorithms that are accepted for proofs.
    #[serde(default = "default_algorithms")]
    #[cfg_attr(not(target_family = "wasm"), schemars(length(min = 1)))]
    pub algorithms: Vec<String>,
    /// How old a proof may be, and how long it is remembered.
    #[serde(default = "default_max_age")]
    pub max_age: Span,
    /// How far in the future a proof may have been made, since clocks differ.
    #[serde(default = "default_clock_skew")]
    pub clock_skew: Span,
    /// Whether a proof must repeat a nonce that the gateway gave (RFC 9449 §8).
    #[serde(default)]
    pub nonce: Nonce,
    /// In how many slots the proofs that were seen lie; one takes at most 768 bytes and
    /// holds 32 proofs.
    #[serde(default = "default_slots")]
    #[cfg_attr(not(target_family = "wasm"), schemars(range(min = 1, max = 1_048_576)))]
    pub slots: u32,
}

/// Whether a proof must repeat a nonce.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Nonce {
    /// It need not.
    #[default]
    Off,
    /// It must.
    Required,
}

fn default_algorithms() -> Vec<String> {
    ["ES256", "EdDSA", "ES384", "PS256", "RS256"]
        .map(String::from)
        .to_vec()
}

fn default_max_age() -> Span {
    Span::of_seconds(60)
}

fn default_clock_skew() -> Span {
    Span::of_seconds(10)
}

fn default_slots() -> u32 {
    16_384
}
