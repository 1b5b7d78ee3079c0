//! Security schemes tied to what satisfies them, and requirements in their terms.

use std::rc::Rc;

use super::known_names;
use crate::denial::{Challenges, Offer};
use crate::policy::api::{self, Api, Credential, Location};
use crate::policy::credential::Carrier;
use crate::policy::problem::Problems;
use crate::policy::source::{self, SenderConstraint, Source};
use crate::policy::{Access, Demand, Issuer, Proof, Scheme};

/// Every scheme of the document, in its order.
pub(super) fn schemes(api: &Api, source: &Source, problems: &mut Problems) -> Vec<Scheme> {
    for name in source.schemes.keys() {
        if !api.schemes.iter().any(|scheme| scheme.name == *name) {
            let known: Vec<String> = api.schemes.iter().map(|one| one.name.clone()).collect();
            problems.add(
                format!("policy.schemes.{name}"),
                "no operation asks for a security scheme of this name",
                known_names(&known),
            );
        }
    }
    let nothing = source::Scheme::default();
    api.schemes
        .iter()
        .map(|declared| {
            let written = source.schemes.get(&declared.name).unwrap_or(&nothing);
            Scheme {
                name: declared.name.clone(),
                proof: proof(declared, written, source, problems),
            }
        })
        .collect()
}

/// A token of any issuer, for operations that the document does not declare.
pub(super) fn any_token(issuers: &[Issuer]) -> Scheme {
    Scheme {
        name: String::new(),
        proof: Proof::Token {
            issuers: (0..issuers.len()).collect(),
        },
    }
}

/// Who may call an operation with these requirements.
pub(super) fn access(
    requirements: &[api::Requirement],
    schemes: &[Scheme],
    source: &Source,
    path: &str,
    problems: &mut Problems,
) -> Access {
    let mut access = Access::default();
    for requirement in requirements {
        if requirement.schemes.is_empty() {
            access.public = true;
            continue;
        }
        let mut demands = Vec::new();
        for used in &requirement.schemes {
            match schemes.iter().position(|scheme| scheme.name == used.scheme) {
                Some(scheme) => demands.push(Demand {
                    scheme,
                    scopes: used.scopes.clone(),
                }),
                None => problems.add(
                    format!("{path}.security"),
                    format!("`{}` is not one of the schemes", used.scheme),
                    "build the configuration anew from the OpenAPI document",
                ),
            }
        }
        access.alternatives.push(demands);
    }
    for demand in access.alternatives.iter().flatten() {
        if !access.schemes.contains(&demand.scheme) {
            access.schemes.push(demand.scheme);
        }
    }
    access.challenges = Rc::new(challenges(&access, schemes, source));
    access
}

fn proof(
    declared: &api::Scheme,
    written: &source::Scheme,
    source: &Source,
    problems: &mut Problems,
) -> Proof {
    let path = format!("policy.schemes.{}", declared.name);
    strangers(declared, written, &path, problems);
    match &declared.credential {
        Credential::Token => {
            let known = source.issuers.iter().map(|one| one.name.as_str());
            let choice = Choice::new("issuers", "a token", written.issuers.as_deref(), known);
            let issuers = choice.places(declared, problems);
            one_introspects(&issuers, &source.issuers, &path, problems);
            Proof::Token { issuers }
        }
        Credential::ApiKey { location, name } => {
            if *location == Location::Query && !written.allow_query {
                problems.add(
                    &path,
                    format!("takes its key from the query, where logs and histories keep `{name}`"),
                    "ask for it in a header, or accept this with `allow_query: true`",
                );
            }
            let known = source.api_keys.keys().map(String::as_str);
            let choice = Choice::new("api_keys", "an API key", written.api_keys.as_deref(), known);
            Proof::ApiKey {
                carrier: Carrier {
                    location: *location,
                    name: name.clone(),
                },
                sets: choice.places(declared, problems),
            }
        }
        Credential::Certificate => {
            let known = source.certificates.iter().map(|one| one.name.as_str());
            let names = written.certificates.as_deref();
            let choice = Choice::new("certificates", "a client certificate", names, known);
            Proof::Certificate {
                entries: choice.places(declared, problems),
            }
        }
    }
}

