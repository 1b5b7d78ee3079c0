//! The policy as a person writes it: `policy.yaml`.
//!
//! These types are the one definition of the file. The JSON Schema that editors
//! use, the check that reports every problem and the reading itself all come
//! from them. Everything that OpenAPI has a word for stands in the OpenAPI
//! document and not here.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[cfg(not(target_family = "wasm"))]
use schemars::JsonSchema;

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
    /// The classes of data that `x-classification` names, lowest first.
    #[serde(default)]
    pub classifications: Vec<Classification>,
    /// Which caller may see which class.
    #[serde(default)]
    pub clearances: Clearances,
    /// How much a caller may ask for.
    #[serde(default)]
    pub quotas: Quotas,
    /// Header for the upstream, and the claim that fills it. Clients cannot set these headers.
    #[serde(default = "default_identity_headers")]
    pub identity_headers: BTreeMap<String, String>,
    /// Whether each stage enforces or only observes.
    #[serde(default)]
    pub stages: Stages,
    /// The learned model of normal requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anomaly: Option<Anomaly>,
}

/// One party whose signed tokens are believed.
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
    /// The accepted values of the `typ` header (RFC 8725 §3.11); `at+jwt` alone asks for RFC 9068.
    #[serde(default = "default_token_types")]
    #[cfg_attr(not(target_family = "wasm"), schemars(length(min = 1)))]
    pub token_types: Vec<String>,
    /// How far the clocks of issuer and gateway may differ.
    #[serde(default = "default_clock_skew")]
    pub clock_skew: Span,
    /// Where the verification keys come from: exactly one of `file`, `inline`, `remote`.
    pub keys: Keys,
}

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

/// One class of data, and how it looks to those who may not see it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Classification {
    /// The name that `x-classification` uses.
    #[cfg_attr(not(target_family = "wasm"), schemars(length(min = 1)))]
    pub name: String,
    /// How a value of this class is hidden.
    #[serde(default)]
    pub mask: Mask,
}

/// How a value is hidden.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Mask {
    /// The string `***` stands in its place.
    #[default]
    Redact,
    /// The member is left out.
    Remove,
    /// `null` stands in its place.
    Null,
    /// Only the last four characters stay.
    Last4,
}

/// Which caller may see which class.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Clearances {
    /// The clearance of everybody. Default: the lowest class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// The class of a field that the document does not classify. Default: the lowest class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unclassified: Option<String>,
    /// Each rule that holds can raise the caller's clearance.
    #[serde(default)]
    pub rules: Vec<ClearanceRule>,
}

/// A scope that gives a clearance.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ClearanceRule {
    /// The scope that the token must carry.
    pub scope: String,
    /// The highest class that its bearer may see.
    pub clearance: String,
}

/// How much a caller may ask for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Quotas {
    /// The plan of operations that have no `x-quota`. Default: no quota.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// The plans by name.
    #[serde(default)]
    pub plans: BTreeMap<String, Plan>,
    /// How many callers can be counted at once; each costs about 220 bytes of shared memory.
    #[serde(default = "default_slots")]
    #[cfg_attr(
        not(target_family = "wasm"),
        schemars(range(min = 64, max = 4_194_304))
    )]
    pub slots: u32,
}

impl Default for Quotas {
    fn default() -> Self {
        Quotas {
            default: None,
            plans: BTreeMap::new(),
            slots: default_slots(),
        }
    }
}

/// A token bucket: `requests` each `per`, and at most `burst` at once.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// How many requests the bucket regains in the time `per`.
    #[cfg_attr(
        not(target_family = "wasm"),
        schemars(range(min = 1, max = 1_000_000_000))
    )]
    pub requests: u32,
    /// The time in which the bucket regains `requests`.
    pub per: Span,
    /// How many requests a full bucket holds. Default: `requests`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        not(target_family = "wasm"),
        schemars(range(min = 1, max = 1_000_000_000))
    )]
    pub burst: Option<u32>,
    /// Who owns a bucket.
    #[serde(default)]
    pub key: QuotaKey,
}

/// Who owns a bucket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum QuotaKey {
    /// The OAuth client (`client_id` or `azp`), or the subject where the token names none.
    #[default]
    Client,
    /// The subject of the token.
    Subject,
    /// The address of the peer.
    Address,
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

/// A length of time, written like `250ms`, `30s`, `5m` or `1h`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(Duration);

impl Span {
    /// Reads `250ms`, `30s`, `5m`, `1h`; nothing else, and at most 100 years.
    pub fn parse(text: &str) -> Option<Span> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at_checked(digits)?;
        let number: u64 = number.parse().ok()?;
        let millis = match unit {
            "ms" => Some(number),
            "s" => number.checked_mul(1_000),
            "m" => number.checked_mul(60_000),
            "h" => number.checked_mul(3_600_000),
            _ => None,
        }?;
        (millis <= LONGEST_MILLIS).then(|| Span(Duration::from_millis(millis)))
    }

    /// As the standard library has it.
    pub fn duration(self) -> Duration {
        self.0
    }

    /// Whole seconds, rounded down.
    pub fn seconds(self) -> u64 {
        self.0.as_secs()
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        if millis.is_multiple_of(1_000) {
            write!(f, "{}s", millis / 1_000)
        } else {
            write!(f, "{millis}ms")
        }
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Span::parse(&text)
            .ok_or_else(|| serde::de::Error::custom("is not a length of time such as `30s`"))
    }
}

#[cfg(not(target_family = "wasm"))]
impl JsonSchema for Span {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "format": "span",
            "pattern": "^[0-9]+(ms|s|m|h)$",
            "description": "A length of time: `250ms`, `30s`, `5m` or `1h`."
        })
    }
}

fn default_algorithms() -> Vec<String> {
    ["RS256", "ES256", "EdDSA"].map(String::from).to_vec()
}

fn default_token_types() -> Vec<String> {
    ["at+jwt", "JWT"].map(String::from).to_vec()
}

fn default_identity_headers() -> BTreeMap<String, String> {
    [
        ("x-portcullis-subject", "sub"),
        ("x-portcullis-client", "client_id"),
        ("x-portcullis-issuer", "iss"),
        ("x-portcullis-scopes", "scope"),
    ]
    .map(|(header, claim)| (header.to_string(), claim.to_string()))
    .into()
}

fn default_clock_skew() -> Span {
    Span(Duration::from_secs(60))
}

fn default_refresh() -> Span {
    Span(Duration::from_secs(300))
}

fn default_max_stale() -> Span {
    Span(Duration::from_secs(3600))
}

fn default_timeout() -> Span {
    Span(Duration::from_secs(2))
}

fn default_cooldown() -> Span {
    Span(Duration::from_secs(10))
}

fn default_slots() -> u32 {
    65_536
}

const LONGEST_MILLIS: u64 = 100 * 365 * 24 * 3_600_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_with_their_unit() {
        assert_eq!(
            Span::parse("250ms").unwrap().duration(),
            Duration::from_millis(250)
        );
        assert_eq!(Span::parse("5m").unwrap().seconds(), 300);
        assert_eq!(Span::parse("1h").unwrap().to_string(), "3600s");
    }

    #[test]
    fn anything_else_is_not_a_span() {
        for text in [
            "",
            "5",
            "s",
            "-5s",
            "5 s",
            "1d",
            "99999999999999999999s",
            "18446744073709551615h",
            "1.5s",
            "é",
        ] {
            assert_eq!(Span::parse(text), None, "{text}");
        }
    }
}
