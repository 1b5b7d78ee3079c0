//! DPoP proofs (RFC 9449): who sends a request holds the key that its token is
//! bound to.
//!
//! A proof brings its own public key, and this is the one place that reads a key out
//! of a header. So a proof is no token and cannot become one: [`Proof`] and
//! [`Claims`](super::Claims) are made from different texts by different code, and a
//! proof's key counts for nothing but its thumbprint.

use std::fmt;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::jwk::{self, Read};
use super::token::{media_type, object, parts};
use super::{Algorithm, Key, Signatures, TokenError, Verification, base64url};
use crate::uri::{Origin, Place};

/// What a proof must say to prove something about this request, now.
#[derive(Debug, Clone, Copy)]
pub struct ExpectProof<'a> {
    /// The accepted algorithms.
    pub algorithms: &'a [Algorithm],
    /// The thumbprint of the key that the token is bound to (`cnf.jkt`).
    pub thumbprint: &'a [u8; 32],
    /// The token that came with it, in its compact form.
    pub token: &'a str,
    /// The request's method.
    pub method: &'a str,
    /// The origins at which clients know this API.
    pub origins: &'a [Origin],
    /// The request's path without its query, with escapes in their one form.
    pub path: &'a str,
    /// The time, in seconds since 1970.
    pub now: u64,
    /// How old a proof may be, in seconds.
    pub max_age: u64,
    /// How far in the future it may have been made, in seconds, since clocks differ.
    pub leeway: u64,
}

/// A proof whose signature and claims were checked. That it is the first time it is
/// seen, and what its nonce is worth, is for the caller to find out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    id: String,
    nonce: Option<String>,
    good_until: u64,
}

/// Why a proof proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProofError {
    /// Longer than any honest one.
    TooLarge,
    /// Not a JWT in compact form, or a member name occurs twice.
    Malformed,
    /// `typ` is not `dpop+jwt`, `crit` or `b64` asks for an extension, or `alg` is no string.
    HeaderMalformed,
    /// `alg` is not one of those that are accepted; `none` and HMAC never are.
    AlgorithmNotAllowed,
    /// `jwk` is missing, private, weak, or not a key for `alg`.
    KeyUnusable,
    /// The key is not the one that the token is bound to.
    KeyMismatch,
    /// The key did not sign this.
    SignatureInvalid,
    /// A claim is missing, too long or of the wrong type.
    ClaimsMalformed,
    /// It is for another method.
    MethodMismatch,
    /// It is for another address.
    UriMismatch,
    /// It is for another token.
    TokenMismatch,
    /// It was made too long ago, or in the future.
    TimeMismatch,
}

impl ProofError {
    /// The stable name of the reason, for logs, metrics and tests.
    pub fn code(self) -> &'static str {
        match self {
            ProofError::TooLarge => "proof_too_large",
            ProofError::Malformed => "proof_malformed",
            ProofError::HeaderMalformed => "proof_header_malformed",
            ProofError::AlgorithmNotAllowed => "proof_algorithm_not_allowed",
            ProofError::KeyUnusable => "proof_key_unusable",
            ProofError::KeyMismatch => "proof_key_mismatch",
            ProofError::SignatureInvalid => "proof_signature_invalid",
            ProofError::ClaimsMalformed => "proof_claims_malformed",
            ProofError::MethodMismatch => "proof_method_mismatch",
            ProofError::UriMismatch => "proof_uri_mismatch",
            ProofError::TokenMismatch => "proof_token_mismatch",
            ProofError::TimeMismatch => "proof_time_mismatch",
        }
    }
}

impl fmt::Display for ProofError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl std::error::Error for ProofError {}

