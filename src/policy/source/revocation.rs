//! Where the list of revoked tokens is.

use serde::{Deserialize, Serialize};

#[cfg(not(target_family = "wasm"))]
use schemars::JsonSchema;

use super::Span;
use crate::fetch::Schedule;

/// Tokens that are taken back before they expire.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Revocation {
    /// The list that `portcullis revoke` writes: exactly one of `file`, `inline`, `remote`.
    pub list: RevocationList,
    /// The issuers, by name, whose tokens it is about. Default: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(not(target_family = "wasm"), schemars(length(min = 1)))]
    pub issuers: Option<Vec<String>>,
}

/// Where the list is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RevocationList {
    /// A file, relative to the policy; `build` puts its content inline.
    File(String),
    /// The list itself.
    Inline(serde_json::Map<String, serde_json::Value>),
    /// A list that the gateway fetches and refreshes.
    Remote(RemoteList),
}

/// A list served over HTTP.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RemoteList {
    /// The address of the list; Envoy's cluster decides about the connection and its TLS.
    #[cfg_attr(not(target_family = "wasm"), schemars(length(min = 1)))]
    pub uri: String,
    /// The Envoy cluster to send the request to.
    #[cfg_attr(not(target_family = "wasm"), schemars(length(min = 1)))]
    pub cluster: String,
    /// How old the list may be before it is fetched again: how long a revocation takes.
    #[serde(default = "default_refresh")]
    pub refresh: Span,
    /// How old it may be and still serve while it cannot be fetched.
    #[serde(default = "default_max_stale")]
    pub max_stale: Span,
    /// How long one fetch may take.
    #[serde(default = "default_timeout")]
    pub timeout: Span,
    /// What happens to requests while there is no list, or one that is too old.
    #[serde(default)]
    pub on_unavailable: OnUnavailable,
}

/// What happens to requests while there is no list, or one that is too old.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum OnUnavailable {
    /// They wait for the fetch that is under way, and are refused with 503 otherwise.
    #[default]
    Deny,
    /// They are decided by the last list there was, or by none.
    Allow,
}

impl RemoteList {
    /// Where the document lies and how often it is fetched.
    pub fn schedule(&self) -> Schedule {
        Schedule {
            kind: "revocations",
            cluster: self.cluster.clone(),
            uri: self.uri.clone(),
            refresh: self.refresh.duration(),
            timeout: self.timeout.duration(),
            // Nothing asks for it out of turn.
            cooldown: self.refresh.duration(),
        }
    }
}

fn default_refresh() -> Span {
    Span::of_seconds(10)
}

fn default_max_stale() -> Span {
    Span::of_seconds(300)
}

fn default_timeout() -> Span {
    Span::of_seconds(2)
}
