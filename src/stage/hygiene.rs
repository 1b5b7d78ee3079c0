//! The form of the request: one canonical reading, or none.
//!
//! A path that two servers could read in two ways is refused, not repaired, since
//! the gateway would decide about one reading and the upstream act on the other.
//! What is equal by RFC 3986 §6.2.2 (escapes of unreserved characters, the case
//! of hexadecimal digits) is brought to one form and sent on in that form.

use std::borrow::Cow;
use std::net::IpAddr;

use crate::certificate::xfcc;
use crate::denial::{Denial, Malformed};
use crate::network::forwarded;
use crate::policy::Policy;
use crate::policy::route::template::decode;
use crate::request::RequestHead;
use crate::trail::{Stage, Trail};
use crate::uri::{hex_byte, unescape_unreserved};

/// A request that has one reading. Only [`screen`] makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Screened {
    head: RequestHead,
    address: Option<IpAddr>,
    method: String,
    path: String,
    query: String,
    rewritten: Option<String>,
    dropped: Vec<String>,
}

impl Screened {
    /// The request as it came.
    pub fn head(&self) -> &RequestHead {
        &self.head
    }

    /// The client's address: the connection's, or what trusted proxies say it is.
    pub fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// The method.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The canonical path, without the query.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The canonical query, still encoded.
    pub fn raw_query(&self) -> &str {
        &self.query
    }

    /// The query's parameters, decoded.
    pub fn query(&self) -> impl Iterator<Item = (Cow<'_, [u8]>, Cow<'_, [u8]>)> {
        self.query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                (decode_form(name), decode_form(value))
            })
    }

    /// The value for `:path`, when the canonical form is not what came.
    pub fn rewritten_path(&self) -> Option<&str> {
        self.rewritten.as_deref()
    }

    /// The path with what is left of the query, written without the parameters of
    /// these names.
    pub fn path_without(&self, names: &[&str]) -> String {
        let named = |pair: &&str| {
            let name = decode_form(pair.split('=').next().unwrap_or_default());
            names.iter().any(|other| name.as_ref() == other.as_bytes())
        };
        let left: Vec<&str> = self.query.split('&').filter(|pair| !named(pair)).collect();
        match left.join("&") {
            query if query.is_empty() => self.path.clone(),
            query => format!("{}?{query}", self.path),
        }
    }

    /// Headers that only the gateway may set, and the client did.
    pub fn dropped_headers(&self) -> &[String] {
        &self.dropped
    }
}

/// Reads the request in the one way that every later stage sees.
///
/// # Errors
/// The request has no single reading, and the stage enforces; without a method or
/// a path the request is refused in either mode.
pub fn screen(head: RequestHead, policy: &Policy, trail: &mut Trail) -> Result<Screened, Denial> {
    let address = client_address(&head, policy);
    trail.address = address;
    trail.request_id = head.headers.first("x-request-id").and_then(request_id);
    let method = token(head.headers.first(":method"));
    let target = head
        .headers
        .first(":path")
        .filter(|target| target.starts_with(b"/"));
    let (Some(method), Some(target)) = (method, target) else {
        let denial = Denial::Malformed(Malformed::RequestLine);
        trail.deny(Stage::Hygiene, &denial);
        return Err(denial);
    };
    trail.method = Some(method.clone());
    for fault in faults(&head, address) {
        trail.object(
            Stage::Hygiene,
            policy.stages.hygiene,
            Denial::Malformed(fault),
        )?;
    }
    let (path, query) = match canonical(target) {
        Some(canonical) => canonical,
        None => {
            let denial = Denial::Malformed(Malformed::AmbiguousPath);
            trail.object(Stage::Hygiene, policy.stages.hygiene, denial)?;
            as_it_came(target)
        }
    };
    let written = if query.is_empty() {
        path.clone()
    } else {
        format!("{path}?{query}")
    };
    let rewritten = (written.as_bytes() != target).then_some(written);
    let dropped = gateway_only(&head, policy);
    trail.pass(
        Stage::Hygiene,
        match (rewritten.is_some(), dropped.len()) {
            (false, 0) => Cow::Borrowed("one reading"),
            (true, 0) => Cow::Borrowed("brought to its canonical form"),
            (_, count) => Cow::Owned(format!(
                "{count} headers that only the gateway may set were dropped"
            )),
        },
    );
    Ok(Screened {
        head,
        address,
        method,
        path,
        query,
        rewritten,
        dropped,
    })
}

/// Without trusted proxies it is the connection's, whatever any header says.
fn client_address(head: &RequestHead, policy: &Policy) -> Option<IpAddr> {
    let trusted = &policy.networks.trusted;
    if trusted.is_empty() {
        return head.address;
    }
    forwarded::client(head.address?, head.headers.all("x-forwarded-for"), trusted).ok()
}

fn faults(head: &RequestHead, address: Option<IpAddr>) -> Vec<Malformed> {
    let mut faults = Vec::new();
    if address.is_none() {
        faults.push(Malformed::Address);
    }
    if head.headers.iter().any(|(_, value)| !is_text(value)) {
        faults.push(Malformed::HeaderValue);
    }
    if ONCE
        .iter()
        .any(|name| head.headers.all(name).nth(1).is_some())
    {
        faults.push(Malformed::RepeatedHeader);
    }
    faults
}