/// An opaque token does not say whose it is.
fn one_introspects(
    places: &[usize],
    issuers: &[source::Issuer],
    path: &str,
    problems: &mut Problems,
) {
    let introspecting: Vec<&str> = places
        .iter()
        .filter_map(|place| issuers.get(*place))
        .filter(|issuer| issuer.introspection.is_some())
        .map(|issuer| issuer.name.as_str())
        .collect();
    if introspecting.len() > 1 {
        problems.add(
            format!("{path}.issuers"),
            format!(
                "`{}` all answer for tokens that do not say whose they are",
                introspecting.join("`, `")
            ),
            "name only one of them for this scheme",
        );
    }
}

/// Notes what is said about credentials that the scheme does not ask for.
fn strangers(
    declared: &api::Scheme,
    written: &source::Scheme,
    path: &str,
    problems: &mut Problems,
) {
    let (token, key, certificate) = match declared.credential {
        Credential::Token => (true, false, false),
        Credential::ApiKey { .. } => (false, true, false),
        Credential::Certificate => (false, false, true),
    };
    for (field, is_given, fits, asks) in [
        ("issuers", written.issuers.is_some(), token, "a token"),
        ("api_keys", written.api_keys.is_some(), key, "an API key"),
        ("allow_query", written.allow_query, key, "an API key"),
        (
            "certificates",
            written.certificates.is_some(),
            certificate,
            "a client certificate",
        ),
    ] {
        if is_given && !fits {
            problems.add(
                format!("{path}.{field}"),
                format!("is for a scheme that asks for {asks}, and this one does not"),
                "remove it, or mend the type of the security scheme",
            );
        }
    }
}

/// Which of the policy's credentials of a kind satisfy a scheme.
struct Choice<'a> {
    /// The field of the policy, and of a scheme that names a part of it.
    field: &'a str,
    credential: &'a str,
    /// `None`: all of them.
    names: Option<&'a [String]>,
    known: Vec<&'a str>,
}

impl<'a> Choice<'a> {
    fn new(
        field: &'a str,
        credential: &'a str,
        names: Option<&'a [String]>,
        known: impl Iterator<Item = &'a str>,
    ) -> Self {
        Choice {
            field,
            credential,
            names,
            known: known.collect(),
        }
    }

    fn places(&self, declared: &api::Scheme, problems: &mut Problems) -> Vec<usize> {
        let (field, scheme) = (self.field, &declared.name);
        if self.known.is_empty() {
            problems.add(
                format!("policy.{field}"),
                format!("is empty, and `{scheme}` asks for {}", self.credential),
                "say whose are good, or make the operations public with `security: []`",
            );
        }
        let Some(names) = self.names else {
            return (0..self.known.len()).collect();
        };
        let mut places = Vec::new();
        for (index, name) in names.iter().enumerate() {
            match self.known.iter().position(|known| known == name) {
                Some(place) => places.push(place),
                None => {
                    let known: Vec<String> = self.known.iter().map(ToString::to_string).collect();
                    problems.add(
                        format!("policy.schemes.{scheme}.{field}[{index}]"),
                        format!("`{name}` is not one of `policy.{field}`"),
                        known_names(&known),
                    );
                }
            }
        }
        places
    }
}

/// The challenges of an operation: every scheme that it takes, once.
fn challenges(access: &Access, schemes: &[Scheme], source: &Source) -> Challenges {
    let mut offers = Vec::new();
    for scheme in access
        .schemes
        .iter()
        .filter_map(|place| schemes.get(*place))
    {
        let offered = match &scheme.proof {
            Proof::Token { issuers } => token_offers(issuers, source),
            Proof::ApiKey { carrier, .. } => vec![Offer::ApiKey {
                place: carrier.location.word(),
                name: carrier.name.clone(),
            }],
            Proof::Certificate { .. } => vec![Offer::Certificate],
        };
        for offer in offered {
            if !offers.contains(&offer) {
                offers.push(offer);
            }
        }
    }
    let carries_scopes = |demand: &&Demand| {
        schemes
            .get(demand.scheme)
            .is_some_and(|scheme| matches!(scheme.proof, Proof::Token { .. }))
    };
    let scope = access
        .alternatives
        .iter()
        .find_map(|demands| demands.iter().find(carries_scopes))
        .map(|demand| demand.scopes.join(" "));
    Challenges {
        offers,
        scope: scope.unwrap_or_default(),
        resource_metadata: source.resource_metadata.clone(),
    }
}

