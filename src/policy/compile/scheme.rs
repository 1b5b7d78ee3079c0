//! Security schemes tied to what satisfies them, and requirements in their terms.

use std::rc::Rc;

use super::known_names;
use crate::denial::{Challenges, Offer};
use crate::policy::api::{self, Api, Credential};
use crate::policy::problem::Problems;
use crate::policy::source::{self, Source};
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
                proof: proof(declared, written, &source.issuers, problems),
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
    issuers: &[source::Issuer],
    problems: &mut Problems,
) -> Proof {
    let path = format!("policy.schemes.{}", declared.name);
    match &declared.credential {
        Credential::Token => Proof::Token {
            issuers: named_issuers(declared, written, issuers, &path, problems),
        },
        Credential::ApiKey { .. } | Credential::Certificate => {
            problems.add(
                path,
                "asks for a credential that the gateway does not verify",
                "ask for a bearer token: `oauth2`, `openIdConnect`, or `http` with `bearer`",
            );
            Proof::Token {
                issuers: Vec::new(),
            }
        }
    }
}

fn named_issuers(
    declared: &api::Scheme,
    written: &source::Scheme,
    issuers: &[source::Issuer],
    path: &str,
    problems: &mut Problems,
) -> Vec<usize> {
    if issuers.is_empty() {
        problems.add(
            "policy.issuers",
            format!("is empty, and `{}` asks for a token", declared.name),
            "name the issuer of its tokens, or make the operations public with `security: []`",
        );
    }
    let Some(names) = &written.issuers else {
        return (0..issuers.len()).collect();
    };
    let mut places = Vec::new();
    for (index, name) in names.iter().enumerate() {
        match issuers.iter().position(|issuer| issuer.name == *name) {
            Some(place) => places.push(place),
            None => {
                let known: Vec<String> = issuers.iter().map(|one| one.name.clone()).collect();
                problems.add(
                    format!("{path}.issuers[{index}]"),
                    format!("`{name}` is not one of the issuers"),
                    known_names(&known),
                );
            }
        }
    }
    places
}

/// The challenges of an operation: every scheme that it takes, once.
fn challenges(access: &Access, schemes: &[Scheme], source: &Source) -> Challenges {
    let mut offers = Vec::new();
    for scheme in access
        .schemes
        .iter()
        .filter_map(|place| schemes.get(*place))
    {
        let offer = match &scheme.proof {
            Proof::Token { .. } => Offer::Bearer,
        };
        if !offers.contains(&offer) {
            offers.push(offer);
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
