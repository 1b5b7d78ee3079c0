//! Headers that tell the upstream who calls.

use crate::policy::problem::Problems;
use crate::policy::source::Source;
use crate::policy::{IdentityHeader, OPERATION_HEADER};

pub(super) fn identity(source: &Source, problems: &mut Problems) -> Vec<IdentityHeader> {
    let mut headers = Vec::new();
    for (name, claim) in &source.identity_headers {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let path = format!("policy.identity_headers.{name}");
        if name.is_empty() || !name.bytes().all(plain) {
            problems.add(
                &path,
                "is not a header name in lower case",
                "use letters, digits and `-`",
            );
        } else if RESERVED_HEADERS.contains(&name.as_str()) || name == OPERATION_HEADER {
            problems.add(
                &path,
                "has a meaning of its own",
                "choose a name such as `x-user`",
            );
        }
        if claim.is_empty() {
            problems.add(
                &path,
                "names no claim",
                "name the claim that fills the header, such as `sub`",
            );
        }
        headers.push(IdentityHeader {
            name: name.clone(),
            claim: claim.clone(),
        });
    }
    headers
}

/// Headers by which Envoy or HTTP itself would be led astray.
const RESERVED_HEADERS: [&str; 7] = [
    "authorization",
    "host",
    "content-length",
    "content-type",
    "transfer-encoding",
    "connection",
    "cookie",
];
