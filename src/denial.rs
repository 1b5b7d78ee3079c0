//! Every refusal, and the response that tells the client of it.
//!
//! One closed enum: status, public text, challenge and log code each come from
//! one exhaustive `match`, so no refusal can lack one of them. Public texts hold
//! nothing that came from the client and no reason that would help an attacker.

use serde_json::json;

use crate::jose::TokenError;

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
    /// The operation needs a token and none came.
    NoCredential,
    /// A token came and cannot be believed.
    BadToken(TokenError),
    /// More than one credential, or one that is not a bearer token.
    BadCredential,
    /// The token's issuer has no usable keys at the moment.
    KeysUnavailable,
    /// The token lacks scopes that the operation asks for.
    InsufficientScope {
        /// The scopes that would do, separated by spaces.
        scope: String,
    },
    /// The caller's bucket is empty.
    QuotaExceeded {
        /// When the bucket will hold a request again.
        retry_after_seconds: u64,
    },
    /// The quota could not be counted.
    QuotaUncounted,
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
    /// The client's address could not be read.
    Address,
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
        match self {
            Denial::Malformed(_) | Denial::BadCredential => 400,
            Denial::NoCredential | Denial::BadToken(_) => 401,
            Denial::InsufficientScope { .. } | Denial::Anomalous => 403,
            Denial::PathNotDeclared => 404,
            Denial::MethodNotDeclared { .. } => 405,
            Denial::QuotaExceeded { .. } => 429,
            Denial::Unexpected => 500,
            Denial::ResponseUnmaskable => 502,
            Denial::KeysUnavailable | Denial::QuotaUncounted => 503,
        }
    }

    /// The code for logs: stable, and more exact than the public text.
    pub fn code(&self) -> &'static str {
        match self {
            Denial::Malformed(Malformed::RequestLine) => "malformed_request_line",
            Denial::Malformed(Malformed::AmbiguousPath) => "ambiguous_path",
            Denial::Malformed(Malformed::HeaderValue) => "malformed_header_value",
            Denial::Malformed(Malformed::RepeatedHeader) => "repeated_header",
            Denial::Malformed(Malformed::Address) => "address_unreadable",
            Denial::PathNotDeclared => "path_not_declared",
            Denial::MethodNotDeclared { .. } => "method_not_declared",
            Denial::NoCredential => "credential_missing",
            Denial::BadToken(error) => error.code(),
            Denial::BadCredential => "credential_malformed",
            Denial::KeysUnavailable => "keys_unavailable",
            Denial::InsufficientScope { .. } => "insufficient_scope",
            Denial::QuotaExceeded { .. } => "quota_exceeded",
            Denial::QuotaUncounted => "quota_uncounted",
            Denial::Anomalous => "anomalous",
            Denial::ResponseUnmaskable => "response_unmaskable",
            Denial::Unexpected => "unexpected_event",
        }
    }

    /// The last part of the problem type, its title and what the client may know.
    fn problem(&self) -> (&'static str, &'static str, &'static str) {
        match self {
            Denial::Malformed(_) => (
                "malformed-request",
                "Malformed request",
                "The request is malformed or ambiguous.",
            ),
            Denial::BadCredential => (
                "malformed-credential",
                "Malformed credential",
                "Send exactly one credential, as `Authorization: Bearer <token>`.",
            ),
            Denial::PathNotDeclared => (
                "path-not-declared",
                "Not found",
                "The API declares no operation at this path.",
            ),
            Denial::MethodNotDeclared { .. } => (
                "method-not-declared",
                "Method not allowed",
                "The API declares other methods for this path.",
            ),
            Denial::NoCredential => (
                "credential-missing",
                "Authentication required",
                "This operation needs an access token.",
            ),
            Denial::BadToken(_) => (
                "token-invalid",
                "Invalid token",
                "The access token is expired, revoked, malformed or not meant for this API.",
            ),
            Denial::KeysUnavailable => (
                "keys-unavailable",
                "Authentication unavailable",
                "The token cannot be verified at the moment.",
            ),
            Denial::InsufficientScope { .. } => (
                "insufficient-scope",
                "Insufficient scope",
                "The access token lacks a scope that this operation needs.",
            ),
            Denial::QuotaExceeded { .. } => (
                "quota-exceeded",
                "Too many requests",
                "The quota is spent; try again after the time in `Retry-After`.",
            ),
            Denial::QuotaUncounted => (
                "quota-unavailable",
                "Quota unavailable",
                "The request could not be counted at the moment.",
            ),
            Denial::Anomalous => (
                "request-refused",
                "Request refused",
                "The request is unlike those this API receives.",
            ),
            Denial::ResponseUnmaskable => (
                "response-withheld",
                "Response withheld",
                "The upstream's response could not be made safe to pass on.",
            ),
            Denial::Unexpected => (
                "internal-error",
                "Internal error",
                "The gateway could not decide about this request.",
            ),
        }
    }

    /// Headers beside the content type: challenges, `Allow`, `Retry-After`.
    fn headers(&self) -> Option<(&'static str, String)> {
        match self {
            // RFC 6750 §3.1: no error code when no credential came.
            Denial::NoCredential => Some(("www-authenticate", "Bearer".into())),
            Denial::BadToken(_) => {
                Some(("www-authenticate", "Bearer error=\"invalid_token\"".into()))
            }
            Denial::BadCredential => Some((
                "www-authenticate",
                "Bearer error=\"invalid_request\"".into(),
            )),
            Denial::InsufficientScope { scope } => Some((
                "www-authenticate",
                format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\""),
            )),
            Denial::MethodNotDeclared { allow } => Some(("allow", allow.clone())),
            Denial::QuotaExceeded {
                retry_after_seconds,
            } => Some(("retry-after", retry_after_seconds.to_string())),
            Denial::KeysUnavailable | Denial::QuotaUncounted => Some(("retry-after", "1".into())),
            Denial::Malformed(_)
            | Denial::PathNotDeclared
            | Denial::Anomalous
            | Denial::ResponseUnmaskable
            | Denial::Unexpected => None,
        }
    }

    /// The response for the client. `request_id` becomes the `instance` when it
    /// is a UUID, which is what Envoy makes.
    pub fn refusal(&self, request_id: Option<&str>) -> Refusal {
        let (kind, title, detail) = self.problem();
        let mut problem = json!({
            "type": format!("{TYPE_BASE}{kind}"),
            "title": title,
            "status": self.status(),
            "detail": detail,
        });
        if let (Some(id), Some(members)) =
            (request_id.filter(|id| is_uuid(id)), problem.as_object_mut())
        {
            members.insert("instance".into(), format!("urn:uuid:{id}").into());
        }
        let mut headers = vec![
            ("content-type", "application/problem+json".to_string()),
            ("cache-control", "no-store".to_string()),
        ];
        headers.extend(self.headers().map(|(name, value)| (name, visible(&value))));
        Refusal {
            status: self.status(),
            headers,
            body: problem.to_string().into_bytes(),
        }
    }
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
        let refusal = Denial::NoCredential.refusal(None);
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
        .refusal(None);
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
        .refusal(None);
        assert_eq!(header(&refusal, "allow"), Some("GETx: y"));
    }

    #[test]
    fn only_a_uuid_becomes_the_instance() {
        let body = |id| String::from_utf8(Denial::PathNotDeclared.refusal(Some(id)).body).unwrap();
        assert!(
            body("0f9e8d7c-0000-4000-8000-123456789abc")
                .contains("urn:uuid:0f9e8d7c-0000-4000-8000-123456789abc")
        );
        assert!(!body("\"><script>").contains("instance"));
    }
}
