//! From what was written to what the stages decide by, or every problem in it.

mod api_key;
mod bearer;
mod certificate;
mod clearance;
mod dpop;
pub mod hand_over;
mod hours;
mod identity;
mod introspection;
mod issuer;
mod lockout;
mod network;
mod quota;
mod revocation;
mod role;
pub(super) mod rule;
mod scheme;

use std::collections::{BTreeSet, HashSet};

use serde_json::Value;

use super::api::{Api, MaskNode, Response};
use super::network::Networks;
use super::plugin::Plugin;
use super::problem::{Problem, Problems};
use super::quota::Quotas;
use super::route::Router;
use super::source::{Environment, Source};
use super::{
    Access, Anomaly, Clearances, Demand, Issuer, Operation, Policy, Roles, Scheme, encode_header,
};
use crate::mask::Table;
use crate::model::Model;
use hours::Times;

/// Compiles a plugin configuration whose structure is right.
///
/// # Errors
/// Every problem of meaning: names that nothing bears, keys that cannot verify,
/// a model that does not match its checksum.
pub fn compile(
    plugin: Plugin,
    fingerprint: String,
    environment: Environment<'_>,
) -> Result<Policy, Vec<Problem>> {
    let mut problems = Problems::default();
    let Plugin {
        policy: source,
        mut api,
        rules: prepared,
        keys,
        model,
        ..
    } = plugin;
    let clearances = clearance::clearances(&source, &mut problems);
    let quotas = quota::quotas(&source, &keys, &mut problems);
    let networks = network::networks(&source.networks, &mut problems);
    let times = Times::new(&source, &api, &mut problems);
    let lockout = source
        .lockout
        .as_ref()
        .map(|written| lockout::lockout(written, &mut problems));
    unique(
        source.issuers.iter().map(|issuer| issuer.name.as_str()),
        "policy.issuers",
        &mut problems,
    );
    unique(
        source.issuers.iter().map(|issuer| issuer.issuer.as_str()),
        "policy.issuers",
        &mut problems,
    );
    let issuers: Vec<Issuer> = source
        .issuers
        .iter()
        .enumerate()
        .filter_map(|(index, written)| {
            let path = format!("policy.issuers[{index}]");
            issuer::issuer(written, &path, environment, &mut problems)
        })
        .collect();
    let api_keys = api_key::api_keys(&source, &clearances, &mut problems);
    let certificates = certificate::certificates(&source, &clearances, &mut problems);
    let mut schemes = scheme::schemes(&api, &source, &mut problems);
    let dpop = dpop::dpop(&source, &mut problems);
    let revocation = revocation::revocation(&source, &mut problems);
    let identity = identity::identity(&source, &mut problems);
    let hand_over = hand_over::hand_over(&source, environment, &mut problems);
    let anomaly = anomaly(&source, model.as_ref(), &mut problems);
    if source.clearances.unclassified.is_some() {
        mask_everything(&mut api);
    }
    let roles = role::roles(&source, &mut problems);
    let rules = rule::rules(&source, prepared, &mut problems);
    rule::check_defaults(&source, &mut problems);
    let mut kept_claims = kept_claims(&api, &roles);
    kept_claims.extend(rule::claims(&rules, roles.claim.first()));
    kept_claims.extend(quota::claims(&quotas, roles.claim.first()));
    if let Some(assertion) = &hand_over.assertion {
        kept_claims.insert("sub".into());
        kept_claims.extend(assertion.claims.iter().cloned());
    }
    let masks = masks(&api, &clearances, &mut problems);
    let router = Router::new(&api.operations)
        .map_err(|found| problems.extend(found))
        .ok();
    let named = Named {
        schemes: &schemes,
        roles: &roles,
        quotas: &quotas,
        networks: &networks,
        times: &times,
    };
    let operations = operations(api, &source, &named, &mut problems);
    problems.into_result(())?;
    // Either is missing only with a problem noted.
    let (Some(masks), Some(router)) = (masks, router) else {
        return Err(Vec::new());
    };
    let undeclared = Access {
        alternatives: vec![vec![Demand {
            scheme: schemes.len(),
            scopes: Vec::new(),
        }]],
        schemes: vec![schemes.len()],
        ..Access::default()
    };
    schemes.push(scheme::any_token(&issuers));
    Ok(Policy {
        fingerprint,
        stages: source.stages,
        router,
        operations,
        undeclared,
        networks,
        undeclared_availability: times.undeclared(),
        hours: times.hours,
        lockout,
        schemes,
        resource_metadata: source.resource_metadata,
        issuers,
        revocation,
        api_keys,
        certificates,
        dpop,
        clearances,
        masks,
        quotas,
        identity,
        hand_over,
        roles,
        rules,
        kept_claims,
        anomaly,
    })
}

