//! base64url as JOSE means it: without padding, and one text for one value.
//!
//! A decoder that lets the unused bits of the last character be anything gives
//! every token several spellings. A cache or a deny list keyed by the text would
//! then see several tokens where there is one (RFC 4648 §3.5, RFC 7515 §2).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The bytes that `text` stands for, or `None` if it is not canonical base64url.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// The canonical text of some bytes.
pub(super) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_spelling_decodes() {
        assert_eq!(decode("").as_deref(), Some(&[][..]));
        assert_eq!(decode("-_8").as_deref(), Some(&[0xfb, 0xff][..]));
        assert_eq!(encode(&[0xfb, 0xff]), "-_8");
        for (text, why) in [
            ("-_9", "trailing bits"),
            ("-_8=", "padding"),
            ("+/8", "the other alphabet"),
            ("-", "half a byte"),
            ("-_ 8", "space"),
            ("-_8\n", "line end"),
        ] {
            assert_eq!(decode(text), None, "{why}");
        }
    }
}
