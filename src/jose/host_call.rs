//! Envoy's foreign function `verify_signature`, as bytes in and bytes out.
//!
//! BoringSSL outside the sandbox checks a signature ten to forty times faster than
//! Rust inside it. The call itself belongs to the host adapter; what goes into it and
//! what comes out is here, pure, where tests can reach it. The messages are protobuf
//! with fields 1 to 4, few enough to write by hand.

use super::key::Public;
use super::{Algorithm, Key, Verification, der};

/// The name to call the foreign function by.
pub const FUNCTION: &str = "verify_signature";

/// The argument to call it with, or `None` if the host must not be asked: it cannot
/// compute the algorithm (PSS, Ed25519), or the signature has not the form that JWS
/// gives it. Then [`PureRust`](super::PureRust) has the answer.
pub fn argument(
    key: &Key,
    algorithm: Algorithm,
    message: &[u8],
    signature: &[u8],
) -> Option<Vec<u8>> {
    let (hash, signature) = match (algorithm, key.public()) {
        (Algorithm::Rs256, Public::Rsa(_)) => ("sha256", signature.to_vec()),
        (Algorithm::Rs384, Public::Rsa(_)) => ("sha384", signature.to_vec()),
        (Algorithm::Rs512, Public::Rsa(_)) => ("sha512", signature.to_vec()),
        (Algorithm::Es256, Public::P256(_)) => ("sha256", der::ecdsa_signature(signature, 32)?),
        (Algorithm::Es384, Public::P384(_)) => ("sha384", der::ecdsa_signature(signature, 48)?),
        (Algorithm::Es512, Public::P521(_)) => ("sha512", der::ecdsa_signature(signature, 66)?),
        _ => return None,
    };
    let fields: [(u8, &[u8]); 4] = [
        (1, hash.as_bytes()),
        (2, key.spki_der()),
        (3, &signature),
        (4, message),
    ];
    let mut out = Vec::new();
    for (number, value) in fields {
        out.push(number << 3 | LENGTH_DELIMITED);
        push_varint(&mut out, value.len() as u64);
        out.extend_from_slice(value);
    }
    Some(out)
}

/// What the host's answer says.
///
/// Only a `result` of true is `Valid`. An answer that is not the message it should be
/// comes from another host than we know, so it is `Unsupported`: ask elsewhere.
pub fn answer(bytes: &[u8]) -> Verification {
    match result_field(bytes) {
        Some(true) => Verification::Valid,
        Some(false) => Verification::Invalid,
        None => Verification::Unsupported,
    }
}

/// The value of field 1; `None` if the bytes are not protobuf. A field that is left
/// out is false, and of several the last counts, as protobuf has it.
fn result_field(mut bytes: &[u8]) -> Option<bool> {
    let mut result = false;
    while !bytes.is_empty() {
        let tag = take_varint(&mut bytes)?;
        match ((tag >> 3), (tag & 7) as u8) {
            (1, VARINT) => result = take_varint(&mut bytes)? == 1,
            (0 | 1, _) => return None,
            (_, VARINT) => drop(take_varint(&mut bytes)?),
            (_, LENGTH_DELIMITED) => {
                let length = usize::try_from(take_varint(&mut bytes)?).ok()?;
                bytes = bytes.get(length..)?;
            }
            (_, FIXED_64) => bytes = bytes.get(8..)?,
            (_, FIXED_32) => bytes = bytes.get(4..)?,
            _ => return None,
        }
    }
    Some(result)
}

fn push_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

const VARINT: u8 = 0;
const FIXED_64: u8 = 1;
const LENGTH_DELIMITED: u8 = 2;
const FIXED_32: u8 = 5;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::KeySet;
    use serde_json::json;

    fn ed25519() -> KeySet {
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        KeySet::from_json(&json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "x": x }] })).unwrap()
    }

    fn rsa() -> KeySet {
        use base64::Engine as _;
        let n = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode([0xff; 256]);
        KeySet::from_json(&json!({ "keys": [{ "kty": "RSA", "n": n, "e": "AQAB" }] })).unwrap()
    }

    #[test]
    fn the_argument_has_four_fields() {
        let keys = rsa();
        let key = &keys.keys()[0];
        let spki = key.spki_der();
        let message = [b'm'; 200];
        let argument = argument(key, Algorithm::Rs256, &message, b"sig").unwrap();
        // 294 bytes of key: a length of two digits, base 128.
        assert_eq!(spki.len(), 294);
        let expected = [
            &b"\x0a\x06sha256\x12\xa6\x02"[..],
            spki,
            b"\x1a\x03sig\x22\xc8\x01",
            &message,
        ];
        assert_eq!(argument, expected.concat());
    }

    #[test]
    fn the_host_is_not_asked_what_it_cannot_answer() {
        let (rsa, ed25519) = (rsa(), ed25519());
        let (rsa, ed25519) = (&rsa.keys()[0], &ed25519.keys()[0]);
        for (key, algorithm) in [
            (rsa, Algorithm::Ps256),
            (rsa, Algorithm::Es256),
            (ed25519, Algorithm::EdDsa),
            (ed25519, Algorithm::Rs256),
        ] {
            assert_eq!(argument(key, algorithm, b"", b""), None, "{algorithm}");
        }
    }

    #[test]
    fn only_a_true_result_is_valid() {
        for (bytes, verdict) in [
            (&b"\x08\x01"[..], Verification::Valid),
            (b"\x08\x01\x12\x02no", Verification::Valid),
            (b"\x12\x02no\x08\x01", Verification::Valid),
            (b"\x18\x07\x08\x01", Verification::Valid),
            (b"", Verification::Invalid),
            (b"\x08\x00", Verification::Invalid),
            (b"\x08\x02", Verification::Invalid),
            (b"\x08\x01\x08\x00", Verification::Invalid),
            (b"\x12\x02no", Verification::Invalid),
            (b"\x08", Verification::Unsupported),
            (b"\x08\xff", Verification::Unsupported),
            (b"\x0a\x01\x01", Verification::Unsupported),
            (b"\x08\x01\x12\x09no", Verification::Unsupported),
            (b"\x08\x01\x13", Verification::Unsupported),
            (b"true", Verification::Unsupported),
            (&[0xff; 64], Verification::Unsupported),
        ] {
            assert_eq!(answer(bytes), verdict, "{bytes:?}");
        }
    }
}
