//! The `Authorization` header: which token it carries, and in which manner.

use crate::request::RequestHead;

/// What the header holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Credential<'a> {
    /// Nothing of ours.
    None,
    /// Something that is none, or more than one.
    Malformed,
    /// A token, of which nothing is known.
    Token(Manner, &'a str),
}

/// How a token is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// `Bearer` (RFC 6750 §2.1): whoever has it may use it.
    Bearer,
    /// `DPoP` (RFC 9449 §7.1): with a proof that its sender holds a key.
    Dpop,
}

/// Reads it. Another scheme is no credential to us, and is challenged; so is `DPoP`
/// where the policy does not take it.
pub(super) fn credential(head: &RequestHead, takes_dpop: bool) -> Credential<'_> {
    let mut values = head.headers.all("authorization");
    let Some(value) = values.next() else {
        return Credential::None;
    };
    let (Ok(value), None) = (std::str::from_utf8(value), values.next()) else {
        return Credential::Malformed;
    };
    let (scheme, token) = value.trim().split_once(' ').unwrap_or((value.trim(), ""));
    let manner = if scheme.eq_ignore_ascii_case("bearer") {
        Manner::Bearer
    } else if takes_dpop && scheme.eq_ignore_ascii_case("dpop") {
        Manner::Dpop
    } else {
        return Credential::None;
    };
    let token = token.trim_start_matches(' ');
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    if token.is_empty() || !token.bytes().all(plain) {
        return Credential::Malformed;
    }
    Credential::Token(manner, token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Headers;

    fn read(values: &[&str], takes_dpop: bool) -> String {
        let fields = values
            .iter()
            .map(|value| ("authorization".to_string(), value.as_bytes().to_vec()));
        let head = RequestHead {
            headers: Headers::new(fields.collect()),
            ..RequestHead::default()
        };
        match credential(&head, takes_dpop) {
            Credential::None => "none".into(),
            Credential::Malformed => "malformed".into(),
            Credential::Token(Manner::Bearer, token) => token.into(),
            Credential::Token(Manner::Dpop, token) => format!("dpop {token}"),
        }
    }

    #[test]
    fn the_scheme_is_read_as_rfc_6750_writes_it() {
        assert_eq!(read(&["Bearer a.b.c"], false), "a.b.c");
        assert_eq!(read(&["bEARER  a.b.c"], true), "a.b.c");
        assert_eq!(read(&["Basic dTpw"], true), "none");
        assert_eq!(read(&[], true), "none");
    }

    #[test]
    fn dpop_is_a_scheme_where_the_policy_takes_it() {
        assert_eq!(read(&["DPoP a.b.c"], true), "dpop a.b.c");
        assert_eq!(read(&["dpop a.b.c"], true), "dpop a.b.c");
        assert_eq!(read(&["DPoP"], true), "malformed");
        assert_eq!(read(&["DPoP a.b.c"], false), "none");
    }

    #[test]
    fn a_credential_that_could_be_read_twice_is_malformed() {
        for values in [
            &["Bearer"][..],
            &["Bearer "],
            &["Bearer a b"],
            &["Bearer a,Bearer b"],
            &["Bearer a", "Bearer b"],
            &["Bearer a", "DPoP b"],
        ] {
            assert_eq!(read(values, true), "malformed", "{values:?}");
        }
    }
}
