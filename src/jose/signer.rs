//! Signing: the gateway's own assertions.
//!
//! The algorithms are those whose signatures need no randomness (RFC 6979, RFC 8032),
//! since a bad generator would give the key away.

use std::fmt;

use p256::ecdsa::signature::Signer as _;
use serde_json::{Map, Value, json};

use super::jwk::{self, Read};
use super::key::Public;
use super::{Algorithm, Key, KeySetProblem, base64url};
use crate::strict_json;

/// A private key that was checked: it belongs to the public one beside it.
#[derive(Clone)]
pub struct SigningKey {
    id: String,
    algorithm: Algorithm,
    private: Private,
    public: Key,
}

#[derive(Clone)]
enum Private {
    P256(p256::ecdsa::SigningKey),
    Ed25519(ed25519_compact::SecretKey),
}

impl SigningKey {
    /// Reads the text of a private JWK for ES256 or EdDSA, in which no member name may
    /// occur twice.
    ///
    /// # Errors
    /// What is wrong with it, without anything out of it.
    pub fn parse(text: &str) -> Result<SigningKey, KeySetProblem> {
        match strict_json::object(text.as_bytes()) {
            Ok(jwk) => SigningKey::from_jwk(&jwk),
            Err(_) => Err(unusable("", "this is not a JSON Web Key")),
        }
    }

    /// Reads a private JWK for ES256 (RFC 7518 §6.2.2) or EdDSA (RFC 8037 §2). Its
    /// name is `kid`, or else the thumbprint of the public key.
    ///
    /// # Errors
    /// What is wrong with it, without anything out of it.
    pub fn from_jwk(jwk: &Map<String, Value>) -> Result<SigningKey, KeySetProblem> {
        let secret = match jwk.get("d") {
            Some(Value::String(d)) => base64url::decode(d),
            _ => return Err(unusable("d", "`d` is missing: this key cannot sign")),
        };
        let secret = secret
            .and_then(|d| <[u8; 32]>::try_from(d).ok())
            .ok_or_else(|| unusable("d", "`d` is not 32 bytes in base64url"))?;
        let mut public = jwk.clone();
        public.remove("d");
        // What it may be used for is said of the private half: to sign, not to verify.
        public.remove("key_ops");
        let public = match jwk::read(&public, "") {
            Ok(Read::Usable(key)) => key,
            Ok(Read::Ignored(reason)) => return Err(unusable("", &reason)),
            Err(problem) => {
                let at = problem.at.trim_start_matches('.').to_owned();
                return Err(KeySetProblem { at, ..problem });
            }
        };
        let (private, own) = match public.public() {
            Public::P256(_) => {
                let private = p256::ecdsa::SigningKey::from_slice(&secret)
                    .map_err(|_| unusable("d", "`d` is not a private key of P-256"))?;
                let own = Public::P256(*private.verifying_key());
                (Private::P256(private), own)
            }
            Public::Ed25519(_) => {
                let seed = ed25519_compact::Seed::new(secret);
                let pair = ed25519_compact::KeyPair::from_seed(seed);
                (Private::Ed25519(pair.sk), Public::Ed25519(pair.pk))
            }
            _ => return Err(unusable("kty", "this kind of key does not sign here")),
        };
        if Key::new(None, None, own).thumbprint() != public.thumbprint() {
            return Err(unusable(
                "d",
                "`d` does not belong to the public key beside it",
            ));
        }
        let algorithm = match private {
            Private::P256(_) => Algorithm::Es256,
            Private::Ed25519(_) => Algorithm::EdDsa,
        };
        let id = public.id().map(str::to_owned);
        Ok(SigningKey {
            id: id.unwrap_or_else(|| public.thumbprint_text()),
            algorithm,
            private,
            public,
        })
    }

    /// `kid`: the name by which verifiers find the public key.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The public half.
    pub fn public(&self) -> &Key {
        &self.public
    }

    /// The public half as a JWK, to publish.
    pub fn public_jwk(&self) -> Value {
        let mut jwk = self.public.jwk();
        jwk.insert("kid".into(), json!(self.id));
        jwk.insert("use".into(), json!("sig"));
        jwk.insert("alg".into(), json!(self.algorithm.name()));
        Value::Object(jwk)
    }

    /// A signed token in compact form with this `typ` and these claims.
    pub fn sign(&self, typ: &str, claims: &Map<String, Value>) -> String {
        let header = json!({ "alg": self.algorithm.name(), "kid": self.id, "typ": typ });
        self.compact(
            &header.to_string(),
            &Value::Object(claims.clone()).to_string(),
        )
    }

