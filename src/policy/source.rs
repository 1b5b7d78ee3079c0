//! The policy as a person writes it: `policy.yaml`.
//!
//! These types are the one definition of the file. The JSON Schema that editors
//! use, the check that reports every problem and the reading itself all come
//! from them. Everything that OpenAPI has a word for stands in the OpenAPI
//! document and not here.

mod api_key;
mod certificate;
mod classification;
mod dpop;
mod hand_over;
mod hours;
mod introspection;
mod issuer;
mod keys;
mod lockout;
mod network;
mod quota;
mod revocation;
mod role;
mod rule;
mod scheme;
mod secret;
mod span;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

#[cfg(not(target_family = "wasm"))]
use schemars::JsonSchema;

pub use api_key::{ApiKey, KeySecret};
pub use certificate::{Certificate, CertificatePattern, ClientCertificates, Xfcc};
pub use classification::{Classification, ClearanceRule, Clearances, Mask};
pub use dpop::{Dpop, Nonce, SenderConstraint};
pub use hand_over::{Assertion, Form, HandOver, HeaderClaim, TokenHandOver};
pub use hours::{Hours, Maintenance};
pub use introspection::{ClientAuth, Introspection, IntrospectionClient};
pub use issuer::{Issuer, Profile};
pub use keys::{Convention, Discovery, Encoding, Keys, OnMissing, RemoteKeys, SharedSecrets};
pub use lockout::{Lockout, LockoutLimits, Pardon};
pub use network::{Countries, NetworkList, Networks, UserAgents};
pub use quota::{
    Adaptive, Algorithm, Announce, AnnounceOn, Cost, CostBy, Key, KeyPart, Limit, OnFailure, Over,
    Plan, Prefixes, Quotas, Service, Shared, SharedMode, Suspicion,
};
pub use revocation::{OnUnavailable, RemoteList, Revocation, RevocationList};
pub use role::{ClaimPath, Roles};
pub use rule::{Rule, RuleHeaders};
pub use scheme::Scheme;
pub use secret::{Environment, Resolved, Secret};
pub use span::Span;

/// What OpenAPI has no word for: issuers, clearances, quota plans, thresholds.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The OpenAPI 3.0 or 3.1 document, as a path relative to this file.
    pub openapi: String,
    /// The path in front of every path of the document. Default: the path of its first server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_path: Option<String>,
    /// Who may issue tokens for this API.
    #[serde(default)]
    pub issuers: Vec<Issuer>,
    /// How tokens are taken that are bound to a key of their sender (RFC 9449). Without
    /// it a token that is bound so is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dpop: Option<Dpop>,
    /// Which tokens are taken back before they expire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocation: Option<Revocation>,
    /// What satisfies the document's security schemes, by their names. Default: a
    /// scheme that asks for a token takes those of every issuer.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub schemes: BTreeMap<String, Scheme>,
    /// API keys, by the names of the sets that they belong to.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub api_keys: BTreeMap<String, Vec<ApiKey>>,
    /// Whom client certificates stand for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<Certificate>,
    /// Where client certificates come from beside the connection.
    #[serde(default)]
    pub client_certificates: ClientCertificates,
    /// Where this API's protected resource metadata are (RFC 9728), for challenges.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(not(target_family = "wasm"), schemars(length(min = 1)))]
    pub resource_metadata: Option<String>,
    /// The classes of data that `x-classification` names, lowest first.
    #[serde(default)]
    pub classifications: Vec<Classification>,
    /// Which caller may see which class.
    #[serde(default)]
    pub clearances: Clearances,
    /// Where requests may come from, and from which programs.
    #[serde(default)]
    pub networks: Networks,
    /// Days and times of day by name; `x-hours` of an operation names one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub hours: BTreeMap<String, Hours>,
    /// When operations are being maintained.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub maintenance: Vec<Maintenance>,
    /// The ids of operations that are closed until the policy says otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub closed: Vec<String>,
    /// How much failing to authenticate is borne. Default: nothing is counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lockout: Option<Lockout>,
    /// How much a caller may ask for.
    #[serde(default)]
    pub quotas: Quotas,
    /// Header for the upstream, and the claim that fills it. Clients cannot set these headers.
    #[serde(default = "default_identity_headers")]
    pub identity_headers: BTreeMap<String, HeaderClaim>,
    /// What the upstream gets of the credentials, or in their place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hand_over: Option<HandOver>,
    /// Which roles a caller has, for the document's `x-roles`.
    #[serde(default)]
    pub roles: Roles,
    /// Conditions on caller, request and time, by name. An operation names those that it
    /// is subject to with `x-rules`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rules: BTreeMap<String, Rule>,
    /// The rules that every operation is subject to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub default_rules: Vec<String>,
    /// The headers that `country` and `device` are read from in rules.
    #[serde(default)]
    pub rule_headers: RuleHeaders,
    /// Whether each stage enforces or only observes.
    #[serde(default)]
    pub stages: Stages,
    /// The learned model of normal requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anomaly: Option<Anomaly>,
}

