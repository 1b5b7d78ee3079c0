//! One public key: what it is called, what it may be used for, and its material.
//!
//! A key says itself which algorithms it takes part in. The token's header chooses
//! among them and never beyond them, which is what stops algorithm confusion
//! (RFC 8725 §3.1).

use super::{Algorithm, der};

/// A public key that was checked: on its curve, strong enough, and meant to verify.
#[derive(Debug, Clone)]
pub struct Key {
    id: Option<String>,
    algorithm: Option<Algorithm>,
    public: Public,
    spki: Vec<u8>,
}

/// The material, in the form that the pure-Rust verifier computes with.
///
/// Making these costs microseconds (no table, no inversion), so they are made
/// when the set is read and not at the first use.
#[derive(Debug, Clone)]
pub(super) enum Public {
    /// 2048 to 8192 bits, odd exponent.
    Rsa(rsa::RsaPublicKey),
    /// On P-256.
    P256(p256::ecdsa::VerifyingKey),
    /// On P-384.
    P384(p384::ecdsa::VerifyingKey),
    /// On P-521.
    P521(p521::ecdsa::VerifyingKey),
    /// Canonical and of large order.
    Ed25519(ed25519_compact::PublicKey),
}

impl Key {
    pub(super) fn new(id: Option<String>, algorithm: Option<Algorithm>, public: Public) -> Self {
        let spki = match &public {
            Public::Rsa(key) => {
                use rsa::traits::PublicKeyParts as _;
                der::rsa_spki(&key.n().to_bytes_be(), &key.e().to_bytes_be())
            }
            Public::P256(key) => der::p256_spki(key.to_sec1_point(false).as_bytes()),
            Public::P384(key) => der::p384_spki(key.to_sec1_point(false).as_bytes()),
            Public::P521(key) => der::p521_spki(key.to_sec1_point(false).as_bytes()),
            Public::Ed25519(key) => der::ed25519_spki(key.as_ref()),
        };
        Key {
            id,
            algorithm,
            public,
            spki,
        }
    }

    /// `kid`: the name by which tokens choose this key (RFC 7517 §4.5).
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Whether a token may name `algorithm` with this key: the kind of key must fit,
    /// and so must `alg` if the key has one (RFC 7517 §4.4).
    pub fn accepts(&self, algorithm: Algorithm) -> bool {
        self.public.fits(algorithm) && self.algorithm.is_none_or(|bound| bound == algorithm)
    }

    /// The key as `SubjectPublicKeyInfo` in DER, the form that hosts take.
    pub fn spki_der(&self) -> &[u8] {
        &self.spki
    }

    pub(super) fn public(&self) -> &Public {
        &self.public
    }
}

impl Public {
    /// Whether the kind of key is the one that `algorithm` computes with.
    pub(super) fn fits(&self, algorithm: Algorithm) -> bool {
        match algorithm {
            Algorithm::Rs256
            | Algorithm::Rs384
            | Algorithm::Rs512
            | Algorithm::Ps256
            | Algorithm::Ps384
            | Algorithm::Ps512 => matches!(self, Public::Rsa(_)),
            Algorithm::Es256 => matches!(self, Public::P256(_)),
            Algorithm::Es384 => matches!(self, Public::P384(_)),
            Algorithm::Es512 => matches!(self, Public::P521(_)),
            Algorithm::EdDsa => matches!(self, Public::Ed25519(_)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::KeySet;
    use serde_json::json;

    #[test]
    fn alg_binds_a_key_to_one_algorithm() {
        // 2048 bits, all ones.
        let n = format!("{}w", "_".repeat(341));
        let bound = |alg: &[&str]| {
            let mut key = json!({ "kty": "RSA", "n": n, "e": "AQAB" });
            if let [alg] = alg {
                key["alg"] = json!(alg);
            }
            let set = KeySet::from_json(&json!({ "keys": [key] })).unwrap();
            let accepts = |algorithm: &Algorithm| set.keys()[0].accepts(*algorithm);
            Algorithm::ALL
                .into_iter()
                .filter(accepts)
                .collect::<Vec<_>>()
        };
        assert_eq!(bound(&["RS256"]), [Algorithm::Rs256]);
        assert_eq!(bound(&["PS512"]), [Algorithm::Ps512]);
        assert_eq!(bound(&[]), Algorithm::ALL[..6]);
    }
}
