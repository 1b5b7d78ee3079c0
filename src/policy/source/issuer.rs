//! Whose tokens are believed, and where the keys are that check them.

use serde::{Deserialize, Serialize};

#[cfg(not(target_family = "wasm"))]
use schemars::JsonSchema;

use super::{Introspection, Keys, SenderConstraint, Span};

/// One party whose tokens are believed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    /// A name for logs and explanations.
    #[cfg_attr(not(target_family = "wasm"), schemars(length(min = 1)))]
    pub name: String,
    /// The exact value of the `iss` claim (RFC 7519 §4.1.1).
    #[cfg_attr(not(target_family = "wasm"), schemars(length(min = 1)))]
    pub issuer: String,
    /// The token must name at least one of these in `aud` (RFC 7519 §4.1.3).
    #[cfg_attr(not(target_family = "wasm"), schemars(length(min = 1)))]
    pub audiences: Vec<String>,
    /// The signature algorithms that are accepted (RFC 8725 §3.1).
    #[serde(default = "default_algorithms")]
    #[cfg_attr(not(target_family = "wasm"), schemars(length(min = 1)))]
    pub algorithms: Vec<String>,
    /// The accepted values of the `typ` header (RFC 8725 §3.11). Default: `at+jwt` and `JWT`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(not(target_family = "wasm"), schemars(length(min = 1)))]
    pub token_types: Option<Vec<String>>,
    /// The kind of token that the issuer makes, in the place of `token_types`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
    /// How far the clocks of issuer and gateway may differ.
    #[serde(default = "default_clock_skew")]
    pub clock_skew: Span,
    /// How long after `iat` a token is accepted, whatever its `exp` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Span>,
    /// The longest token that is read, in bytes.
    #[serde(default = "default_max_token_bytes")]
    #[cfg_attr(not(target_family = "wasm"), schemars(range(min = 256, max = 65_536)))]
    pub max_token_bytes: u32,
    /// What the tokens must be bound to. A token that is bound must be proven in any case.
    #[serde(default, skip_serializing_if = "SenderConstraint::is_optional")]
    pub sender_constraint: SenderConstraint,
    /// Where the verification keys come from: exactly one of `file`, `inline`, `remote`,
    /// `discovery`, `secret`.
    /// Needed unless all its tokens are introspected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<Keys>,
    /// Where it answers for tokens that it did not sign (RFC 7662).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub introspection: Option<Introspection>,
}

/// A kind of token that a standard describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
pub enum Profile {
    /// An access token of RFC 9068: `typ` is `at+jwt`, and `sub`, `client_id`, `iat`
    /// and `jti` must be there beside `iss`, `exp` and `aud`.
    #[serde(rename = "at+jwt")]
    AccessToken,
}

impl Issuer {
    /// The accepted values of `typ`.
    pub fn accepted_types(&self) -> Vec<String> {
        match (self.profile, &self.token_types) {
            (Some(Profile::AccessToken), _) => vec!["at+jwt".into()],
            (None, Some(types)) => types.clone(),
            (None, None) => ["at+jwt", "JWT"].map(String::from).to_vec(),
        }
    }

    /// Claims that must be there beside those that every token must have.
    pub fn required_claims(&self) -> Vec<String> {
        match self.profile {
            // RFC 9068 §2.2.
            Some(Profile::AccessToken) => ["sub", "client_id", "iat", "jti"]
                .map(String::from)
                .to_vec(),
            None => Vec::new(),
        }
    }
}

fn default_algorithms() -> Vec<String> {
    ["RS256", "ES256", "EdDSA"].map(String::from).to_vec()
}

fn default_clock_skew() -> Span {
    Span::of_seconds(60)
}

fn default_max_token_bytes() -> u32 {
    16 * 1024
}
