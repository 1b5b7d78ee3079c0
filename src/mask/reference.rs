//! Masking once more, the naive way over a parsed document, to hold the pass that
//! ships against it: random documents, random tables with cycles, random rules.

use super::{Hide, Rules, Table};
use crate::policy::api::MaskNode;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// The masked value, or nothing where the place is left out.
fn naive(
    nodes: &[MaskNode],
    at: Option<u32>,
    inherited: u8,
    value: &Value,
    rules: &Rules,
) -> Option<Value> {
    let node = at.map(|at| &nodes[at as usize]);
    let own = node.and_then(|node| node.classification.as_deref().map(level));
    let level = own.unwrap_or(inherited);
    let hide = rules.hide(level);
    let members = node.is_some_and(|n| !n.properties.is_empty() || n.additional.is_some());
    let items = node.and_then(|node| node.items);
    if let Some(how) = hide
        && (own.is_some() || !(members || items.is_some()))
    {
        return replaced(how, value);
    }
    match (value, node) {
        (Value::Array(elements), Some(_)) => {
            let inner = if items.is_some() || members {
                items.or(at)
            } else {
                None
            };
            let kept = elements
                .iter()
                .filter_map(|element| naive(nodes, inner, level, element, rules));
            Some(Value::Array(kept.collect()))
        }
        (Value::Object(_), Some(_)) if !members && items.is_some() => {
            let below = reached(nodes, at, &mut Vec::new());
            if below.iter().any(|level| rules.hide(*level).is_some()) && hide.is_none() {
                Some(json!("***"))
            } else {
                match hide {
                    Some(how) => replaced(how, value),
                    None => Some(value.clone()),
                }
            }
        }
        (Value::Object(object), Some(node)) => {
            let mut kept = Map::new();
            for (name, member) in object {
                let declared = node.properties.iter().find(|(known, _)| known == name);
                let inner = declared.map(|(_, child)| *child).or(node.additional);
                if let Some(member) = naive(nodes, inner, level, member, rules) {
                    kept.insert(name.clone(), member);
                }
            }
            Some(Value::Object(kept))
        }
        (scalar, _) => match hide {
            Some(how) => replaced(how, scalar),
            None => Some(scalar.clone()),
        },
    }
}

fn replaced(how: Hide, value: &Value) -> Option<Value> {
    let last_four = |text: String| {
        let letters: Vec<char> = text.chars().collect();
        if letters.len() < 8 {
            return json!("***");
        }
        let (hidden, shown) = letters.split_at(letters.len() - 4);
        json!("*".repeat(hidden.len()) + &shown.iter().collect::<String>())
    };
    match (how, value) {
        (Hide::Remove, _) => None,
        (Hide::Null, _) => Some(Value::Null),
        (Hide::Last4, Value::String(text)) => Some(last_four(text.clone())),
        (Hide::Last4, Value::Number(number)) => Some(last_four(
            number
                .to_string()
                .replace(|c: char| !c.is_ascii_digit(), ""),
        )),
        _ => Some(json!("***")),
    }
}

fn reached(nodes: &[MaskNode], at: Option<u32>, seen: &mut Vec<u32>) -> Vec<u8> {
    let Some(at) = at.filter(|at| !seen.contains(at)) else {
        return Vec::new();
    };
    seen.push(at);
    let node = &nodes[at as usize];
    let mut levels: Vec<u8> = node
        .classification
        .as_deref()
        .map(level)
        .into_iter()
        .collect();
    let children = node.properties.iter().map(|(_, child)| Some(*child));
    for child in children.chain([node.items, node.additional]) {
        levels.extend(reached(nodes, child, seen));
    }
    levels
}

fn level(name: &str) -> u8 {
    name.parse().unwrap()
}

