//! The policy: what was written, compiled into what the stages decide by.
//!
//! [`source`] is what a person writes, [`openapi`] reads the API's own document,
//! [`plugin`] is both in the one JSON document that Envoy carries to the filter,
//! and [`compile`] makes a [`Policy`] of it or lists every problem.

mod access;
pub mod address;
pub mod api;
pub mod availability;
pub mod compile;
pub mod credential;
mod hand_over;
pub mod lockout;
pub mod network;
#[cfg(not(target_family = "wasm"))]
pub mod openapi;
pub mod plugin;
mod possession;
#[cfg(not(target_family = "wasm"))]
pub mod prepare;
pub mod problem;
pub mod quota;
mod role;
pub mod route;
pub mod rule;
pub mod source;
mod status;
pub mod structure;

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use crate::fetch::Schedule;
use crate::jose::{Algorithm, KeySet, SharedSecret};
use crate::mask::{self, Table};
use crate::model::Model;
pub use access::{Access, Demand, Proof, Requirement, Scheme};
use address::Address;
use api::{BodyClaim, Location, Parameter, Response, StepUp};
use availability::{Availability, Hours};
use credential::{ApiKeys, Certificates};
pub use hand_over::{Assertion, HandOver, IdentityHeader};
use lockout::Lockout;
use network::{Networks, Territory};
pub use possession::Dpop;
use quota::Quotas;
pub use role::Roles;
use route::Router;
use rule::Rules;
use source::{RemoteKeys, SenderConstraint, Stages};
pub use status::{Introspection, Revocation, RevocationSource, ServerAuth};

/// Everything the stages decide by. Only [`compile`] makes it.
#[derive(Debug)]
pub struct Policy {
    /// The first 16 hex digits of the SHA-256 of the plugin configuration.
    pub fingerprint: String,
    /// Whether each stage enforces.
    pub stages: Stages,
    /// Finds the operation of a request.
    pub router: Router,
    /// The declared operations; the router's indices point here.
    pub operations: Vec<Operation>,
    /// What is asked of a request to an undeclared operation when routing only
    /// observes: a token of any issuer.
    pub undeclared: Access,
    /// Where requests may come from.
    pub networks: Networks,
    /// Hours; operations name them by their places.
    pub hours: Vec<Hours>,
    /// When operations may be called that the document does not declare.
    pub undeclared_availability: Availability,
    /// How much failing to authenticate is borne.
    pub lockout: Option<Lockout>,
    /// The document's security schemes.
    pub schemes: Vec<Scheme>,
    /// Where the protected resource's metadata are (RFC 9728).
    pub resource_metadata: Option<String>,
    /// Whose tokens are believed.
    pub issuers: Vec<Issuer>,
    /// What is revoked.
    pub revocation: Option<Revocation>,
    /// Which API keys are good.
    pub api_keys: ApiKeys,
    /// Whom client certificates stand for.
    pub certificates: Certificates,
    /// How proofs of possession are checked; without it none counts.
    pub dpop: Option<Dpop>,
    /// Who may see what.
    pub clearances: Clearances,
    /// Where classified fields lie.
    pub masks: Table,
    /// How much callers may ask for.
    pub quotas: Quotas,
    /// Headers that tell the upstream who calls.
    pub identity: Vec<IdentityHeader>,
    /// What the upstream gets of the credentials, or in their place.
    pub hand_over: HandOver,
    /// Which roles a caller has.
    pub roles: Roles,
    /// Conditions on caller, request and time.
    pub rules: Rules,
    /// The claims, by their first names, that stages ask about after authentication.
    pub kept_claims: BTreeSet<String>,
    /// The learned model.
    pub anomaly: Option<Anomaly>,
}

/// One declared operation.
#[derive(Debug)]
pub struct Operation {
    /// Its id.
    pub id: String,
    /// Its id as a header value.
    pub header: String,
    /// Its path template.
    pub path: String,
    /// When it may be called.
    pub availability: Availability,
    /// From where it may be called.
    pub territory: Territory,
    /// Who may call it.
    pub access: Access,
    /// Its declared parameters.
    pub parameters: Vec<Parameter>,
    /// Its declared JSON responses.
    pub responses: Vec<Response>,
    /// Roles, any of which its caller must have, unless there are none.
    pub roles: Vec<String>,
    /// The rules that it is subject to, by their places in the policy.
    pub rules: Vec<usize>,
    /// What fields of its request body must hold.
    pub body_claims: Vec<BodyClaim>,
    /// How its caller must have logged in.
    pub step_up: Option<StepUp>,
    /// The quota plan that counts it, by its place.
    pub plan: Option<usize>,
    /// What a call of it costs.
    pub cost: u64,
}

