//! When operations are open.

use serde::{Deserialize, Serialize};

#[cfg(not(target_family = "wasm"))]
use schemars::JsonSchema;

/// Days and times of day, by the clocks of one place.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Hours {
    /// A zone of the tz database, such as `Europe/Berlin`; `build` puts its rule in its place.
    #[serde(default = "utc")]
    pub time_zone: String,
    /// Days such as `mon`, and ranges of them such as `mon-fri`.
    #[serde(default = "every_day")]
    #[cfg_attr(not(target_family = "wasm"), schemars(length(min = 1)))]
    pub days: Vec<String>,
    /// When the day begins: `08:00`.
    #[serde(default = "midnight")]
    pub from: String,
    /// When it ends: `18:00`, or `24:00`. Not after `from`: on the following day.
    #[serde(default = "end_of_day")]
    pub to: String,
    /// Dates on which it does not begin: `2026-12-25`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<String>,
}

/// A time in which operations are being maintained.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Maintenance {
    /// When it begins (RFC 3339): `2026-12-01T22:00:00+01:00`.
    pub from: String,
    /// When it is over (RFC 3339).
    pub to: String,
    /// The ids of the operations. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(not(target_family = "wasm"), schemars(length(min = 1)))]
    pub operations: Option<Vec<String>>,
}

fn utc() -> String {
    "UTC0".into()
}

fn every_day() -> Vec<String> {
    vec!["mon-sun".into()]
}

fn midnight() -> String {
    "00:00".into()
}

fn end_of_day() -> String {
    "24:00".into()
}
