//! Rules mean what CEL means: whatever one evaluates to here, it evaluates to in the
//! interpreter of the crate `cel`, which shares only the parser.

use std::collections::HashMap;

use cel::{Context, Program, Value as Other};
use portcullis::engine::{Event, Flow};
use portcullis::request::Headers;
use portcullis::rule::check::check;
use portcullis::rule::{Declarations, Facts, Fault, Type, Value, evaluate};
use portcullis::store::MemoryStore;
use portcullis::trail::Trail;
use proptest::prelude::*;
use proptest::test_runner::Config;
use serde_json::{Value as Json, json};

use crate::shop::{self, Parts};

proptest! {
    #![proptest_config(Config { cases: 1_000, ..Config::default() })]

    #[test]
    fn the_same_as_another_interpreter(text in condition()) {
        if let Some((ours, theirs)) = both(&text) {
            prop_assert_eq!(ours, theirs, "{}", text);
        }
    }
}

/// What CEL's specification says of fine points; both say the same.
#[test]
fn the_specification() {
    for (text, expected) in [
        ("n / zero == 1", None),
        ("n / zero == 1 || yes", Some(true)),
        ("no && n / zero == 1", Some(false)),
        ("n / zero == 1 && no", Some(false)),
        ("n / zero == 1 || no", None),
        ("big + 1 > 0", None),
        ("-big - 2 < 0", None),
        ("big * 2 > 0", None),
        ("-7 / 2 == -3 && -7 % 2 == -1", Some(true)),
        ("n == 'a'", Some(false)),
        ("n != 'a'", Some(true)),
        ("n < 'a'", None),
        ("'a' < 'b' && 'B' < 'a' && '' < 'a'", Some(true)),
        ("n == 5.0 && n < 5.5 && half < 1", Some(true)),
        (
            "1 in numbers && !('a' in texts && 'z' in texts)",
            Some(true),
        ),
        (
            "'a' in counts && counts.a == 1 && counts['b'] == 2",
            Some(true),
        ),
        ("counts.absent == 1", None),
        ("has(counts.a) && !has(counts.absent)", Some(true)),
        ("numbers[0] == 1 && numbers[2] == 3", Some(true)),
        ("numbers[3] == 1", None),
        ("numbers[-1] == 1", None),
        (
            "numbers.all(x, x > 0) && numbers.exists(x, x == 2) && numbers.exists_one(x, x == 3)",
            Some(true),
        ),
        ("numbers.all(x, x / (x - 2) > 5)", Some(false)),
        ("numbers.exists(x, x / (x - 2) == 3)", Some(true)),
        ("numbers.exists(x, x / (x - 2) == 9)", None),
        ("numbers.exists_one(x, x / (x - 2) == 3)", None),
        (
            "[].all(x, no) && ![].exists(x, yes) && ![].exists_one(x, yes)",
            Some(true),
        ),
        ("yes ? yes : n / zero == 1", Some(true)),
        ("n ? yes : no", None),
        (
            "size('h\u{e9}\u{1f600}') == 3 && size(numbers) == 3 && size(counts) == 2",
            Some(true),
        ),
        (
            "int('12') + 1 == 13 && int(2.9) == 2 && int(-2.9) == -2",
            Some(true),
        ),
        ("int('x') == 1", None),
        ("double(2) == 2.0 && double('0.5') == half", Some(true)),
        (
            "string(12) + string(yes) + string(half) + string(-2.0) == '12true0.5-2'",
            Some(true),
        ),
        (
            "word.contains('b') && word.startsWith('a') && word.endsWith('c') && word.contains('')",
            Some(true),
        ),
        (
            "numbers + [4] == [1, 2, 3, 4] && texts + [] == texts",
            Some(true),
        ),
        (
            "{'a': 1, 'b': 2} == counts && {'a': 1} != counts",
            Some(true),
        ),
        ("[[1], [2]] == [[1], [2]] && [1, 2] != [2, 1]", Some(true)),
        ("null == null && n != null", Some(true)),
    ] {
        let (ours, theirs) = both(text).unwrap_or_else(|| panic!("{text} is refused"));
        assert_eq!(ours, expected, "{text}");
        assert_eq!(theirs, expected, "{text}");
    }
}

/// However often a rule looks something up that a client may make long, the looks are
/// counted: they cost what is looked through, not what is found.
#[test]
fn looks_at_a_long_request_come_to_an_end() {
    for condition in [
        "request.query.all(name, size(request.query[name]) >= 1)",
        "request.query.all(name, has(request.query.absent) || true)",
        "request.query.all(name, !(name in request.query.absent) || true)",
        "request.query.all(name, has(request.headers.absent) || true)",
        "request.query == request.query",
    ] {
        let policy = shop::policy(|policy| {
            policy["rules"] = json!({ "looks": { "allow_if": condition } });
            policy["default_rules"] = json!(["looks"]);
        });
        let said = |long: usize| {
            let parameters: Vec<String> = (0..long).map(|name| format!("{name:x}=1")).collect();
            let path = format!("/v1/status?{}", parameters.join("&"));
            let mut head = shop::head("GET", path.as_bytes(), Some("192.0.2.1"));
            let mut fields: Vec<(String, Vec<u8>)> = head
                .headers
                .iter()
                .map(|(name, value)| (name.to_owned(), value.to_vec()))
                .collect();
            fields.push(("x".repeat(10 * long), b"1".to_vec()));
            head.headers = Headers::new(fields);
            let mut trail = Trail::default();
            let (parts, store) = (Parts::new(&policy), MemoryStore::default());
            let world = parts.world(&policy, &store, shop::now());
            let _ = Flow::Start.step(Event::RequestHead(head), &world, &mut trail);
            format!("{:?}", trail.findings())
        };
        let short = said(20);
        assert!(short.contains("keeps to `looks`"), "{condition}: {short}");
        let long = said(800);
        assert!(long.contains("too many steps"), "{condition}: {long}");
    }
}

