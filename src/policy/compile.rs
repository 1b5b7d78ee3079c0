//! From what was written to what the stages decide by, or every problem in it.

use std::collections::HashSet;
use std::rc::Rc;

use serde_json::Value;

use super::address::Address;
use super::api::{Api, MaskNode, Requirement, Response};
use super::plugin::Plugin;
use super::problem::{Problem, Problems};
use super::route::Router;
use super::source::{self, Keys, Mask, Source};
use super::{
    Access, Anomaly, Clearances, IdentityHeader, Issuer, IssuerKeys, OPERATION_HEADER, Operation,
    Plan, Policy, RemoteSource, encode_header,
};
use crate::jose::{Algorithm, KeySet};
use crate::mask::{Hide, MAX_LEVELS, Rules, Table};
use crate::model::Model;

/// Compiles a plugin configuration whose structure is right.
///
/// # Errors
/// Every problem of meaning: names that nothing bears, keys that cannot verify,
/// a model that does not match its checksum.
pub fn compile(plugin: Plugin, fingerprint: String) -> Result<Policy, Vec<Problem>> {
    let mut problems = Problems::default();
    let Plugin {
        policy: source,
        mut api,
        model,
        ..
    } = plugin;
    let clearances = clearances(&source, &mut problems);
    let plans = plans(&source, &mut problems);
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
    let issuers = source
        .issuers
        .iter()
        .enumerate()
        .filter_map(|(index, written)| {
            issuer(written, &format!("policy.issuers[{index}]"), &mut problems)
        })
        .collect();
    let identity = identity(&source, &mut problems);
    let anomaly = anomaly(&source, model.as_ref(), &mut problems);
    if source.clearances.unclassified.is_some() {
        mask_everything(&mut api);
    }
    let masks = masks(&api, &clearances, &mut problems);
    let router = Router::new(&api.operations)
        .map_err(|found| problems.extend(found))
        .ok();
    let operations = operations(api, &source, &plans, &mut problems);
    problems.into_result(())?;
    // Either is missing only with a problem noted.
    let (Some(masks), Some(router)) = (masks, router) else {
        return Err(Vec::new());
    };
    Ok(Policy {
        fingerprint,
        stages: source.stages,
        router,
        operations,
        undeclared: Access {
            alternatives: vec![Vec::new()],
            public: false,
        },
        issuers,
        clearances,
        masks,
        plans,
        slots: source.quotas.slots,
        identity,
        anomaly,
    })
}

