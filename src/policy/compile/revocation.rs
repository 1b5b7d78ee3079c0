//! The list of what is revoked, or where it is fetched from.

use std::rc::Rc;

use serde_json::Value;

use super::known_names;
use crate::policy::address::Address;
use crate::policy::problem::Problems;
use crate::policy::source::{RevocationList, Source};
use crate::policy::{Revocation, RevocationSource};
use crate::revocation::document;

pub(super) fn revocation(source: &Source, problems: &mut Problems) -> Option<Revocation> {
    let written = source.revocation.as_ref()?;
    let mut issuers = Vec::new();
    for (index, name) in written.issuers.iter().flatten().enumerate() {
        match source.issuers.iter().position(|known| known.name == *name) {
            Some(place) => issuers.push(place),
            None => {
                let known: Vec<String> =
                    source.issuers.iter().map(|one| one.name.clone()).collect();
                problems.add(
                    format!("policy.revocation.issuers[{index}]"),
                    format!("`{name}` is not one of the issuers"),
                    known_names(&known),
                );
            }
        }
    }
    Some(Revocation {
        source: list(&written.list, problems)?,
        issuers: written.issuers.is_some().then_some(issuers),
    })
}

fn list(written: &RevocationList, problems: &mut Problems) -> Option<RevocationSource> {
    let path = "policy.revocation.list";
    match written {
        RevocationList::Inline(members) => {
            let text = Value::Object(members.clone()).to_string();
            match document::parse(text.as_bytes()) {
                Ok(list) => return Some(RevocationSource::Fixed(Rc::new(list))),
                Err(message) => problems.add(
                    format!("{path}.inline"),
                    message,
                    "write it with `portcullis revoke`",
                ),
            }
        }
        RevocationList::Remote(remote) => match Address::parse(&remote.uri) {
            Some(_) if remote.max_stale < remote.refresh => problems.add(
                format!("{path}.remote.max_stale"),
                "is shorter than `refresh`",
                "make it longer, or there would be no list between two fetches",
            ),
            Some(address) => {
                return Some(RevocationSource::Remote {
                    list: remote.clone(),
                    address,
                });
            }
            None => problems.add(
                format!("{path}.remote.uri"),
                "is not an `http://` or `https://` address",
                "write it like `https://id.example.com/revoked.json`",
            ),
        },
        RevocationList::File(name) => problems.add(
            format!("{path}.file"),
            format!("the filter cannot read `{name}`"),
            "run `portcullis build`, which puts the file inline",
        ),
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::tests::{compiled, complaints, sample};
    use serde_json::{Value, json};

    fn paths(revocation: Value) -> Vec<String> {
        complaints(|document| document["policy"]["revocation"] = revocation)
    }

    #[test]
    fn a_list_may_be_about_some_issuers() {
        let mut document = sample();
        document["policy"]["revocation"] = json!({ "list": { "inline": {} }, "issuers": ["id"] });
        let issuers = compiled(&document).revocation.unwrap().issuers;
        assert_eq!(issuers, Some(vec![0]));
    }

    #[test]
    fn what_is_no_list_is_a_problem() {
        let list = |list: Value| paths(json!({ "list": list }));
        let at = |member: &str| [format!("policy.revocation.list.{member}")];
        assert_eq!(list(json!({ "inline": { "kid": {} } })), at("inline"));
        assert_eq!(list(json!({ "file": "revoked.json" })), at("file"));
        let remote = json!({ "remote": { "uri": "nowhere", "cluster": "id" } });
        assert_eq!(list(remote), at("remote.uri"));
        let remote = json!({ "remote": {
            "uri": "https://id.example/", "cluster": "id", "refresh": "10s", "max_stale": "9s",
        } });
        assert_eq!(list(remote), at("remote.max_stale"));
        assert_eq!(
            paths(json!({ "list": { "inline": {} }, "issuers": ["nobody"] })),
            ["policy.revocation.issuers[0]"]
        );
    }
}
