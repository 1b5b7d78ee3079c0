//! URIs brought to one form, so that two spellings of one place compare equal
//! (RFC 3986 §6.2).

use std::fmt;

/// Escapes of unreserved characters become those characters, other escapes get
/// upper-case digits (RFC 3986 §6.2.2.1, §6.2.2.2). `None`: a broken escape, or
/// one of a control character.
pub fn unescape_unreserved(text: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.to_string());
    }
    let mut parts = text.split('%');
    let mut out = parts.next()?.to_string();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        let byte = hex_byte(digits)?;
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte))
            }
            byte if byte.is_ascii_control() => return None,
            byte => out.push_str(&format!("%{byte:02X}")),
        }
        out.push_str(rest);
    }
    Some(out)
}

/// The byte that two hexadecimal digits stand for.
pub fn hex_byte(digits: &str) -> Option<u8> {
    // from_str_radix would take a sign.
    digits
        .bytes()
        .all(|digit| digit.is_ascii_hexdigit())
        .then(|| u8::from_str_radix(digits, 16).ok())?
}

/// Scheme, host and port of an `http` or `https` URI, in lower case and without the
/// port that the scheme has anyway (RFC 6454 §4, RFC 3986 §6.2.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

impl Origin {
    /// Reads an origin and nothing after it.
    pub fn parse(text: &str) -> Option<Origin> {
        let place = Place::parse(text)?;
        let path_follows = text.split_once("://")?.1.contains(['/', '?', '#']);
        (!path_follows).then_some(place.origin)
    }

    fn of(scheme: &str, authority: &str) -> Option<Origin> {
        let scheme = scheme.to_ascii_lowercase();
        let default_port = match scheme.as_str() {
            "http" => "80",
            "https" => "443",
            _ => return None,
        };
        let authority = authority.to_ascii_lowercase();
        // A colon after the last bracket begins the port; those of an IPv6 address do not.
        let after_host = authority.rfind(']').unwrap_or_default();
        let (host, port) = match authority.get(after_host..)?.rfind(':') {
            Some(colon) => {
                let (host, port) = authority.split_at_checked(after_host + colon)?;
                (host, port.strip_prefix(':')?)
            }
            None => (authority.as_str(), ""),
        };
        let plain = |byte: u8| byte.is_ascii_graphic() && !b"@\\\"<>%".contains(&byte);
        let good = !host.is_empty()
            && host.bytes().all(plain)
            && port.len() <= 5
            && port.bytes().all(|digit| digit.is_ascii_digit());
        let port = match port {
            "" => String::new(),
            port if port == default_port => String::new(),
            port => format!(":{port}"),
        };
        good.then(|| Origin(format!("{scheme}://{host}{port}")))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where an absolute `http` or `https` URI leads, without query and fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Whose it is.
    pub origin: Origin,
    /// The path, at least `/`, with escapes in their one form.
    pub path: String,
}

impl Place {
    /// Reads a URI; `None` if it is none, or is not in visible ASCII. Dot segments
    /// stay, and so lead nowhere that a request could be for.
    pub fn parse(text: &str) -> Option<Place> {
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        let (scheme, rest) = text.split_once("://")?;
        let rest = rest.split(['?', '#']).next()?;
        let (authority, path) = match rest.find('/') {
            Some(slash) => rest.split_at_checked(slash)?,
            None => (rest, "/"),
        };
        Some(Place {
            origin: Origin::of(scheme, authority)?,
            path: unescape_unreserved(path)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> Option<(String, String)> {
        Place::parse(text).map(|place| (place.origin.to_string(), place.path))
    }

    #[test]
    fn spellings_of_one_place_are_one() {
        for text in [
            "https://api.example/a~b/%2F",
            "HTTPS://API.example:443/a%7eb/%2f?x=1#y",
            "https://api.example:/%61~b/%2f#",
        ] {
            assert_eq!(
                place(text),
                Some(("https://api.example".into(), "/a~b/%2F".into())),
                "{text}"
            );
        }
        assert_eq!(
            place("http://[2001:DB8::1]:8080"),
            Some(("http://[2001:db8::1]:8080".into(), "/".into()))
        );
        assert_eq!(
            place("http://[::1]").unwrap().0,
            Origin::parse("http://[::1]:80").unwrap().to_string()
        );
    }

    #[test]
    fn other_places_are_others() {
        let origin = |text| Origin::parse(text).unwrap();
        assert_ne!(origin("http://a"), origin("https://a"));
        assert_ne!(origin("https://a:80"), origin("https://a"));
        assert_ne!(place("https://a/b"), place("https://a/B"));
        assert_ne!(place("https://a/b"), place("https://a/b/"));
    }

    #[test]
    fn anything_else_is_none() {
        for text in [
            "",
            "api.example/a",
            "ftp://api.example/",
            "https:///a",
            "https://user@api.example/",
            "https://api.example:port/",
            "https://api.example:123456/",
            "https://api.example/%zz",
            "https://api.example/%0d",
            "https://api.example/ a",
            "https://caf\u{e9}.example/",
        ] {
            assert_eq!(Place::parse(text), None, "{text}");
        }
        for text in ["https://a/", "https://a/b", "https://a?x", "https://a#x"] {
            assert_eq!(Origin::parse(text), None, "{text}");
        }
    }
}
