//! Where requests may come from, and from which programs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

#[cfg(not(target_family = "wasm"))]
use schemars::JsonSchema;

/// Where requests may come from, and from which programs.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Networks {
    /// The proxies, as networks, whose `x-forwarded-for` is believed. Default: none, and
    /// the client's address is the connection's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trusted_proxies: Vec<String>,
    /// Lists of networks, by the names under which they are used.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lists: BTreeMap<String, NetworkList>,
    /// The lists from which requests may come. Default: from everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(not(target_family = "wasm"), schemars(length(min = 1)))]
    pub allow: Option<Vec<String>>,
    /// The lists from which no request may come, whatever allows it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<String>,
    /// The countries from which requests may come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub countries: Option<Countries>,
    /// The programs that may ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agents: Option<UserAgents>,
}

/// A list of networks: addresses, or blocks of them in CIDR notation.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum NetworkList {
    /// A text file, relative to the policy, with one network a line; `build` puts its
    /// content inline. What follows `#` is a comment.
    File(String),
    /// The networks.
    Inline(Vec<String>),
}

impl NetworkList {
    /// The networks in the text of a file.
    pub fn lines(text: &str) -> NetworkList {
        let entry = |line: &str| line.split('#').next().unwrap_or_default().trim().to_owned();
        let entries = text.lines().map(entry).filter(|entry| !entry.is_empty());
        NetworkList::Inline(entries.collect())
    }
}

/// The countries from which requests may come.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Countries {
    /// The header, in lower case, in which Envoy's geoip filter says the country.
    #[cfg_attr(not(target_family = "wasm"), schemars(length(min = 1)))]
    pub header: String,
    /// The only countries (ISO 3166-1 alpha-2). A request from nobody knows where is not
    /// from one of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(not(target_family = "wasm"), schemars(length(min = 1)))]
    pub allow: Option<Vec<String>>,
    /// Countries from which no request may come.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<String>,
}

/// The programs that may ask, by what they call themselves.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct UserAgents {
    /// Values of `user-agent` that are refused, without regard to case; `*` at the
    /// beginning or the end stands for anything.
    pub deny: Vec<String>,
    /// Whether a request without `user-agent` is refused.
    pub require: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_one_network_a_line() {
        let NetworkList::Inline(entries) =
            NetworkList::lines("# office\n10.0.0.0/8 # all of it\r\n\n  2001:db8::/32\n")
        else {
            panic!("the lines of a file are inline");
        };
        assert_eq!(entries, ["10.0.0.0/8", "2001:db8::/32"]);
    }
}
