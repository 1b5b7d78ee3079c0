//! The certificate of the connection's peer, from Envoy's attributes.

use super::host;
use crate::certificate::PeerCertificate;
use crate::hex::parse_sha256;

/// What the peer has shown, if it has shown any.
///
/// Envoy lends the first URI and the first DNS name of a certificate. Whether its
/// chain was verified is a matter of the listener, which must not accept others.
pub(super) fn of_peer() -> Option<PeerCertificate> {
    if host::property(&["connection", "mtls"])? != [1] {
        return None;
    }
    Some(PeerCertificate {
        digest: parse_sha256(&text("sha256_peer_certificate_digest")?)?,
        subject: text("subject_peer_certificate"),
        uris: text("uri_san_peer_certificate").into_iter().collect(),
        dns: text("dns_san_peer_certificate").into_iter().collect(),
    })
}

fn text(name: &str) -> Option<String> {
    let text = String::from_utf8(host::property(&["connection", name])?).ok()?;
    (!text.is_empty()).then_some(text)
}
