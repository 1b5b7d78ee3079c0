//! Tokens that a case describes by their claims, and the keys that sign them.
//!
//! A key is made from its name, so that there is no secret to keep and none to
//! mistake for one of production. A name that begins with `ed` is an Ed25519 key, one
//! with `es512` a P-521 key, one with `hs` the shared secret
//! `the shared secret that is named <name>`, and any other one a P-256 key.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use p256::ecdsa::signature::Signer as _;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

/// A token. Without further word it is one that the shop accepts.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Token {
    /// Header members that differ; `null` leaves one out.
    header: Map<String, Value>,
    /// Claims that differ; `null` leaves one out.
    claims: Map<String, Value>,
    /// How many seconds before the request it was made.
    age: u64,
    /// Seconds from then until `exp`; 600 if it does not say.
    expires_in: Option<i64>,
    /// Seconds from then until `nbf`.
    begins_in: Option<i64>,
    /// The name of the key that signs.
    key: Option<String>,
    /// The name of the key that it is bound to (`cnf.jkt`).
    bound: Option<String>,
    /// Claims that are changed after it was signed.
    forged: Map<String, Value>,
    /// The payload's text, in the place of claims.
    payload: Option<String>,
    /// So many characters more in a claim of no meaning.
    padding: usize,
    /// The whole token, in the place of everything else.
    raw: Option<String>,
}

impl Token {
    /// The compact form at `now`, in seconds since 1970.
    pub(crate) fn mint(&self, client: &str, now: u64) -> String {
        if let Some(raw) = &self.raw {
            return raw.clone();
        }
        let now = now - self.age;
        let kid = self.key.as_deref().unwrap_or("ec");
        let algorithm = algorithm(kid);
        let mut header = json!({ "alg": algorithm, "kid": kid, "typ": "at+jwt" });
        change(&mut header, &self.header);
        let mut claims = json!({
            "iss": "https://id.example", "aud": "https://shop.example", "sub": "alice",
            "client_id": client, "scope": "orders:read", "iat": now,
            "exp": now.saturating_add_signed(self.expires_in.unwrap_or(600)),
        });
        if let Some(begin) = self.begins_in {
            claims["nbf"] = now.saturating_add_signed(begin).into();
        }
        if self.padding > 0 {
            claims["padding"] = "x".repeat(self.padding).into();
        }
        if let Some(name) = &self.bound {
            claims["cnf"] = json!({ "jkt": thumbprint(name) });
        }
        change(&mut claims, &self.claims);
        let payload = self.payload.clone().unwrap_or_else(|| claims.to_string());
        let input = format!("{}.{}", encode(header.to_string()), encode(&payload));
        let signature = encode(sign(kid, input.as_bytes()));
        if self.forged.is_empty() {
            return format!("{input}.{signature}");
        }
        change(&mut claims, &self.forged);
        let (header, _) = input.split_once('.').unwrap();
        format!("{header}.{}.{signature}", encode(claims.to_string()))
    }
}

/// The JWKS that holds these keys.
pub(crate) fn published(names: &[String]) -> Value {
    let keys: Vec<Value> = names.iter().map(|name| public(name)).collect();
    json!({ "keys": keys })
}

fn algorithm(name: &str) -> &'static str {
    match name {
        name if name.starts_with("ed") => "EdDSA",
        name if name.starts_with("es512") => "ES512",
        name if name.starts_with("hs") => "HS256",
        _ => "ES256",
    }
}

/// The members that RFC 7638 §3.2 takes, in its order.
fn thumbprint(name: &str) -> String {
    let key = public(name);
    let members: Vec<String> = ["crv", "kty", "x", "y"]
        .iter()
        .filter(|member| !key[**member].is_null())
        .map(|member| format!("\"{member}\":{}", key[*member]))
        .collect();
    encode(Sha256::digest(format!("{{{}}}", members.join(","))))
}

pub(crate) fn public(name: &str) -> Value {
    if name.starts_with("ed") {
        let point = encode(ed25519(name).pk.as_ref());
        return json!({ "kty": "OKP", "crv": "Ed25519", "kid": name, "alg": "EdDSA", "x": point });
    }
    let (curve, point) = if algorithm(name) == "ES512" {
        let point = p521(name).verifying_key().to_sec1_point(false);
        ("P-521", point.as_bytes().to_vec())
    } else {
        let point = p256(name).verifying_key().to_sec1_point(false);
        ("P-256", point.as_bytes().to_vec())
    };
    let (x, y) = point[1..].split_at(point.len() / 2);
    json!({
        "kty": "EC", "crv": curve, "kid": name, "alg": algorithm(name),
        "x": encode(x), "y": encode(y),
    })
}

pub(crate) fn sign(name: &str, input: &[u8]) -> Vec<u8> {
    if name.starts_with("ed") {
        return ed25519(name).sk.sign(input, None).to_vec();
    }
    if algorithm(name) == "HS256" {
        let secret = format!("the shared secret that is named {name}");
        let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        return mac.chain_update(input).finalize().into_bytes().to_vec();
    }
    if algorithm(name) == "ES512" {
        let signature: p521::ecdsa::Signature = p521(name).sign(input);
        return signature.to_bytes().to_vec();
    }
    let signature: p256::ecdsa::Signature = p256(name).sign(input);
    signature.to_bytes().to_vec()
}

fn p256(name: &str) -> p256::ecdsa::SigningKey {
    p256::ecdsa::SigningKey::from_slice(&seed(name)).unwrap()
}

fn p521(name: &str) -> p521::ecdsa::SigningKey {
    // The order has 521 bits, and the first byte holds one of them.
    let seed = [&[0, 1], &seed(name)[..], &seed(name)[..]].concat();
    p521::ecdsa::SigningKey::from_slice(&seed).unwrap()
}

fn ed25519(name: &str) -> ed25519_compact::KeyPair {
    ed25519_compact::KeyPair::from_seed(ed25519_compact::Seed::new(seed(name)))
}

fn seed(name: &str) -> [u8; 32] {
    Sha256::digest(name.as_bytes()).into()
}

pub(crate) fn change(target: &mut Value, changes: &Map<String, Value>) {
    for (name, value) in changes {
        if value.is_null() {
            target.as_object_mut().unwrap().remove(name);
        } else {
            target[name] = value.clone();
        }
    }
}

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
