//! Every refusal, and the response that tells the client of it.
//!
//! One closed enum: status, log code and public text come from one exhaustive
//! `match`, so no refusal can lack one of them. Public texts hold nothing that came
//! from the client and no reason that would help an attacker.

mod challenge;
mod problem;

use std::borrow::Cow;
use std::rc::Rc;

use serde_json::json;

use crate::api_key;
use crate::jose::{ProofError, TokenError};
use crate::revocation::Revoked;
use crate::rule;
use problem::Problem;

pub use challenge::{Challenges, Fault, Offer};

/// Why a request, or the response to it, does not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denial {
    /// The request is malformed or could be read in two ways.
    Malformed(Malformed),
    /// No operation is declared for the path.
    PathNotDeclared,
    /// The path is declared, the method is not; `allow` lists those that are.
    MethodNotDeclared {
        /// The value of the `Allow` header (RFC 9110 §10.2.1).
        allow: String,
    },
    /// The client's address may not ask.
    AddressForbidden,
    /// The client's country may not ask, or is not known.
    CountryForbidden,
    /// The client's program may not ask.
    AgentForbidden,
    /// The operation is closed until the policy says otherwise.
    OperationClosed,
    /// The operation is being maintained.
    UnderMaintenance {
        /// When the maintenance is over.
        retry_after_seconds: u64,
    },
    /// The operation is not open at this time.
    OutsideHours,
    /// Whoever asks failed to authenticate too often.
    LockedOut {
        /// When the next attempt will be looked at.
        retry_after_seconds: u64,
    },
    /// The operation needs a credential and none came, or not all that it needs.
    NoCredential,
    /// The operation needs a certificate, and nobody is known by the one that came.
    UnknownCertificate,
    /// What a trusted proxy says of its client's certificate cannot be read.
    BadCertificate,
    /// An API key came and cannot be believed.
    BadApiKey(api_key::Fault),
    /// A token came and cannot be believed.
    BadToken(TokenError),
    /// The token is bound to a certificate (RFC 8705 §3), and this is not it.
    BadBinding(Binding),
    /// The token is bound to a key, and came as if it were not (RFC 9449 §7.2).
    TokenBound,
    /// The token is not bound to what it must be bound to.
    TokenUnbound,
    /// No DPoP proof came with a token that is bound to a key, or more than one.
    ProofMissing,
    /// The proof proves nothing about this request.
    BadProof(ProofError),
    /// The proof was used before (RFC 9449 §11.1).
    ProofReplayed,
    /// The proof repeats no nonce of the gateway's, or an old one (RFC 9449 §8).
    ProofWithoutNonce {
        /// The nonce to repeat.
        nonce: String,
    },
    /// Whether the proof was used before could not be told.
    ProofUncounted,
    /// More than one credential of a kind, or one that is empty or no token.
    BadCredential,
    /// The token's issuer has no usable keys at the moment.
    KeysUnavailable,
    /// The server that must be asked about the token does not answer.
    IntrospectionUnavailable,
    /// The credential is good and was taken back.
    Revoked(Revoked),
    /// What is revoked cannot be known at the moment.
    RevocationsUnavailable,
    /// The token lacks scopes that the operation asks for.
    InsufficientScope {
        /// The scopes that would do, separated by spaces.
        scope: String,
    },
    /// The caller has none of the roles that the operation asks for.
    RoleMissing,
    /// A rule does not let the request pass.
    RuleRefused {
        /// Its name.
        rule: String,
    },
    /// A rule has no answer.
    RuleFailed {
        /// Its name.
        rule: String,
        /// Why.
        fault: rule::Fault,
    },
    /// The token does not say that the caller logged in well and lately enough.
    StepUp {
        /// What `acr` may be, separated by spaces; empty: anything.
        acr_values: String,
        /// How long ago the log-in may be.
        max_age_seconds: Option<u64>,
    },
    /// The request names an object that is not the caller's.
    ObjectForbidden,
    /// A body whose fields must be looked at cannot be read in one way only.
    BodyUnreadable,
    /// The caller is over a limit.
    QuotaExceeded {
        /// The names of the limits.
        limits: Vec<Rc<str>>,
        /// When they will allow it; `None`: time alone does not help.
        retry_after_seconds: Option<u64>,
    },
    /// The request's body costs, and its length is not announced.
    LengthRequired,
    /// The quota could not be counted.
    QuotaUncounted,
    /// The rate limit service did not answer, and the limit fails closed.
    QuotaServiceUnavailable,
    /// The request is unlike those the model learnt from.
    Anomalous,
    /// The response holds classified fields and cannot be masked.
    ResponseUnmaskable,
    /// The engine met an event that nobody expected.
    Unexpected,
}