fn documents() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        "[a-c\"\\\\\u{e9}\n]{0,12}".prop_map(Value::from),
        "[0-9]{6,12}".prop_map(Value::from)
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1000i32..1000).prop_map(|n| Value::from(f64::from(n) / 8.0)),
        text,
    ];
    leaf.prop_recursive(5, 48, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::vec(("[a-d]", inner), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn tables() -> impl Strategy<Value = Vec<MaskNode>> {
    let child = 0u32..6;
    let node = (
        proptest::option::weighted(0.3, 0u8..4),
        proptest::collection::btree_map("[a-d]", child.clone(), 0..4),
        proptest::option::of(child.clone()),
        proptest::option::weighted(0.2, child),
    );
    let node = node.prop_map(|(level, properties, items, additional)| MaskNode {
        classification: level.map(|level| level.to_string()),
        properties: properties.into_iter().collect(),
        items,
        additional,
    });
    proptest::collection::vec(node, 6)
}

fn rules() -> impl Strategy<Value = Rules> {
    let hide = prop_oneof![
        Just(None),
        Just(Some(Hide::Redact)),
        Just(Some(Hide::Remove)),
        Just(Some(Hide::Null)),
        Just(Some(Hide::Last4)),
    ];
    (proptest::collection::vec(hide, 4), 0u8..4)
        .prop_map(|(levels, undeclared)| Rules::new(levels, undeclared))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn one_pass_and_the_naive_way_agree(
        document in documents(),
        nodes in tables(),
        rules in rules(),
    ) {
        let table = Table::new(&nodes, |name| Some(level(name))).unwrap();
        let expected = naive(&nodes, Some(0), rules.undeclared(), &document, &rules);
        for body in [document.to_string(), format!("{document:#}")] {
            let masked = table.mask(0, body.as_bytes(), &rules).unwrap();
            let found: Value = serde_json::from_slice(&masked.body).unwrap();
            prop_assert_eq!(&found, expected.as_ref().unwrap_or(&Value::Null));
            if !table.conceals(0, &rules) {
                prop_assert!(!masked.changed());
            }
        }
    }
}

/// `cargo test --release --lib mask -- --ignored --nocapture`
#[test]
#[ignore = "prints times"]
#[expect(clippy::disallowed_methods, reason = "a measurement needs a clock")]
fn cost_against_parse_and_print() {
    let person = json!({"id": 8_812_331, "name": "Ann \"A\" Miller", "email": "ann@example.org",
        "address": {"street": "Long Lane 12", "city": "Bath", "geo": [51.38, -2.36]},
        "tags": ["one", "two", "three"], "balance": 1022.25, "active": true});
    let count = 100_000 / person.to_string().len();
    let body = Value::from(vec![person; count]).to_string();
    let leaf = |name: &str| MaskNode {
        classification: Some(name.to_owned()),
        ..MaskNode::default()
    };
    let nodes = [
        MaskNode {
            items: Some(1),
            ..MaskNode::default()
        },
        MaskNode {
            properties: vec![("address".into(), 3), ("email".into(), 2)],
            ..MaskNode::default()
        },
        leaf("1"),
        MaskNode {
            properties: vec![("street".into(), 2)],
            ..MaskNode::default()
        },
    ];
    let table = Table::new(&nodes, |name| Some(level(name))).unwrap();
    let rules = Rules::new(vec![None, Some(Hide::Redact)], 0);
    let best = |work: &dyn Fn() -> usize| {
        (0..200)
            .map(|_| {
                let start = std::time::Instant::now();
                assert!(std::hint::black_box(work()) > 1000);
                start.elapsed()
            })
            .min()
            .unwrap()
    };
    let mask = best(&|| table.mask(0, body.as_bytes(), &rules).unwrap().body.len());
    let value = best(&|| {
        let value: Value = serde_json::from_str(&body).unwrap();
        value.to_string().len()
    });
    let ratio = mask.as_secs_f64() / value.as_secs_f64();
    println!(
        "{} bytes: mask {mask:?}, parse and print {value:?}, ratio {ratio:.2}",
        body.len()
    );
}
