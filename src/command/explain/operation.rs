//! What the policy asks of whoever calls an operation, in words.
//!
//! A document and a policy say together who may do what. Here both are read as one,
//! so that a person can check the whole without running a request.

use crate::policy::{Access, Demand, Operation, Policy, Proof};

/// The sentences, in the order in which the stages ask.
pub(super) fn sentences(operation: &Operation, policy: &Policy) -> Vec<String> {
    let mut sentences = Vec::new();
    sentences.push(format!("path: {}", operation.path));
    credentials(&operation.access, policy, &mut sentences);
    if let Some(plan) = operation.plan.and_then(|plan| policy.plans.get(plan)) {
        sentences.push(format!("quota: plan `{}`", plan.name));
    }
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
        });
    match demand.scopes.as_slice() {
        [] => what,
        [scope] => format!("{what} with the scope `{scope}`"),
        scopes => format!("{what} with the scopes `{}`", scopes.join("`, `")),
    }
}

fn one_of(names: Vec<String>) -> String {
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

    #[test]
    fn says_who_may_call() {
        let policy = compiled(&sample());
        let said = |index: usize| sentences(&policy.operations[index], &policy).join("; ");
        assert_eq!(
            said(0),
            "path: /a; credentials: a token of `id` with the scopes `a`, `b`, or nothing; \
             quota: plan `slow`"
        );
        assert_eq!(said(1), "path: /b; credentials: a token of `id`");
    }
}
