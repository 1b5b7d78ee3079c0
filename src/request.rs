//! What arrived: the head of a request or a response, byte for byte.
//!
//! Header values are bytes, not strings: a value that is not UTF-8 is a fact
//! about the request and must reach the stage that judges it.

use std::net::IpAddr;

use crate::certificate::PeerCertificate;

/// Header fields in the order they came; pseudo-headers such as `:path` included.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, Vec<u8>)>);

impl Headers {
    /// Takes the fields over; names are lower case, as Envoy gives them.
    pub fn new(fields: Vec<(String, Vec<u8>)>) -> Self {
        Headers(fields)
    }

    /// The first value of that name.
    pub fn first(&self, name: &str) -> Option<&[u8]> {
        self.all(name).next()
    }

    /// Every value of that name.
    pub fn all(&self, name: &str) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.iter()
            .filter(move |(other, _)| *other == name)
            .map(|(_, value)| value)
    }

    /// Every field.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&str, &[u8])> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_slice()))
    }
}

/// The head of a request, with what Envoy knows of the connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestHead {
    /// The header fields.
    pub headers: Headers,
    /// The peer's address as Envoy sees it (`source.address`); Envoy's own
    /// trusted-hop settings have been applied. `None`: it could not be read. Whose
    /// request it is, [`crate::stage::hygiene`] finds out.
    pub address: Option<IpAddr>,
    /// Whether neither body nor trailers follow.
    pub end_of_stream: bool,
    /// The certificate that the peer of this connection has shown, if it has.
    pub certificate: Option<PeerCertificate>,
}

/// The head of a response.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResponseHead {
    /// The header fields.
    pub headers: Headers,
    /// Whether no body follows.
    pub end_of_stream: bool,
}

impl ResponseHead {
    /// The status code, if it is one.
    pub fn status(&self) -> Option<u16> {
        std::str::from_utf8(self.headers.first(":status")?)
            .ok()?
            .parse()
            .ok()
    }
}

/// Reads `source.address`, which carries a port: `192.0.2.1:443`, `[2001:db8::1]:443`.
pub fn parse_address(text: &str) -> Option<IpAddr> {
    if let Ok(socket) = text.parse::<std::net::SocketAddr>() {
        return Some(socket.ip().to_canonical());
    }
    text.parse::<IpAddr>()
        .ok()
        .map(|address| address.to_canonical())
}

/// `application/json`, `application/problem+json; charset=utf-8`, … The suffix means
/// JSON under any type (RFC 6839 §3.1), such as `model/gltf+json`.
pub fn is_json(content_type: &[u8]) -> bool {
    let essence = content_type
        .split(|byte| *byte == b';')
        .next()
        .unwrap_or_default()
        .trim_ascii()
        .to_ascii_lowercase();
    essence == b"application/json" || essence == b"text/json" || essence.ends_with(b"+json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lose_their_port_and_their_mapping() {
        assert_eq!(
            parse_address("192.0.2.1:443").unwrap().to_string(),
            "192.0.2.1"
        );
        assert_eq!(
            parse_address("[2001:db8::1]:443").unwrap().to_string(),
            "2001:db8::1"
        );
        assert_eq!(
            parse_address("[::ffff:192.0.2.1]:443").unwrap().to_string(),
            "192.0.2.1"
        );
        assert_eq!(
            parse_address("2001:db8::1").unwrap().to_string(),
            "2001:db8::1"
        );
        assert_eq!(parse_address("/run/envoy.sock"), None);
    }

    #[test]
    fn values_that_are_not_text_are_kept() {
        let headers = Headers::new(vec![("x".into(), vec![0xff]), ("x".into(), b"b".to_vec())]);
        assert_eq!(headers.first("x"), Some(&[0xff][..]));
        assert_eq!(headers.all("x").count(), 2);
        assert_eq!(headers.first("y"), None);
    }

    #[test]
    fn json_is_known_by_its_media_type() {
        assert!(is_json(b"application/json"));
        assert!(is_json(b"Application/JSON ; charset=utf-8"));
        assert!(is_json(b"application/vnd.shop+json"));
        assert!(is_json(b"model/gltf+json"));
        assert!(!is_json(b"text/html"));
        assert!(!is_json(b"application/jsonp"));
    }
}
