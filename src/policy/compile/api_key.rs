//! API keys, by the hashes of their secrets.

use super::bearer::bearer;
use super::network;
use crate::api_key::{Hash, Secret};
use crate::policy::Clearances;
use crate::policy::credential::{ApiKey, ApiKeys};
use crate::policy::problem::Problems;
use crate::policy::source::{self, Source};
use crate::time::{Time, rfc3339};

/// Every key of every set.
pub(super) fn api_keys(
    source: &Source,
    clearances: &Clearances,
    problems: &mut Problems,
) -> ApiKeys {
    let mut all = ApiKeys::default();
    for (set, (name, keys)) in source.api_keys.iter().enumerate() {
        all.sets.push(name.clone());
        for (index, written) in keys.iter().enumerate() {
            let path = format!("policy.api_keys.{name}[{index}]");
            let secrets = secrets(&written.secrets, &path, problems);
            if let Err(other) = all.index.add(&written.id, &secrets, all.keys.len()) {
                let other = all.keys.get(other).map_or("", |key| &key.bearer.name);
                problems.add(
                    &path,
                    format!("`{}` has the id or a secret of `{other}`", written.id),
                    "give every key an id and secrets of its own",
                );
            }
            let written_networks = written.networks.as_ref();
            all.keys.push(ApiKey {
                set,
                bearer: bearer(written, clearances),
                networks: written_networks
                    .map(|entries| network::set(entries, &format!("{path}.networks"), problems)),
            });
        }
    }
    all
}

fn secrets(written: &[source::KeySecret], path: &str, problems: &mut Problems) -> Vec<Secret> {
    let mut secrets = Vec::new();
    for (index, secret) in written.iter().enumerate() {
        let path = format!("{path}.secrets[{index}]");
        let not_before = moment(secret.not_before.as_ref(), &path, "not_before", problems);
        let expires = moment(secret.expires.as_ref(), &path, "expires", problems);
        if let (Some(start), Some(end)) = (not_before, expires)
            && start >= end
        {
            problems.add(
                format!("{path}.expires"),
                "is not after `not_before`",
                "let it end after it has begun",
            );
        }
        match Hash::parse(&secret.sha256) {
            Some(hash) => secrets.push(Secret {
                hash,
                not_before,
                expires,
            }),
            None => problems.add(
                format!("{path}.sha256"),
                "is not 64 hex digits",
                "make a key and its hash with `portcullis key new`",
            ),
        }
    }
    secrets
}

fn moment(
    written: Option<&String>,
    path: &str,
    field: &str,
    problems: &mut Problems,
) -> Option<Time> {
    let text = written?;
    let moment = rfc3339::parse(text);
    if moment.is_none() {
        problems.add(
            format!("{path}.{field}"),
            format!("`{text}` is no date"),
            "write it like `2027-01-31` or `2027-01-31T17:30:00Z`",
        );
    }
    moment
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::api_key::{Fault, Hash};
    use crate::policy::compile::tests::{compiled, complaints, sample};
    use crate::time::rfc3339;

    #[test]
    fn a_key_has_the_claims_and_the_times_that_were_written() {
        let mut document = sample();
        document["policy"]["api_keys"] = json!({ "partners": [{
            "id": "lines",
            "secrets": [{ "sha256": Hash::of(b"k").to_string(), "expires": "2027-01-31" }],
            "owner": "Lines Ltd", "tier": "gold", "scopes": ["a", "money"],
            "roles": ["reader"], "labels": { "region": "north" },
            "networks": ["192.0.2.0/24"],
        }] });
        let keys = compiled(&document).api_keys;
        let key = &keys.keys[0];
        assert_eq!(
            serde_json::Value::from(key.bearer.claims.clone()),
            json!({
                "sub": "lines", "client_id": "lines", "scope": "a money", "roles": ["reader"],
                "owner": "Lines Ltd", "tier": "gold", "labels": { "region": "north" },
            })
        );
        assert_eq!((key.set, key.bearer.clearance), (0, 2));
        let networks = key.networks.as_ref().unwrap();
        assert!(networks.contains([192, 0, 2, 9].into()));
        let at = |text| keys.index.find(b"k", rfc3339::parse(text).unwrap());
        assert_eq!(at("2027-01-30T23:59:59Z"), Ok(0));
        assert_eq!(at("2027-01-31").unwrap_err().fault, Fault::Expired);
    }

    #[test]
    fn whatever_is_wrong_with_a_key_is_named_where_it_stands() {
        let hash = |digit: &str| digit.repeat(64);
        let paths = complaints(|document| {
            document["policy"]["api_keys"] = json!({
                "one": [
                    { "id": "a", "secrets": [{ "sha256": hash("1") }] },
                    { "id": "a", "secrets": [{ "sha256": hash("2") }] },
                    { "id": "b", "secrets": [{ "sha256": hash("x") }] },
                    { "id": "c", "secrets": [{ "sha256": hash("3"), "not_before": "soon" }] },
                    { "id": "d", "secrets": [
                        { "sha256": hash("4"), "not_before": "2027-02-01", "expires": "2027-02-01" },
                    ] },
                ],
                "two": [
                    { "id": "e", "secrets": [{ "sha256": hash("1") }] },
                    { "id": "f", "secrets": [{ "sha256": hash("5") }],
                      "networks": ["192.0.2.0/24", "192.0.2.1/24"] },
                ],
            });
        });
        assert_eq!(
            paths,
            [
                "policy.api_keys.one[1]",
                "policy.api_keys.one[2].secrets[0].sha256",
                "policy.api_keys.one[3].secrets[0].not_before",
                "policy.api_keys.one[4].secrets[0].expires",
                "policy.api_keys.two[0]",
                "policy.api_keys.two[1].networks[1]",
            ]
        );
    }
}
