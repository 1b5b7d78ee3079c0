//! The name that a public key has by itself: its JWK thumbprint (RFC 7638).

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::key::Public;
use super::{Key, base64url};

impl Key {
    /// The SHA-256 thumbprint, by which a token is bound to a key (RFC 9449 §6).
    pub fn thumbprint(&self) -> [u8; 32] {
        // Members in the order of their names, and neither space nor escapes in what
        // base64url and the names of curves are made of: RFC 7638 §3.
        let members: Vec<String> = members(self.public())
            .into_iter()
            .map(|(name, value)| format!("\"{name}\":\"{value}\""))
            .collect();
        Sha256::digest(format!("{{{}}}", members.join(","))).into()
    }

    /// The thumbprint as text: 43 characters of base64url.
    pub fn thumbprint_text(&self) -> String {
        base64url::encode(&self.thumbprint())
    }

    /// The key's material as a JWK, without name, use or algorithm.
    pub fn jwk(&self) -> Map<String, Value> {
        let text = |(name, value): (&str, String)| (name.to_owned(), Value::from(value));
        members(self.public()).into_iter().map(text).collect()
    }
}

/// The members that RFC 7638 §3.2 and RFC 8037 §2 require, in the order of their names.
fn members(public: &Public) -> Vec<(&'static str, String)> {
    match public {
        Public::Rsa(key) => {
            use rsa::traits::PublicKeyParts as _;
            vec![
                ("e", base64url::encode(&key.e().to_bytes_be())),
                ("kty", "RSA".into()),
                ("n", base64url::encode(&key.n().to_bytes_be())),
            ]
        }
        Public::P256(key) => point("P-256", key.to_sec1_point(false).as_bytes()),
        Public::P384(key) => point("P-384", key.to_sec1_point(false).as_bytes()),
        Public::P521(key) => point("P-521", key.to_sec1_point(false).as_bytes()),
        Public::Ed25519(key) => vec![
            ("crv", "Ed25519".into()),
            ("kty", "OKP".into()),
            ("x", base64url::encode(key.as_ref())),
        ],
    }
}

/// Of an uncompressed point: a byte that says so, then both coordinates.
fn point(curve: &str, sec1: &[u8]) -> Vec<(&'static str, String)> {
    let coordinates = sec1.get(1..).unwrap_or_default();
    let (x, y) = coordinates.split_at(coordinates.len() / 2);
    vec![
        ("crv", curve.into()),
        ("kty", "EC".into()),
        ("x", base64url::encode(x)),
        ("y", base64url::encode(y)),
    ]
}

#[cfg(test)]
mod tests {
    use crate::jose::KeySet;
    use serde_json::{Value, json};

    fn thumbprint(jwk: &Value) -> String {
        let set = KeySet::from_json(&json!({ "keys": [jwk] })).unwrap();
        set.keys()[0].thumbprint_text()
    }

    #[test]
    fn the_examples_of_the_standards() {
        // RFC 7638 §3.1.
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
        let rsa = json!({ "kty": "RSA", "n": n, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29" });
        assert_eq!(
            thumbprint(&rsa),
            "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
        );
        // RFC 8037 appendix A.3.
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        assert_eq!(
            thumbprint(&json!({ "kty": "OKP", "crv": "Ed25519", "x": x })),
            "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
        );
        // RFC 9449 §4.2's key and §6.1's `jkt`.
        let (x, y) = (
            "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
            "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA",
        );
        assert_eq!(
            thumbprint(&json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y })),
            "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
        );
    }

    #[test]
    fn the_material_reads_back_as_the_key() {
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": "k" });
        let set = KeySet::from_json(&json!({ "keys": [jwk] })).unwrap();
        let again = Value::Object(set.keys()[0].jwk());
        assert_eq!(thumbprint(&again), thumbprint(&jwk));
        assert_eq!(again.get("kid"), None);
    }
}
