//! The few DER structures that Envoy's host wants keys and signatures in.
//!
//! Only ever written, never read: what a client sends is not parsed as ASN.1, which
//! leaves out a whole family of faults.

/// `SubjectPublicKeyInfo` of an RSA key (RFC 8017 §A.1). Both numbers are big-endian.
pub(super) fn rsa_spki(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let numbers = [unsigned(modulus), unsigned(exponent)].concat();
    let algorithm = [tlv(OID, RSA_ENCRYPTION), tlv(NULL, &[])].concat();
    spki(&algorithm, &tlv(SEQUENCE, &numbers))
}

/// `SubjectPublicKeyInfo` of a point on P-256 (RFC 5480 §2). `point` is uncompressed.
pub(super) fn p256_spki(point: &[u8]) -> Vec<u8> {
    ec_spki(PRIME256V1, point)
}

/// `SubjectPublicKeyInfo` of a point on P-384 (RFC 5480 §2). `point` is uncompressed.
pub(super) fn p384_spki(point: &[u8]) -> Vec<u8> {
    ec_spki(SECP384R1, point)
}

/// `SubjectPublicKeyInfo` of a point on P-521 (RFC 5480 §2). `point` is uncompressed.
pub(super) fn p521_spki(point: &[u8]) -> Vec<u8> {
    ec_spki(SECP521R1, point)
}

/// `SubjectPublicKeyInfo` of an Ed25519 key (RFC 8410 §4).
pub(super) fn ed25519_spki(key: &[u8]) -> Vec<u8> {
    spki(&tlv(OID, ED25519), key)
}

/// `Ecdsa-Sig-Value` (RFC 3279 §2.2.3) of a JWS signature `r || s`.
///
/// `None` if the two halves are not `scalar_bytes` long each, or if one of them is
/// zero: no signature has such a number, and a verifier that forgets to look
/// accepts `0, 0` for every message (CVE-2022-21449).
pub(super) fn ecdsa_signature(signature: &[u8], scalar_bytes: usize) -> Option<Vec<u8>> {
    if signature.len() != scalar_bytes.checked_mul(2)? {
        return None;
    }
    let (r, s) = signature.split_at_checked(scalar_bytes)?;
    if [r, s].iter().any(|half| half.iter().all(|&byte| byte == 0)) {
        return None;
    }
    Some(tlv(SEQUENCE, &[unsigned(r), unsigned(s)].concat()))
}

fn ec_spki(curve: &[u8], point: &[u8]) -> Vec<u8> {
    spki(&[tlv(OID, EC_PUBLIC_KEY), tlv(OID, curve)].concat(), point)
}

fn spki(algorithm: &[u8], key: &[u8]) -> Vec<u8> {
    // The first byte of a bit string counts the unused bits at its end.
    let key = tlv(BIT_STRING, &[&[0], key].concat());
    tlv(SEQUENCE, &[tlv(SEQUENCE, algorithm), key].concat())
}

/// `INTEGER` of a number that is not negative: shortest form, sign bit clear.
fn unsigned(big_endian: &[u8]) -> Vec<u8> {
    let first = big_endian.iter().position(|&byte| byte != 0);
    let digits = first.and_then(|first| big_endian.get(first..));
    match digits {
        None => tlv(INTEGER, &[0]),
        Some(digits) if digits.first().is_some_and(|&byte| byte >= 0x80) => {
            tlv(INTEGER, &[&[0], digits].concat())
        }
        Some(digits) => tlv(INTEGER, digits),
    }
}

/// Tag, length and value, the length in its shortest form.
fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match u8::try_from(value.len()) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            let bytes = value.len().to_be_bytes();
            let digits: Vec<u8> = bytes.into_iter().skip_while(|&byte| byte == 0).collect();
            // A length has at most eight bytes, so the count fits the low bits.
            out.push(0x80 | digits.len() as u8);
            out.extend(digits);
        }
    }
    out.extend_from_slice(value);
    out
}

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const NULL: u8 = 0x05;
const OID: u8 = 0x06;
const SEQUENCE: u8 = 0x30;

/// 1.2.840.113549.1.1.1
const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
/// 1.2.840.10045.2.1
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
/// 1.2.840.10045.3.1.7
const PRIME256V1: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// 1.3.132.0.34
const SECP384R1: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
/// 1.3.132.0.35
const SECP521R1: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x23];
/// 1.3.101.112
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_shortest_and_never_negative() {
        assert_eq!(unsigned(&[]), [2, 1, 0]);
        assert_eq!(unsigned(&[0, 0]), [2, 1, 0]);
        assert_eq!(unsigned(&[0, 0x7f]), [2, 1, 0x7f]);
        assert_eq!(unsigned(&[0x80]), [2, 2, 0, 0x80]);
        assert_eq!(unsigned(&[1, 0, 1]), [2, 3, 1, 0, 1]);
    }

    #[test]
    fn lengths_take_the_shortest_form() {
        assert_eq!(tlv(4, &[7; 127])[..2], [4, 127]);
        assert_eq!(tlv(4, &[7; 128])[..3], [4, 0x81, 128]);
        assert_eq!(tlv(4, &[7; 300])[..4], [4, 0x82, 1, 44]);
    }

    #[test]
    fn a_signature_becomes_two_integers() {
        let mut raw = [0; 64];
        raw[31] = 0xff;
        raw[63] = 1;
        assert_eq!(
            ecdsa_signature(&raw, 32).unwrap(),
            [0x30, 7, 2, 2, 0, 0xff, 2, 1, 1]
        );
    }

    #[test]
    fn what_no_signer_makes_is_no_signature() {
        assert_eq!(ecdsa_signature(&[0; 64], 32), None, "psychic");
        let mut half = [0; 64];
        half[0] = 1;
        assert_eq!(ecdsa_signature(&half, 32), None, "s is zero");
        half.rotate_right(32);
        assert_eq!(ecdsa_signature(&half, 32), None, "r is zero");
        for length in [0, 1, 63, 65, 96] {
            assert_eq!(ecdsa_signature(&vec![1; length], 32), None, "{length}");
        }
    }

    /// Another encoder's idea of the same keys. It is at hand on the native target only.
    #[cfg(not(target_family = "wasm"))]
    #[test]
    fn keys_encode_as_the_rust_crypto_crates_do() {
        use p256::pkcs8::EncodePublicKey as _;
        let point = p256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap();
        let point = point.verifying_key();
        assert_eq!(
            p256_spki(point.to_sec1_point(false).as_bytes()),
            point.to_public_key_der().unwrap().as_bytes()
        );
        let point = p384::ecdsa::SigningKey::from_slice(&[7; 48]).unwrap();
        let point = point.verifying_key();
        assert_eq!(
            p384_spki(point.to_sec1_point(false).as_bytes()),
            point.to_public_key_der().unwrap().as_bytes()
        );
        let point = p521::ecdsa::SigningKey::from_slice(&[1; 66]).unwrap();
        let point = point.verifying_key();
        assert_eq!(
            p521_spki(point.to_sec1_point(false).as_bytes()),
            point.to_public_key_der().unwrap().as_bytes()
        );
        let (n, e) = ([&[0xc1; 255][..], &[1]].concat(), [1, 0, 1]);
        let key = jwt_simple::algorithms::RSAPublicKey::from_components(&n, &e).unwrap();
        assert_eq!(rsa_spki(&n, &e), key.to_der().unwrap());
        let key = jwt_simple::algorithms::Ed25519KeyPair::generate().public_key();
        assert_eq!(ed25519_spki(&key.to_bytes()), key.to_der());
    }
}
