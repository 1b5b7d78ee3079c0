//! What the policy asks of whoever calls an operation, in words.
//!
//! A document and a policy say together who may do what. Here both are read as one,
//! so that a person can check the whole without running a request.

use super::{circumstances, possession, quota, status, upstream};
use crate::denial::Fault;
use crate::policy::api::{BodyStep, ClaimRule, Location, StepUp};
use crate::policy::rule::Verdict;
use crate::policy::{Access, Demand, Operation, Policy, Proof};

/// The sentences, in the order in which the stages ask.
pub(super) fn sentences(operation: &Operation, policy: &Policy) -> Vec<String> {
    let mut sentences = Vec::new();
    sentences.push(format!("path: {}", operation.path));
    circumstances::sentences(operation, policy, &mut sentences);
    quota::approach(policy, &mut sentences);
    credentials(&operation.access, policy, &mut sentences);
    challenges(&operation.access, &mut sentences);
    sentences.extend(possession::sentences(&operation.access, policy));
    status::sentences(&operation.access, policy, &mut sentences);
    if !operation.roles.is_empty() {
        let roles = operation.roles.iter().map(|role| format!("`{role}`"));
        sentences.push(format!("role: {}", one_of(roles.collect())));
    }
    if let Some(asked) = &operation.step_up {
        sentences.push(format!("log-in: {}", log_in(asked)));
    }
    objects(operation, &mut sentences);
    rules(operation, policy, &mut sentences);
    circumstances::lockout(&operation.access, policy, &mut sentences);
    quota::sentences(operation, policy, &mut sentences);
    sentences.extend(upstream::sentences(policy));
    sentences
}

fn credentials(access: &Access, policy: &Policy, sentences: &mut Vec<String>) {
    if access.public && access.alternatives.is_empty() {
        sentences.push("credentials: none, it is public".into());
        return;
    }
    let alternatives: Vec<String> = access
        .alternatives
        .iter()
        .map(|requirement| {
            let demands: Vec<String> = requirement
                .iter()
                .map(|demand| demanded(demand, policy))
                .collect();
            demands.join(" and ")
        })
        .collect();
    let optional = if access.public { ", or nothing" } else { "" };
    sentences.push(format!(
        "credentials: {}{optional}",
        alternatives.join(", or ")
    ));
}

/// What a client gets to read that brings nothing.
fn challenges(access: &Access, sentences: &mut Vec<String>) {
    if access.public {
        return;
    }
    let said = access.challenges.say(&Fault::Missing);
    sentences.push(format!("challenge: {}", said.join(" and ")));
}

fn demanded(demand: &Demand, policy: &Policy) -> String {
    let what = policy
        .schemes
        .get(demand.scheme)
        .map_or_else(String::new, |scheme| match &scheme.proof {
            Proof::Token { issuers } => {
                let names = issuers
                    .iter()
                    .filter_map(|place| policy.issuers.get(*place))
                    .map(|issuer| format!("`{}`", issuer.name));
                format!("a token of {}", one_of(names.collect()))
            }
            Proof::ApiKey { carrier, sets } => {
                let names = sets
                    .iter()
                    .filter_map(|place| policy.api_keys.sets.get(*place))
                    .map(|name| format!("`{name}`"));
                format!(
                    "an API key of {} in the {} `{}`",
                    one_of(names.collect()),
                    carrier.location.word(),
                    carrier.name
                )
            }
            Proof::Certificate { entries } => {
                let names = entries
                    .iter()
                    .filter_map(|place| policy.certificates.entries.get(*place))
                    .map(|entry| format!("`{}`", entry.bearer.name));
                format!("the client certificate of {}", one_of(names.collect()))
            }
        });
    match demand.scopes.as_slice() {
        [] => what,
        [scope] => format!("{what} with the scope `{scope}`"),
        scopes => format!("{what} with the scopes `{}`", scopes.join("`, `")),
    }
}

fn log_in(asked: &StepUp) -> String {
    let mut said = Vec::new();
    if !asked.acr_values.is_empty() {
        let values = asked.acr_values.iter().map(|value| format!("`{value}`"));
        said.push(format!("of class {}", one_of(values.collect())));
    }
    if let Some(seconds) = asked.max_age_seconds {
        said.push(format!("at most {seconds} seconds ago"));
    }
    said.join(", ")
}

fn objects(operation: &Operation, sentences: &mut Vec<String>) {
    for parameter in &operation.parameters {
        if let Some(rule) = &parameter.claim {
            let place = match parameter.location {
                Location::Path => "in the path",
                Location::Query => "in the query",
                Location::Header => "in the header",
                Location::Cookie => "in the cookie",
            };
            sentences.push(held(&format!("`{}` {place}", parameter.name), rule));
        }
    }
    for claim in &operation.body_claims {
        let steps = claim.path.iter().map(|step| match step {
            BodyStep::Member(name) => format!(".{name}"),
            BodyStep::Elements => "[]".into(),
        });
        let path: String = steps.collect();
        sentences.push(held(
            &format!("`{}` in the body", path.trim_start_matches('.')),
            &claim.rule,
        ));
    }
}

