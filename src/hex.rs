//! SHA-256 digests as people write them: 64 hex digits.

use std::fmt;

/// Reads the 64 hex digits of a SHA-256, upper or lower case; nothing else.
pub fn parse_sha256(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut digest = [0; 32];
    for (index, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(digest)
}

/// Bytes that are written as lower-case hex digits.
#[derive(Debug, Clone, Copy)]
pub struct Hex<'a>(pub &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_read_as_they_are_written() {
        let digest: [u8; 32] = std::array::from_fn(|index| u8::try_from(index * 8).unwrap());
        let text = Hex(&digest).to_string();
        assert_eq!(text.len(), 64);
        assert_eq!(parse_sha256(&text), Some(digest));
        assert_eq!(parse_sha256(&text.to_uppercase()), Some(digest));
    }

    #[test]
    fn anything_else_is_no_digest() {
        let good = "0".repeat(64);
        for text in [
            "",
            &good[1..],
            &format!("{good}0"),
            &good.replacen('0', "g", 1),
        ] {
            assert_eq!(parse_sha256(text), None, "{text}");
        }
        // The number parser would take a sign.
        assert_eq!(parse_sha256(&good.replacen('0', "+", 1)), None);
        assert_eq!(parse_sha256(&"\u{e9}".repeat(32)), None);
    }
}
