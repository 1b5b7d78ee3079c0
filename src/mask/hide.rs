//! What is written in the place of a hidden value.

use super::Hide;

/// A value as far as hiding must know it.
pub(super) enum Hidden<'a> {
    /// A string, decoded.
    Text(&'a str),
    /// A number as it was written.
    Number(&'a str),
    /// Anything else.
    Other,
}

/// Writes the replacement; `false` when the place is to be left out.
pub(super) fn write(out: &mut Vec<u8>, hide: Hide, value: &Hidden<'_>) -> bool {
    match hide {
        Hide::Remove => return false,
        Hide::Null => out.extend_from_slice(b"null"),
        Hide::Redact => out.extend_from_slice(REDACTED),
        Hide::Last4 => match value {
            Hidden::Text(text) => last_four(out, text),
            Hidden::Number(text) => {
                let digits: String = text.chars().filter(char::is_ascii_digit).collect();
                last_four(out, &digits);
            }
            Hidden::Other => out.extend_from_slice(REDACTED),
        },
    }
    true
}

/// Writes a string with JSON's quotes and escapes.
pub(super) fn write_string(out: &mut Vec<u8>, text: &str) {
    let plain = |byte: u8| byte >= 0x20 && byte != b'"' && byte != b'\\';
    if text.bytes().all(plain) {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        out.extend_from_slice(serde_json::Value::from(text).to_string().as_bytes());
    }
}

/// All but the last four characters starred. Too short a value would show too much
/// of itself.
fn last_four(out: &mut Vec<u8>, text: &str) {
    let characters = text.chars().count();
    if characters < SHORTEST_PARTLY_SHOWN {
        out.extend_from_slice(REDACTED);
        return;
    }
    let stars = characters.saturating_sub(4);
    let shown: String = std::iter::repeat_n('*', stars)
        .chain(text.chars().skip(stars))
        .collect();
    write_string(out, &shown);
}

const REDACTED: &[u8] = b"\"***\"";

/// In Unicode scalar values.
const SHORTEST_PARTLY_SHOWN: usize = 8;
