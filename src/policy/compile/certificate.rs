//! Client certificates: what they must have, and whom they stand for.

use super::bearer::bearer;
use super::network;
use super::unique;
use crate::certificate::{Dns, Pattern, Uri};
use crate::hex::parse_sha256;
use crate::policy::Clearances;
use crate::policy::credential::{Certificate, Certificates};
use crate::policy::problem::Problems;
use crate::policy::source::{CertificatePattern, Source};

/// Every entry, and who is believed about the certificates of others.
pub(super) fn certificates(
    source: &Source,
    clearances: &Clearances,
    problems: &mut Problems,
) -> Certificates {
    let names = source.certificates.iter().map(|entry| entry.name.as_str());
    unique(names, "policy.certificates", problems);
    let entries = source.certificates.iter().enumerate();
    let entries = entries
        .map(|(index, written)| Certificate {
            pattern: pattern(
                &written.pattern,
                &format!("policy.certificates[{index}].match"),
                problems,
            ),
            bearer: bearer(written, clearances),
        })
        .collect();
    let xfcc = source.client_certificates.xfcc.as_ref();
    Certificates {
        entries,
        trusted_hops: xfcc.map(|xfcc| {
            let path = "policy.client_certificates.xfcc.trusted";
            network::set(&xfcc.trusted, path, problems)
        }),
    }
}

fn pattern(written: &CertificatePattern, path: &str, problems: &mut Problems) -> Pattern {
    if written.uri.is_none()
        && written.dns.is_none()
        && written.subject.is_none()
        && written.sha256.is_empty()
    {
        problems.add(
            path,
            "asks for nothing, and so matches nothing",
            "give `uri`, `dns`, `subject` or `sha256`",
        );
    }
    let uri = written.uri.as_ref().and_then(|text| {
        let uri = Uri::parse(text);
        if uri.is_none() {
            problems.add(
                format!("{path}.uri"),
                format!("`{text}` is no URI with a host, or has a `*` that is not its last segment"),
                "write it like `spiffe://shop.example/ns/orders/api` or `spiffe://shop.example/ns/orders/*`",
            );
        }
        uri
    });
    let dns = written.dns.as_ref().and_then(|text| {
        let dns = Dns::parse(text);
        if dns.is_none() {
            problems.add(
                format!("{path}.dns"),
                format!("`{text}` is no DNS name, or has a `*` that is not its first label"),
                "write it like `api.partners.example` or `*.partners.example`",
            );
        }
        dns
    });
    let mut digests = Vec::new();
    for (index, text) in written.sha256.iter().enumerate() {
        match parse_sha256(text) {
            Some(digest) => digests.push(digest),
            None => problems.add(
                format!("{path}.sha256[{index}]"),
                "is not 64 hex digits",
                "take it from `openssl x509 -outform der | sha256sum`",
            ),
        }
    }
    Pattern {
        uri,
        dns,
        subject: written.subject.clone(),
        digests,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::policy::compile::tests::complaints;

    #[test]
    fn whatever_is_wrong_with_a_certificate_is_named_where_it_stands() {
        let paths = complaints(|document| {
            document["policy"]["certificates"] = json!([
                { "name": "a", "match": { "uri": "spiffe://shop.example/*" } },
                { "name": "a", "match": { "subject": "CN=a" } },
                { "name": "b", "match": {} },
                { "name": "c", "match": { "uri": "spiffe://*", "dns": "*.example", "sha256": ["1"] } },
            ]);
            document["policy"]["client_certificates"] =
                json!({ "xfcc": { "trusted": ["10.0.0.0/8", "everywhere"] } });
        });
        assert_eq!(
            paths,
            [
                "policy.certificates[1]",
                "policy.certificates[2].match",
                "policy.certificates[3].match.uri",
                "policy.certificates[3].match.dns",
                "policy.certificates[3].match.sha256[0]",
                "policy.client_certificates.xfcc.trusted[1]",
            ]
        );
    }
}
