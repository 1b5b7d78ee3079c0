//! Every way in which a policy can have the wrong shape, and what is said of it.

use super::*;
use serde_json::json;

fn complaints(policy: &Value) -> Vec<String> {
    let mut problems = Problems::default();
    check(policy, "policy", &mut problems);
    let found = problems.into_result(()).err().unwrap_or_default();
    found.iter().map(ToString::to_string).collect()
}

/// A policy whose one issuer has these members more, or others.
fn with_issuer(change: &Value) -> Value {
    let mut issuer = json!({
        "name": "id", "issuer": "https://id.example", "audiences": ["a"],
        "keys": { "file": "jwks.json" },
    });
    for (name, value) in change.as_object().unwrap() {
        issuer[name] = value.clone();
    }
    json!({ "openapi": "o.yaml", "issuers": [issuer] })
}

#[test]
fn the_least_policy_is_sound_and_so_is_one_with_nothing_chosen() {
    assert_eq!(complaints(&json!({ "openapi": "o.yaml" })), [""; 0]);
    let nothing = json!({ "openapi": "o.yaml", "base_path": null, "anomaly": null });
    assert_eq!(complaints(&nothing), [""; 0]);
    assert_eq!(complaints(&with_issuer(&json!({}))), [""; 0]);
}

#[test]
fn a_value_of_either_type_is_held_against_its_own() {
    let claim =
        |claim: Value| complaints(&json!({ "openapi": "o.yaml", "roles": { "claim": claim } }));
    assert_eq!(claim(json!("roles")), [""; 0]);
    assert_eq!(claim(json!(["realm_access", "roles"])), [""; 0]);
    assert!(claim(json!(["a", 1]))[0].starts_with("policy.roles.claim[1]: is a number"));
    assert!(claim(json!(1))[0].starts_with("policy.roles.claim: is a number"));
}

#[test]
fn a_number_or_a_word_or_an_object() {
    let cost = |cost: Value| {
        let limit = json!({ "requests": 1, "per": "1s", "cost": cost });
        let plans = json!({ "p": { "limits": { "l": limit } } });
        complaints(&json!({ "openapi": "o.yaml", "quotas": { "plans": plans } }))
    };
    for good in [json!(5), json!("operation"), json!({ "body_bytes": 1024 })] {
        assert_eq!(cost(good.clone()), [""; 0], "{good}");
    }
    let path = "policy.quotas.plans.p.limits.l.cost: ";
    for (bad, message) in [
        (json!(0), "0 is out of range"),
        (json!(1.5), "is a number, not an integer"),
        (json!("body"), "`body` is not a known word; write one of"),
    ] {
        let found = cost(bad);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].starts_with(&format!("{path}{message}")),
            "{found:?}"
        );
    }
}

#[test]
fn every_fault_is_named_with_its_place_and_its_cure() {
    let policy = |name: &str, value: Value| {
        let mut policy = json!({ "openapi": "o.yaml" });
        policy[name] = value;
        policy
    };
    let cases = [
        (
            json!({}),
            "policy.openapi: is missing; add `openapi`: the OpenAPI",
        ),
        (json!([]), "policy: is an array, not an object"),
        (
            policy("quota", json!({})),
            "policy.quota: is not a known field; did you mean `quotas`?",
        ),
        (
            policy("zzzzzzzz", json!(1)),
            "policy.zzzzzzzz: is not a known field; remove it, or use one of",
        ),
        (
            policy("openapi", json!(3)),
            "policy.openapi: is a number, not a string",
        ),
        (
            policy("issuers", json!({})),
            "policy.issuers: is an object, not an array",
        ),
        (
            policy("stages", json!({ "quota": "off" })),
            "policy.stages.quota: `off` is not a known word; write one of `enforce`, `observe`",
        ),
        (
            policy("stages", json!({ "authentication": "observe" })),
            "policy.stages.authentication: is not a known field",
        ),
        (
            policy("quotas", json!({ "slots": 1 })),
            "policy.quotas.slots: 1 is out of range; write a number from 64",
        ),
        (
            policy("quotas", json!({ "slots": 64.5 })),
            "policy.quotas.slots: is a number, not an integer",
        ),
        (
            policy(
                "quotas",
                json!({ "plans": { "p": { "limits": { "l": { "requests": 1, "per": "1d" } } } } }),
            ),
            "policy.quotas.plans.p.limits.l.per: `1d` is not a length of time; write a whole number and a unit",
        ),
        (
            policy(
                "quotas",
                json!({ "plans": { "p": { "limits": { "l": { "requests": 0, "per": "1s" } } } } }),
            ),
            "policy.quotas.plans.p.limits.l.requests: ",
        ),
        (
            policy("anomaly", json!({ "model": "m", "threshold": 1.5 })),
            "policy.anomaly.threshold: ",
        ),
        (
            policy("classifications", json!([{ "name": "" }])),
            "policy.classifications[0].name: is empty; write a value",
        ),
        (
            with_issuer(&json!({ "algorithms": [] })),
            "policy.issuers[0].algorithms: is empty; give at least 1",
        ),
        (
            with_issuer(&json!({ "keys": {} })),
            "policy.issuers[0].keys: must have exactly one member; choose one of `file`, `inline`, `remote`",
        ),
        (
            with_issuer(&json!({ "keys": { "file": "a", "inline": {} } })),
            "policy.issuers[0].keys: must have exactly one member",
        ),
        (
            with_issuer(&json!({ "keys": { "remote": { "uri": "u" } } })),
            "policy.issuers[0].keys.remote.cluster: is missing",
        ),
        (
            with_issuer(
                &json!({ "keys": { "remote": { "uri": "u", "cluster": "c", "on_missing": "wait" } } }),
            ),
            "policy.issuers[0].keys.remote.on_missing: `wait` is not a known word",
        ),
    ];
    for (policy, beginning) in cases {
        let found = complaints(&policy);
        assert!(
            found.len() == 1 && found[0].starts_with(beginning),
            "{found:#?}\n{beginning}"
        );
    }
}

#[test]
fn all_faults_are_named_at_once() {
    let found = complaints(&json!({
        "issuers": [{ "name": 1, "audience": "a" }],
        "stages": { "quota": 1 },
    }));
    let places: Vec<&str> = found
        .iter()
        .map(|text| text.split(": ").next().unwrap())
        .collect();
    for place in [
        "policy.openapi",
        "policy.issuers[0].name",
        "policy.issuers[0].issuer",
        "policy.issuers[0].audiences",
        "policy.issuers[0].audience",
        "policy.stages.quota",
    ] {
        assert!(places.contains(&place), "{place} in {places:#?}");
    }
}

/// Whatever passes here must be readable, or the reader's single complaint in
/// other words would be all that a person gets.
#[test]
fn what_is_sound_can_be_read() {
    use crate::policy::source::Source;
    let policy = with_issuer(&json!({ "clock_skew": "5s", "token_types": ["JWT"] }));
    assert_eq!(complaints(&policy), [""; 0]);
    assert!(serde_json::from_value::<Source>(policy).is_ok());
}