fn rules(operation: &Operation, policy: &Policy, sentences: &mut Vec<String>) {
    let places = operation.rules.iter();
    for rule in places.filter_map(|place| policy.rules.all.get(*place)) {
        let verdict = match rule.verdict {
            Verdict::AllowIf => "allow if",
            Verdict::DenyIf => "deny if",
        };
        let text: Vec<&str> = rule.text.split_whitespace().collect();
        sentences.push(format!(
            "rule `{}`: {verdict} {}",
            rule.name,
            text.join(" ")
        ));
    }
}

fn held(what: &str, rule: &ClaimRule) -> String {
    let absent = if rule.if_absent_allow {
        " if it is there"
    } else {
        ""
    };
    let unless = match rule.unless_scopes.as_slice() {
        [] => String::new(),
        scopes => {
            let scopes = scopes.iter().map(|scope| format!("`{scope}`"));
            format!(", unless the caller has {}", one_of(scopes.collect()))
        }
    };
    format!(
        "object: {what} must{absent} be held by the claim `{}`{unless}",
        rule.claim.join(".")
    )
}

/// Names of which any one will do.
pub(super) fn one_of(names: Vec<String>) -> String {
    match names.as_slice() {
        [] => "nobody".into(),
        [name] => name.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::compile::tests::{compiled, sample};
    use serde_json::json;

    #[test]
    fn says_who_may_call() {
        let policy = compiled(&sample());
        let said = |index: usize| sentences(&policy.operations[index], &policy).join("; ");
        assert_eq!(
            said(0),
            "path: /a; credentials: a token of `id` with the scopes `a`, `b`, or nothing; \
             quota: plan `slow`; limit `slow/rate`: 9 at once, then 1 every 250ms, for each client"
        );
        assert_eq!(
            said(1),
            "path: /b; credentials: a token of `id`; challenge: Bearer"
        );
    }

    #[test]
    fn says_the_rules() {
        let mut document = sample();
        document["policy"]["rules"] = json!({ "late": { "deny_if": "time.hour\n > 21" } });
        document["api"]["operations"][1]["rules"] = json!(["late"]);
        let source = serde_json::from_value(document["policy"].clone()).unwrap();
        let prepared = crate::policy::prepare::rules(&source).unwrap();
        document["rules"] = serde_json::to_value(prepared).unwrap();
        let policy = compiled(&document);
        let said = sentences(&policy.operations[1], &policy);
        assert_eq!(said.last().unwrap(), "rule `late`: deny if time.hour > 21");
    }

    #[test]
    fn says_whose_objects_and_how_lately() {
        let mut document = sample();
        let operation = &mut document["api"]["operations"][1];
        operation["roles"] = json!(["admin", "auditor"]);
        operation["step_up"] = json!({ "acr_values": ["phr", "phrh"], "max_age_seconds": 60 });
        let rule =
            json!({ "claim": ["crm", "id"], "unless_scopes": ["desk"], "if_absent_allow": true });
        operation["parameters"] = json!([{ "name": "c", "in": "query", "claim": rule }]);
        operation["body_claims"] =
            json!([{ "path": [{ "member": "a" }, "elements"], "rule": { "claim": ["sub"] } }]);
        let policy = compiled(&document);
        assert_eq!(
            sentences(&policy.operations[1], &policy)[3..],
            [
                "role: `admin` or `auditor`",
                "log-in: of class `phr` or `phrh`, at most 60 seconds ago",
                "object: `c` in the query must if it is there be held by the claim `crm.id`, \
                 unless the caller has `desk`",
                "object: `a[]` in the body must be held by the claim `sub`",
            ]
        );
    }

    #[test]
    fn says_which_keys_and_certificates_would_do() {
        let mut document = sample();
        let key = serde_json::json!({ "api_key": { "in": "header", "name": "x-api-key" } });
        document["api"]["schemes"] = serde_json::json!([
            { "name": "key", "credential": key },
            { "name": "mesh", "credential": "certificate" },
        ]);
        document["api"]["operations"][0]["security"] =
            serde_json::json!([[{ "scheme": "key", "scopes": ["a"] }], [{ "scheme": "mesh" }]]);
        document["api"]["operations"][1]["security"] =
            serde_json::json!([[{ "scheme": "key" }, { "scheme": "mesh" }]]);
        document["policy"]["api_keys"] = serde_json::json!({
            "partners": [{ "id": "a", "secrets": [{ "sha256": "1".repeat(64) }] }],
        });
        document["policy"]["certificates"] = serde_json::json!([
            { "name": "c", "match": { "dns": "c.example" } },
            { "name": "d", "match": { "dns": "d.example" } },
        ]);
        let policy = compiled(&document);
        let said = |index: usize| sentences(&policy.operations[index], &policy)[1].clone();
        assert_eq!(
            said(0),
            "credentials: an API key of `partners` in the header `x-api-key` with the scope `a`, \
             or the client certificate of `c` or `d`"
        );
        assert_eq!(
            said(1),
            "credentials: an API key of `partners` in the header `x-api-key` and the client \
             certificate of `c` or `d`"
        );
    }
}