fn anomaly(source: &Source, model: Option<&Value>, problems: &mut Problems) -> Option<Anomaly> {
    let written = source.anomaly.as_ref()?;
    let Some(document) = model else {
        problems.add(
            "model",
            "is missing",
            "run `portcullis build`, which puts the model inline",
        );
        return None;
    };
    match Model::parse(document) {
        Ok(model) => {
            let threshold = written.threshold.unwrap_or_else(|| model.threshold());
            Some(Anomaly { model, threshold })
        }
        Err(found) => {
            problems.extend(found.into_iter().map(|problem| problem.below("model")));
            None
        }
    }
}

fn masks(api: &Api, clearances: &Clearances, problems: &mut Problems) -> Option<Table> {
    let level = |name: &str| {
        let level = clearances.names.iter().position(|known| known == name)?;
        u8::try_from(level).ok()
    };
    match Table::new(&api.masks, level) {
        Ok(table) => Some(table),
        Err(found) => {
            problems.extend(found);
            None
        }
    }
}

/// Where unclassified fields have a class, a response without any classified field
/// has something to hide as well, and so has one that is not declared at all.
fn mask_everything(api: &mut Api) {
    let Ok(blank) = u32::try_from(api.masks.len()) else {
        return;
    };
    api.masks.push(MaskNode::default());
    for operation in &mut api.operations {
        for response in &mut operation.responses {
            response.mask.get_or_insert(blank);
        }
        if operation.responses.is_empty() {
            operation.responses.push(Response {
                status: "default".into(),
                mask: Some(blank),
            });
        }
    }
}

/// What operations refer to by name.
struct Named<'a> {
    schemes: &'a [Scheme],
    roles: &'a Roles,
    quotas: &'a Quotas,
    networks: &'a Networks,
    times: &'a Times,
}

fn operations(
    api: Api,
    source: &Source,
    named: &Named<'_>,
    problems: &mut Problems,
) -> Vec<Operation> {
    let mut operations = Vec::new();
    for (index, operation) in api.operations.into_iter().enumerate() {
        let path = format!("api.operations[{index}]");
        let access = scheme::access(&operation.security, named.schemes, source, &path, problems);
        let availability = named.times.of(&operation, &path, problems);
        let territory =
            network::territory(operation.networks.as_ref(), named.networks, &path, problems);
        let (plan, cost) = quota::of(&operation.quota, named.quotas, &path, problems);
        operations.push(Operation {
            header: encode_header(&operation.id),
            id: operation.id,
            path: operation.path,
            availability,
            territory,
            access,
            parameters: operation.parameters,
            responses: operation.responses,
            roles: role::asked(operation.roles, named.roles, &path, problems),
            rules: rule::asked(&operation.rules, source, &path, problems),
            body_claims: operation.body_claims,
            step_up: operation.step_up,
            plan,
            cost,
        });
    }
    operations
}

/// The claims, by their first names, that the document asks about.
fn kept_claims(api: &Api, roles: &Roles) -> BTreeSet<String> {
    let mut kept = BTreeSet::new();
    if api
        .operations
        .iter()
        .any(|operation| !operation.roles.is_empty())
    {
        kept.extend(roles.claim.first().cloned());
        kept.insert("roles".into());
    }
    for operation in &api.operations {
        let of_parameters = operation
            .parameters
            .iter()
            .filter_map(|one| one.claim.as_ref());
        let of_body = operation.body_claims.iter().map(|claim| &claim.rule);
        let rules = of_parameters.chain(of_body);
        kept.extend(rules.filter_map(|rule| rule.claim.first().cloned()));
        if operation.step_up.is_some() {
            kept.extend(["acr", "auth_time"].map(String::from));
        }
    }
    kept
}

fn unique<'a>(names: impl Iterator<Item = &'a str>, path: &str, problems: &mut Problems) {
    let mut seen = HashSet::new();
    for (index, name) in names.enumerate() {
        if !seen.insert(name) {
            problems.add(
                format!("{path}[{index}]"),
                format!("`{name}` occurs twice"),
                "leave one of the two",
            );
        }
    }
}

fn known_names(names: &[String]) -> String {
    match names {
        [] => "declare it first".into(),
        names => format!("use one of `{}`", names.join("`, `")),
    }
}

#[cfg(test)]
pub(crate) mod tests;
