//! What a configuration means, and every way in which it can mean nothing.

use serde_json::{Value, json};

use super::*;
use crate::mask::MAX_LEVELS;
use crate::policy::Proof;
use crate::policy::plugin::{FORMAT, load};
use crate::policy::source::Environment;
use crate::quota::{Algorithm, Bucket};

/// A small configuration that is good. Tests break it.
pub(crate) fn sample() -> Value {
    json!({
        "format": FORMAT,
        "policy": {
            "openapi": "openapi.yaml",
            "issuers": [{
                "name": "id",
                "issuer": "https://id.example",
                "audiences": ["https://api.example"],
                "keys": { "inline": { "keys": [key()] } },
            }],
            "classifications": [
                { "name": "public" },
                { "name": "personal" },
                { "name": "financial", "mask": "last4" },
            ],
            "clearances": { "rules": [
                { "scope": "money", "clearance": "financial" },
                { "scope": "people", "clearance": "personal" },
            ] },
            "quotas": { "plans": { "slow": { "limits": { "rate": { "requests": 4, "per": "1s", "burst": 9 } } } } },
        },
        "api": {
            "title": "Sample",
            "schemes": [{ "name": "oauth", "credential": "token" }],
            "operations": [
                { "id": "getA", "method": "GET", "path": "/a", "quota": { "plan": "slow" },
                  "security": [[{ "scheme": "oauth", "scopes": ["a", "b"] }], []],
                  "responses": [{ "status": "200" }] },
                { "id": "getB", "method": "GET", "path": "/b",
                  "security": [[{ "scheme": "oauth" }]] },
            ],
        },
    })
}

/// A remote key set in the place of the fixed one.
pub(crate) fn sample_with_remote_keys() -> Value {
    let mut sample = sample();
    let remote = json!({ "uri": "https://id.example/jwks", "cluster": "id", "max_stale": "1h" });
    sample["policy"]["issuers"][0]["keys"] = json!({ "remote": remote });
    sample
}

/// The key of RFC 7517 appendix A.1.
pub(crate) fn key() -> Value {
    json!({
        "kty": "EC", "crv": "P-256", "kid": "1",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    })
}

/// Compiles a configuration that must be good.
pub(crate) fn compiled(document: &Value) -> Policy {
    load(document.to_string().as_bytes(), Environment::Elsewhere)
        .unwrap_or_else(|problems| panic!("{problems:#?}"))
}

/// Where the sample is bad after a change, in order.
pub(crate) fn complaints(change: impl FnOnce(&mut Value)) -> Vec<String> {
    let mut document = sample();
    change(&mut document);
    let problems = load(document.to_string().as_bytes(), Environment::Elsewhere).unwrap_err();
    problems.into_iter().map(|problem| problem.path).collect()
}

#[test]
fn requirements_become_alternatives() {
    let policy = compiled(&sample());
    let access = |index: usize| policy.operations[index].access.clone();
    let scopes = |index: usize| {
        let demands = access(index).alternatives.concat();
        demands
            .iter()
            .map(|demand| (demand.scheme, demand.scopes.clone()))
            .collect::<Vec<_>>()
    };
    let both = vec!["a".to_owned(), "b".to_owned()];
    assert_eq!((scopes(0), access(0).public), (vec![(0, both)], true));
    assert_eq!((scopes(1), access(1).public), (vec![(0, vec![])], false));
    assert_eq!(access(0).challenges.scope, "a b");
}

