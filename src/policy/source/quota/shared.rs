//! Limits that several gateways share by asking a rate limit service.

use serde::{Deserialize, Serialize};

#[cfg(not(target_family = "wasm"))]
use schemars::JsonSchema;

use crate::policy::source::Span;

/// The rate limit service (envoy.service.ratelimit.v3) that counts shared limits.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// The Envoy cluster that it is behind; it must speak HTTP/2.
    #[cfg_attr(not(target_family = "wasm"), schemars(length(min = 1)))]
    pub cluster: String,
    /// Which of the service's configurations is meant.
    #[serde(default = "default_domain")]
    #[cfg_attr(not(target_family = "wasm"), schemars(length(min = 1)))]
    pub domain: String,
    /// How long an answer may take.
    #[serde(default = "default_timeout")]
    pub timeout: Span,
}

/// How a limit is shared.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Shared {
    /// When the service is asked.
    pub mode: SharedMode,
    /// What happens to a request that the service does not answer for.
    pub on_failure: OnFailure,
}

/// When the rate limit service is asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum SharedMode {
    /// For each request, which waits for the answer.
    #[default]
    Strict,
    /// For so many requests in advance, which are then answered from what is in hand.
    Leased(#[cfg_attr(not(target_family = "wasm"), schemars(range(min = 2, max = 1_000_000)))] u32),
}

/// What happens to a request that the rate limit service does not answer for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// It is refused: 503.
    #[default]
    Closed,
    /// It passes, and the audit record says so.
    Open,
    /// The gateway counts by itself, by the share that it has as one of so many gateways.
    Local(#[cfg_attr(not(target_family = "wasm"), schemars(range(min = 1, max = 10_000)))] u32),
}

fn default_domain() -> String {
    "portcullis".into()
}

fn default_timeout() -> Span {
    Span::of_millis(100)
}