/// UTF-8 without control characters; a tab is white space (RFC 9110 §5.5).
fn is_text(value: &[u8]) -> bool {
    let plain = |byte: &u8| *byte == b'\t' || !byte.is_ascii_control();
    value.iter().all(plain) && (value.is_ascii() || std::str::from_utf8(value).is_ok())
}

/// Path and query of a request target, or `None` if it has no single reading.
fn canonical(target: &[u8]) -> Option<(String, String)> {
    let target = std::str::from_utf8(target).ok()?;
    if !target.bytes().all(|byte| byte.is_ascii_graphic()) || target.contains(['#', '\\']) {
        return None;
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let path = unescape_unreserved(path)?;
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        // `..;x` is a dot segment to servers that strip path parameters.
        let name = segment.split(';').next().unwrap_or_default();
        let empty_inside = segment.is_empty() && segments.peek().is_some();
        if empty_inside || matches!(name, "." | "..") {
            return None;
        }
    }
    if FORBIDDEN_ESCAPES.iter().any(|escape| path.contains(escape)) || encodes_an_escape(&path) {
        return None;
    }
    std::str::from_utf8(&decode(&path)).ok()?;
    Some((path, unescape_unreserved(query)?))
}

fn as_it_came(target: &[u8]) -> (String, String) {
    let target = String::from_utf8_lossy(target).into_owned();
    match target.split_once('?') {
        Some((path, query)) => (path.to_string(), query.to_string()),
        None => (target, String::new()),
    }
}

/// `%25` before two hexadecimal digits: whoever decodes twice reads something else.
fn encodes_an_escape(path: &str) -> bool {
    path.split("%25").skip(1).any(|rest| {
        rest.split_at_checked(2)
            .is_some_and(|(digits, _)| hex_byte(digits).is_some())
    })
}

/// As a form is decoded: a plus sign is a space.
fn decode_form(text: &str) -> Cow<'_, [u8]> {
    if text.contains('+') {
        Cow::Owned(decode(&text.replace('+', " ")).into_owned())
    } else {
        decode(text)
    }
}

/// Names that an upstream could take for a header of the gateway's; `_` counts
/// as `-`, since CGI and its heirs cannot tell them apart.
fn gateway_only(head: &RequestHead, policy: &Policy) -> Vec<String> {
    let disbelieved = policy.certificates.disbelieves(head.address);
    let is_ours = |name: &str| {
        let dashed = name.replace('_', "-");
        dashed.starts_with("x-portcullis-")
            || (disbelieved && dashed == xfcc::HEADER)
            || policy.identity.iter().any(|header| header.name == dashed)
            || policy.hand_over.header() == Some(dashed.as_str())
    };
    let mut names: Vec<String> = head
        .headers
        .iter()
        .map(|(name, _)| name)
        .filter(|name| is_ours(name))
        .map(String::from)
        .collect();
    names.dedup();
    names
}

fn token(value: Option<&[u8]>) -> Option<String> {
    let text = std::str::from_utf8(value?).ok()?;
    let short = !text.is_empty() && text.len() <= 32;
    (short
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'))
    .then(|| text.to_string())
}

fn request_id(value: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(value).ok()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (text.len() <= 64 && text.bytes().all(plain)).then(|| text.to_string())
}

/// Headers whose repetition would let two readers choose differently.
const ONCE: [&str; 3] = ["authorization", "content-type", "content-length"];

/// Escapes that some servers decode before they split the path.
const FORBIDDEN_ESCAPES: [&str; 3] = ["%2F", "%5C", "%3B"];

#[cfg(test)]
mod tests {
    use super::*;

    fn read(target: &str) -> Option<(String, String)> {
        canonical(target.as_bytes())
    }

    #[test]
    fn what_is_equal_is_brought_to_one_form() {
        assert_eq!(
            read("/a%2Db/%e4%BD%a0?q=%7Ex%2f"),
            Some(("/a-b/%E4%BD%A0".into(), "q=~x%2F".into()))
        );
        assert_eq!(read("/"), Some(("/".into(), String::new())));
        assert_eq!(read("/orders/"), Some(("/orders/".into(), String::new())));
    }

    #[test]
    fn what_has_two_readings_is_refused() {
        for target in [
            "/a/../b",
            "/a/%2e%2e/b",
            "/a/.%2E/b",
            "/./a",
            "/a/..",
            "//a",
            "/a//b",
            "/a%2fb",
            "/a%5Cb",
            "/a\\b",
            "/a%00",
            "/a%0d%0aX",
            "/a%zz",
            "/a%2",
            "/a%252fb",
            "/a#b",
            "/a/..;/b",
            "/a/.;x/b",
            "/a%3b",
            "/a%c0%af",
            "/a?q=%zz",
            "/a?q=%00",
            "/a b",
            "/caf\u{e9}",
            "/%+1",
        ] {
            assert_eq!(read(target), None, "{target}");
        }
        assert_eq!(canonical(b"/a\xff"), None);
    }

    #[test]
    fn values_are_text_or_not() {
        assert!(is_text("caf\u{e9}\t".as_bytes()));
        assert!(!is_text(b"\xff"));
        assert!(!is_text(b"a\rb"));
        assert!(!is_text(b"a\x7f"));
    }

    #[test]
    fn request_ids_cannot_carry_anything_else() {
        assert_eq!(request_id(b"abc-1"), Some("abc-1".into()));
        assert_eq!(request_id(b"a\"b"), None);
        assert_eq!(request_id(&[b'a'; 65]), None);
    }
}
