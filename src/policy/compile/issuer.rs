//! Whose tokens are believed, and the keys that check them.

use std::rc::Rc;

use serde_json::Value;

use crate::jose::{Algorithm, KeySet};
use crate::policy::address::Address;
use crate::policy::problem::Problems;
use crate::policy::source::{self, Keys};
use crate::policy::{Issuer, IssuerKeys, RemoteSource};

pub(super) fn issuer(
    written: &source::Issuer,
    path: &str,
    problems: &mut Problems,
) -> Option<Issuer> {
    let algorithms = algorithms(&written.algorithms, &format!("{path}.algorithms"), problems);
    let keys = keys(&written.keys, &format!("{path}.keys"), problems)?;
    Some(Issuer {
        name: written.name.clone(),
        issuer: written.issuer.clone(),
        audiences: written.audiences.clone(),
        algorithms,
        token_types: written.token_types.clone(),
        skew_seconds: written.clock_skew.seconds(),
        keys,
    })
}

fn algorithms(names: &[String], path: &str, problems: &mut Problems) -> Vec<Algorithm> {
    let mut algorithms = Vec::new();
    for (index, name) in names.iter().enumerate() {
        match name.parse() {
            Ok(algorithm) => algorithms.push(algorithm),
            Err(_) => problems.add(
                format!("{path}[{index}]"),
                format!("`{name}` is not a signature algorithm with a public key"),
                "use RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 or EdDSA",
            ),
        }
    }
    algorithms
}

fn keys(written: &Keys, path: &str, problems: &mut Problems) -> Option<IssuerKeys> {
    match written {
        Keys::Inline(document) => match KeySet::from_json(&Value::Object(document.clone())) {
            Ok(keys) => return Some(IssuerKeys::Fixed(Rc::new(keys))),
            Err(found) => {
                for problem in found {
                    let dot = if problem.at.is_empty() { "" } else { "." };
                    problems.add(
                        format!("{path}.inline{dot}{}", problem.at),
                        problem.message,
                        problem.hint,
                    );
                }
            }
        },
        Keys::Remote(remote) => match Address::parse(&remote.uri) {
            Some(address) => {
                return Some(IssuerKeys::Remote(RemoteSource {
                    keys: remote.clone(),
                    address,
                }));
            }
            None => problems.add(
                format!("{path}.remote.uri"),
                "is not an `http://` or `https://` address",
                "write it like `https://id.example.com/jwks`",
            ),
        },
        Keys::File(name) => problems.add(
            format!("{path}.file"),
            format!("the filter cannot read `{name}`"),
            "run `portcullis build`, which puts the file inline",
        ),
    }
    None
}
