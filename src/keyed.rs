//! Hashing under a secret: what comes out cannot be foreseen or forged by anybody
//! who does not hold it.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// HMAC-SHA-256 of some parts for a purpose. Purposes and parts are kept apart by
/// their lengths, so that no two lists of them have one value by design.
pub fn hash(secret: &[u8; 32], purpose: &str, parts: &[&[u8]]) -> [u8; 32] {
    mac(secret, purpose, parts).finalize().into_bytes().into()
}

/// Whether `presented` begins that hash, compared in constant time.
pub fn is_hash(secret: &[u8; 32], purpose: &str, parts: &[&[u8]], presented: &[u8]) -> bool {
    mac(secret, purpose, parts)
        .verify_truncated_left(presented)
        .is_ok()
}

fn mac(secret: &[u8; 32], purpose: &str, parts: &[&[u8]]) -> Hmac<Sha256> {
    // RFC 2104 §2 pads a key that is shorter than a block with zeros.
    let mut block = [0; 64];
    for (place, byte) in block.iter_mut().zip(secret) {
        *place = *byte;
    }
    let mut mac = Hmac::<Sha256>::new(&block.into());
    for part in std::iter::once(purpose.as_bytes()).chain(parts.iter().copied()) {
        mac.update(&(part.len() as u64).to_le_bytes());
        mac.update(part);
    }
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: [u8; 32] = [7; 32];

    #[test]
    fn secret_purpose_and_parts_all_count() {
        let hashes = [
            hash(&SECRET, "a", &[b"b", b"c"]),
            hash(&[8; 32], "a", &[b"b", b"c"]),
            hash(&SECRET, "b", &[b"b", b"c"]),
            hash(&SECRET, "a", &[b"bc"]),
            hash(&SECRET, "a", &[b"b", b"c", b""]),
            hash(&SECRET, "ab", &[b"c"]),
        ];
        for (index, one) in hashes.iter().enumerate() {
            assert!(!hashes[..index].contains(one), "{index}");
        }
        assert_eq!(hashes[0], hash(&SECRET, "a", &[b"b", b"c"]));
    }

    #[test]
    fn it_is_hmac_sha256() {
        // The same with the primitive's own way of taking a key.
        let mut mac = Hmac::<Sha256>::new_from_slice(&SECRET).unwrap();
        mac.update(&1_u64.to_le_bytes());
        mac.update(b"a");
        let expected: [u8; 32] = mac.finalize().into_bytes().into();
        assert_eq!(hash(&SECRET, "a", &[]), expected);
        assert!(is_hash(&SECRET, "a", &[], &expected[..16]));
        assert!(!is_hash(&SECRET, "a", &[], &expected[1..17]));
        assert!(!is_hash(&SECRET, "a", &[], &[]));
    }
}
