//! What the upstream learns of the caller, as it is written.

use serde::{Deserialize, Serialize};

#[cfg(not(target_family = "wasm"))]
use schemars::JsonSchema;

use super::{ClaimPath, Secret, Span};

/// The claim that fills a header.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(untagged)]
pub enum HeaderClaim {
    /// A top-level claim.
    Name(String),
    /// A nested claim, by its names from the outside in.
    Names(Vec<String>),
    /// A claim, and how it is written.
    Formed(FormedClaim),
}

/// A claim, and how it is written into a header.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FormedClaim {
    /// The claim: its name, or the list of names that leads to it.
    pub claim: ClaimPath,
    /// How it is written.
    #[serde(default, rename = "as")]
    pub form: Form,
}

/// How a claim is written into a header.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// As text: a list is joined by spaces, and what is not visible ASCII is
    /// percent-encoded.
    #[default]
    Text,
    /// As JSON in ASCII.
    Json,
    /// As base64url of the text, or of the JSON of a list or an object.
    Base64url,
}

impl HeaderClaim {
    /// The names of the claim, from the outside in.
    pub fn names(&self) -> &[String] {
        match self {
            HeaderClaim::Name(name) => std::slice::from_ref(name),
            HeaderClaim::Names(names) => names,
            HeaderClaim::Formed(formed) => formed.claim.names(),
        }
    }

    /// How it is written.
    pub fn form(&self) -> Form {
        match self {
            HeaderClaim::Name(_) | HeaderClaim::Names(_) => Form::default(),
            HeaderClaim::Formed(formed) => formed.form,
        }
    }
}

/// What the upstream gets of the credentials, or in their place.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct HandOver {
    /// What becomes of `authorization` and of the proof that came with it.
    #[serde(default)]
    pub token: TokenHandOver,
    /// A token of the gateway's own, so that a service trusts only what came through it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assertion: Option<Assertion>,
}

/// What becomes of the caller's token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum TokenHandOver {
    /// The upstream gets it as it came.
    #[default]
    Keep,
    /// The upstream gets none.
    Remove,
    /// The upstream gets the gateway's assertion in its place.
    Replace,
}

/// A short-lived JWT that the gateway signs.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Assertion {
    /// Its header. Default: `x-portcullis-assertion`, and none where it replaces the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(not(target_family = "wasm"), schemars(length(min = 1)))]
    pub header: Option<String>,
    /// `iss`: what services know this gateway by.
    #[cfg_attr(not(target_family = "wasm"), schemars(length(min = 1)))]
    pub issuer: String,
    /// `aud`: the services that it is for.
    #[cfg_attr(not(target_family = "wasm"), schemars(length(min = 1)))]
    pub audiences: Vec<String>,
    /// From `iat` to `exp`.
    #[serde(default = "default_lifetime")]
    pub lifetime: Span,
    /// Private JWKs for ES256 or EdDSA. The first signs, and all are published.
    #[cfg_attr(not(target_family = "wasm"), schemars(length(min = 1)))]
    pub keys: Vec<Secret>,
    /// Whether it is for one request: `req` is then the hash of its method, authority,
    /// path and query.
    #[serde(default)]
    pub bind: bool,
    /// Claims of the caller's, by their names, that it repeats.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<String>,
}

fn default_lifetime() -> Span {
    Span::of_seconds(60)
}
