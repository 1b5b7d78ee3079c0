//! What the upstream learns of the caller.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::encode_header;
use super::source::{Form, TokenHandOver};
use crate::jose::{Claims, SigningKey};

/// A header that tells the upstream who calls.
#[derive(Debug)]
pub struct IdentityHeader {
    /// Its name, in lower case.
    pub name: String,
    /// The claim that fills it, by its names from the outside in.
    pub claim: Vec<String>,
    /// How the claim is written.
    pub form: Form,
}

impl IdentityHeader {
    /// The header's value. Nothing but visible ASCII and spaces is in it, so no claim
    /// can break out of the header.
    pub fn value(&self, claims: &Claims) -> Option<String> {
        let words;
        let claim = match self.claim.as_slice() {
            [name] if name == "scope" => {
                words = Value::from(claims.scopes().collect::<Vec<_>>().join(" "));
                &words
            }
            [name] if name == "client_id" => {
                words = Value::from(claims.client_id()?);
                &words
            }
            path => claims.claim(path)?,
        };
        self.form.write(claim)
    }

    /// The same of claims that stand in the policy.
    pub fn value_in(&self, claims: &Map<String, Value>) -> Option<String> {
        let (first, rest) = self.claim.split_first()?;
        let claim = rest
            .iter()
            .try_fold(claims.get(first)?, |value, name| value.get(name))?;
        self.form.write(claim)
    }
}

impl Form {
    fn write(self, claim: &Value) -> Option<String> {
        match self {
            Form::Text => text_of(claim).map(|text| encode_header(&text)),
            Form::Json => Some(ascii_json(claim)),
            Form::Base64url => {
                let text = match claim {
                    Value::Null => return None,
                    Value::Array(_) | Value::Object(_) => Cow::Owned(claim.to_string()),
                    Value::String(text) => Cow::Borrowed(text.as_str()),
                    other => Cow::Owned(other.to_string()),
                };
                Some(URL_SAFE_NO_PAD.encode(text.as_bytes()))
            }
        }
    }
}

/// What the upstream gets of the credentials, or in their place.
#[derive(Debug, Default)]
pub struct HandOver {
    /// What becomes of the token.
    pub token: TokenHandOver,
    /// The gateway's own token.
    pub assertion: Option<Assertion>,
}

impl HandOver {
    /// The header of the gateway's own token.
    pub fn header(&self) -> Option<&str> {
        self.assertion.as_ref()?.header.as_deref()
    }
}

/// A short-lived JWT that the gateway signs.
#[derive(Debug)]
pub struct Assertion {
    /// Its header, in lower case, unless it only replaces the token.
    pub header: Option<String>,
    /// `iss`.
    pub issuer: String,
    /// `aud`.
    pub audiences: Vec<String>,
    /// From `iat` to `exp`, in seconds.
    pub lifetime_seconds: u64,
    /// The key that signs; `None` where it is in the environment of another process.
    pub key: Option<SigningKey>,
    /// Whether it is for one request.
    pub binds_request: bool,
    /// Claims of the caller's that it repeats.
    pub claims: Vec<String>,
}

fn text_of(claim: &Value) -> Option<String> {
    match claim {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Array(elements) => {
            let texts: Vec<String> = elements.iter().filter_map(text_of).collect();
            Some(texts.join(" "))
        }
        Value::Object(_) | Value::Null => None,
    }
}

/// JSON in which whatever is not ASCII is escaped (RFC 8259 §7). Control characters
/// are escaped in any JSON, but for DEL.
fn ascii_json(value: &Value) -> String {
    let mut out = String::new();
    for character in value.to_string().chars() {
        if matches!(character, ' '..='~') {
            out.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            out.push_str(&format!("\\u{unit:04x}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn written(form: Form, claim: Value) -> Option<String> {
        let header = IdentityHeader {
            name: "x".into(),
            claim: ["a", "b"].map(String::from).to_vec(),
            form,
        };
        let claims = json!({ "a": { "b": claim } });
        header.value_in(claims.as_object().unwrap())
    }

    #[test]
    fn claims_become_text() {
        let list = json!(["a", 1, true, { "x": 1 }]);
        assert_eq!(written(Form::Text, list), Some("a 1 true".into()));
        assert_eq!(written(Form::Text, json!({ "x": 1 })), None);
        assert_eq!(
            written(Form::Text, json!("caf\u{e9}\r\n")),
            Some("caf%C3%A9%0D%0A".into())
        );
    }

    #[test]
    fn claims_become_json_that_reads_back() {
        let claim = json!({ "x": ["caf\u{e9}", "\u{1f600}\r\n\u{7f}", 1.5, null] });
        let text = written(Form::Json, claim.clone()).unwrap();
        assert!(
            text.bytes().all(|byte| matches!(byte, b' '..=b'~')),
            "{text}"
        );
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), claim);
    }

    #[test]
    fn claims_become_base64url() {
        assert_eq!(
            written(Form::Base64url, json!("caf\u{e9}")),
            Some("Y2Fmw6k".into())
        );
        assert_eq!(
            written(Form::Base64url, json!([1])),
            Some(URL_SAFE_NO_PAD.encode("[1]"))
        );
        assert_eq!(written(Form::Base64url, json!(null)), None);
    }

    #[test]
    fn a_claim_that_is_not_there_gives_no_header() {
        let header = IdentityHeader {
            name: "x".into(),
            claim: vec!["a".into(), "b".into()],
            form: Form::Json,
        };
        for claims in [json!({}), json!({ "a": 1 }), json!({ "a": { "c": 1 } })] {
            assert_eq!(
                header.value_in(claims.as_object().unwrap()),
                None,
                "{claims}"
            );
        }
    }
}
