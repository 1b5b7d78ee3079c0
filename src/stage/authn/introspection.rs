//! Asking an authorization server about a token that says nothing by itself.
//!
//! The question and the answer of RFC 7662, without the call between them. An answer is
//! read as strictly as a signed token is: it decides about access just the same, and the
//! server's TLS, which Envoy's cluster checks, is in the place of the signature.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::jose::{Claims, TokenError};
use crate::strict_json;
use crate::time::Time;

/// How the gateway proves to the server that it may ask (RFC 7662 §2.1).
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum ClientAuth<'a> {
    /// Id and secret in the `authorization` header (RFC 6749 §2.3.1).
    Basic {
        /// The gateway's `client_id`.
        id: &'a str,
        /// Its secret.
        secret: &'a str,
    },
    /// Id and secret in the form.
    Post {
        /// The gateway's `client_id`.
        id: &'a str,
        /// Its secret.
        secret: &'a str,
    },
    /// An access token of the gateway's own.
    Bearer {
        /// The token.
        token: &'a str,
    },
}

/// The question, as it goes over the wire.
#[derive(Clone, PartialEq, Eq)]
pub struct Question {
    /// The value of the `authorization` header, if there is one.
    pub authorization: Option<String>,
    /// The form (`application/x-www-form-urlencoded`).
    pub form: String,
}

/// What the server says of a token.
#[derive(Debug, Clone)]
pub enum Answer {
    /// It is good, as far as the server knows, and these are its claims.
    Active(Box<Claims>),
    /// It is expired, revoked, unknown or none of the gateway's business.
    Inactive,
}

/// An answer that says nothing: neither that the token is good nor that it is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// Longer than [`MAX_ANSWER_BYTES`].
    TooLarge,
    /// Not one JSON object whose member names are each there once.
    NotJson,
    /// `active` is not there, or no boolean (RFC 7662 §2.2).
    NoVerdict,
    /// A member has another type than RFC 7662 §2.2 gives it.
    Malformed,
}

/// What an active token must say to be accepted now.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// `iss`, where the answer has it.
    pub issuer: &'a str,
    /// Names that mean us: `aud` must hold one.
    pub audiences: &'a [String],
    /// Whether an answer without `aud` will do; RFC 7662 §2.2 leaves it to the server.
    pub audience_optional: bool,
    /// The time.
    pub now: Time,
    /// How far the server's clock may be off.
    pub skew: Duration,
}

/// Puts the question about a token.
pub fn question(token: &str, client: ClientAuth<'_>) -> Question {
    let form = format!("token={}&token_type_hint=access_token", escape(token));
    match client {
        ClientAuth::Basic { id, secret } => {
            let pair = format!("{}:{}", escape(id), escape(secret));
            Question {
                authorization: Some(format!("Basic {}", STANDARD.encode(pair))),
                form,
            }
        }
        ClientAuth::Post { id, secret } => {
            let (id, secret) = (escape(id), escape(secret));
            Question {
                authorization: None,
                form: format!("{form}&client_id={id}&client_secret={secret}"),
            }
        }
        ClientAuth::Bearer { token } => Question {
            authorization: Some(format!("Bearer {token}")),
            form,
        },
    }
}

/// Reads the body of an answer of status 200.
///
/// # Errors
/// It says nothing about the token. That is a failure of the server, and no verdict.
pub fn answer(body: &[u8]) -> Result<Answer, Unreadable> {
    if body.len() > MAX_ANSWER_BYTES {
        return Err(Unreadable::TooLarge);
    }
    let members = strict_json::object(body).map_err(|_| Unreadable::NotJson)?;
    match members.get("active") {
        Some(Value::Bool(true)) => {}
        Some(Value::Bool(false)) => return Ok(Answer::Inactive),
        _ => return Err(Unreadable::NoVerdict),
    }
    let text = ["username", "token_type"];
    if text
        .iter()
        .any(|name| members.get(*name).is_some_and(|value| !value.is_string()))
    {
        return Err(Unreadable::Malformed);
    }
    Claims::introspected(members)
        .map(|claims| Answer::Active(Box::new(claims)))
        .map_err(|_| Unreadable::Malformed)
}

/// Whether an active token is acceptable now.
///
/// # Errors
/// The first of these that fails: issuer, audience, expiry, begin.
pub fn check(claims: &Claims, expected: &Expected<'_>) -> Result<(), TokenError> {
    let Expected { now, skew, .. } = *expected;
    let at = |seconds: u64| Time::from_millis(seconds.saturating_mul(1_000));
    if claims.issuer().is_some_and(|iss| iss != expected.issuer) {
        return Err(TokenError::IssuerUnexpected);
    }
    let mut audiences = claims.audiences().peekable();
    let for_us = if audiences.peek().is_none() {
        expected.audience_optional
    } else {
        audiences.any(|audience| expected.audiences.iter().any(|ours| ours == audience))
    };
    if !for_us {
        return Err(TokenError::AudienceUnexpected);
    }
    if claims.expires_at().is_some_and(|end| now >= at(end) + skew) {
        return Err(TokenError::Expired);
    }
    if claims
        .not_before()
        .is_some_and(|begin| at(begin) > now + skew)
    {
        return Err(TokenError::NotYetValid);
    }
    Ok(())
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unreadable::TooLarge => "it is longer than 64 KiB",
            Unreadable::NotJson => "it is not one JSON object in which each name stands once",
            Unreadable::NoVerdict => "`active` is not a boolean",
            Unreadable::Malformed => "a member has another type than RFC 7662 gives it",
        })
    }
}

/// What `application/x-www-form-urlencoded` makes of a text (RFC 6749 appendix B).
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b'*' => {
                out.push(char::from(byte));
            }
            b' ' => out.push('+'),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// The longest answer that is read.