/// What both make of it, `None` for an error; nothing at all when it is refused
/// before it is evaluated, which the other interpreter does not do.
fn both(text: &str) -> Option<(Option<bool>, Option<bool>)> {
    let names = NAMES.iter().map(|name| (*name, Type::Dyn)).collect();
    let expression = check(text, &Declarations::new(names)).ok()?;
    let ours = evaluate(&expression, &Sample(sample())).ok();
    let theirs = match Program::compile(text).unwrap().execute(&context()) {
        Ok(Other::Bool(truth)) => Some(truth),
        _ => None,
    };
    Some((ours, theirs))
}

struct Sample(Json);

impl Facts for Sample {
    fn variable(&self, name: &str) -> Result<Option<Value<'_>>, Fault> {
        Ok(self.0.get(name).map(Value::from))
    }
}

const NAMES: [&str; 10] = [
    "n", "zero", "big", "half", "word", "yes", "no", "numbers", "texts", "counts",
];

fn sample() -> Json {
    json!({
        "n": 5, "zero": 0, "big": i64::MAX, "half": 0.5, "word": "abc", "yes": true, "no": false,
        "numbers": [1, 2, 3], "texts": ["a", "bc"], "counts": { "a": 1, "b": 2 },
    })
}

fn context() -> Context<'static, 'static> {
    let mut context = Context::default();
    for (name, number) in [("n", 5), ("zero", 0), ("big", i64::MAX)] {
        context.add_variable_from_value(name, number);
    }
    context.add_variable_from_value("half", 0.5);
    context.add_variable_from_value("word", "abc");
    context.add_variable_from_value("yes", true);
    context.add_variable_from_value("no", false);
    context.add_variable_from_value("numbers", vec![1_i64, 2, 3]);
    context.add_variable_from_value("texts", vec!["a", "bc"]);
    context.add_variable_from_value("counts", HashMap::from([("a", 1_i64), ("b", 2)]));
    context
}

/// A condition out of conditions, numbers, texts and lists; now and then a variable of
/// another type stands where one of these should.
fn condition() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        4 => sample_of(&["true", "false", "yes", "no", "has(counts.a)", "has(counts.c)"]),
        1 => sample_of(&NAMES),
    ];
    leaf.prop_recursive(5, 60, 3, |inner| {
        let two = (inner.clone(), inner.clone());
        prop_oneof![
            two.clone().prop_map(|(a, b)| format!("({a} && {b})")),
            two.prop_map(|(a, b)| format!("({a} || {b})")),
            inner.clone().prop_map(|a| format!("!({a})")),
            (
                inner.clone(),
                number(),
                number(),
                sample_of(&["==", "!=", "<", "<=", ">", ">="])
            )
                .prop_map(|(when, a, b, op)| format!("({when} ? {a} : {b}) {op} {b}")),
            (
                number(),
                number(),
                sample_of(&["==", "!=", "<", "<=", ">", ">="])
            )
                .prop_map(|(a, b, op)| format!("{a} {op} {b}")),
            (words(), words(), sample_of(&["==", "!=", "<", ">="]))
                .prop_map(|(a, b, op)| format!("{a} {op} {b}")),
            (
                words(),
                words(),
                sample_of(&["contains", "startsWith", "endsWith"])
            )
                .prop_map(|(a, b, call)| format!("{a}.{call}({b})")),
            (number(), list()).prop_map(|(a, list)| format!("{a} in {list}")),
            (words(), sample_of(&["texts", "counts", "['abc', 'bc']"]))
                .prop_map(|(a, of)| format!("{a} in {of}")),
            (
                list(),
                sample_of(&["all", "exists", "exists_one"]),
                inner,
                number()
            )
                .prop_map(|(list, call, and, than)| format!(
                    "{list}.{call}(x, x > {than} && {and})"
                )),
            (list(), list()).prop_map(|(a, b)| format!("{a} == {b}")),
        ]
    })
}

fn number() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        6 => sample_of(&["n", "zero", "1", "2", "7", "-3", "counts.a", "numbers[1]", "size(word)", "int('4')"]),
        2 => sample_of(&["big", "half", "0.5", "2.0", "counts.c", "numbers[4]", "double(n)", "int(half)"]),
        1 => sample_of(&NAMES),
    ];
    leaf.prop_recursive(3, 12, 2, |inner| {
        (inner.clone(), inner, sample_of(&["+", "-", "*", "/", "%"]))
            .prop_map(|(a, b, op)| format!("({a} {op} {b})"))
    })
}

fn words() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        8 => sample_of(&["word", "'a'", "'bc'", "''", "texts[0]", "string(n)", "string(yes)"]),
        1 => sample_of(&NAMES),
    ];
    leaf.prop_recursive(2, 4, 2, |inner| {
        (inner.clone(), inner).prop_map(|(a, b)| format!("({a} + {b})"))
    })
}

fn list() -> impl Strategy<Value = String> {
    prop_oneof![
        sample_of(&["numbers", "[]", "[1, 2, 3]", "(numbers + [n])", "texts"]),
        proptest::collection::vec(number(), 0..3)
            .prop_map(|elements| format!("[{}]", elements.join(", "))),
    ]
}

fn sample_of(texts: &'static [&'static str]) -> impl Strategy<Value = String> + Clone {
    proptest::sample::select(texts).prop_map(str::to_owned)
}
