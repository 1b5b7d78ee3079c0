//! Client certificates: whose word about them counts, and whom they stand for.
//!
//! A certificate comes along with the connection, whether the client means it for
//! this request or not. One that stands for nobody is therefore no fault of the
//! request; it merely satisfies nothing.

use std::borrow::Cow;
use std::rc::Rc;

use serde_json::Value;

use super::{Identity, Kind};
use crate::certificate::{PeerCertificate, xfcc};
use crate::denial::{Binding, Denial};
use crate::engine::World;
use crate::policy::Policy;
use crate::request::RequestHead;

/// The client's certificate.
///
/// A trusted proxy says which certificate its client had. Then that counts and not
/// the proxy's own, also where it says that there was none. From anybody else only
/// the connection's own counts.
///
/// # Errors
/// A trusted proxy says what cannot be read.
pub(super) fn of_client<'a>(
    head: &'a RequestHead,
    policy: &Policy,
) -> Result<Option<Cow<'a, PeerCertificate>>, Denial> {
    if !policy.certificates.is_trusted_hop(head.address) {
        return Ok(head.certificate.as_ref().map(Cow::Borrowed));
    }
    let mut header = String::new();
    for value in head.headers.all(xfcc::HEADER) {
        let value = std::str::from_utf8(value).map_err(|_| Denial::BadCertificate)?;
        if !header.is_empty() {
            // A field that comes twice is one list (RFC 9110 §5.3).
            header.push(',');
        }
        header.push_str(value);
    }
    if header.is_empty() {
        return Ok(None);
    }
    let certificate = xfcc::nearest(&header).ok_or(Denial::BadCertificate)?;
    Ok(Some(Cow::Owned(certificate)))
}

/// Whom a certificate stands for, if that is one of these entries.
pub(super) fn holder(
    certificate: &PeerCertificate,
    entries: &[usize],
    world: &World,
) -> Option<Rc<Identity>> {
    let known = &world.policy.certificates.entries;
    let place = known
        .iter()
        .position(|entry| entry.pattern.matches(certificate))
        .filter(|place| entries.contains(place))?;
    let bearer = &known.get(place)?.bearer;
    let mut claims = bearer.claims.clone();
    if let Some(subject) = &certificate.subject {
        claims.insert("subject".into(), Value::from(subject.as_str()));
    }
    for (name, values) in [("uri", &certificate.uris), ("dns", &certificate.dns)] {
        if !values.is_empty() {
            claims.insert(name.into(), Value::from(values.as_slice()));
        }
    }
    let identity = Identity::of(Kind::Certificate, bearer, claims, world.policy);
    Some(Rc::new(identity))
}

/// Holds a token's binding against the client's certificate (RFC 8705 §3.1).
///
/// # Errors
/// The client has another certificate or none.
pub(super) fn check_binding(
    thumbprint: &[u8; 32],
    certificate: Option<&PeerCertificate>,
) -> Result<(), Denial> {
    match certificate {
        None => Err(Denial::BadBinding(Binding::CertificateMissing)),
        Some(certificate) if certificate.has_thumbprint(thumbprint) => Ok(()),
        Some(_) => Err(Denial::BadBinding(Binding::CertificateOther)),
    }
}
