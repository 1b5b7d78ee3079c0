//! The classes of data, and who may see them.

use serde::{Deserialize, Serialize};

#[cfg(not(target_family = "wasm"))]
use schemars::JsonSchema;

/// One class of data, and how it looks to those who may not see it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Classification {
    /// The name that `x-classification` uses.
    #[cfg_attr(not(target_family = "wasm"), schemars(length(min = 1)))]
    pub name: String,
    /// How a value of this class is hidden.
    #[serde(default)]
    pub mask: Mask,
}

/// How a value is hidden.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Mask {
    /// The string `***` stands in its place.
    #[default]
    Redact,
    /// The member is left out.
    Remove,
    /// `null` stands in its place.
    Null,
    /// Only the last four characters stay.
    Last4,
}

/// Which caller may see which class.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Clearances {
    /// The clearance of everybody. Default: the lowest class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// The class of a field that the document does not classify. Default: the lowest class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unclassified: Option<String>,
    /// Each rule that holds can raise the caller's clearance.
    #[serde(default)]
    pub rules: Vec<ClearanceRule>,
}

/// A scope that gives a clearance.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ClearanceRule {
    /// The scope that the token must carry.
    pub scope: String,
    /// The highest class that its bearer may see.
    pub clearance: String,
}