/// In which manners the tokens of some issuers can be sent.
fn token_offers(issuers: &[usize], source: &Source) -> Vec<Offer> {
    let constraints: Vec<SenderConstraint> = issuers
        .iter()
        .filter_map(|place| source.issuers.get(*place))
        .map(|issuer| issuer.sender_constraint)
        .collect();
    let takes = |refused: SenderConstraint| constraints.iter().any(|one| *one != refused);
    let dpop = source
        .dpop
        .as_ref()
        .filter(|_| takes(SenderConstraint::Mtls));
    // Without an issuer there is no token, and there must be some challenge.
    let bearer = dpop.is_none() || takes(SenderConstraint::Dpop);
    let dpop = dpop.map(|dpop| Offer::Dpop {
        algorithms: dpop.algorithms.join(" "),
    });
    bearer
        .then_some(Offer::Bearer)
        .into_iter()
        .chain(dpop)
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::policy::Proof;
    use crate::policy::api::Location;
    use crate::policy::compile::tests::{compiled, complaints, sample};
    use crate::policy::credential::Carrier;

    /// The sample with a scheme for keys and one for certificates.
    fn with_other_schemes(document: &mut Value) {
        let key = json!({ "api_key": { "in": "query", "name": "k" } });
        document["api"]["schemes"] = json!([
            { "name": "oauth", "credential": "token" },
            { "name": "key", "credential": key },
            { "name": "mesh", "credential": "certificate" },
        ]);
        document["api"]["operations"][1]["security"] =
            json!([[{ "scheme": "key" }], [{ "scheme": "mesh" }]]);
        document["policy"]["api_keys"] = json!({
            "partners": [{ "id": "a", "secrets": [{ "sha256": "1".repeat(64) }] }],
            "tills": [{ "id": "b", "secrets": [{ "sha256": "2".repeat(64) }] }],
        });
        document["policy"]["certificates"] = json!([
            { "name": "c", "match": { "dns": "c.example" } },
            { "name": "d", "match": { "dns": "d.example" } },
        ]);
        document["policy"]["schemes"] = json!({ "key": { "allow_query": true } });
    }

    #[test]
    fn a_scheme_takes_what_it_names_or_all_of_its_kind() {
        let mut document = sample();
        with_other_schemes(&mut document);
        let proofs = |document: &Value| {
            let schemes = compiled(document).schemes;
            [schemes[1].proof.clone(), schemes[2].proof.clone()]
        };
        let carrier = Carrier {
            location: Location::Query,
            name: "k".into(),
        };
        let key = |sets: &[usize]| Proof::ApiKey {
            carrier: carrier.clone(),
            sets: sets.to_vec(),
        };
        let mesh = |entries: &[usize]| Proof::Certificate {
            entries: entries.to_vec(),
        };
        assert_eq!(proofs(&document), [key(&[0, 1]), mesh(&[0, 1])]);
        document["policy"]["schemes"]["key"]["api_keys"] = json!(["tills"]);
        document["policy"]["schemes"]["mesh"] = json!({ "certificates": ["d"] });
        assert_eq!(proofs(&document), [key(&[1]), mesh(&[1])]);
    }

    #[test]
    fn what_a_scheme_cannot_take_is_named_where_it_stands() {
        let paths = complaints(|document| {
            with_other_schemes(document);
            document["policy"]["schemes"] = json!({
                "oauth": { "allow_query": true, "certificates": ["c"] },
                "key": { "issuers": ["id"], "api_keys": ["tills", "none"] },
                "mesh": { "certificates": ["none"], "api_keys": ["tills"] },
            });
        });
        assert_eq!(
            paths,
            [
                "policy.schemes.oauth.allow_query",
                "policy.schemes.oauth.certificates",
                "policy.schemes.key.issuers",
                "policy.schemes.key",
                "policy.schemes.key.api_keys[1]",
                "policy.schemes.mesh.api_keys",
                "policy.schemes.mesh.certificates[0]",
            ]
        );
        let paths = complaints(|document| {
            with_other_schemes(document);
            document["policy"]["api_keys"] = json!({});
            document["policy"]["certificates"] = json!([]);
        });
        assert_eq!(paths, ["policy.api_keys", "policy.certificates"]);
    }
}
