//! Every problem that plans and limits can have, and what is said of it.

use serde_json::{Value, json};

use crate::policy::compile::tests::sample;
use crate::policy::plugin::load;
use crate::policy::source::Environment;

/// What is said of quotas that differ like this from good ones.
fn complaints(change: impl FnOnce(&mut Value)) -> Vec<String> {
    let mut document = sample();
    let limit = || json!({ "requests": 1, "per": "1s" });
    let plan = || json!({ "limits": { "a": limit(), "b": limit() } });
    let quotas = &mut document["policy"]["quotas"];
    *quotas = json!({ "default": "slow", "plans": { "slow": plan(), "fast": plan() } });
    change(quotas);
    let found = load(document.to_string().as_bytes(), Environment::Elsewhere).err();
    let found = found.unwrap_or_default();
    found.iter().map(ToString::to_string).collect()
}

/// The one thing that is said of a limit that differs like this from a good one, without
/// the beginning of its path.
fn complaint(change: Value) -> String {
    let mut found = complaints(|quotas| {
        let limit = &mut quotas["plans"]["slow"]["limits"]["a"];
        for (name, value) in change.as_object().unwrap() {
            limit[name] = value.clone();
        }
    });
    assert_eq!(found.len(), 1, "{change}: {found:?}");
    let said = found.remove(0);
    let said = said.strip_prefix("policy.quotas.plans.slow.limits.a.");
    said.unwrap().to_owned()
}

#[test]
fn what_is_good_is_good() {
    assert_eq!(complaints(|_| {}), [""; 0]);
    assert_eq!(
        complaints(|quotas| {
            quotas["before_authentication"] = "fast".into();
            for limit in ["a", "b"] {
                quotas["plans"]["fast"]["limits"][limit]["key"] = json!(["address", "operation"]);
            }
            quotas["plans"]["slow"]["limits"]["a"]["over"] = json!({ "shed": "fast" });
        }),
        [""; 0]
    );
}

#[test]
fn plans_that_are_named_must_be_there() {
    let known = "is not one of the plans; use one of `fast`, `slow`";
    for field in ["default", "before_authentication"] {
        assert_eq!(
            complaints(|quotas| quotas[field] = "gone".into()),
            [format!("policy.quotas.{field}: `gone` {known}")]
        );
    }
    assert_eq!(
        complaints(|quotas| quotas["plans"]["slow"]["tiers"] = json!({ "gold": "gone" })),
        [format!(
            "policy.quotas.plans.slow.tiers.gold: `gone` {known}"
        )]
    );
    assert_eq!(
        complaint(json!({ "over": { "shed": "gone" } })),
        format!("over.shed: `gone` {known}")
    );
}

#[test]
fn plans_have_limits_and_all_have_plain_names() {
    let names = "is not a plain name; use 1 to 64 letters, digits, `-`, `_` and `.`";
    assert_eq!(
        complaints(|quotas| quotas["plans"]["go ld"] = quotas["plans"]["fast"].clone()),
        [format!("policy.quotas.plans.go ld: {names}")]
    );
    for name in ["", "a/b", "\u{e4}", "a".repeat(65).as_str()] {
        let found = complaints(|quotas| {
            let limit = quotas["plans"]["fast"]["limits"]["a"].clone();
            quotas["plans"]["fast"]["limits"][name] = limit;
        });
        let path = format!("policy.quotas.plans.fast.limits.{name}");
        assert_eq!(found, [format!("{path}: {names}")]);
    }
    assert_eq!(
        complaints(|quotas| quotas["plans"]["slow"]["limits"] = json!({})),
        ["policy.quotas.plans.slow.limits: has 0 limits; write 1 to 8"]
    );
    assert_eq!(
        complaints(|quotas| {
            let limit = quotas["plans"]["slow"]["limits"]["a"].clone();
            for number in 1..=7 {
                quotas["plans"]["slow"]["limits"][format!("c{number}")] = limit.clone();
            }
        }),
        ["policy.quotas.plans.slow.limits: has 9 limits; write 1 to 8"]
    );
}

#[test]
fn each_algorithm_has_its_own_fields() {
    let elsewhere = |field: &str, owner: &str| {
        format!(
            "{field}: means nothing to this algorithm; it belongs to {owner}; leave it out, or \
             choose that algorithm"
        )
    };
    assert_eq!(
        complaint(json!({ "longest": "1s" })),
        elsewhere("longest", "`concurrency`")
    );
    assert_eq!(
        complaint(json!({ "algorithm": "sliding_window", "longest": "1s" })),
        elsewhere("longest", "`concurrency`")
    );
    assert_eq!(
        complaint(json!({ "algorithm": "sliding_window", "burst": 2 })),
        elsewhere("burst", "`token_bucket`")
    );
    assert_eq!(
        complaint(json!({ "algorithm": "concurrency" })),
        elsewhere("per", "the others")
    );
    assert_eq!(
        complaint(json!({ "algorithm": "concurrency", "per": null, "burst": 2 })),
        elsewhere("burst", "`token_bucket`")
    );
}

#[test]
fn times_are_there_and_are_times() {
    for algorithm in ["token_bucket", "sliding_window"] {
        assert_eq!(
            complaint(json!({ "algorithm": algorithm, "per": null })),
            "per: is missing; say in what time, such as `1s` or `1h`"
        );
        assert_eq!(
            complaint(json!({ "algorithm": algorithm, "per": "0s" }))
                .split(';')
                .next(),
            Some("per: is no time or too long a one")
        );
    }
    assert_eq!(
        complaint(json!({ "algorithm": "concurrency", "per": null, "longest": "0s" })),
        "longest: is no time or too long a one; write a time such as `1m`"
    );
}

#[test]
fn requests_that_are_handed_on_come_to_an_end() {
    let circle = "hands requests over that come back to it; let `over` of the last of the plans \
                  refuse";
    assert_eq!(
        complaints(|quotas| {
            quotas["plans"]["slow"]["limits"]["b"]["over"] = json!({ "shed": "slow" });
        }),
        [format!("policy.quotas.plans.slow: {circle}")]
    );
    assert_eq!(
        complaints(|quotas| {
            quotas["plans"]["slow"]["limits"]["a"]["over"] = json!({ "shed": "fast" });
            quotas["plans"]["fast"]["limits"]["b"]["over"] = json!({ "shed": "slow" });
        }),
        [format!("policy.quotas.plans.fast: {circle}")]
    );
}

#[test]
fn before_authentication_there_are_no_tiers() {
    assert_eq!(
        complaints(|quotas| {
            quotas["before_authentication"] = "fast".into();
            quotas["plans"]["fast"]["tiers"] = json!({ "gold": "slow" });
            for limit in ["a", "b"] {
                quotas["plans"]["fast"]["limits"][limit]["key"] = "address".into();
            }
        }),
        [
            "policy.quotas.plans.fast.tiers: cannot be told apart before authentication; leave \
             them out of the plan `before_authentication`"
        ]
    );
}
