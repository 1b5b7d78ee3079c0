//! Roles: which claim names them, and which of them imply others.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

#[cfg(not(target_family = "wasm"))]
use schemars::JsonSchema;

/// Which roles a caller has.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Roles {
    /// The claim that names a token's roles: a list, or words with spaces between.
    #[serde(default)]
    pub claim: ClaimPath,
    /// The role that each value of the claim stands for. When this is given, other
    /// values stand for none. Default: each value is a role.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub map: BTreeMap<String, String>,
    /// The roles that each role implies.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inherit: BTreeMap<String, Vec<String>>,
}

/// A claim by its name, or by the names that lead to a nested one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(untagged)]
pub enum ClaimPath {
    /// A top-level claim.
    Name(String),
    /// A nested claim, from the outside in.
    Names(Vec<String>),
}

impl ClaimPath {
    /// The names from the outside in.
    pub fn names(&self) -> &[String] {
        match self {
            ClaimPath::Name(name) => std::slice::from_ref(name),
            ClaimPath::Names(names) => names,
        }
    }
}

impl Default for ClaimPath {
    fn default() -> Self {
        ClaimPath::Name("roles".into())
    }
}
