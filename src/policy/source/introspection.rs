//! Where tokens that say nothing by themselves are asked about.

use serde::{Deserialize, Serialize};

#[cfg(not(target_family = "wasm"))]
use schemars::JsonSchema;

use super::{Secret, Span};

/// An authorization server that answers for its tokens (RFC 7662).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Introspection {
    /// The address of its introspection endpoint; Envoy's cluster decides about the connection and its TLS.
    #[cfg_attr(not(target_family = "wasm"), schemars(length(min = 1)))]
    pub uri: String,
    /// The Envoy cluster to send the questions to.
    #[cfg_attr(not(target_family = "wasm"), schemars(length(min = 1)))]
    pub cluster: String,
    /// How the gateway proves that it may ask.
    pub client: IntrospectionClient,
    /// How long one question may take, and a request wait for its answer.
    #[serde(default = "default_timeout")]
    pub timeout: Span,
    /// How long an active token is believed without asking again; never beyond its `exp`.
    #[serde(default = "default_max_cache")]
    pub max_cache: Span,
    /// How long a token that is not active stays refused without asking again.
    #[serde(default = "default_negative_cache")]
    pub negative_cache: Span,
    /// How old an answer may be and still serve while the server does not answer. Default: not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serve_stale: Option<Span>,
    /// Whether an answer without `aud` will do (RFC 7662 §2.2 leaves it to the server).
    #[serde(default)]
    pub audience_optional: bool,
}

/// How the gateway proves that it may ask.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct IntrospectionClient {
    /// The gateway's `client_id` at the server.
    #[cfg_attr(not(target_family = "wasm"), schemars(length(min = 1)))]
    pub id: String,
    /// Its secret; with `bearer`, an access token of its own.
    pub secret: Secret,
    /// How both are sent.
    #[serde(default)]
    pub auth: ClientAuth,
}

/// How a client authenticates (RFC 6749 §2.3.1, RFC 7662 §2.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum ClientAuth {
    /// `client_secret_basic`: both in the `authorization` header.
    #[default]
    Basic,
    /// `client_secret_post`: both in the form.
    Post,
    /// The secret is an access token, in the `authorization` header.
    Bearer,
}

fn default_timeout() -> Span {
    Span::of_seconds(2)
}

fn default_max_cache() -> Span {
    Span::of_seconds(60)
}

fn default_negative_cache() -> Span {
    Span::of_seconds(10)
}
