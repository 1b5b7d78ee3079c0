//! Signatures checked in Rust alone: natively, and in the filter where the host
//! cannot (PSS, Ed25519, hosts without `verify_signature`).
//!
//! The primitives are the ones that jwt-simple is made of, called directly. Its own
//! `verify_token` takes a whole token, reads header and payload a second time by
//! rules that differ from ours (it refuses a `jwk` that is an object, a `nonce` that
//! is a number, RSA keys above 4096 bits), and tells a bad signature from an odd
//! claim only by the type of its error. A verdict on a signature should depend on
//! the signature.

use p256::ecdsa::signature::Verifier as _;
use rsa::sha2::{Digest, Sha256, Sha384, Sha512};
use rsa::{Pkcs1v15Sign, Pss, RsaPublicKey};

use super::key::Public;
use super::{Algorithm, Key, Signatures, Verification};

/// The verifier that needs no host.
#[derive(Debug, Clone, Copy, Default)]
pub struct PureRust;

impl Signatures for PureRust {
    fn verify(
        &self,
        key: &Key,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Verification {
        let valid = match (algorithm, key.public()) {
            (Algorithm::Rs256, Public::Rsa(key)) => pkcs1(
                key,
                Pkcs1v15Sign::new::<Sha256>(),
                &Sha256::digest(message),
                signature,
            ),
            (Algorithm::Rs384, Public::Rsa(key)) => pkcs1(
                key,
                Pkcs1v15Sign::new::<Sha384>(),
                &Sha384::digest(message),
                signature,
            ),
            (Algorithm::Rs512, Public::Rsa(key)) => pkcs1(
                key,
                Pkcs1v15Sign::new::<Sha512>(),
                &Sha512::digest(message),
                signature,
            ),
            (Algorithm::Ps256, Public::Rsa(key)) => pss(
                key,
                Pss::new::<Sha256>(),
                &Sha256::digest(message),
                signature,
            ),
            (Algorithm::Ps384, Public::Rsa(key)) => pss(
                key,
                Pss::new::<Sha384>(),
                &Sha384::digest(message),
                signature,
            ),
            (Algorithm::Ps512, Public::Rsa(key)) => pss(
                key,
                Pss::new::<Sha512>(),
                &Sha512::digest(message),
                signature,
            ),
            (Algorithm::Es256, Public::P256(key)) => {
                // Refuses other lengths, and numbers that are zero or beyond the order.
                p256::ecdsa::Signature::from_slice(signature)
                    .is_ok_and(|signature| key.verify(message, &signature).is_ok())
            }
            (Algorithm::Es384, Public::P384(key)) => p384::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            (Algorithm::Es512, Public::P521(key)) => p521::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            (Algorithm::EdDsa, Public::Ed25519(key)) => {
                ed25519_compact::Signature::from_slice(signature)
                    .is_ok_and(|signature| key.verify(message, &signature).is_ok())
            }
            _ => return Verification::Unsupported,
        };
        if valid {
            Verification::Valid
        } else {
            Verification::Invalid
        }
    }
}

/// RFC 8017 §8.2.2.
fn pkcs1(key: &RsaPublicKey, scheme: Pkcs1v15Sign, digest: &[u8], signature: &[u8]) -> bool {
    key.verify(scheme, digest, signature).is_ok()
}

/// RFC 8017 §8.1.2; the salt is as long as the hash (RFC 7518 §3.5).
fn pss(key: &RsaPublicKey, scheme: Pss, digest: &[u8], signature: &[u8]) -> bool {
    key.verify(scheme, digest, signature).is_ok()
}