impl Operation {
    /// Whether such a parameter is declared.
    pub fn declares(&self, location: Location, name: &str) -> bool {
        self.parameter(location, name).is_some()
    }

    /// The values that a parameter's schema lists.
    pub fn enumeration(&self, location: Location, name: &str) -> &[String] {
        self.parameter(location, name)
            .map_or(&[], |parameter| &parameter.enumeration)
    }

    fn parameter(&self, location: Location, name: &str) -> Option<&Parameter> {
        self.parameters
            .iter()
            .find(|parameter| parameter.location == location && parameter.name == name)
    }
}

/// Whose tokens are believed.
#[derive(Debug)]
pub struct Issuer {
    /// A name for logs.
    pub name: String,
    /// The exact `iss`.
    pub issuer: String,
    /// Any one of these must be in `aud`.
    pub audiences: Vec<String>,
    /// The accepted algorithms with public keys.
    pub algorithms: Vec<Algorithm>,
    /// The accepted `typ`.
    pub token_types: Vec<String>,
    /// Claims that must be there beside those that every token must have.
    pub required_claims: Vec<String>,
    /// Tolerated difference of clocks.
    pub skew: Duration,
    /// How long after `iat` a token is accepted.
    pub max_age: Option<Duration>,
    /// The longest token that is read.
    pub max_token_bytes: usize,
    /// What its tokens must be bound to.
    pub sender_constraint: SenderConstraint,
    /// The verification keys.
    pub keys: IssuerKeys,
    /// Where it answers for tokens that it did not sign.
    pub introspection: Option<Introspection>,
}

/// Where the verification keys are.
#[derive(Debug)]
pub enum IssuerKeys {
    /// In the configuration.
    Fixed(Rc<KeySet>),
    /// Behind an address.
    Remote(Box<RemoteSource>),
    /// Shared with the issuer; none if they are in the environment of another process.
    Secrets(Vec<SharedSecret>),
    /// Nowhere: it signs no tokens.
    None,
}

/// A JWKS behind an address.
#[derive(Debug, Clone)]
pub struct RemoteSource {
    /// How it is fetched and how long it serves.
    pub keys: RemoteKeys,
    /// Where it lies.
    pub place: KeysPlace,
}

/// Where a JWKS lies.
#[derive(Debug, Clone)]
pub enum KeysPlace {
    /// Where the policy says.
    Known(Address),
    /// Where the issuer's metadata say.
    Discovered {
        /// Where the metadata lie.
        address: Address,
        /// How often they are fetched.
        schedule: Schedule,
    },
}

/// Who may see what. Classes are numbered from the lowest, 0.
#[derive(Debug)]
pub struct Clearances {
    /// The classes' names.
    pub names: Vec<String>,
    /// The class that everybody may see.
    pub everybody: u8,
    /// A scope, and the class that its bearer may see.
    pub grants: Vec<(String, u8)>,
    /// How a body is masked, for each clearance.
    pub rules: Vec<mask::Rules>,
}

impl Clearances {
    /// The clearance of a bearer of these scopes.
    pub fn of(&self, scopes: &[String]) -> u8 {
        let granted = self
            .grants
            .iter()
            .filter(|(scope, _)| scopes.contains(scope))
            .map(|(_, level)| *level);
        granted.fold(self.everybody, u8::max)
    }

    /// The clearance of a caller without a token.
    pub fn everybody(&self) -> u8 {
        self.everybody
    }

    /// The name of a class.
    pub fn name(&self, level: u8) -> &str {
        self.names
            .get(usize::from(level))
            .map_or("unclassified", String::as_str)
    }

    /// How a body is masked for a clearance.
    pub fn rules(&self, clearance: u8) -> Option<&mask::Rules> {
        self.rules.get(usize::from(clearance))
    }
}

/// The learned model and where it draws the line.
#[derive(Debug)]
pub struct Anomaly {
    /// The model.
    pub model: Model,
    /// The score above which a request counts as odd.
    pub threshold: f32,
}

/// Percent-encodes what is not visible ASCII or a space between words.
pub fn encode_header(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'%' => out.push_str("%25"),
            b' '..=b'~' => out.push(char::from(byte)),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// The header that names the operation for the upstream.
pub const OPERATION_HEADER: &str = "x-portcullis-operation";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_claim_breaks_out_of_its_header() {
        assert_eq!(encode_header("a b\r\nx: y%"), "a b%0D%0Ax: y%25");
        assert_eq!(encode_header("caf\u{e9}"), "caf%C3%A9");
    }
}