fn issuer(written: &source::Issuer, path: &str, problems: &mut Problems) -> Option<Issuer> {
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

fn clearances(source: &Source, problems: &mut Problems) -> Clearances {
    let classes = &source.classifications;
    unique(
        classes.iter().map(|class| class.name.as_str()),
        "policy.classifications",
        problems,
    );
    if classes.len() > usize::from(MAX_LEVELS) {
        problems.add(
            "policy.classifications",
            format!("has {} classes", classes.len()),
            format!("use at most {MAX_LEVELS}"),
        );
    }
    let names: Vec<String> = classes.iter().map(|class| class.name.clone()).collect();
    let mut level = |name: &str, path: String| {
        let found = names
            .iter()
            .position(|known| known == name)
            .and_then(|level| u8::try_from(level).ok());
        if found.is_none() {
            problems.add(
                path,
                format!("`{name}` is not one of the classifications"),
                known_names(&names),
            );
        }
        found.unwrap_or_default()
    };
    let written = &source.clearances;
    let everybody = written
        .default
        .as_ref()
        .map_or(0, |name| level(name, "policy.clearances.default".into()));
    let unclassified = written.unclassified.as_ref().map_or(0, |name| {
        level(name, "policy.clearances.unclassified".into())
    });
    let grants = written
        .rules
        .iter()
        .enumerate()
        .map(|(index, rule)| {
            let path = format!("policy.clearances.rules[{index}].clearance");
            (rule.scope.clone(), level(&rule.clearance, path))
        })
        .collect();
    let hide = |(level, class): (usize, &source::Classification), clearance: usize| {
        (level > clearance).then_some(match class.mask {
            Mask::Redact => Hide::Redact,
            Mask::Remove => Hide::Remove,
            Mask::Null => Hide::Null,
            Mask::Last4 => Hide::Last4,
        })
    };
    let rules = (0..names.len().max(1))
        .map(|clearance| {
            let levels: Vec<_> = classes
                .iter()
                .enumerate()
                .map(|class| hide(class, clearance))
                .collect();
            // Without classes there is one level, and everybody sees it.
            let levels = if levels.is_empty() {
                vec![None]
            } else {
                levels
            };
            Rules::new(levels, unclassified)
        })
        .collect();
    Clearances {
        names,
        everybody,
        grants,
        rules,
    }
}

fn plans(source: &Source, problems: &mut Problems) -> Vec<Plan> {
    let mut plans = Vec::new();
    for (name, plan) in &source.quotas.plans {
        let per_ns = u64::try_from(plan.per.duration().as_nanos()).unwrap_or(u64::MAX);
        let interval_ns = per_ns / u64::from(plan.requests.max(1));
        if interval_ns == 0 {
            problems.add(
                format!("policy.quotas.plans.{name}.per"),
                "leaves less than a nanosecond for a request",
                "ask for fewer requests or a longer time",
            );
        }
        let burst = u64::from(plan.burst.unwrap_or(plan.requests));
        // Later on, times would reach their end, where nothing is refused any more.
        if interval_ns.saturating_mul(burst) > LONGEST_REFILL_NS {
            problems.add(
                format!("policy.quotas.plans.{name}.burst"),
                "takes more than a hundred years to fill",
                "ask for a smaller burst, or more requests in the time",
            );
        }
        plans.push(Plan {
            name: name.clone(),
            interval_ns: interval_ns.max(1),
            burst,
            key: plan.key,
        });
    }
    if let Some(name) = &source.quotas.default
        && !source.quotas.plans.contains_key(name)
    {
        let names: Vec<String> = source.quotas.plans.keys().cloned().collect();
        problems.add(
            "policy.quotas.default",
            format!("`{name}` is not one of the plans"),
            known_names(&names),
        );
    }
    plans
}

fn identity(source: &Source, problems: &mut Problems) -> Vec<IdentityHeader> {
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

fn operations(
    api: Api,
    source: &Source,
    plans: &[Plan],
    problems: &mut Problems,
) -> Vec<Operation> {
    let mut operations = Vec::new();
    for (index, operation) in api.operations.into_iter().enumerate() {
        let path = format!("api.operations[{index}]");
        let access = access(&operation.security);
        if !access.public && source.issuers.is_empty() {
            problems.add(
                "policy.issuers",
                format!("is empty, and `{}` needs a token", operation.id),
                "name the issuer of its tokens, or make the operation public with `security: []`",
            );
        }
        let wanted = operation.quota.as_ref().or(source.quotas.default.as_ref());
        let plan = wanted.and_then(|name| plans.iter().position(|plan| plan.name == *name));
        if let (Some(name), None) = (&operation.quota, plan) {
            let names: Vec<String> = plans.iter().map(|plan| plan.name.clone()).collect();
            problems.add(
                format!("{path}.quota"),
                format!("`{name}` is not one of the plans"),
                known_names(&names),
            );
        }
        operations.push(Operation {
            header: encode_header(&operation.id),
            id: operation.id,
            path: operation.path,
            access,
            parameters: operation.parameters,
            responses: operation.responses,
            plan,
        });
    }
    operations
}

/// Scopes of several schemes in one requirement are all needed, and all of them
/// come with the one token.
fn access(requirements: &[Requirement]) -> Access {
    let mut access = Access::default();
    for requirement in requirements {
        if requirement.schemes.is_empty() {
            access.public = true;
        } else {
            let scopes = requirement
                .schemes
                .iter()
                .flat_map(|used| used.scopes.iter().cloned());
            access.alternatives.push(scopes.collect());
        }
    }
    access
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

/// A hundred years.
const LONGEST_REFILL_NS: u64 = 100 * 365 * 24 * 3_600_000_000_000;

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

#[cfg(test)]
pub(crate) mod tests;
