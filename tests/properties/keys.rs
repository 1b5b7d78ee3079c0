//! What an expression gives tells callers apart exactly as its values differ, and no
//! request makes it do anything else.

use std::rc::Rc;

use portcullis::engine::{Event, Flow};
use portcullis::policy::Policy;
use portcullis::request::Headers;
use portcullis::rule::check::check_key;
use portcullis::rule::{Declarations, Facts, Fault, MAX_KEY_BYTES, Type, Value, key};
use portcullis::store::MemoryStore;
use portcullis::trail::Trail;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use crate::shop::{self, Parts};

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Two values have one key when they are the same text, number or truth value, and
    /// only then.
    #[test]
    fn the_same_value_and_no_other_has_the_same_key(a in value(), b in value()) {
        let (one, other) = (of(&a), of(&b));
        let is_key = match &a {
            Json::String(text) => (1..=MAX_KEY_BYTES).contains(&text.len()),
            Json::Bool(_) => true,
            Json::Number(number) => number.is_i64(),
            _ => false,
        };
        prop_assert_eq!(one.as_ref().is_some(), is_key, "{}", a);
        prop_assert_eq!(of(&a), one.clone());
        if let (Some(one), Some(other)) = (one, other) {
            prop_assert_eq!(one == other, a == b, "{} {}", a, b);
        }
    }

    /// Whatever a header holds, two requests share a count when it is the same, or when
    /// neither has it and they come from one address.
    #[test]
    fn requests_are_counted_apart_by_what_they_say(
        one in header(), other in header(), elsewhere in any::<bool>(),
    ) {
        let policy = POLICY.with(Rc::clone);
        let (parts, store) = (Parts::new(&policy), MemoryStore::default());
        let asked = |team: &Option<String>, address: &str| {
            let mut head = shop::head("GET", b"/v1/status", Some(address));
            let fields = head.headers.iter();
            let mut fields: Vec<(String, Vec<u8>)> =
                fields.map(|(name, value)| (name.to_owned(), value.to_vec())).collect();
            fields.extend(team.iter().map(|team| ("x-team".to_owned(), team.clone().into_bytes())));
            head.headers = Headers::new(fields);
            let mut trail = Trail::default();
            let world = parts.world(&policy, &store, shop::now());
            let _ = Flow::Start.step(Event::RequestHead(head), &world, &mut trail);
            format!("{:?}", trail.findings()).contains("quota_exceeded")
        };
        let named = |team: &Option<String>| {
            team.clone().filter(|team| (1..=MAX_KEY_BYTES).contains(&team.len()))
        };
        prop_assert!(!asked(&one, "192.0.2.1"));
        let address = if elsewhere { "192.0.2.2" } else { "192.0.2.1" };
        let is_same = match (named(&one), named(&other)) {
            (None, None) => !elsewhere,
            (one, other) => one == other,
        };
        prop_assert_eq!(asked(&other, address), is_same, "{:?} {:?}", one, other);
    }
}

thread_local! {
    /// It counts a request for each value of a header.
    static POLICY: Rc<Policy> = Rc::new(shop::policy(|policy| {
        let limit = json!({ "requests": 1, "per": "1h",
            "key": { "cel": "request.headers['x-team'] + ''" } });
        policy["quotas"]["default"] = "p".into();
        policy["quotas"]["plans"]["p"] = json!({ "limits": { "l": limit } });
    }));
}

fn of(value: &Json) -> Option<Vec<u8>> {
    let declared = Declarations::new(vec![("it", Type::Dyn)]);
    let expression = check_key("it", &declared).unwrap();
    key(&expression, &It(value)).ok().flatten()
}

struct It<'a>(&'a Json);

impl Facts for It<'_> {
    fn variable(&self, name: &str) -> Result<Option<Value<'_>>, Fault> {
        Ok((name == "it").then(|| Value::from(self.0)))
    }
}

fn value() -> impl Strategy<Value = Json> {
    let few = prop_oneof![
        Just(json!("1")),
        Just(json!(1)),
        Just(json!(true)),
        Just(json!("true")),
        // What the bytes of the number and of the truth value would be as texts.
        Just(json!("\u{1}")),
        Just(json!("\0\0\0\0\0\0\0\u{1}")),
    ];
    prop_oneof![
        4 => few,
        1 => Just(Json::Null),
        1 => any::<bool>().prop_map(Json::from),
        1 => any::<i64>().prop_map(Json::from),
        1 => any::<u64>().prop_map(Json::from),
        1 => any::<f64>().prop_map(Json::from),
        1 => any::<String>().prop_map(Json::from),
        1 => (0..2 * MAX_KEY_BYTES).prop_map(|length| "x".repeat(length).into()),
        1 => Just(json!(["1"])),
        1 => Just(json!({ "1": 1 })),
    ]
}

/// Few enough for two to be the same at times.
fn header() -> impl Strategy<Value = Option<String>> {
    let text = prop_oneof![
        4 => "[ab]{0,2}",
        2 => "[ -~]{0,20}",
        1 => (0..2 * MAX_KEY_BYTES).prop_map(|length| "x".repeat(length)),
    ];
    proptest::option::weighted(0.8, text)
}
