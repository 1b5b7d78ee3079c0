//! What satisfies the security schemes that the OpenAPI document names.

use serde::{Deserialize, Serialize};

#[cfg(not(target_family = "wasm"))]
use schemars::JsonSchema;

/// What satisfies one entry of `components.securitySchemes`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Scheme {
    /// The issuers, by name, whose tokens satisfy it. Default: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(not(target_family = "wasm"), schemars(length(min = 1)))]
    pub issuers: Option<Vec<String>>,
    /// The sets of API keys that satisfy it. Default: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(not(target_family = "wasm"), schemars(length(min = 1)))]
    pub api_keys: Option<Vec<String>>,
    /// The certificates, by the names of their entries, that satisfy it. Default: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(not(target_family = "wasm"), schemars(length(min = 1)))]
    pub certificates: Option<Vec<String>>,
    /// Whether an API key may travel in the query, where logs and histories keep it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_query: bool,
}