/// What is malformed about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// `:path` or `:method` is missing or not ASCII.
    RequestLine,
    /// The path holds dot segments, empty segments, encoded separators or broken escapes.
    AmbiguousPath,
    /// A header value is not UTF-8 or holds a control character.
    HeaderValue,
    /// A header that must come once came more than once.
    RepeatedHeader,
    /// The client's address could not be read, or not be followed through the proxies.
    Address,
}

/// How a token that is bound to a certificate came without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binding {
    /// The client has none.
    CertificateMissing,
    /// The client has another.
    CertificateOther,
}

/// The response that a refusal becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The status code.
    pub status: u16,
    /// Header fields, the content type included.
    pub headers: Vec<(&'static str, String)>,
    /// The problem document (RFC 9457).
    pub body: Vec<u8>,
}

impl Denial {
    /// The HTTP status code.
    pub fn status(&self) -> u16 {
        self.facts().status
    }

    /// The code for logs: stable, and more exact than the public text.
    pub fn code(&self) -> &'static str {
        self.facts().code
    }

    /// What the audit says of it: the code, and which rule it was.
    pub fn note(&self) -> Cow<'static, str> {
        match self {
            Denial::RuleRefused { rule } => format!("{}: `{rule}`", self.code()).into(),
            Denial::RuleFailed { rule, fault } => {
                format!("{}: `{rule}`, {fault}", self.code()).into()
            }
            Denial::QuotaExceeded { limits, .. } => {
                format!("{}: `{}`", self.code(), limits.join("`, `")).into()
            }
            _ => self.code().into(),
        }
    }

    /// All that is fixed about a refusal, in one place for each.
    fn facts(&self) -> Facts {
        let (status, code, problem) = match self {
            Denial::Malformed(what) => (400, what.code(), problem::MALFORMED_REQUEST),
            Denial::PathNotDeclared => (404, "path_not_declared", problem::PATH_NOT_DECLARED),
            Denial::MethodNotDeclared { .. } => {
                (405, "method_not_declared", problem::METHOD_NOT_DECLARED)
            }
            Denial::AddressForbidden => (403, "address_forbidden", problem::FORBIDDEN),
            Denial::CountryForbidden => (403, "country_forbidden", problem::FORBIDDEN),
            Denial::AgentForbidden => (403, "agent_forbidden", problem::FORBIDDEN),
            Denial::OperationClosed => (503, "operation_closed", problem::OPERATION_CLOSED),
            Denial::UnderMaintenance { .. } => {
                (503, "under_maintenance", problem::UNDER_MAINTENANCE)
            }
            Denial::OutsideHours => (403, "outside_hours", problem::OUTSIDE_HOURS),
            Denial::LockedOut { .. } => (429, "locked_out", problem::LOCKED_OUT),
            Denial::NoCredential => (401, "credential_missing", problem::CREDENTIAL_MISSING),
            Denial::UnknownCertificate => (401, "certificate_unknown", problem::CREDENTIAL_MISSING),
            Denial::BadCertificate => (400, "certificate_malformed", problem::MALFORMED_REQUEST),
            Denial::BadApiKey(fault) => (401, fault.code(), problem::API_KEY_INVALID),
            Denial::BadBinding(Binding::CertificateMissing) => {
                (401, "bound_certificate_missing", problem::TOKEN_INVALID)
            }
            Denial::BadBinding(Binding::CertificateOther) => {
                (401, "bound_certificate_other", problem::TOKEN_INVALID)
            }
            Denial::BadCredential => (400, "credential_malformed", problem::MALFORMED_CREDENTIAL),
            Denial::BadToken(error) => (401, error.code(), problem::TOKEN_INVALID),
            Denial::TokenBound => (401, "token_bound", problem::TOKEN_INVALID),
            Denial::TokenUnbound => (401, "token_unbound", problem::TOKEN_INVALID),
            Denial::ProofMissing => (401, "proof_missing", problem::PROOF_INVALID),
            Denial::BadProof(error) => (401, error.code(), problem::PROOF_INVALID),
            Denial::ProofReplayed => (401, "proof_replayed", problem::PROOF_INVALID),
            Denial::ProofWithoutNonce { .. } => {
                (401, "proof_without_nonce", problem::PROOF_INVALID)
            }
            Denial::ProofUncounted => (503, "proof_uncounted", problem::PROOF_UNCOUNTED),
            Denial::KeysUnavailable => (503, "keys_unavailable", problem::KEYS_UNAVAILABLE),
            Denial::IntrospectionUnavailable => (
                503,
                "introspection_unavailable",
                problem::INTROSPECTION_UNAVAILABLE,
            ),
            Denial::Revoked(Revoked::Id) => (401, "token_revoked", problem::TOKEN_INVALID),
            Denial::Revoked(Revoked::Subject) => (401, "subject_revoked", problem::TOKEN_INVALID),
            Denial::Revoked(Revoked::Client) => (401, "client_revoked", problem::TOKEN_INVALID),
            Denial::Revoked(Revoked::IssuedBefore) => {
                (401, "issued_before_revocation", problem::TOKEN_INVALID)
            }
            Denial::RevocationsUnavailable => (
                503,
                "revocations_unavailable",
                problem::REVOCATIONS_UNAVAILABLE,
            ),
            Denial::InsufficientScope { .. } => {
                (403, "insufficient_scope", problem::INSUFFICIENT_SCOPE)
            }
            Denial::RoleMissing => (403, "role_missing", problem::ROLE_MISSING),
            Denial::RuleRefused { .. } => (403, "rule_refused", problem::RULE_REFUSED),
            Denial::RuleFailed { .. } => (403, "rule_failed", problem::RULE_REFUSED),
            Denial::StepUp { .. } => (401, "step_up_needed", problem::STEP_UP_NEEDED),
            Denial::ObjectForbidden => (403, "object_forbidden", problem::OBJECT_FORBIDDEN),
            Denial::BodyUnreadable => (400, "body_unreadable", problem::MALFORMED_REQUEST),
            Denial::QuotaExceeded { .. } => (429, "quota_exceeded", problem::QUOTA_EXCEEDED),
            Denial::LengthRequired => (411, "length_required", problem::LENGTH_REQUIRED),
            Denial::QuotaServiceUnavailable => {
                (503, "quota_service_unavailable", problem::QUOTA_UNAVAILABLE)
            }
            Denial::QuotaUncounted => (503, "quota_uncounted", problem::QUOTA_UNAVAILABLE),
            Denial::Anomalous => (403, "anomalous", problem::REQUEST_REFUSED),
            Denial::ResponseUnmaskable => (502, "response_unmaskable", problem::RESPONSE_WITHHELD),
            Denial::Unexpected => (500, "unexpected_event", problem::INTERNAL_ERROR),
        };
        Facts {
            status,
            code,
            problem,
        }
    }

    /// What a challenge says is wrong; `None`: the refusal is none that another
    /// credential would mend.
    fn challenged(&self) -> Option<Fault> {
        match self {
            // What was wrong with a key is nothing that a token would mend.
            Denial::NoCredential | Denial::UnknownCertificate | Denial::BadApiKey(_) => {
                Some(Fault::Missing)
            }
            // The token is not this sender's (RFC 9449 §7.1).
            Denial::BadToken(_)
            | Denial::BadBinding(_)
            | Denial::Revoked(_)
            | Denial::TokenBound
            | Denial::TokenUnbound
            | Denial::BadProof(ProofError::KeyMismatch) => Some(Fault::InvalidToken),
            Denial::ProofMissing | Denial::BadProof(_) | Denial::ProofReplayed => {
                Some(Fault::InvalidProof)
            }
            Denial::ProofWithoutNonce { .. } => Some(Fault::NonceNeeded),
            Denial::BadCredential => Some(Fault::InvalidRequest),
            Denial::InsufficientScope { scope } => Some(Fault::InsufficientScope(scope.clone())),
            Denial::StepUp {
                acr_values,
                max_age_seconds,
            } => Some(Fault::InsufficientAuthentication {
                acr_values: acr_values.clone(),
                max_age_seconds: *max_age_seconds,
            }),
            _ => None,
        }
    }

    /// Headers beside the content type and the challenges.
    fn headers(&self) -> Option<(&'static str, String)> {
        match self {
            Denial::MethodNotDeclared { allow } => Some(("allow", allow.clone())),
            Denial::UnderMaintenance {
                retry_after_seconds,
            }
            | Denial::LockedOut {
                retry_after_seconds,
            } => Some(("retry-after", retry_after_seconds.to_string())),
            Denial::QuotaExceeded {
                retry_after_seconds,
                ..
            } => retry_after_seconds.map(|seconds| ("retry-after", seconds.to_string())),
            Denial::KeysUnavailable
            | Denial::IntrospectionUnavailable
            | Denial::RevocationsUnavailable
            | Denial::QuotaUncounted
            | Denial::QuotaServiceUnavailable
            | Denial::ProofUncounted => Some(("retry-after", "1".into())),
            Denial::ProofWithoutNonce { nonce } => Some(("dpop-nonce", nonce.clone())),
            _ => None,
        }
    }

    /// The response for the client. `request_id` becomes the `instance` when it
    /// is a UUID, which is what Envoy makes; `challenges` are the operation's.
    pub fn refusal(&self, request_id: Option<&str>, challenges: &Challenges) -> Refusal {
        let Facts {
            status, problem, ..
        } = self.facts();
        let mut document = json!({
            "type": format!("{TYPE_BASE}{}", problem.kind),
            "title": problem.title,
            "status": status,
            "detail": problem.detail,
        });
        if let (Some(id), Some(members)) = (
            request_id.filter(|id| is_uuid(id)),
            document.as_object_mut(),
        ) {
            members.insert("instance".into(), format!("urn:uuid:{id}").into());
        }
        if let (Denial::QuotaExceeded { limits, .. }, Some(members)) =
            (self, document.as_object_mut())
        {
            // As draft-ietf-httpapi-ratelimit-headers-10 names it.
            let names = limits.iter().map(|name| name.as_ref()).collect();
            members.insert("violated-policies".into(), names);
        }
        let mut headers = vec![
            ("content-type", "application/problem+json".to_string()),
            ("cache-control", "no-store".to_string()),
        ];
        let challenge = |value| ("www-authenticate", value);
        if let Some(fault) = self.challenged() {
            headers.extend(challenges.say(&fault).into_iter().map(challenge));
        }
        headers.extend(self.headers());
        for (_, value) in &mut headers {
            *value = visible(value);
        }
        Refusal {
            status,
            headers,
            body: document.to_string().into_bytes(),
        }
    }
}

