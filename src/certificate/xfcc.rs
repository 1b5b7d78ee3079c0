//! `x-forwarded-client-cert`: the certificates that proxies in front have seen.
//!
//! Each proxy adds an element for its own client, so only the last element is the
//! word of the proxy that speaks to this gateway; those before it are what others
//! told that proxy. The caller must know that this proxy may be believed.
//!
//! Envoy writes an element as `By=...;Hash=...;Subject="...";URI=...;DNS=...`. It
//! escapes nothing of a subject beyond what RFC 2253 does, so a subject is taken as
//! it stands between its quotes. URIs it writes without quotes.

use super::PeerCertificate;
use crate::hex::parse_sha256;

/// The header's name.
pub const HEADER: &str = "x-forwarded-client-cert";

/// The certificate of the nearest proxy's client.
///
/// `None`: the header is not of the form that Envoy documents, or the last element
/// has no digest or an ambiguous one.
pub fn nearest(header: &str) -> Option<PeerCertificate> {
    let mut rest = header;
    loop {
        let (certificate, after) = element(rest)?;
        if after.is_empty() {
            return certificate;
        }
        rest = after.strip_prefix(',')?;
    }
}

/// One element and what stands behind it. An element without a digest is of the
/// right form, and no certificate.
fn element(text: &str) -> Option<(Option<PeerCertificate>, &str)> {
    let (mut digest, mut subject) = (None, None);
    let (mut uris, mut dns) = (Vec::new(), Vec::new());
    let mut rest = text;
    loop {
        let (key, after) = rest.trim_start_matches(' ').split_once('=')?;
        let (value, after) = value(after)?;
        match key.to_ascii_lowercase().as_str() {
            "hash" => once(&mut digest, parse_sha256(value)?)?,
            "subject" => once(&mut subject, value.to_owned())?,
            "uri" if !value.is_empty() => uris.push(value.to_owned()),
            "dns" if !value.is_empty() => dns.push(value.to_owned()),
            key if !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {}
            _ => return None,
        }
        match after.strip_prefix(';') {
            Some(after) => rest = after,
            None => {
                let certificate = digest.map(|digest| PeerCertificate {
                    digest,
                    subject: subject.filter(|subject| !subject.is_empty()),
                    uris,
                    dns,
                });
                return Some((certificate, after));
            }
        }
    }
}

/// A value, in quotes or plain, and what stands behind it: `;`, `,` or nothing.
fn value(text: &str) -> Option<(&str, &str)> {
    let (value, after) = match text.strip_prefix('"') {
        Some(quoted) => {
            let (value, after) = quoted.split_at_checked(closing_quote(quoted)?)?;
            (value, after.strip_prefix('"')?)
        }
        None => {
            let end = text.find([';', ',']).unwrap_or(text.len());
            let (value, after) = text.split_at_checked(end)?;
            if value.contains(['"', '\\', ' ']) {
                return None;
            }
            (value, after)
        }
    };
    let ends = after.is_empty() || after.starts_with([';', ',']);
    let clean = !value.bytes().any(|byte| byte.is_ascii_control());
    (ends && clean).then_some((value, after))
}

/// Where the first quote stands that no backslash escapes.
fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })
}

fn once<T>(slot: &mut Option<T>, value: T) -> Option<()> {
    slot.replace(value).is_none().then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(digit: char) -> String {
        digit.to_string().repeat(64)
    }

    #[test]
    fn an_element_is_read_as_envoy_writes_it() {
        let header = format!(
            "By=spiffe://shop.example/gate;Hash={};Cert=\"-----BEGIN%20CERTIFICATE-----%0A\";\
             Subject=\"CN=a\\, b,O=\\\"Shop\\\",OU=\\\\\";URI=https://a/?b=c;URI=spiffe://b/c;DNS=a.example;DNS=b.example",
            hash('a')
        );
        let certificate = nearest(&header).unwrap();
        assert_eq!(certificate.digest, [0xaa; 32]);
        assert_eq!(
            certificate.subject.as_deref(),
            Some(r#"CN=a\, b,O=\"Shop\",OU=\\"#)
        );
        assert_eq!(certificate.uris, ["https://a/?b=c", "spiffe://b/c"]);
        assert_eq!(certificate.dns, ["a.example", "b.example"]);
    }

    #[test]
    fn only_the_last_element_counts() {
        let (first, last) = (hash('1'), hash('2'));
        let of = |header: &str| nearest(header).map(|certificate| certificate.digest[0]);
        let both = format!("Hash={first};Subject=\"CN=x,Hash={first}\",hash={last}");
        assert_eq!(of(&both), Some(0x22));
        assert_eq!(of(&format!("Hash={first}, Hash={last}")), Some(0x22));
        // An element before it may lack a digest, but not its form.
        assert_eq!(of(&format!("By=a,Hash={last}")), Some(0x22));
        assert_eq!(of(&format!("By,Hash={last}")), None);
        assert_eq!(of(&format!("Hash={first},By=a")), None);
        assert_eq!(of(&format!("Hash={first},")), None);
    }

    #[test]
    fn empty_names_are_no_names() {
        let header = format!("Hash={};Subject=\"\";URI=;DNS=;Extra=1", hash('a'));
        let certificate = nearest(&header).unwrap();
        assert_eq!(certificate.subject, None);
        assert!(certificate.uris.is_empty() && certificate.dns.is_empty());
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_not_read() {
        let good = hash('a');
        for header in [
            String::new(),
            ",".into(),
            "Hash".into(),
            "Hash=".into(),
            format!("Hash={}", &good[1..]),
            format!("Hash={good};Hash={good}"),
            format!("Hash={good};Subject=a;Subject=b"),
            format!("Hash={good};Subject=\"a"),
            format!("Hash={good};Subject=\"a\\\""),
            format!("Hash={good};Subject=\"a\"b"),
            format!("Hash={good};Subject=a\"b"),
            format!("Hash={good};URI=a b"),
            format!("Hash={good};URI=a\\"),
            format!("Hash={good};=b"),
            format!("Hash={good};a b=c"),
            format!("Hash={good};;"),
            format!("Hash={good};Subject=\"a\r\n\""),
            format!("Hash={good} ;By=a"),
        ] {
            assert_eq!(nearest(&header), None, "{header}");
        }
    }
}
