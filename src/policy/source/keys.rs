//! Where an issuer's verification keys are, and how often they are looked at.

use serde::{Deserialize, Serialize};

#[cfg(not(target_family = "wasm"))]
use schemars::JsonSchema;

use super::{Secret, Span};
use crate::fetch::Schedule;

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
    /// A JWKS that lies where the issuer's metadata say.
    Discovery(Discovery),
    /// A secret that issuer and gateway share. Whoever can check its tokens can make them.
    Secret(SharedSecrets),
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
        self.schedule_at(&self.uri)
    }

    /// The same for a document that lies elsewhere.
    pub fn schedule_at(&self, uri: &str) -> Schedule {
        Schedule {
            kind: "jwks",
            cluster: self.cluster.clone(),
            uri: uri.to_owned(),
            refresh: self.refresh.duration(),
            timeout: self.timeout.duration(),
            cooldown: self.cooldown.duration(),
        }
    }
}

/// Keys that are found through the issuer's own metadata.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Discovery {
    /// The Envoy cluster that serves both metadata and keys.
    #[cfg_attr(not(target_family = "wasm"), schemars(length(min = 1)))]
    pub cluster: String,
    /// By which convention the address of the metadata follows from the issuer.
    #[serde(default)]
    pub metadata: Convention,
    /// The address of the metadata, where neither convention has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(not(target_family = "wasm"), schemars(length(min = 1)))]
    pub uri: Option<String>,
    /// How old the metadata may be before they are fetched again.
    #[serde(default = "default_metadata_refresh")]
    pub metadata_refresh: Span,
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

/// Where metadata lie.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Convention {
    /// `/.well-known/openid-configuration` behind the issuer (OpenID Connect Discovery 1.0 §4).
    #[default]
    Openid,
    /// `/.well-known/oauth-authorization-server` behind the issuer's host (RFC 8414 §3).
    Oauth,
}

impl Discovery {
    /// How the keys are fetched; their address is yet to be found.
    pub fn keys(&self) -> RemoteKeys {
        RemoteKeys {
            uri: String::new(),
            cluster: self.cluster.clone(),
            refresh: self.refresh,
            max_stale: self.max_stale,
            timeout: self.timeout,
            cooldown: self.cooldown,
            on_missing: self.on_missing,
        }
    }

    /// How the metadata at `uri` are fetched.
    pub fn schedule(&self, uri: &str) -> Schedule {
        Schedule {
            kind: "metadata",
            cluster: self.cluster.clone(),
            uri: uri.to_owned(),
            refresh: self.metadata_refresh.duration(),
            timeout: self.timeout.duration(),
            cooldown: self.cooldown.duration(),
        }
    }
}

/// Secrets of one issuer that signs with an HMAC.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SharedSecrets {
    /// The secrets; a token by any of them is good, so that they can be exchanged.
    #[cfg_attr(not(target_family = "wasm"), schemars(length(min = 1, max = 4)))]
    pub values: Vec<Secret>,
    /// How they are written.
    #[serde(default)]
    pub encoding: Encoding,
}

/// How a secret is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// As it is: the bytes of the text.
    #[default]
    Text,
    /// In base64url, as `k` of a JSON Web Key (RFC 7518 §6.4.1).
    Base64url,
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

fn default_metadata_refresh() -> Span {
    Span::of_seconds(3600)
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