impl Malformed {
    fn code(self) -> &'static str {
        match self {
            Malformed::RequestLine => "malformed_request_line",
            Malformed::AmbiguousPath => "ambiguous_path",
            Malformed::HeaderValue => "malformed_header_value",
            Malformed::RepeatedHeader => "repeated_header",
            Malformed::Address => "address_unreadable",
        }
    }
}

struct Facts {
    status: u16,
    code: &'static str,
    problem: Problem,
}

/// Every header value passes here: Envoy would send a CR LF on as a new header.
fn visible(value: &str) -> String {
    value
        .chars()
        .filter(|character| matches!(character, ' '..='~'))
        .collect()
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// In front of every problem type; the types are listed in `docs/problems.md`.
const TYPE_BASE: &str = "urn:portcullis:problem:";

#[cfg(test)]
mod tests {
    use super::*;

    fn header<'a>(refusal: &'a Refusal, name: &str) -> Option<&'a str> {
        refusal
            .headers
            .iter()
            .find(|(other, _)| *other == name)
            .map(|(_, value)| value.as_str())
    }

    #[test]
    fn a_missing_credential_is_challenged_without_an_error_code() {
        let refusal = Denial::NoCredential.refusal(None, &Challenges::default());
        assert_eq!(refusal.status, 401);
        assert_eq!(header(&refusal, "www-authenticate"), Some("Bearer"));
        assert_eq!(
            header(&refusal, "content-type"),
            Some("application/problem+json")
        );
    }

    #[test]
    fn the_challenge_names_the_scopes_that_would_do() {
        let refusal = Denial::InsufficientScope {
            scope: "a b".into(),
        }
        .refusal(None, &Challenges::default());
        assert_eq!(
            header(&refusal, "www-authenticate"),
            Some("Bearer error=\"insufficient_scope\", scope=\"a b\"")
        );
    }

    #[test]
    fn nothing_can_break_out_of_a_header() {
        let refusal = Denial::MethodNotDeclared {
            allow: "GET\r\nx: y".into(),
        }
        .refusal(None, &Challenges::default());
        assert_eq!(header(&refusal, "allow"), Some("GETx: y"));
    }

    #[test]
    fn only_a_uuid_becomes_the_instance() {
        let body = |id| {
            String::from_utf8(
                Denial::PathNotDeclared
                    .refusal(Some(id), &Challenges::default())
                    .body,
            )
            .unwrap()
        };
        assert!(
            body("0f9e8d7c-0000-4000-8000-123456789abc")
                .contains("urn:uuid:0f9e8d7c-0000-4000-8000-123456789abc")
        );
        assert!(!body("\"><script>").contains("instance"));
    }
}