impl Proof {
    /// Checks a proof as RFC 9449 §4.3 asks for, but for its `jti` and `nonce`. The
    /// key is compared before anything is computed with it, so that only whoever has
    /// a token for a key can make the gateway verify a signature by it.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn verify(
        compact: &str,
        expect: &ExpectProof<'_>,
        signatures: &dyn Signatures,
    ) -> Result<Proof, ProofError> {
        if compact.len() > MAX_PROOF_BYTES {
            return Err(ProofError::TooLarge);
        }
        let (header, payload, signature) = parts(compact).map_err(malformed)?;
        let (signing_input, _) = compact.rsplit_once('.').ok_or(ProofError::Malformed)?;
        let signature = base64url::decode(signature).ok_or(ProofError::Malformed)?;
        let header = object(header).map_err(malformed)?;
        let algorithm = algorithm(&header)?;
        if !expect.algorithms.contains(&algorithm) {
            return Err(ProofError::AlgorithmNotAllowed);
        }
        let key = key(&header)?;
        if !key.accepts(algorithm) {
            return Err(ProofError::KeyUnusable);
        }
        if key.thumbprint() != *expect.thumbprint {
            return Err(ProofError::KeyMismatch);
        }
        match signatures.verify(&key, algorithm, signing_input.as_bytes(), &signature) {
            Verification::Valid => {}
            Verification::Invalid => return Err(ProofError::SignatureInvalid),
            Verification::Unsupported => return Err(ProofError::AlgorithmNotAllowed),
        }
        check(&object(payload).map_err(malformed)?, expect)
    }

    /// `jti`: what tells it from all others of its key.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// `nonce`: what the server asked to be repeated.
    pub fn nonce(&self) -> Option<&str> {
        self.nonce.as_deref()
    }

    /// The last second at which it would be accepted, in seconds since 1970.
    pub fn good_until(&self) -> u64 {
        self.good_until
    }
}

fn algorithm(header: &Map<String, Value>) -> Result<Algorithm, ProofError> {
    let text = |name| header.get(name).and_then(Value::as_str);
    let typ = text("typ").map(media_type);
    let extended = header.contains_key("crit") || header.contains_key("b64");
    if typ.as_deref() != Some(PROOF_TYPE) || extended {
        return Err(ProofError::HeaderMalformed);
    }
    let name = text("alg").ok_or(ProofError::HeaderMalformed)?;
    name.parse().map_err(|_| ProofError::AlgorithmNotAllowed)
}

fn key(header: &Map<String, Value>) -> Result<Key, ProofError> {
    let Some(Value::Object(jwk)) = header.get("jwk") else {
        return Err(ProofError::KeyUnusable);
    };
    match jwk::read(jwk, "jwk") {
        Ok(Read::Usable(key)) => Ok(key),
        Ok(Read::Ignored(_)) | Err(_) => Err(ProofError::KeyUnusable),
    }
}

fn check(claims: &Map<String, Value>, expect: &ExpectProof<'_>) -> Result<Proof, ProofError> {
    let text = |name: &str| match claims.get(name) {
        Some(Value::String(text)) => Ok(text.as_str()),
        _ => Err(ProofError::ClaimsMalformed),
    };
    let id = text("jti")?;
    if id.is_empty() || id.len() > MAX_ID_BYTES {
        return Err(ProofError::ClaimsMalformed);
    }
    let nonce = match claims.get("nonce") {
        None => None,
        Some(_) => Some(text("nonce")?.to_owned()),
    };
    if text("htm")? != expect.method {
        return Err(ProofError::MethodMismatch);
    }
    let place = Place::parse(text("htu")?).ok_or(ProofError::UriMismatch)?;
    if place.path != expect.path || !expect.origins.contains(&place.origin) {
        return Err(ProofError::UriMismatch);
    }
    let made = seconds(claims.get("iat")).ok_or(ProofError::ClaimsMalformed)?;
    let good_until = made.saturating_add(expect.max_age);
    if made > expect.now.saturating_add(expect.leeway) || expect.now > good_until {
        return Err(ProofError::TimeMismatch);
    }
    // Neither is a secret: both came with the request.
    if text("ath")? != base64url::encode(&Sha256::digest(expect.token)) {
        return Err(ProofError::TokenMismatch);
    }
    Ok(Proof {
        id: id.to_owned(),
        nonce,
        good_until,
    })
}

