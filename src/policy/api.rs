//! The API as the filter needs it: what `portcullis build` makes of an OpenAPI document.
//!
//! Reading OpenAPI is work for the command. The module gets this compact form,
//! in which every reference is resolved and every operation says what it asks for.

use serde::{Deserialize, Serialize};

/// All that one OpenAPI document declares, compiled.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Api {
    /// `info.title`, for people.
    pub title: String,
    /// Every declared operation. What is not here is denied.
    pub operations: Vec<Operation>,
    /// The security schemes that operations ask for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schemes: Vec<Scheme>,
    /// The arena of mask nodes that responses point into; it may hold cycles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub masks: Vec<MaskNode>,
}

/// One method on one path.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// `operationId`, or `METHOD /template` where the document has none. Unique.
    pub id: String,
    /// Upper case: `GET`.
    pub method: String,
    /// The template with the base path in front: `/v1/orders/{order_id}`.
    pub path: String,
    /// Any of these suffices (OpenAPI's OR of ANDs); a requirement without
    /// schemes makes the operation public. Never empty.
    pub security: Vec<Requirement>,
    /// Declared parameters, path-level ones included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<Parameter>,
    /// Declared responses that have a JSON body.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub responses: Vec<Response>,
    /// `x-roles`: roles, any of which the caller must have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// `x-rules`: rules of the policy, all of which must let a request pass.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
    /// `x-claim` of the fields of its request body.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub body_claims: Vec<BodyClaim>,
    /// `x-step-up`: how the caller must have logged in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_up: Option<StepUp>,
    /// `x-networks`: from where it may be called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub networks: Option<Territory>,
    /// `x-hours`: when it may be called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<String>,
    /// `x-quota`: how a call of it is counted.
    #[serde(default, skip_serializing_if = "Quota::is_default")]
    pub quota: Quota,
}

/// How a call of an operation is counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// The plan, in place of the policy's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// What it costs limits that leave that to operations. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<u32>,
}

impl Quota {
    fn is_default(&self) -> bool {
        *self == Quota::default()
    }
}

/// From where an operation may be called, by the names of lists of networks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Territory {
    /// In place of the policy's `allow`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow: Option<Vec<String>>,
    /// Beside the policy's `deny`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<String>,
}

/// Schemes that must all be satisfied.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Requirement {
    /// Empty: nothing is required.
    pub schemes: Vec<SchemeUse>,
}

/// One security scheme with the scopes it must carry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SchemeUse {
    /// The name under `components.securitySchemes`.
    pub scheme: String,
    /// Every one of these is needed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
}

/// A security scheme of the document (OpenAPI 3.1 §4.8.27).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scheme {
    /// The name under `components.securitySchemes`.
    pub name: String,
    /// What it asks for.
    pub credential: Credential,
}

/// What a security scheme asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Credential {
    /// An access token in `Authorization`: `oauth2`, `openIdConnect`, `http` with `bearer`.
    Token,
    /// An API key.
    ApiKey {
        /// Where it travels: not in the path.
        #[serde(rename = "in")]
        location: Location,
        /// The name of the header (in lower case), parameter or cookie.
        name: String,
    },
    /// A client certificate.
    Certificate,
}

/// Where a parameter travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Location {
    /// In the path template.
    Path,
    /// In the query string.
    Query,
    /// In a header; the name is lower case.
    Header,
    /// In a cookie.
    Cookie,
}

impl Location {
    /// As OpenAPI writes it.
    pub fn word(self) -> &'static str {
        match self {
            Location::Path => "path",
            Location::Query => "query",
            Location::Header => "header",
            Location::Cookie => "cookie",
        }
    }
}

/// One declared parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Where it travels.
    #[serde(rename = "in")]
    pub location: Location,
    /// Whether a request must carry it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,
    /// The strings its schema allows, when the schema lists them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub enumeration: Vec<String>,
    /// `x-claim`: the claim that must hold its value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<ClaimRule>,
}

/// A value of the request must be one that a claim of the caller holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClaimRule {
    /// The names that lead to the claim.
    pub claim: Vec<String>,
    /// A caller with one of these scopes is not asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unless_scopes: Vec<String>,
    /// Whether a request without the value passes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub if_absent_allow: bool,
}

/// The same for a field of the request body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BodyClaim {
    /// The way to the field.
    pub path: Vec<BodyStep>,
    /// What must hold.
    pub rule: ClaimRule,
}

/// One step on the way to a field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyStep {
    /// Into a member of an object.
    Member(String),
    /// Into every element of an array.
    Elements,
}

/// How the caller must have logged in (RFC 9470).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepUp {
    /// `acr` must be one of these, unless there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acr_values: Vec<String>,
    /// How long ago the log-in may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age_seconds: Option<u64>,
}

/// A declared response with a JSON body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Response {
    /// `200`, `2XX` or `default`, as OpenAPI writes it.
    pub status: String,
    /// The root of its mask in [`Api::masks`]; absent when nothing in it is classified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mask: Option<u32>,
}

/// One place in a JSON document: how it is classified and what lies below it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaskNode {
    /// `x-classification` of this place, by name.
    #[serde(default, rename = "class", skip_serializing_if = "Option::is_none")]
    pub classification: Option<String>,
    /// Declared members, by name, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub properties: Vec<(String, u32)>,
    /// Every element of an array, whatever its position.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<u32>,
    /// Members that are not declared (`additionalProperties`, `patternProperties`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub additional: Option<u32>,
}