    fn compact(&self, header: &str, payload: &str) -> String {
        let input = format!(
            "{}.{}",
            base64url::encode(header.as_bytes()),
            base64url::encode(payload.as_bytes())
        );
        let signature = match &self.private {
            Private::P256(key) => {
                let signature: p256::ecdsa::Signature = key.sign(input.as_bytes());
                base64url::encode(&signature.to_bytes())
            }
            Private::Ed25519(key) => base64url::encode(key.sign(input.as_bytes(), None).as_ref()),
        };
        format!("{input}.{signature}")
    }

    /// With any header, for texts that no honest signer makes.
    #[cfg(test)]
    pub(super) fn sign_raw(&self, header: &Value, claims: &Value) -> String {
        self.compact(&header.to_string(), &claims.to_string())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("id", &self.id)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

fn unusable(at: &str, message: &str) -> KeySetProblem {
    KeySetProblem::new(
        at,
        message,
        "make one with `portcullis token --new-key key.json --jwks jwks.json`",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::{KeySet, PureRust, Unverified};

    fn ed25519() -> Value {
        // RFC 8037 appendix A.1.
        json!({
            "kty": "OKP", "crv": "Ed25519",
            "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        })
    }

    fn p256() -> Value {
        // RFC 7515 appendix A.3.
        json!({
            "kty": "EC", "crv": "P-256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
            "d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI",
        })
    }

    fn key(jwk: &Value) -> Result<SigningKey, KeySetProblem> {
        SigningKey::from_jwk(jwk.as_object().unwrap())
    }

    #[test]
    fn what_it_signs_its_public_key_verifies() {
        for jwk in [ed25519(), p256()] {
            let key = key(&jwk).unwrap();
            let set = KeySet::from_json(&json!({ "keys": [key.public_jwk()] })).unwrap();
            let claims = json!({ "sub": "caf\u{e9}" });
            let text = key.sign("x+jwt", claims.as_object().unwrap());
            let token = Unverified::parse(&text, 4096).unwrap();
            assert_eq!((token.kid(), token.typ()), (Some(key.id()), Some("x+jwt")));
            let read = token.verify(&set, &PureRust, &Algorithm::ALL).unwrap();
            assert_eq!(read.subject(), Some("caf\u{e9}"));
            assert_eq!(key.sign("x+jwt", claims.as_object().unwrap()), text);
        }
    }

    #[test]
    fn a_key_without_a_name_is_called_by_its_thumbprint() {
        let thumbprint = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";
        assert_eq!(key(&ed25519()).unwrap().id(), thumbprint);
        let mut named = ed25519();
        named["kid"] = json!("2026");
        named["key_ops"] = json!(["sign"]);
        assert_eq!(key(&named).unwrap().id(), "2026");
    }

    #[test]
    fn the_secret_half_is_never_shown() {
        for jwk in [ed25519(), p256()] {
            let key = key(&jwk).unwrap();
            assert_eq!(key.public_jwk().get("d"), None);
            let shown = format!("{key:?}");
            assert!(!shown.contains(jwk["d"].as_str().unwrap()), "{shown}");
            assert!(shown.len() < 120, "{shown}");
        }
    }

    #[test]
    fn a_key_that_cannot_sign_is_refused_without_being_shown() {
        let changed = |jwk: Value, name: &str, value: Value| {
            let mut jwk = jwk;
            jwk[name] = value;
            jwk
        };
        let other = base64url::encode(&[1; 32]);
        let rsa =
            json!({ "kty": "RSA", "n": format!("{}w", "_".repeat(341)), "e": "AQAB", "d": other });
        for (jwk, at) in [
            (changed(ed25519(), "d", json!(null)), "d"),
            (changed(ed25519(), "d", json!("AAAA")), "d"),
            (changed(ed25519(), "d", json!(other)), "d"),
            (changed(p256(), "d", json!(other)), "d"),
            (
                changed(p256(), "d", json!(base64url::encode(&[0xff; 32]))),
                "d",
            ),
            (changed(p256(), "x", json!("AAAA")), "x"),
            (changed(ed25519(), "use", json!("enc")), ""),
            (changed(ed25519(), "kid", json!(1)), "kid"),
            (rsa, "kty"),
        ] {
            let problem = key(&jwk).unwrap_err();
            assert_eq!(problem.at, at, "{problem}");
            assert!(!problem.to_string().contains(&other), "{problem}");
        }
        assert!(SigningKey::parse("[]").is_err());
        assert!(SigningKey::parse(&p256().to_string()).is_ok());
    }
}