/// A NumericDate (RFC 7519 §2), rounded down.
fn seconds(date: Option<&Value>) -> Option<u64> {
    let date = date?;
    date.as_u64().or_else(|| {
        let seconds = date.as_f64()?;
        let possible = (0.0..=LATEST).contains(&seconds);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it lies within the range just tested"
        )]
        possible.then_some(seconds as u64)
    })
}

fn malformed(_: TokenError) -> ProofError {
    ProofError::Malformed
}

/// RFC 9449 §4.2.
const PROOF_TYPE: &str = "dpop+jwt";

/// A proof by an RSA key of 4096 bits takes some 2,500 bytes.
const MAX_PROOF_BYTES: usize = 8 * 1024;

/// Of a `jti`, which is 36 bytes as a UUID.
const MAX_ID_BYTES: usize = 256;

/// The end of the year 9999.
const LATEST: f64 = 253_402_300_799.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::{PureRust, SigningKey};
    use serde_json::json;

    const TOKEN: &str = "token";
    const NOW: u64 = 1_000_000;

    fn signing(seed: u8) -> SigningKey {
        let d = base64url::encode(&[seed; 32]);
        let pair = ed25519_compact::KeyPair::from_seed(ed25519_compact::Seed::new([seed; 32]));
        let x = base64url::encode(pair.pk.as_ref());
        let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "d": d });
        SigningKey::from_jwk(jwk.as_object().unwrap()).unwrap()
    }

    fn header(key: &SigningKey) -> Value {
        json!({ "alg": "EdDSA", "typ": "dpop+jwt", "jwk": key.public().jwk() })
    }

    fn claims() -> Value {
        json!({
            "jti": "one", "htm": "GET", "htu": "https://API.example:443/v1/a%7eb?x=1", "iat": NOW,
            "ath": base64url::encode(&Sha256::digest(TOKEN)),
        })
    }

    fn verify(header: &Value, claims: &Value) -> Result<Proof, ProofError> {
        verify_text(&signing(1).sign_raw(header, claims))
    }

    fn verify_text(compact: &str) -> Result<Proof, ProofError> {
        let expect = ExpectProof {
            algorithms: &[Algorithm::EdDsa],
            thumbprint: &signing(1).public().thumbprint(),
            token: TOKEN,
            method: "GET",
            origins: &[Origin::parse("https://api.example").unwrap()],
            path: "/v1/a~b",
            now: NOW,
            max_age: 60,
            leeway: 5,
        };
        Proof::verify(compact, &expect, &PureRust)
    }

    fn with_header(name: &str, value: Value) -> Result<Proof, ProofError> {
        let mut header = header(&signing(1));
        header[name] = value;
        verify(&header, &claims())
    }

    fn with_claim(name: &str, value: Value) -> Result<Proof, ProofError> {
        let mut claims = claims();
        claims[name] = value;
        verify(&header(&signing(1)), &claims)
    }

    #[test]
    fn a_good_proof_proves() {
        let proof = verify(&header(&signing(1)), &claims()).unwrap();
        assert_eq!((proof.id(), proof.nonce()), ("one", None));
        assert_eq!(proof.good_until(), NOW + 60);
        assert_eq!(with_claim("nonce", json!("n")).unwrap().nonce(), Some("n"));
        assert!(with_header("typ", json!("application/DPoP+jwt")).is_ok());
    }

    #[test]
    fn a_header_that_says_something_else_is_refused() {
        let mut private = signing(1).public().jwk();
        private.insert("d".into(), json!(base64url::encode(&[1; 32])));
        for (name, value, error) in [
            ("typ", json!("JWT"), ProofError::HeaderMalformed),
            ("typ", json!("at+jwt"), ProofError::HeaderMalformed),
            ("typ", json!(null), ProofError::HeaderMalformed),
            ("crit", json!(["b64"]), ProofError::HeaderMalformed),
            ("b64", json!(false), ProofError::HeaderMalformed),
            ("alg", json!(1), ProofError::HeaderMalformed),
            ("alg", json!("none"), ProofError::AlgorithmNotAllowed),
            ("alg", json!("HS256"), ProofError::AlgorithmNotAllowed),
            ("alg", json!("ES256"), ProofError::AlgorithmNotAllowed),
            ("jwk", json!(null), ProofError::KeyUnusable),
            ("jwk", json!({}), ProofError::KeyUnusable),
            (
                "jwk",
                json!({ "kty": "oct", "k": "AAAA" }),
                ProofError::KeyUnusable,
            ),
            ("jwk", Value::Object(private), ProofError::KeyUnusable),
            (
                "jwk",
                Value::Object(signing(2).public().jwk()),
                ProofError::KeyMismatch,
            ),
        ] {
            assert_eq!(
                with_header(name, value.clone()),
                Err(error),
                "{name}: {value}"
            );
        }
    }

    #[test]
    fn the_key_itself_must_have_signed() {
        let theirs = signing(2).sign_raw(&header(&signing(1)), &claims());
        assert_eq!(verify_text(&theirs), Err(ProofError::SignatureInvalid));
    }

    #[test]
    fn claims_about_another_request_are_refused() {
        for (name, value, error) in [
            ("jti", json!(null), ProofError::ClaimsMalformed),
            ("jti", json!(""), ProofError::ClaimsMalformed),
            (
                "jti",
                json!("x".repeat(MAX_ID_BYTES + 1)),
                ProofError::ClaimsMalformed,
            ),
            ("nonce", json!(1), ProofError::ClaimsMalformed),
            ("htm", json!("get"), ProofError::MethodMismatch),
            ("htm", json!("POST"), ProofError::MethodMismatch),
            (
                "htu",
                json!("https://api.example/v1/a"),
                ProofError::UriMismatch,
            ),
            (
                "htu",
                json!("http://api.example/v1/a~b"),
                ProofError::UriMismatch,
            ),
            (
                "htu",
                json!("https://evil.example/v1/a~b"),
                ProofError::UriMismatch,
            ),
            (
                "htu",
                json!("https://api.example@evil.example/v1/a~b"),
                ProofError::UriMismatch,
            ),
            ("htu", json!("/v1/a~b"), ProofError::UriMismatch),
            ("iat", json!("1"), ProofError::ClaimsMalformed),
            ("iat", json!(-1), ProofError::ClaimsMalformed),
            ("iat", json!(1e300), ProofError::ClaimsMalformed),
            ("iat", json!(NOW + 6), ProofError::TimeMismatch),
            ("iat", json!(NOW - 61), ProofError::TimeMismatch),
            ("ath", json!("x"), ProofError::TokenMismatch),
            ("ath", json!(null), ProofError::ClaimsMalformed),
        ] {
            assert_eq!(
                with_claim(name, value.clone()),
                Err(error),
                "{name}: {value}"
            );
        }
        for iat in [json!(NOW + 5), json!(NOW - 60), json!(999_999.5)] {
            assert!(with_claim("iat", iat.clone()).is_ok(), "{iat}");
        }
    }

    #[test]
    fn what_is_no_proof_at_all_is_refused() {
        let good = signing(1).sign_raw(&header(&signing(1)), &claims());
        assert!(verify_text(&good).is_ok());
        for text in ["", "a.b", "a.b.c", "....", &good[1..], &format!("{good}=")] {
            assert_eq!(verify_text(text), Err(ProofError::Malformed), "{text}");
        }
        let twice = format!(
            "{}.{}",
            base64url::encode(br#"{"typ":"dpop+jwt","typ":"dpop+jwt"}"#),
            good.split_once('.').unwrap().1
        );
        assert_eq!(verify_text(&twice), Err(ProofError::Malformed));
        let long = "x".repeat(MAX_PROOF_BYTES + 1);
        assert_eq!(verify_text(&long), Err(ProofError::TooLarge));
    }
}
