//! Rules on what the caller, the request and the time must be.

use serde::{Deserialize, Serialize};

#[cfg(not(target_family = "wasm"))]
use schemars::JsonSchema;

/// A condition in CEL. It says either when a request may pass or when it may not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// A request passes if this is true, and is refused otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_if: Option<String>,
    /// A request is refused if this is true, and passes otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deny_if: Option<String>,
    /// The time zone of `time`, by its name in the tz database, such as
    /// `Europe/Berlin`. Default: UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
}

impl Rule {
    /// The condition and the name of the field that holds it, if there is exactly one.
    pub fn condition(&self) -> Option<(&'static str, &str)> {
        match (&self.allow_if, &self.deny_if) {
            (Some(text), None) => Some(("allow_if", text)),
            (None, Some(text)) => Some(("deny_if", text)),
            _ => None,
        }
    }
}

/// The request headers that say where a request comes from and from what.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RuleHeaders {
    /// The header that `country` is read from, in lower case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// The header that `device` is read from, in lower case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
}
