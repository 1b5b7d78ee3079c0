//! API keys, of which a policy holds the hashes and never the keys.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

#[cfg(not(target_family = "wasm"))]
use schemars::JsonSchema;

/// One key, and what is known of whoever has it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ApiKey {
    /// A name that may be logged, unique among all keys; in a key of `portcullis key new` it is the middle part.
    #[cfg_attr(not(target_family = "wasm"), schemars(length(min = 1)))]
    pub id: String,
    /// The key's secrets, by their hashes; two while the key is changed for a new one.
    #[cfg_attr(not(target_family = "wasm"), schemars(length(min = 1)))]
    pub secrets: Vec<KeySecret>,
    /// Who has the key, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// What the owner pays for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// What the key may do, in the words of the document's scopes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// The claim `roles` of the key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// More claims of the key, below `labels`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The networks that the key may be used from, such as `192.0.2.0/24`. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(not(target_family = "wasm"), schemars(length(min = 1)))]
    pub networks: Option<Vec<String>>,
}

/// One secret of a key.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct KeySecret {
    /// The SHA-256 of the whole key, in 64 hex digits.
    pub sha256: String,
    /// It is good from here on: `2027-01-31` (UTC) or `2027-01-31T17:30:00+01:00`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<String>,
    /// It is good until just before this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
}
