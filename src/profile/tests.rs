//! What the profile finds odd, feature by feature.

use super::*;

/// 300 requests for an order, with an id like `ord-1234` and now and then a page.
fn profile() -> Profile {
    let states = ["open".to_owned(), "paid".to_owned()];
    let rows: Vec<Observation> = (0..300_u32)
        .map(|n| {
            let id = format!("ord-{:04}", n * 7_919 % 10_000);
            let row = Observation::new("getOrder")
                .declared("order_id", id.as_bytes(), &[])
                .declared("state", b"open", &states);
            if n % 5 == 0 {
                row.declared("page", n.to_string().as_bytes(), &[])
            } else {
                row
            }
        })
        .collect();
    Profile::learn(&rows)
}

fn usual() -> Observation {
    with_id(b"ord-4711")
}

fn with_id(id: &[u8]) -> Observation {
    let states = ["open".to_owned(), "paid".to_owned()];
    Observation::new("getOrder")
        .declared("order_id", id, &[])
        .declared("state", b"paid", &states)
}

#[track_caller]
fn only(observation: &Observation, expected: &[Feature]) {
    let profile = profile();
    let before = profile.features(&usual());
    let after = profile.features(observation);
    let raised: Vec<Feature> = Feature::ALL
        .iter()
        .map(|spec| spec.feature)
        .filter(|feature| after.value(*feature) > before.value(*feature) + 0.05)
        .collect();
    assert_eq!(raised, expected, "{after:?}");
}

#[track_caller]
fn says(observation: &Observation, feature: Feature, expected: &str) {
    let profile = profile();
    let features = profile.features(observation);
    let sentence = profile.describe(observation, &features, feature);
    assert_eq!(sentence.as_deref(), Some(expected));
}

#[test]
fn a_usual_request_raises_nothing() {
    let features = profile().features(&usual());
    assert_eq!(features.value(Feature::UnknownClasses), 0.0);
    assert_eq!(features.value(Feature::UnknownOrders), 0.0);
    assert_eq!(features.value(Feature::LengthExcess), 0.0);
    assert!(features.value(Feature::LengthDeviation) < 0.1);
    assert!(features.value(Feature::OrderDeviation) < 1.0);
}

#[test]
fn a_long_value_is_odd() {
    let long = with_id(b"ord-1234567890");
    says(
        &long,
        Feature::LengthExcess,
        "`order_id` is 14 long; at most 8 was usual",
    );
}

#[test]
fn characters_of_an_unknown_kind_are_odd() {
    let odd = with_id(b"ord-12' ");
    says(
        &odd,
        Feature::UnknownClasses,
        "`order_id` holds spaces, `'`, which it usually does not",
    );
    assert_eq!(profile().features(&odd).value(Feature::UnknownClasses), 2.0);
}

#[test]
fn a_payload_behind_the_cut_is_odd() {
    let mut id = b"ord-1234".repeat(10);
    id.push(b'\'');
    let features = profile().features(&with_id(&id));
    assert_eq!(features.value(Feature::UnknownClasses), 1.0);
}

#[test]
fn known_characters_in_an_unknown_order_are_odd() {
    only(
        &with_id(b"1234-ord"),
        &[
            Feature::OrderDeviation,
            Feature::OrderSurprise,
            Feature::UnknownOrders,
        ],
    );
}

#[test]
fn a_missing_parameter_is_odd_if_it_was_always_there() {
    let states = ["open".to_owned(), "paid".to_owned()];
    let odd = Observation::new("getOrder").declared("state", b"open", &states);
    only(&odd, &[Feature::MissingParameter]);
    says(
        &odd,
        Feature::MissingParameter,
        "`order_id` is missing; 300 of 300 requests had it",
    );
}

#[test]
fn unknown_undeclared_and_repeated_parameters_are_odd() {
    let unknown = usual().declared("debug", b"1", &[]);
    only(&unknown, &[Feature::UnknownParameters]);
    says(
        &unknown,
        Feature::UnknownParameters,
        "`debug` was not usual in training",
    );
    only(&usual().undeclared(), &[Feature::UndeclaredParameters]);
    let repeated = usual().declared("order_id", b"ord-0815", &[]);
    only(&repeated, &[Feature::RepeatedParameter]);
    says(
        &repeated,
        Feature::RepeatedParameter,
        "`order_id` came 2 times; at most once was usual",
    );
}

#[test]
fn a_value_outside_the_enumeration_is_odd() {
    let states = ["open".to_owned(), "paid".to_owned()];
    let odd = Observation::new("getOrder")
        .declared("order_id", b"ord-4711", &[])
        .declared("state", b"lost", &states);
    only(&odd, &[Feature::OutsideEnumeration]);
}

#[test]
fn an_unknown_operation_is_odd_and_nothing_else_of_it() {
    let odd = Observation::new("dropTables").declared("x", b"'", &[]);
    let features = profile().features(&odd);
    assert_eq!(features.value(Feature::OperationUnseen), 1.0);
    assert_eq!(features.value(Feature::UnknownParameters), 0.0);
    says(
        &odd,
        Feature::OperationUnseen,
        "calls of `dropTables` in training: 0, too few to know it",
    );
}

#[test]
fn a_few_attacks_in_training_teach_nothing() {
    let clean: Vec<Observation> = (0..300)
        .map(|n| with_id(format!("ord-{n:04}").as_bytes()))
        .collect();
    let mut poisoned = clean.clone();
    poisoned.extend((0..2).map(|_| with_id(b"1' or '1'='1")));
    let attack = with_id(b"1' or '1'='1");
    let features = Profile::learn(&poisoned).features(&attack);
    assert_eq!(features.value(Feature::UnknownClasses), 3.0);
    assert!(features.value(Feature::LengthExcess) > 0.0);
}

#[test]
fn every_feature_is_finite_whatever_comes() {
    let mut odd = usual().undeclared();
    odd.undeclared = u32::MAX;
    odd.unrecorded = u32::MAX;
    for parameter in &mut odd.parameters {
        parameter.length = u32::MAX;
        parameter.repeats = u32::MAX;
    }
    for profile in [profile(), Profile::default()] {
        let features = profile.features(&odd);
        assert!(features.values().iter().all(|value| value.is_finite()));
    }
}
