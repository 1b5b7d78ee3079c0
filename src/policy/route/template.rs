//! A path template, read once: `/orders/{order_id}/files/{name}.{ext}`.
//!
//! A segment is either literal or a shape: literals with parameters between
//! them. Names are kept apart from the shape, since `/a/{x}` and `/a/{y}` match
//! the same paths. Literals are brought to the form in which paths arrive.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt::Write as _;

/// A template in parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// What stands between the slashes; a trailing slash leaves an empty literal.
    pub segments: Vec<Segment>,
    /// The parameters' names in order.
    pub names: Vec<String>,
}

/// One segment of a template.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// Matches itself.
    Literal(String),
    /// Holds a parameter at least.
    Templated(Shape),
}

/// A segment with parameters: literal text before, between and after them, so one
/// text more than there are parameters. Those between are never empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shape(Vec<String>);

/// Why a template cannot be used, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub hint: String,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// One that does not begin with a slash, that no canonical path could match
    /// (dot segments, empty segments, a query), whose braces do not pair, or whose
    /// parameters cannot be told apart.
    pub fn parse(text: &str) -> Result<Self, Flaw> {
        let Some(rest) = text.strip_prefix('/') else {
            return flaw(
                format!("`{text}` does not begin with `/`"),
                "put `/` in front",
            );
        };
        if text.contains('?') {
            return flaw(
                format!("`{text}` holds a query"),
                "declare query parameters under `parameters` with `in: query`",
            );
        }
        if text.contains('#') {
            return flaw(
                format!("`{text}` holds a fragment, which clients never send"),
                "tell the operations apart by path or method, or make one of them",
            );
        }
        let mut template = Self {
            segments: Vec::new(),
            names: Vec::new(),
        };
        let mut pieces = rest.split('/').peekable();
        while let Some(piece) = pieces.next() {
            if piece.is_empty() && pieces.peek().is_some() {
                return flaw(format!("`{text}` has an empty segment"), "write one `/`");
            }
            let segment = segment(text, piece, &mut template.names)?;
            if matches!(&segment, Segment::Literal(text) if text == "." || text == "..") {
                return flaw(
                    format!("`{text}` has the segment `{piece}`, which no canonical path has"),
                    "write the path without it",
                );
            }
            template.segments.push(segment);
        }
        if template.segments.len() > MAX_SEGMENTS {
            return flaw(
                format!("the path has more than {MAX_SEGMENTS} segments"),
                "shorten it",
            );
        }
        Ok(template)
    }
}

impl Shape {
    /// Whether a segment has this shape; its values are added to `raw` (some of
    /// them may be even when it has not). No value is empty. Where a text could
    /// stand in several places the first is taken: if any choice matches, that one
    /// does, so nothing is tried twice.
    pub fn matches<'a>(&self, segment: &'a str, raw: &mut Vec<&'a str>) -> bool {
        let Some((first, rest)) = self.0.split_first() else {
            return false;
        };
        let Some((last, middle)) = rest.split_last() else {
            return false;
        };
        let Some(mut left) = segment.strip_prefix(first.as_str()) else {
            return false;
        };
        for text in middle {
            let Some(at) = find_after_value(left, text) else {
                return false;
            };
            let (Some(value), Some(next)) = (left.get(..at), left.get(at + text.len()..)) else {
                return false;
            };
            raw.push(value);
            left = next;
        }
        match left.strip_suffix(last.as_str()) {
            Some(value) if !value.is_empty() && whole(value) => {
                raw.push(value);
                true
            }
            _ => false,
        }
    }

    /// More literal text is more specific, then fewer parameters; what remains is
    /// ordered so that the document's order never matters.
    #[must_use]
    pub fn specificity(&self, other: &Self) -> Ordering {
        let literal = |shape: &Self| shape.0.iter().map(String::len).sum::<usize>();
        literal(other)
            .cmp(&literal(self))
            .then(self.0.len().cmp(&other.0.len()))
            .then_with(|| self.0.cmp(&other.0))
    }
}

/// Undoes percent-encoding. An escape that is none stays as it is.
#[must_use]
pub fn decode(text: &str) -> Cow<'_, [u8]> {
    if !text.contains('%') {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = match (byte, escape(tail)) {
            (b'%', Some((value, tail))) => {
                decoded.push(value);
                tail
            }
            _ => {
                decoded.push(byte);
                tail
            }
        };
    }
    Cow::Owned(decoded)
}

fn flaw<T>(message: String, hint: &str) -> Result<T, Flaw> {
    Err(Flaw {
        message,
        hint: hint.to_owned(),
    })
}

fn segment(template: &str, piece: &str, names: &mut Vec<String>) -> Result<Segment, Flaw> {
    let mut texts = Vec::new();
    let mut left = piece;
    while let Some((text, after)) = left.split_once('{') {
        let Some((name, after)) = after.split_once('}') else {
            return flaw(
                format!("`{template}` has a `{{` without `}}` in its segment"),
                "close the brace before the next `/`",
            );
        };
        if name.is_empty() || name.contains('{') || text.contains('}') {
            return flaw(
                format!("`{template}` has braces that hold no name"),
                "write each parameter as `{name}`",
            );
        }
        if names.iter().any(|known| known == name) {
            return flaw(
                format!("`{template}` names the parameter `{name}` twice"),
                "give each its own name",
            );
        }
        if text.is_empty() && !texts.is_empty() {
            return flaw(
                format!(
                    "`{template}` has nothing between two parameters, so one cannot tell where the first ends"
                ),
                "put a literal character between them",
            );
        }
        names.push(name.to_owned());
        texts.push(canonical(text));
        left = after;
    }
    if left.contains('}') {
        return flaw(
            format!("`{template}` has a `}}` without `{{`"),
            "write each parameter as `{name}`",
        );
    }
    let last = canonical(left);
    if texts.is_empty() {
        return Ok(Segment::Literal(last));
    }
    texts.push(last);
    Ok(Segment::Templated(Shape(texts)))
}

/// Literal text as a canonical path has it (RFC 3986 §6.2.2): what may stand bare
/// in a segment does, everything else is escaped in upper case, and an escape of a
/// reserved character stays one.
fn canonical(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let (byte, bare, tail) = match (byte, escape(tail)) {
            (b'%', Some((value, tail))) => (value, unreserved(value), tail),
            _ => (byte, unreserved(byte) || SUB_DELIMS.contains(&byte), tail),
        };
        if bare {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
        rest = tail;
    }
    out
}

fn unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// The byte that two hexadecimal digits at the start of `tail` stand for.
fn escape(tail: &[u8]) -> Option<(u8, &[u8])> {
    let (digits, tail) = tail.split_first_chunk::<2>()?;
    let [high, low] = digits.map(|digit| char::from(digit).to_digit(16));
    let value = u8::try_from(high? * 16 + low?).ok()?;
    Some((value, tail))
}

/// Where `text` first stands after a value that is not empty.
fn find_after_value(left: &str, text: &str) -> Option<usize> {
    left.match_indices(text)
        .map(|(at, _)| at)
        .find(|&at| at > 0 && left.get(..at).is_some_and(whole))
}

/// Whether a value does not end inside an escape: in `%2F` no literal `2` stands.
fn whole(value: &str) -> bool {
    let mut last = value.bytes().rev();
    last.next() != Some(b'%') && last.next() != Some(b'%')
}

/// The most segments a template may have: the depth of the router's recursion.
pub const MAX_SEGMENTS: usize = 64;

/// What may stand bare in a segment besides unreserved characters (RFC 3986 §3.3).
const SUB_DELIMS: &[u8] = b"!$&'()*+,;=:@";
