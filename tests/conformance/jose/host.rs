//! A host that answers `verify_signature`, written from its documentation alone.
//!
//! It reads the argument that the library encodes as another program would, with other
//! parsers (SPKI and DER by the RustCrypto crates), so that an encoding which only we
//! understand fails here and not inside Envoy.

use p256::ecdsa::signature::Verifier as _;
use p256::pkcs8::DecodePublicKey as _;
use portcullis::jose::{Algorithm, Key, PureRust, Signatures, Verification, host_call};
use rsa::sha2::{Digest as _, Sha256, Sha384, Sha512};

/// The way that the filter takes: ask the host, and where it cannot, pure Rust.
pub(super) struct FakeHost;

impl Signatures for FakeHost {
    fn verify(
        &self,
        key: &Key,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Verification {
        match host_call::argument(key, algorithm, message, signature) {
            Some(argument) => host_call::answer(&verify_signature(&argument)),
            None => PureRust.verify(key, algorithm, message, signature),
        }
    }
}

fn verify_signature(argument: &[u8]) -> Vec<u8> {
    let [hash, key, signature, text] = fields(argument);
    if check(hash, key, signature, text) {
        vec![0x08, 1]
    } else {
        [&[0x12, ERROR.len() as u8], ERROR.as_bytes()].concat()
    }
}

fn check(hash: &[u8], key: &[u8], signature: &[u8], text: &[u8]) -> bool {
    if let Ok(key) = p256::PublicKey::from_public_key_der(key) {
        assert_eq!(hash, b"sha256");
        let key = p256::ecdsa::VerifyingKey::from(key);
        return p256::ecdsa::DerSignature::from_bytes(signature)
            .is_ok_and(|signature| key.verify(text, &signature).is_ok());
    }
    if let Ok(key) = p384::PublicKey::from_public_key_der(key) {
        assert_eq!(hash, b"sha384");
        let key = p384::ecdsa::VerifyingKey::from(key);
        return p384::ecdsa::DerSignature::from_bytes(signature)
            .is_ok_and(|signature| key.verify(text, &signature).is_ok());
    }
    if let Ok(key) = p521::PublicKey::from_public_key_der(key) {
        assert_eq!(hash, b"sha512");
        let key = p521::ecdsa::VerifyingKey::from(key);
        return p521::ecdsa::DerSignature::from_bytes(signature)
            .is_ok_and(|signature| key.verify(text, &signature).is_ok());
    }
    // The crate reads RSA keys of 4096 bits at most from DER.
    let key = <rsa::RsaPublicKey as rsa::pkcs8::DecodePublicKey>::from_public_key_der(key);
    let Ok(key) = key else { return false };
    let (scheme, digest) = match hash {
        b"sha256" => (
            rsa::Pkcs1v15Sign::new::<Sha256>(),
            Sha256::digest(text).to_vec(),
        ),
        b"sha384" => (
            rsa::Pkcs1v15Sign::new::<Sha384>(),
            Sha384::digest(text).to_vec(),
        ),
        b"sha512" => (
            rsa::Pkcs1v15Sign::new::<Sha512>(),
            Sha512::digest(text).to_vec(),
        ),
        other => panic!("no host knows the hash {other:?}"),
    };
    key.verify(scheme, &digest, signature).is_ok()
}

/// The four fields of the argument, all of them there and in order.
fn fields(mut bytes: &[u8]) -> [&[u8]; 4] {
    let fields = [1, 2, 3, 4].map(|number| {
        assert_eq!(bytes[0], number << 3 | 2, "field {number}");
        let mut length = 0;
        let mut used = 1;
        loop {
            let byte = bytes[used];
            length |= usize::from(byte & 0x7f) << (7 * (used - 1));
            used += 1;
            if byte < 0x80 {
                break;
            }
        }
        let (value, rest) = bytes[used..].split_at(length);
        bytes = rest;
        value
    });
    assert!(bytes.is_empty(), "bytes after the last field");
    fields
}

/// What Envoy says of a bad signature; `result` is then left out.
const ERROR: &str = "Failed to verify digest. Error code: 0";
