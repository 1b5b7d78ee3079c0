//! What an authorization server publishes about itself: OpenID Connect Discovery 1.0
//! and RFC 8414.
//!
//! Of all that it holds two members matter here: `issuer`, because a document that
//! speaks for somebody else must not bring keys (RFC 8414 §3.3, §6.2), and `jwks_uri`,
//! which says where the keys are today. The rest is for clients.

use std::fmt;

use serde_json::{Map, Value};

use crate::strict_json::{self, NotStrict};

/// Where an issuer's keys are, by its own word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    jwks_uri: String,
}

/// Why a metadata document is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetadataProblem {
    /// It has more than 256 KiB.
    TooLarge,
    /// It is not one JSON object.
    NotJson,
    /// A member name occurs twice in one object.
    Duplicate,
    /// `issuer` is missing, or not exactly the issuer that was asked.
    AnotherIssuer,
    /// `jwks_uri` is missing, or not an `http://` or `https://` address.
    KeysAddress,
}

impl fmt::Display for MetadataProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            MetadataProblem::TooLarge => "the metadata has more than 256 KiB",
            MetadataProblem::NotJson => "the metadata is not one JSON object",
            MetadataProblem::Duplicate => "a member name of the metadata occurs twice",
            MetadataProblem::AnotherIssuer => {
                "`issuer` of the metadata is not the issuer of the policy"
            }
            MetadataProblem::KeysAddress => {
                "`jwks_uri` of the metadata is not an `http://` or `https://` address"
            }
        })
    }
}

impl std::error::Error for MetadataProblem {}

impl Metadata {
    /// Reads what `issuer` is supposed to have published.
    ///
    /// # Errors
    /// The document is no metadata, or that of somebody else.
    pub fn parse(text: &[u8], issuer: &str) -> Result<Self, MetadataProblem> {
        if text.len() > MAX_BYTES {
            return Err(MetadataProblem::TooLarge);
        }
        let members = strict_json::object(text).map_err(|reason| match reason {
            NotStrict::Json => MetadataProblem::NotJson,
            NotStrict::Duplicate => MetadataProblem::Duplicate,
        })?;
        // Code point by code point, without normalization (RFC 8414 §3.3).
        if string(&members, "issuer") != Some(issuer) {
            return Err(MetadataProblem::AnotherIssuer);
        }
        string(&members, "jwks_uri")
            .filter(|uri| is_address(uri))
            .map(|jwks_uri| Metadata {
                jwks_uri: jwks_uri.to_owned(),
            })
            .ok_or(MetadataProblem::KeysAddress)
    }

    /// Where the key set is: `http://` or `https://`, visible ASCII, no fragment.
    pub fn jwks_uri(&self) -> &str {
        &self.jwks_uri
    }
}

/// Where an issuer publishes its metadata by OpenID Connect Discovery 1.0 §4: behind
/// its own path. `None` if the issuer is not an `http://` or `https://` address.
pub fn openid_configuration(issuer: &str) -> Option<String> {
    let issuer = issuer.strip_suffix('/').unwrap_or(issuer);
    is_issuer(issuer).then(|| format!("{issuer}/.well-known/openid-configuration"))
}

/// Where an issuer publishes its metadata by RFC 8414 §3: between host and path.
/// `None` if the issuer is not an `http://` or `https://` address.
pub fn oauth_authorization_server(issuer: &str) -> Option<String> {
    let issuer = issuer.strip_suffix('/').unwrap_or(issuer);
    let (scheme, rest) = issuer.split_once("://").filter(|_| is_issuer(issuer))?;
    let (host, path) = rest
        .find('/')
        .and_then(|slash| rest.split_at_checked(slash))
        .unwrap_or((rest, ""));
    Some(format!(
        "{scheme}://{host}/.well-known/oauth-authorization-server{path}"
    ))
}

/// An issuer has neither query nor fragment (RFC 8414 §2).
fn is_issuer(text: &str) -> bool {
    is_address(text) && !text.contains('?')
}

fn is_address(text: &str) -> bool {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    let host = rest.and_then(|rest| rest.split(['/', '?']).next());
    // It becomes header values of a request, and a log line.
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"#\\\"<>^`{|}".contains(&byte);
    text.len() <= MAX_ADDRESS_BYTES
        && host.is_some_and(|host| !host.is_empty() && !host.contains('@'))
        && text.bytes().all(plain)
}

fn string<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    members.get(name).and_then(Value::as_str)
}

/// The longest document that is read, in bytes; known ones have less than 20 KiB.
const MAX_BYTES: usize = 256 * 1024;

