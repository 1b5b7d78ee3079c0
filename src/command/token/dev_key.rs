//! The key pair behind development tokens, as jwt-simple keeps and uses it.

use jwt_simple::algorithms::{
    ECDSAP256KeyPairLike as _, ES256KeyPair, Ed25519KeyPair, EdDSAKeyPairLike as _, RS256KeyPair,
    RSAKeyPairLike as _,
};
use jwt_simple::claims::JWTClaims;
use jwt_simple::common::{HeaderOptions, Salt};
use serde_json::{Map, Value};

use crate::jose::Algorithm;

/// A key pair to sign development tokens with.
pub(super) enum DevKey {
    Es256(ES256KeyPair),
    EdDsa(Ed25519KeyPair),
    Rs256(Box<RS256KeyPair>),
}

impl DevKey {
    /// A new key pair, named by its thumbprint (RFC 7638).
    pub(super) fn generate(algorithm: Algorithm) -> Result<Self, String> {
        Ok(match algorithm {
            Algorithm::Es256 => {
                let key = ES256KeyPair::generate();
                let name = key.jwk_thumbprint();
                DevKey::Es256(key.with_key_id(&name))
            }
            Algorithm::EdDsa => {
                let key = Ed25519KeyPair::generate();
                let name = key.jwk_thumbprint();
                DevKey::EdDsa(key.with_key_id(&name))
            }
            Algorithm::Rs256 => {
                let key = RS256KeyPair::generate(RSA_BITS).map_err(|error| error.to_string())?;
                let name = key.jwk_thumbprint();
                DevKey::Rs256(Box::new(key.with_key_id(&name)))
            }
            other => {
                return Err(format!(
                    "no development keys for `{other}`; take ES256, EdDSA or RS256"
                ));
            }
        })
    }

    /// Reads what [`DevKey::private_jwk`] wrote.
    pub(super) fn from_jwk(text: &str) -> Result<Self, String> {
        let refusal = || {
            "is not a private JWK for ES256, EdDSA or RS256; make one with `--new-key`".to_owned()
        };
        let jwk: Value = serde_json::from_str(text).map_err(|_| refusal())?;
        let key = match jwk.get("kty").and_then(Value::as_str) {
            Some("EC") => ES256KeyPair::from_jwk(text).map(DevKey::Es256),
            Some("OKP") => Ed25519KeyPair::from_jwk(text).map(DevKey::EdDsa),
            Some("RSA") => RS256KeyPair::from_jwk(text).map(|key| DevKey::Rs256(Box::new(key))),
            _ => return Err(refusal()),
        };
        key.map_err(|_| refusal())
    }

    /// The private key as a JWK: a secret.
    pub(super) fn private_jwk(&self) -> String {
        match self {
            DevKey::Es256(key) => key.to_jwk(),
            DevKey::EdDsa(key) => key.to_jwk(),
            DevKey::Rs256(key) => key.to_jwk(),
        }
    }

    /// The public key as a JWK, to publish.
    pub(super) fn public_jwk(&self) -> Result<Value, String> {
        let text = match self {
            DevKey::Es256(key) => key.public_key().to_jwk(),
            DevKey::EdDsa(key) => key.public_key().to_jwk(),
            DevKey::Rs256(key) => key.public_key().to_jwk(),
        };
        serde_json::from_str(&text).map_err(|error| error.to_string())
    }

    /// A compact token with exactly these claims.
    pub(super) fn sign(&self, claims: Map<String, Value>, typ: &str) -> Result<String, String> {
        let claims = JWTClaims {
            issued_at: None,
            expires_at: None,
            invalid_before: None,
            issuer: None,
            subject: None,
            audiences: None,
            jwt_id: None,
            nonce: None,
            custom: claims,
        };
        let options = HeaderOptions {
            signature_type: Some(typ.to_owned()),
            content_type: None,
        };
        let token = match self {
            DevKey::Es256(key) => key.sign_with_options(claims, &options),
            DevKey::EdDsa(key) => key.sign_with_options(claims, &options),
            DevKey::Rs256(key) => key.sign_with_options(claims, &options),
        };
        token.map_err(|error| error.to_string())
    }
}

/// An identifier that no other token has, for `jti`.
pub(super) fn unique_id() -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(Salt::generate().as_ref())
}

/// What RFC 7518 §3.3 asks for at least.
const RSA_BITS: usize = 2048;