impl Source {
    /// Every secret, and where it stands.
    pub fn secrets_mut(&mut self) -> Vec<(String, &mut Secret)> {
        let mut secrets = Vec::new();
        for (index, issuer) in self.issuers.iter_mut().enumerate() {
            if let Some(Keys::Secret(shared)) = &mut issuer.keys {
                let path = |value| format!("policy.issuers[{index}].keys.secret.values[{value}]");
                let values = shared.values.iter_mut().enumerate();
                secrets.extend(values.map(|(value, secret)| (path(value), secret)));
            }
            if let Some(introspection) = &mut issuer.introspection {
                secrets.push((
                    format!("policy.issuers[{index}].introspection.client.secret"),
                    &mut introspection.client.secret,
                ));
            }
        }
        let hand_over = self.hand_over.as_mut();
        if let Some(assertion) = hand_over.and_then(|hand_over| hand_over.assertion.as_mut()) {
            for (index, key) in assertion.keys.iter_mut().enumerate() {
                secrets.push((format!("policy.hand_over.assertion.keys[{index}]"), key));
            }
        }
        secrets
    }
}

/// Whether each stage enforces or only observes. Authentication always enforces.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Stages {
    /// Ambiguous paths and malformed headers: 400.
    pub hygiene: Mode,
    /// Operations that the document does not declare: 404 and 405.
    pub routing: Mode,
    /// Addresses, countries and programs that may not ask: 403.
    pub network: Mode,
    /// Operations that are closed, being maintained, or outside their hours: 503 and 403.
    pub availability: Mode,
    /// Whoever failed to authenticate too often: 429.
    pub lockout: Mode,
    /// Scopes: 403.
    pub authorization: Mode,
    /// Quotas: 429.
    pub quota: Mode,
    /// Requests unlike those the model learnt from: 403.
    pub anomaly: Mode,
    /// Classified response fields.
    pub masking: Mode,
}

impl Default for Stages {
    fn default() -> Self {
        Stages {
            hygiene: Mode::Enforce,
            routing: Mode::Enforce,
            network: Mode::Enforce,
            availability: Mode::Enforce,
            lockout: Mode::Enforce,
            authorization: Mode::Enforce,
            quota: Mode::Enforce,
            anomaly: Mode::Observe,
            masking: Mode::Enforce,
        }
    }
}

/// Whether a stage refuses or only says that it would.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The stage refuses.
    Enforce,
    /// The stage records what it would have done, and lets pass.
    Observe,
}

/// The learned model of normal requests.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Anomaly {
    /// The file that `portcullis train` wrote, relative to this file.
    pub model: String,
    /// The score above which a request counts as odd. Default: the one found in training.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(not(target_family = "wasm"), schemars(range(min = 0.0, max = 1.0)))]
    pub threshold: Option<f32>,
}

fn default_identity_headers() -> BTreeMap<String, HeaderClaim> {
    [
        ("x-portcullis-subject", "sub"),
        ("x-portcullis-client", "client_id"),
        ("x-portcullis-issuer", "iss"),
        ("x-portcullis-scopes", "scope"),
    ]
    .map(|(header, claim)| (header.to_string(), HeaderClaim::Name(claim.to_string())))
    .into()
}