/// The longest address that is worth asking, in bytes.
const MAX_ADDRESS_BYTES: usize = 2048;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ISSUER: &str = "https://id.example/tenant";

    fn parse(document: &Value) -> Result<Metadata, MetadataProblem> {
        Metadata::parse(document.to_string().as_bytes(), ISSUER)
    }

    #[test]
    fn the_keys_are_where_the_issuer_says() {
        let document = json!({
            "issuer": ISSUER,
            "jwks_uri": "https://keys.example:8443/t/jwks?v=1",
            "token_endpoint": null,
            "scopes_supported": ["openid"],
        });
        let metadata = parse(&document).unwrap();
        assert_eq!(metadata.jwks_uri(), "https://keys.example:8443/t/jwks?v=1");
    }

    #[test]
    fn a_document_of_another_issuer_brings_no_keys() {
        for issuer in [
            json!("https://id.example/tenant/"),
            json!("https://ID.example/tenant"),
            json!("https://id.example/tenan\u{0074}\u{0301}"),
            json!("https://id.example"),
            json!(["https://id.example/tenant"]),
            json!(null),
        ] {
            let document = json!({ "issuer": issuer, "jwks_uri": "https://id.example/jwks" });
            assert_eq!(
                parse(&document),
                Err(MetadataProblem::AnotherIssuer),
                "{issuer}"
            );
        }
        let document = json!({ "jwks_uri": "https://id.example/jwks" });
        assert_eq!(parse(&document), Err(MetadataProblem::AnotherIssuer));
        let twice = format!(
            r#"{{"issuer":"https://evil.example","issuer":"{ISSUER}","jwks_uri":"https://a.example"}}"#
        );
        let refusal = Metadata::parse(twice.as_bytes(), ISSUER);
        assert_eq!(refusal, Err(MetadataProblem::Duplicate));
    }

    #[test]
    fn what_is_no_address_is_not_asked() {
        for uri in [
            json!(null),
            json!(1),
            json!(""),
            json!("/jwks"),
            json!("file:///etc/passwd"),
            json!("ftp://id.example/jwks"),
            json!("HTTPS://id.example/jwks"),
            json!("https://"),
            json!("https:///jwks"),
            json!("https://?jwks"),
            json!("https://id.example@evil.example/jwks"),
            json!("https://id.example/jwks#key"),
            json!("https://id.example/jwks\r\nx-evil: 1"),
            json!("https://id.example/j wks"),
            json!("https://id.example\\@evil.example/"),
            json!("https://id.example/schlüssel"),
            json!(format!(
                "https://id.example/{}",
                "x".repeat(MAX_ADDRESS_BYTES)
            )),
        ] {
            let document = json!({ "issuer": ISSUER, "jwks_uri": uri });
            assert_eq!(parse(&document), Err(MetadataProblem::KeysAddress), "{uri}");
        }
        let document = json!({ "issuer": ISSUER });
        assert_eq!(parse(&document), Err(MetadataProblem::KeysAddress));
    }

    #[test]
    fn anything_but_a_small_object_is_refused() {
        for text in ["", "[]", "null", "{", "<html>"] {
            let refusal = Metadata::parse(text.as_bytes(), ISSUER);
            assert_eq!(refusal, Err(MetadataProblem::NotJson), "{text}");
        }
        let huge = Metadata::parse(&vec![b' '; MAX_BYTES + 1], ISSUER);
        assert_eq!(huge, Err(MetadataProblem::TooLarge));
    }

    #[test]
    fn the_two_conventions_put_the_name_at_different_places() {
        let both = |issuer| {
            let (openid, oauth) = (
                openid_configuration(issuer),
                oauth_authorization_server(issuer),
            );
            (openid.unwrap_or_default(), oauth.unwrap_or_default())
        };
        let (openid, oauth) = both("https://id.example");
        assert_eq!(
            openid,
            "https://id.example/.well-known/openid-configuration"
        );
        assert_eq!(
            oauth,
            "https://id.example/.well-known/oauth-authorization-server"
        );
        assert_eq!(both("https://id.example/"), (openid, oauth));
        let (openid, oauth) = both("http://127.0.0.1:81/a/b/");
        assert_eq!(
            openid,
            "http://127.0.0.1:81/a/b/.well-known/openid-configuration"
        );
        assert_eq!(
            oauth,
            "http://127.0.0.1:81/.well-known/oauth-authorization-server/a/b"
        );
        for issuer in ["id", "https://id.example/?t=1", "urn:example:id", ""] {
            assert_eq!(both(issuer), (String::new(), String::new()), "{issuer}");
        }
    }
}
