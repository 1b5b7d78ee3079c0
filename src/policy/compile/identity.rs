//! Headers that tell the upstream who calls.

use crate::policy::problem::Problems;
use crate::policy::source::Source;
use crate::policy::{IdentityHeader, OPERATION_HEADER};

pub(super) fn identity(source: &Source, problems: &mut Problems) -> Vec<IdentityHeader> {
    let mut headers = Vec::new();
    for (name, claim) in &source.identity_headers {
        let path = format!("policy.identity_headers.{name}");
        check_name(name, &path, problems);
        let names = claim.names();
        if names.is_empty() || names.iter().any(String::is_empty) {
            problems.add(
                &path,
                "names no claim",
                "name the claim that fills the header, such as `sub`",
            );
        }
        headers.push(IdentityHeader {
            name: name.clone(),
            claim: names.to_vec(),
            form: claim.form(),
        });
    }
    headers
}

/// Notes why a header of the gateway's cannot have that name.
pub(super) fn check_name(name: &str, path: &str, problems: &mut Problems) {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if name.is_empty() || !name.bytes().all(plain) {
        problems.add(
            path,
            "is not a header name in lower case",
            "use letters, digits and `-`",
        );
    } else if RESERVED_HEADERS.contains(&name) || name == OPERATION_HEADER {
        problems.add(
            path,
            "has a meaning of its own",
            "choose a name such as `x-user`",
        );
    }
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