pub const MAX_ANSWER_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn introspected(members: &Value) -> Result<Claims, Unreadable> {
        match answer(members.to_string().as_bytes()) {
            Ok(Answer::Active(claims)) => Ok(*claims),
            Ok(Answer::Inactive) => panic!("inactive: {members}"),
            Err(error) => Err(error),
        }
    }

    fn unread(text: &str) -> Unreadable {
        answer(text.as_bytes()).expect_err(text)
    }

    fn check(members: &Value, change: impl Fn(&mut Expected<'_>)) -> Result<(), TokenError> {
        let audiences = ["us".to_owned()];
        let mut expected = Expected {
            issuer: "i",
            audiences: &audiences,
            audience_optional: false,
            now: Time::from_millis(1_000_000),
            skew: Duration::ZERO,
        };
        change(&mut expected);
        super::check(&introspected(members).unwrap(), &expected)
    }

    #[test]
    fn id_and_secret_are_form_encoded_before_base64() {
        let question = question(
            "t+/=",
            ClientAuth::Basic {
                id: "a:b",
                secret: "p% é",
            },
        );
        assert_eq!(
            question.form,
            "token=t%2B%2F%3D&token_type_hint=access_token"
        );
        let value = question.authorization.unwrap();
        let pair = STANDARD.decode(value.strip_prefix("Basic ").unwrap());
        assert_eq!(pair.unwrap(), b"a%3Ab:p%25+%C3%A9");
    }

    #[test]
    fn a_form_carries_the_secret_where_the_server_wants_it_there() {
        let post = ClientAuth::Post {
            id: "g",
            secret: "&x=",
        };
        let asked = question("t", post);
        assert_eq!(asked.authorization, None);
        assert!(asked.form.ends_with("&client_id=g&client_secret=%26x%3D"));
        let asked = question("t", ClientAuth::Bearer { token: "own" });
        assert_eq!(asked.authorization.as_deref(), Some("Bearer own"));
    }

    #[test]
    fn only_the_boolean_true_is_active() {
        // What else an inactive answer says is of no interest.
        for text in [r#"{"active":false}"#, r#"{"active":false,"exp":"x"}"#] {
            assert!(matches!(answer(text.as_bytes()), Ok(Answer::Inactive)));
        }
        for text in [
            r#"{"active":"true"}"#,
            r#"{"active":1}"#,
            r#"{"active":null}"#,
            r#"{"sub":"a"}"#,
            "{}",
        ] {
            assert_eq!(unread(text), Unreadable::NoVerdict, "{text}");
        }
    }

    #[test]
    fn an_answer_that_can_be_read_in_two_ways_says_nothing() {
        for text in [
            r#"{"active":false,"active":true}"#,
            r#"{"active":true} {}"#,
            r#"[{"active":true}]"#,
            "true",
            "",
        ] {
            assert_eq!(unread(text), Unreadable::NotJson, "{text}");
        }
        let long = format!(
            r#"{{"active":true,"x":"{}"}}"#,
            "x".repeat(MAX_ANSWER_BYTES)
        );
        assert_eq!(unread(&long), Unreadable::TooLarge);
    }

    #[test]
    fn registered_members_have_their_types() {
        for (name, value) in [
            ("iss", json!(1)),
            ("sub", json!(["a"])),
            ("scope", json!(["a"])),
            ("client_id", json!({})),
            ("aud", json!(["a", 1])),
            ("token_type", json!(true)),
            ("exp", json!("1000")),
            ("exp", json!(-1)),
            ("nbf", json!(u64::MAX)),
        ] {
            let mut members = json!({ "active": true });
            members[name] = value;
            assert_eq!(
                unread(&members.to_string()),
                Unreadable::Malformed,
                "{members}"
            );
        }
    }

    #[test]
    fn the_answer_must_be_about_a_token_for_us() {
        let token = |name: &str, value: Value| {
            let mut members = json!({ "active": true, "aud": "us" });
            members[name] = value;
            members
        };
        assert_eq!(check(&token("x", json!(0)), |_| {}), Ok(()));
        assert_eq!(check(&token("iss", json!("i")), |_| {}), Ok(()));
        let other = check(&token("iss", json!("j")), |_| {});
        assert_eq!(other, Err(TokenError::IssuerUnexpected));
        assert_eq!(check(&token("aud", json!(["x", "us"])), |_| {}), Ok(()));
        for aud in [json!("them"), json!(["them"])] {
            // Being told of another audience is no better where none is needed.
            let fate = check(&token("aud", aud), |e| e.audience_optional = true);
            assert_eq!(fate, Err(TokenError::AudienceUnexpected));
        }
        let silent = json!({ "active": true });
        assert_eq!(check(&silent, |_| {}), Err(TokenError::AudienceUnexpected));
        assert_eq!(check(&silent, |e| e.audience_optional = true), Ok(()));
    }

    #[test]
    fn dates_hold_to_the_second_and_skew_stretches_them() {
        for (name, at, skew, fate) in [
            ("exp", 1_001, 0, Ok(())),
            ("exp", 1_000, 0, Err(TokenError::Expired)),
            ("exp", 991, 10, Ok(())),
            ("exp", 990, 10, Err(TokenError::Expired)),
            ("nbf", 1_000, 0, Ok(())),
            ("nbf", 1_001, 0, Err(TokenError::NotYetValid)),
            ("nbf", 1_010, 10, Ok(())),
        ] {
            let mut members = json!({ "active": true, "aud": "us" });
            members[name] = json!(at);
            assert_eq!(
                check(&members, |e| e.skew = Duration::from_secs(skew)),
                fate,
                "{members}"
            );
        }
    }
}
