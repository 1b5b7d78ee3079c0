//! Which certificates stand for a caller, told by their names or their digest.

use super::PeerCertificate;

/// What a certificate must have to stand for a caller: all that is given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pattern {
    /// One of its URIs must match.
    pub uri: Option<Uri>,
    /// One of its DNS names must match.
    pub dns: Option<Dns>,
    /// Its subject must be exactly this, as RFC 2253 writes it.
    pub subject: Option<String>,
    /// Its digest must be one of these, if there are any.
    pub digests: Vec<[u8; 32]>,
}

impl Pattern {
    /// Whether a certificate matches. A pattern that asks for nothing matches nothing.
    pub fn matches(&self, certificate: &PeerCertificate) -> bool {
        let uri = |uri: &Uri| certificate.uris.iter().any(|name| uri.matches(name));
        let dns = |dns: &Dns| certificate.dns.iter().any(|name| dns.matches(name));
        let asks = self.uri.is_some()
            || self.dns.is_some()
            || self.subject.is_some()
            || !self.digests.is_empty();
        asks && self.uri.as_ref().is_none_or(uri)
            && self.dns.as_ref().is_none_or(dns)
            && (self.subject.is_none() || self.subject == certificate.subject)
            && (self.digests.is_empty() || self.digests.contains(&certificate.digest))
    }
}

/// A URI, or all URIs below one: `spiffe://shop.example/ns/orders/*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Uri {
    /// This one, character by character.
    Exact(String),
    /// Whatever continues this text, which ends in a slash, by whole segments.
    Below(String),
}

impl Uri {
    /// Reads a URI in which a last segment `*` stands for one or more segments.
    /// `None`: it is no URI with an authority, or has a `*` elsewhere.
    pub fn parse(text: &str) -> Option<Uri> {
        let graphic = text.bytes().all(|byte| byte.is_ascii_graphic());
        let (scheme, rest) = text.split_once("://")?;
        let authority = rest.split('/').next()?;
        if !graphic || scheme.is_empty() || authority.is_empty() || authority.contains('*') {
            return None;
        }
        match text.strip_suffix('*') {
            None => (!text.contains('*')).then(|| Uri::Exact(text.to_owned())),
            Some(above) => {
                (above.ends_with('/') && !above.contains('*')).then(|| Uri::Below(above.to_owned()))
            }
        }
    }

    /// Whether a certificate's URI matches. Below a URI there are no segments that
    /// lead out again, written plainly or as escapes (SPIFFE-ID §2.2 knows neither).
    pub fn matches(&self, uri: &str) -> bool {
        match self {
            Uri::Exact(exact) => uri == exact,
            Uri::Below(above) => uri.strip_prefix(above.as_str()).is_some_and(|below| {
                let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:@".contains(&byte);
                below.split('/').all(|segment| {
                    !matches!(segment, "" | "." | "..") && segment.bytes().all(plain)
                })
            }),
        }
    }
}

/// A DNS name, or all names with one label in front of it: `*.partners.example`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dns {
    /// This one, in lower case.
    Exact(String),
    /// One more label in front of this one, which is in lower case.
    Under(String),
}

impl Dns {
    /// Reads a DNS name in which a first label `*` stands for one label
    /// (RFC 9525 §6.3). `None`: it is no name, or has a `*` elsewhere.
    pub fn parse(text: &str) -> Option<Dns> {
        let name = |text: &str| {
            let lower = text.to_ascii_lowercase();
            lower.split('.').all(is_label).then_some(lower)
        };
        match text.strip_prefix("*.") {
            // `*.example` would be everybody.
            Some(parent) => parent.contains('.').then(|| name(parent).map(Dns::Under))?,
            None => name(text).map(Dns::Exact),
        }
    }

    /// Whether a certificate's DNS name matches. A certificate for a wildcard
    /// stands for nobody in particular, and matches nothing.
    pub fn matches(&self, name: &str) -> bool {
        match self {
            Dns::Exact(exact) => name.eq_ignore_ascii_case(exact),
            Dns::Under(parent) => name.split_once('.').is_some_and(|(label, rest)| {
                is_label(&label.to_ascii_lowercase()) && rest.eq_ignore_ascii_case(parent)
            }),
        }
    }
}

