//! An `http` or `https` address, taken apart into what a request needs.

/// Scheme, authority and path of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// `http` or `https`.
    pub scheme: String,
    /// Host and port.
    pub authority: String,
    /// Path and query.
    pub path: String,
}

impl Address {
    /// Reads an address; `None` unless it is one, in visible ASCII and without
    /// user information or fragment.
    pub fn parse(text: &str) -> Option<Address> {
        let (scheme, rest) = text.split_once("://")?;
        let (authority, path) = match rest.find('/') {
            Some(slash) => rest.split_at_checked(slash)?,
            None => (rest, "/"),
        };
        let plain =
            rest.bytes().all(|byte| byte.is_ascii_graphic()) && !rest.contains(['#', '@', '\\']);
        let good = matches!(scheme, "http" | "https")
            && plain
            && !authority.is_empty()
            && !authority.contains('?');
        good.then(|| Address {
            scheme: scheme.into(),
            authority: authority.into(),
            path: path.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_three_parts() {
        let address = Address::parse("https://id.example:8443/a/jwks?x=1").unwrap();
        assert_eq!(
            (address.scheme.as_str(), address.authority.as_str()),
            ("https", "id.example:8443")
        );
        assert_eq!(address.path, "/a/jwks?x=1");
        assert_eq!(Address::parse("http://id.example").unwrap().path, "/");
    }

    #[test]
    fn anything_else_is_none() {
        for text in [
            "id.example/jwks",
            "ftp://id.example/",
            "https:///jwks",
            "https://u@id/",
            "https://id/ x",
            "https://id/#a",
        ] {
            assert_eq!(Address::parse(text), None, "{text}");
        }
    }
}
