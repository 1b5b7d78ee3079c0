//! A model as its users meet it: trained, written, read, judging, explaining.

use std::sync::LazyLock;

#[cfg(not(target_family = "wasm"))]
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::forest::Random;

/// Requests of a small shop: an order by its number, a search by one or two words.
fn requests(rows: usize, seed: u64) -> Vec<Observation> {
    let mut random = Random::new(seed);
    (0..rows)
        .map(|_| {
            if random.below(3) > 0 {
                let id = format!("ord-{:04}", random.below(10_000));
                return Observation::new("getOrder").declared("order_id", id.as_bytes(), &[]);
            }
            let word = |random: &mut Random| "abcdefghij"[..3 + random.below(7)].to_owned();
            let mut words = word(&mut random);
            if random.below(2) == 0 {
                words = format!("{words} {}", word(&mut random));
            }
            Observation::new("search").declared("q", words.as_bytes(), &[])
        })
        .collect()
}

fn model() -> &'static Model {
    static MODEL: LazyLock<Model> =
        LazyLock::new(|| train(&requests(300, 1), &TrainOptions::default(), |_| {}).unwrap());
    &MODEL
}

fn order(id: &[u8]) -> Observation {
    Observation::new("getOrder").declared("order_id", id, &[])
}

#[test]
fn three_hundred_requests_suffice() {
    let model = model();
    assert_eq!(model.trained().rows, 300);
    assert_eq!(model.trained().operations, 2);
    let fresh = requests(1_000, 2);
    let flagged = fresh
        .iter()
        .filter(|row| model.judge(row).anomalous)
        .count();
    assert!(
        flagged <= 30,
        "{flagged} of 1,000 normal requests are flagged"
    );
    for attack in [
        order(b"1' or '1'='1"),
        order(b"../../../../etc/passwd"),
        order(&[b'0'; 240]),
        Observation::new("dropTables"),
    ] {
        let verdict = model.judge(&attack);
        assert!(verdict.anomalous, "{verdict:?} {attack:?}");
    }
}

#[test]
fn a_reason_names_the_parameter_and_what_is_odd() {
    let reasons = model().explain(&order(&[b'0'; 240]));
    assert!(reasons.len() <= REASON_LIMIT);
    let length = reasons
        .iter()
        .find(|r| r.feature == "length_excess")
        .unwrap();
    assert_eq!(length.detail, "`order_id` is 240 long; at most 8 was usual");
    let shares: Vec<f32> = reasons.iter().map(|reason| reason.share).collect();
    assert!(shares.is_sorted_by(|a, b| a >= b), "{shares:?}");
    assert!(shares.iter().all(|share| *share > 0.0));
    assert!(shares.iter().sum::<f32>() <= 1.0);
}

#[test]
fn what_is_said_once_is_not_said_again() {
    let reasons = model().explain(&order(b"1' or '1'='1"));
    let mut details: Vec<&str> = reasons.iter().map(|r| r.detail.as_str()).collect();
    details.sort_unstable();
    details.dedup();
    assert_eq!(details.len(), reasons.len(), "{reasons:?}");
}

#[test]
fn a_reason_never_repeats_what_the_client_sent() {
    let secret = order(b"hunter2<script>");
    for reason in model().explain(&secret) {
        assert!(!reason.detail.contains("hunter"), "{reason:?}");
    }
}

#[test]
fn the_same_rows_and_seed_give_the_same_file() {
    let rows = requests(200, 5);
    let file = |seed| {
        let options = TrainOptions {
            seed,
            ..TrainOptions::default()
        };
        train(&rows, &options, |_| {}).unwrap().to_json()
    };
    assert_eq!(file(1), file(1));
    assert_ne!(file(1)["sha256"], file(2)["sha256"]);
}

#[test]
fn a_file_is_read_as_it_was_written_however_it_is_formatted() {
    let model = model();
    let value = model.to_json();
    assert_eq!(value["format"], FORMAT);
    let compact = serde_json::to_string(&value).unwrap();
    let pretty = serde_json::to_string_pretty(&value).unwrap();
    assert_eq!(Model::parse_str(&compact).unwrap(), *model);
    assert_eq!(Model::parse_str(&pretty).unwrap(), *model);
    assert_eq!(Model::parse(&value).unwrap(), *model);
}

#[track_caller]
fn refused(change: impl FnOnce(&mut Value), expected: &[&str]) {
    let mut value = model().to_json();
    change(&mut value);
    let problems = Model::parse(&value).unwrap_err();
    let paths: Vec<&str> = problems.iter().map(|p| p.path.as_str()).collect();
    assert_eq!(paths, expected, "{problems:?}");
}

#[test]
fn another_version_is_refused_and_nothing_else_is_said() {
    refused(
        |model| {
            model["format"] = json!("portcullis-model/2");
            model["forest"] = json!({});
        },
        &["format"],
    );
}

#[test]
fn a_change_after_training_is_noticed() {
    refused(|model| model["threshold"] = json!(0.99), &["sha256"]);
    refused(|model| model["sha256"] = json!("00"), &["sha256"]);
    refused(
        |model| {
            model["profile"]["operations"]["getOrder"]["parameters"]["order_id"]["longest"] =
                json!(9_999)
        },
        &["sha256"],
    );
}

#[test]
fn members_that_are_missing_unknown_or_wrong_are_named() {
    refused(
        |model| {
            model.as_object_mut().unwrap().remove("threshold");
            model["comment"] = json!("hello");
            model["trained"]["by"] = json!("me");
        },
        &["comment", "trained", "threshold"],
    );
    refused(
        |model| model["threshold"] = json!(1e300),
        &["threshold", "sha256"],
    );
    assert_eq!(Model::parse(&json!([])).unwrap_err()[0].path, "");
    assert_eq!(Model::parse_str("{").unwrap_err()[0].path, "");
}

#[test]
fn a_tree_that_leads_astray_is_named_by_its_place() {
    let astray = "AACAPwAA//8=";
    refused(
        |model| {
            model["forest"]["trees"][3] = json!(astray);
            model["forest"]["trees"][7] = json!("?");
        },
        &["forest.trees[3]", "forest.trees[7]", "sha256"],
    );
    refused(
        |model| model["forest"]["trees"] = json!([]),
        &["forest.trees", "sha256"],
    );
    refused(
        |model| model["forest"]["features"][0] = json!("mood"),
        &["forest.features", "sha256"],
    );
}

#[cfg(not(target_family = "wasm"))]
proptest! {
    #[test]
    fn any_observation_is_judged_between_0_and_1(
        operation in "getOrder|search|other",
        values in proptest::collection::vec(("order_id|q|x", proptest::collection::vec(any::<u8>(), 0..200)), 0..5),
        undeclared in any::<u32>(),
    ) {
        let mut observation = Observation::new(&operation);
        for (name, value) in &values {
            observation = observation.declared(name, value, &[]);
        }
        observation.undeclared = undeclared;
        let verdict = model().judge(&observation);
        prop_assert!((0.0..=1.0).contains(&verdict.score));
        prop_assert!(model().explain(&observation).len() <= REASON_LIMIT);
    }
}