/// A label in lower case; an underscore occurs in practice.
fn is_label(text: &str) -> bool {
    let plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    (1..=63).contains(&text.len()) && text.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate() -> PeerCertificate {
        PeerCertificate {
            digest: [1; 32],
            subject: Some("CN=orders,O=Shop".into()),
            uris: vec!["spiffe://shop.example/ns/orders/sa/api".into()],
            dns: vec!["a.example".into(), "API.Shop.Example".into()],
        }
    }

    #[test]
    fn all_that_a_pattern_asks_for_must_be_there() {
        let uri = Uri::parse("spiffe://shop.example/ns/orders/*");
        let good = Pattern {
            uri,
            dns: Dns::parse("*.shop.example"),
            subject: Some("CN=orders,O=Shop".into()),
            digests: vec![[0; 32], [1; 32]],
        };
        assert!(good.matches(&certificate()));
        for wrong in [
            Pattern {
                uri: Uri::parse("spiffe://shop.example/ns/stock/*"),
                ..good.clone()
            },
            Pattern {
                dns: Dns::parse("shop.example"),
                ..good.clone()
            },
            Pattern {
                subject: Some("CN=orders, O=Shop".into()),
                ..good.clone()
            },
            Pattern {
                digests: vec![[0; 32]],
                ..good.clone()
            },
        ] {
            assert!(!wrong.matches(&certificate()), "{wrong:?}");
        }
    }

    #[test]
    fn each_demand_suffices_where_it_is_the_only_one_and_none_matches_nothing() {
        let none = Pattern::default();
        let bare = PeerCertificate {
            digest: [1; 32],
            subject: None,
            uris: Vec::new(),
            dns: Vec::new(),
        };
        assert!(!none.matches(&certificate()) && !none.matches(&bare));
        let digest = Pattern {
            digests: vec![[1; 32]],
            ..none.clone()
        };
        assert!(digest.matches(&bare));
        let subject = Pattern {
            subject: Some("CN=orders,O=Shop".into()),
            ..none
        };
        assert!(subject.matches(&certificate()) && !subject.matches(&bare));
    }

    #[test]
    fn a_star_in_a_uri_ends_at_no_half_segment() {
        let below = Uri::parse("spiffe://shop.example/ns/orders/*").unwrap();
        for good in ["a", "sa/api", "a.b-c_d"] {
            assert!(below.matches(&format!("spiffe://shop.example/ns/orders/{good}")));
        }
        for bad in [
            "spiffe://shop.example/ns/orders",
            "spiffe://shop.example/ns/orders/",
            "spiffe://shop.example/ns/orders-of-others/a",
            "spiffe://shop.example/ns/orders/../stock",
            "spiffe://shop.example/ns/orders/./a",
            "spiffe://shop.example/ns/orders//a",
            "spiffe://shop.example/ns/orders/a/",
            "spiffe://shop.example/ns/orders/%2e%2e/stock",
            "spiffe://shop.example/ns/orders/a?b",
            "spiffe://Shop.example/ns/orders/a",
            "xspiffe://shop.example/ns/orders/a",
        ] {
            assert!(!below.matches(bad), "{bad}");
        }
        let exact = Uri::parse("spiffe://shop.example/a").unwrap();
        assert!(exact.matches("spiffe://shop.example/a"));
        assert!(!exact.matches("spiffe://shop.example/a/b"));
    }

    #[test]
    fn stars_elsewhere_and_texts_that_are_no_uri_are_refused() {
        for text in [
            "",
            "*",
            "orders/*",
            "spiffe://*",
            "spiffe://*/ns",
            "spiffe://shop*/ns",
            "spiffe:///ns",
            "spiffe://shop.example/ns*",
            "spiffe://shop.example/*/a",
            "spiffe://shop.example/*/*",
            "spiffe://shop.example/a b",
        ] {
            assert_eq!(Uri::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_star_in_a_dns_name_is_one_label() {
        let under = Dns::parse("*.Shop.example").unwrap();
        assert!(under.matches("api.shop.example") && under.matches("API.SHOP.EXAMPLE"));
        for bad in [
            "shop.example",
            ".shop.example",
            "a.b.shop.example",
            "*.shop.example",
            "a b.shop.example",
            "apishop.example",
        ] {
            assert!(!under.matches(bad), "{bad}");
        }
        assert!(Dns::parse("Shop.example").unwrap().matches("shop.Example"));
        for text in [
            "",
            "*",
            "*.example",
            "a.*.example",
            "a..b",
            "a b",
            "*a.example.com",
        ] {
            assert_eq!(Dns::parse(text), None, "{text}");
        }
    }
}
