//! Whose tokens are believed, and where the keys are that check them.

use serde::{Deserialize, Serialize};

#[cfg(not(target_family = "wasm"))]
use schemars::JsonSchema;

use super::Span;
use crate::fetch::Schedule;

/// One party whose signed tokens are believed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    /// A name for logs and explanations.
    #[cfg_attr(not(target_family = "wasm"), schemars(length(min = 1)))]
    pub name: String,
    /// The exact value of the `iss` claim (RFC 7519 §4.1.1).
    #[cfg_attr(not(target_family = "wasm"), schemars(length(min = 1)))]
    pub issuer: String,
    /// The token must name at least one of these in `aud` (RFC 7519 §4.1.3).
    #[cfg_attr(not(target_family = "wasm"), schemars(length(min = 1)))]
    pub audiences: Vec<String>,
    /// The signature algorithms that are accepted (RFC 8725 §3.1).
    #[serde(default = "default_algorithms")]
    #[cfg_attr(not(target_family = "wasm"), schemars(length(min = 1)))]
    pub algorithms: Vec<String>,
    /// The accepted values of the `typ` header (RFC 8725 §3.11); `at+jwt` alone asks for RFC 9068.
    #[serde(default = "default_token_types")]
    #[cfg_attr(not(target_family = "wasm"), schemars(length(min = 1)))]
    pub token_types: Vec<String>,
    /// How far the clocks of issuer and gateway may differ.
    #[serde(default = "default_clock_skew")]
    pub clock_skew: Span,
    /// Where the verification keys come from: exactly one of `file`, `inline`, `remote`.
    pub keys: Keys,
}

/// Where an issuer's keys come from.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Keys {
    /// A JWKS file, relative to the policy; `build` puts its content inline.
    File(String),
    /// A JWKS document (RFC 7517 §5).
    Inline(serde_json::Map<String, serde_json::Value>),
    /// A JWKS that the gateway fetches and refreshes.
    Remote(RemoteKeys),
}

/// A JWKS served over HTTP.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RemoteKeys {
    /// The address of the JWKS; Envoy's cluster decides about the connection and its TLS.
    #[cfg_attr(not(target_family = "wasm"), schemars(length(min = 1)))]
    pub uri: String,
    /// The Envoy cluster to send the request to.
    #[cfg_attr(not(target_family = "wasm"), schemars(length(min = 1)))]
    pub cluster: String,
    /// How old keys may be before they are fetched again.
    #[serde(default = "default_refresh")]
    pub refresh: Span,
    /// How old keys may be and still serve while the issuer cannot be reached.
    #[serde(default = "default_max_stale")]
    pub max_stale: Span,
    /// How long one fetch may take.
    #[serde(default = "default_timeout")]
    pub timeout: Span,
    /// The least time between two fetches that unknown key ids cause.
    #[serde(default = "default_cooldown")]
    pub cooldown: Span,
    /// What happens to a request while there are no keys yet.
    #[serde(default)]
    pub on_missing: OnMissing,
}

impl RemoteKeys {
    /// Where the document lies and how often it is fetched.
    pub fn schedule(&self) -> Schedule {
        Schedule {
            kind: "jwks",
            cluster: self.cluster.clone(),
            uri: self.uri.clone(),
            refresh: self.refresh.duration(),
            timeout: self.timeout.duration(),
            cooldown: self.cooldown.duration(),
        }
    }
}

/// What happens to a request while there are no keys yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum OnMissing {
    /// It waits for the fetch, at most as long as the fetch may take.
    #[default]
    Hold,
    /// It is refused with 503.
    Refuse,
}

fn default_algorithms() -> Vec<String> {
    ["RS256", "ES256", "EdDSA"].map(String::from).to_vec()
}

fn default_token_types() -> Vec<String> {
    ["at+jwt", "JWT"].map(String::from).to_vec()
}

fn default_clock_skew() -> Span {
    Span::of_seconds(60)
}

fn default_refresh() -> Span {
    Span::of_seconds(300)
}

fn default_max_stale() -> Span {
    Span::of_seconds(3600)
}

fn default_timeout() -> Span {
    Span::of_seconds(2)
}

fn default_cooldown() -> Span {
    Span::of_seconds(10)
}