#[test]
fn a_scheme_is_tied_to_issuers() {
    let mut document = sample();
    let mut other = document["policy"]["issuers"][0].clone();
    other["name"] = "other".into();
    other["issuer"] = "https://other.example".into();
    document["policy"]["issuers"]
        .as_array_mut()
        .unwrap()
        .push(other);
    let issuers = |document: &Value| match &compiled(document).schemes[0].proof {
        Proof::Token { issuers } => issuers.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(issuers(&document), [0, 1]);
    document["policy"]["schemes"] = json!({ "oauth": { "issuers": ["other"] } });
    assert_eq!(issuers(&document), [1]);
    let paths = complaints(|document| {
        document["policy"]["schemes"] = json!({ "oauth": { "issuers": ["nobody"] }, "key": {} });
    });
    assert_eq!(
        paths,
        ["policy.schemes.key", "policy.schemes.oauth.issuers[0]"]
    );
}

#[test]
fn a_plan_becomes_an_interval_and_a_burst() {
    let policy = compiled(&sample());
    let plan = &policy.quotas.plans[policy.operations[0].plan.unwrap()];
    let bucket = |interval_ns, burst| Algorithm::TokenBucket(Bucket { interval_ns, burst });
    assert_eq!(plan.limits[0].algorithm, bucket(250_000_000, 9));
    assert_eq!(policy.operations[1].plan, None);

    let mut document = sample();
    document["policy"]["quotas"]["default"] = "slow".into();
    document["policy"]["quotas"]["plans"]["slow"]["limits"] =
        json!({ "rate": { "requests": 4, "per": "1s" } });
    let policy = compiled(&document);
    assert_eq!(policy.operations[1].plan, Some(0));
    let algorithm = policy.quotas.plans[0].limits[0].algorithm;
    assert_eq!(algorithm, bucket(250_000_000, 4));
}

#[test]
fn the_highest_clearance_counts() {
    let clearances = compiled(&sample()).clearances;
    let of = |scopes: &[&str]| {
        let scopes: Vec<String> = scopes.iter().map(ToString::to_string).collect();
        clearances.name(clearances.of(&scopes)).to_owned()
    };
    assert_eq!(of(&[]), "public");
    assert_eq!(of(&["people"]), "personal");
    assert_eq!(of(&["people", "money"]), "financial");
    assert_eq!(of(&["money", "people"]), "financial");
    assert_eq!(clearances.name(200), "unclassified");
}

#[test]
fn a_class_for_the_unclassified_gives_every_response_something_to_hide() {
    assert_eq!(compiled(&sample()).operations[0].responses[0].mask, None);
    let mut document = sample();
    document["policy"]["clearances"]["unclassified"] = "personal".into();
    let policy = compiled(&document);
    let root = policy.operations[0].responses[0].mask.unwrap();
    assert!(
        policy
            .masks
            .conceals(root, policy.clearances.rules(0).unwrap())
    );
    assert!(
        !policy
            .masks
            .conceals(root, policy.clearances.rules(1).unwrap())
    );
}

#[test]
fn whatever_is_wrong_is_named_where_it_stands() {
    type Change = fn(&mut Value);
    let cases: [(&str, Change); 19] = [
        ("policy.issuers[0].algorithms[1]", |d| {
            d["policy"]["issuers"][0]["algorithms"] = json!(["ES256", "HS256"]);
        }),
        ("policy.issuers[0].keys.file", |d| {
            d["policy"]["issuers"][0]["keys"] = json!({ "file": "jwks.json" });
        }),
        ("policy.issuers[0].keys.remote.uri", |d| {
            let remote = json!({ "uri": "ftp://id.example", "cluster": "id" });
            d["policy"]["issuers"][0]["keys"] = json!({ "remote": remote });
        }),
        ("policy.issuers[0].keys.inline.keys[0].y", |d| {
            d["policy"]["issuers"][0]["keys"]["inline"]["keys"][0]["y"] = json!(7);
        }),
        ("policy.issuers[1]", |d| {
            let mut twin = d["policy"]["issuers"][0].clone();
            twin["issuer"] = "https://other.example".into();
            d["policy"]["issuers"].as_array_mut().unwrap().push(twin);
        }),
        ("policy.issuers[1]", |d| {
            let mut twin = d["policy"]["issuers"][0].clone();
            twin["name"] = "other".into();
            d["policy"]["issuers"].as_array_mut().unwrap().push(twin);
        }),
        ("policy.classifications[3]", |d| {
            let classes = d["policy"]["classifications"].as_array_mut().unwrap();
            classes.push(json!({ "name": "public" }));
        }),
        ("policy.classifications", |d| {
            let class = |number| json!({ "name": format!("c{number}") });
            let classes = d["policy"]["classifications"].as_array_mut().unwrap();
            classes.extend((3..=MAX_LEVELS).map(class));
        }),
        ("policy.clearances.default", |d| {
            d["policy"]["clearances"]["default"] = "secret".into();
        }),
        ("policy.clearances.unclassified", |d| {
            d["policy"]["clearances"]["unclassified"] = "secret".into();
        }),
        ("policy.clearances.rules[1].clearance", |d| {
            d["policy"]["clearances"]["rules"][1]["clearance"] = "secret".into();
        }),
        ("policy.quotas.default", |d| {
            d["policy"]["quotas"]["default"] = "fast".into();
        }),
        ("policy.quotas.plans.slow.limits.rate.per", |d| {
            let limit = json!({ "requests": 1_000_000_000, "per": "1ms" });
            d["policy"]["quotas"]["plans"]["slow"]["limits"]["rate"] = limit;
        }),
        ("policy.quotas.plans.slow.limits.rate.burst", |d| {
            let limit = json!({ "requests": 1, "per": "1h", "burst": 10_000_000 });
            d["policy"]["quotas"]["plans"]["slow"]["limits"]["rate"] = limit;
        }),
        ("policy.identity_headers.X-User", |d| {
            d["policy"]["identity_headers"] = json!({ "X-User": "sub" });
        }),
        ("policy.identity_headers.authorization", |d| {
            d["policy"]["identity_headers"] = json!({ "authorization": "sub" });
        }),
        ("policy.identity_headers.x-user", |d| {
            d["policy"]["identity_headers"] = json!({ "x-user": "" });
        }),
        ("model", |d| {
            d["policy"]["anomaly"] = json!({ "model": "model.json" });
        }),
        ("api.operations[0].quota.plan", |d| {
            d["api"]["operations"][0]["quota"]["plan"] = "fast".into();
        }),
    ];
    for (path, change) in cases {
        assert_eq!(complaints(change), [path]);
    }
}

#[test]
fn an_operation_that_needs_a_token_needs_an_issuer() {
    let mut document = sample();
    document["policy"]["issuers"] = json!([]);
    let problems = load(document.to_string().as_bytes(), Environment::Elsewhere).unwrap_err();
    let [problem] = problems.as_slice() else {
        panic!("{problems:#?}");
    };
    assert_eq!(problem.path, "policy.issuers");
    assert!(problem.message.contains("`oauth`"), "{problem}");
}

#[test]
fn all_problems_are_listed_at_once() {
    let found = complaints(|document| {
        document["policy"]["clearances"]["default"] = "secret".into();
        document["policy"]["quotas"]["default"] = "fast".into();
        document["policy"]["issuers"][0]["algorithms"] = json!(["none"]);
        document["api"]["operations"][0]["quota"]["plan"] = "fast".into();
    });
    assert_eq!(found.len(), 4, "{found:?}");
}
