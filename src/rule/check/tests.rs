//! What is refused, where, and what a condition comes to.

use serde_json::{Value as Json, json};

use super::*;
use crate::rule::{Facts, Fault, List, Value, evaluate};

fn declared() -> Declarations {
    Declarations::new(vec![
        ("claims", Type::Named(Box::new(Type::Dyn))),
        ("caller.scopes", Type::String.list()),
        ("caller.client", Type::String),
        ("request.method", Type::String),
        ("request.headers", Type::String.map()),
        ("hour", Type::Int),
        ("now", Type::Timestamp),
    ])
}

#[derive(Debug)]
struct Sample(Json);

impl Facts for Sample {
    fn variable(&self, name: &str) -> Result<Option<Value<'_>>, Fault> {
        Ok(match name {
            "now" => Some(Value::Timestamp(1_795_305_600_000_000_000)),
            "caller.client" => None,
            "hour" => Some(Value::Int(9)),
            name => self.0.get(name).map(Value::from),
        })
    }
}

fn sample() -> Sample {
    let many: Vec<usize> = (0..200).collect();
    Sample(json!({
        "claims": { "tenant": "acme", "level": 3, "share": 0.5, "groups": ["a", "b"], "many": many,
            "none": null, "deep": { "er": { "x": true } }, "until": "2027-01-01T00:00:00Z",
            "odd name": 1, "mixed": [true, "x", 1] },
        "caller.scopes": ["orders:read", "orders:write"],
        "request.method": "GET",
        "request.headers": { "x-a": "1", "x-b": "2" },
    }))
}

/// What it comes to; a flaw is a failure of the test.
fn outcome(text: &str) -> Result<bool, Fault> {
    let expression = check(text, &declared()).unwrap_or_else(|flaws| panic!("{text}: {flaws:?}"));
    // As it travels.
    let travelled = serde_json::to_string(&expression).unwrap();
    evaluate(&serde_json::from_str(&travelled).unwrap(), &sample())
}

fn flaws(text: &str) -> Vec<String> {
    let found = check(text, &declared()).expect_err(text);
    let said = |flaw: Flaw| {
        format!(
            "{}:{} {}; {}",
            flaw.line, flaw.column, flaw.message, flaw.hint
        )
    };
    found.into_iter().map(said).collect()
}

#[test]
fn conditions_that_hold() {
    for text in [
        "true",
        "claims.tenant == 'acme' && request.method == \"GET\"",
        "claims['tenant'] == 'acme' && claims['odd name'] == 1",
        "claims.level >= 3 && claims.level + 1 == 4 && claims.share < 1",
        "'a' in claims.groups && !('c' in claims.groups)",
        "has(claims.tenant) && !has(claims.absent) && 'tenant' in claims",
        "has(claims.deep.er) && claims.deep.er.x && !has(claims.deep.absent)",
        "claims.deep['er'].x",
        "!has(caller.client) && has(request.method)",
        "'orders:read' in caller.scopes && size(caller.scopes) == 2",
        "caller.scopes.all(s, s.startsWith('orders:'))",
        "caller.scopes.exists(s, s.endsWith(':write'))",
        "caller.scopes.exists_one(s, s.contains('write'))",
        "claims.groups.exists(g, caller.scopes.all(s, s != g))",
        "request.headers.all(name, name.startsWith('x-'))",
        "request.headers['x-a'] + request.headers['x-b'] == '12'",
        "hour in [8, 9, 10] && hour % 2 == 1 && -hour < 0 && hour / 2 == 4",
        "1 == 1.0 && 1 < 1.5 && 1 in [1.0]",
        "claims.none == null && claims.tenant != null && claims.tenant != 1",
        "{'acme': 5}[claims.tenant] > hour - 5 && size({'a': 1}) == 1",
        "now < timestamp(claims.until) && now + duration('1h') > now",
        "timestamp('2027-01-01T00:00:00Z') - now == duration('960h')",
        "int(now) == 1795305600 && timestamp(1795305600) == now",
        "(hour < 8 ? 'early' : 'late') == 'late'",
        "int('4') == 4 && int(4.9) == 4 && double('0.5') == 0.5 && string(3) + string(true) == '3true'",
        "size('\u{e9}\u{1f600}') == 2 && 'b' > 'a' && ['a'] + ['b'] == ['a', 'b']",
    ] {
        assert_eq!(outcome(text), Ok(true), "{text}");
    }
}

#[test]
fn whatever_goes_wrong_is_no_answer() {
    for (text, fault) in [
        ("claims.absent == 1", Fault::Absent),
        ("claims.groups[2] == 'c'", Fault::Absent),
        ("claims.groups[-1] == 'c'", Fault::Absent),
        ("request.headers['x-c'] == '1'", Fault::Absent),
        ("caller.client == 'x'", Fault::Absent),
        ("claims.tenant.x", Fault::Overload),
        ("has(claims.absent.x)", Fault::Absent),
        ("claims.level", Fault::Overload),
        ("claims.tenant + 1 == 2", Fault::Overload),
        ("claims.tenant < 3", Fault::Overload),
        ("claims.level + 0.5 > 1.0", Fault::Overload),
        ("hour / (hour - 9) == 1", Fault::DivisionByZero),
        ("hour % (hour - 9) == 1", Fault::DivisionByZero),
        ("9223372036854775807 + hour > 0", Fault::Range),
        ("(-9223372036854775807 - 1) / (hour - 10) > 0", Fault::Range),
        ("int(1e300) == 1", Fault::Range),
        ("int(claims.tenant) == 1", Fault::Unreadable),
        ("timestamp(claims.tenant) > now", Fault::Unreadable),
        (
            "now + duration('-2400000h') + duration('-2400000h') + duration('-2400000h') \
          + duration('-2400000h') + duration('-2400000h') + duration('-2400000h') \
          + duration('-2400000h') + duration('-2400000h') < now",
            Fault::Range,
        ),
        ("claims.mixed.all(m, m)", Fault::Overload),
        ("claims.mixed.exists_one(m, m)", Fault::Overload),
    ] {
        assert_eq!(outcome(text), Err(fault), "{text}");
    }
}

#[test]
fn either_side_decides_whatever_the_other_does() {
    for (text, expected) in [
        ("claims.absent == 1 || true", Ok(true)),
        ("true || claims.absent == 1", Ok(true)),
        ("claims.absent == 1 && false", Ok(false)),
        ("claims.absent && false", Ok(false)),
        ("claims.absent == 1 || false", Err(Fault::Absent)),
        ("claims.absent == 1 && true", Err(Fault::Absent)),
        ("claims.level || true", Ok(true)),
        ("claims.level && true", Err(Fault::Overload)),
        ("claims.mixed.exists(m, m)", Ok(true)),
        ("claims.mixed.all(m, m == 2 && m)", Ok(false)),
        ("false ? claims.absent : true", Ok(true)),
    ] {
        assert_eq!(outcome(text), expected, "{text}");
    }
}

#[test]
fn an_evaluation_ends() {
    let product = "claims.many.all(a, claims.many.all(b, a >= 0 && b >= 0))";
    assert_eq!(outcome(product), Err(Fault::Exhausted));
    // Nothing makes up for it.
    assert_eq!(
        outcome(&format!("{product} || true")),
        Err(Fault::Exhausted)
    );
    assert_eq!(
        outcome(&format!("claims.many.exists(x, {product} || true)")),
        Err(Fault::Exhausted)
    );
    assert_eq!(
        outcome("claims.many.all(x, x in claims.many)"),
        Err(Fault::Exhausted)
    );
}

#[test]
fn every_flaw_is_told_at_once_and_where_it_is() {
    let found = flaws("claim.tenant == 1 &&\n  request.verb == 'GET' && hour == '9'");
    assert_eq!(found.len(), 3, "{found:#?}");
    assert!(
        found[0].starts_with("1:1 `claim` is not a variable; use one of `claims`, `caller`"),
        "{found:#?}"
    );
    assert!(
        found[1].contains("`request.verb` is not a variable; use one of `request.method`"),
        "{found:#?}"
    );
    assert!(found[1].starts_with("2:"), "{found:#?}");
    assert!(
        found[2].contains("`==` does not go with `int`, `string`"),
        "{found:#?}"
    );
}

#[test]
fn what_makes_no_sense_is_refused() {
    for (text, part) in [
        ("hour + 1", "is `int` and not `bool`"),
        ("hour && true", "`int` is no condition"),
        ("hour == ", "is not CEL"),
        ("", "is not CEL"),
        ("request", "not a value by itself"),
        ("request.method.x == 'a'", "`string` has no member `x`"),
        ("claims == claims", "is used as a whole"),
        ("size(claims) == 1", "is used as a whole"),
        ("claims[request.method] == 'a'", "is used as a whole"),
        ("[claims].all(c, c.tenant == 'a')", "is used as a whole"),
        ("claims.exists(c, c == 'a')", "is used as a whole"),
        ("request.method.matches('G.*')", "use `startsWith`"),
        (
            "request.method.reverse() == 'a'",
            "`reverse` is not a function",
        ),
        ("size(hour) == 1", "`size` does not go with `int`"),
        ("contains('a', 'b')", "write `text.contains"),
        ("caller.scopes.filter(s, s == 'a') == []", "use `all`"),
        ("caller.scopes.all(s, s)", "`string` is no condition"),
        ("caller.scopes.all('x', true)", "does not name the element"),
        ("hour.all(x, true)", "has no elements"),
        (
            "caller.scopes.all(s, true) && s == 'a'",
            "`s` is not a variable",
        ),
        ("hour in ['a']", "`in` does not go with"),
        ("1u == hour", "`uint` is not a type"),
        ("b'a' == request.method", "`bytes` is not a type"),
        ("hour + 1.0 > 2.0", "`+` does not go with `int`, `double`"),
        ("request.headers[1] == 'a'", "does not go with"),
        ("timestamp('tomorrow') > now", "`tomorrow` cannot be read"),
        ("now > duration('1d')", "`1d` cannot be read"),
        ("now > hour", "does not go with `timestamp`, `int`"),
        ("has(hour)", "`has` asks for a member"),
        ("(hour > 1 ? 'a' : 1) == 'a'", "the one side is"),
        ("null < null", "does not go with"),
        ("{1: 2} == {}", "is no key"),
        ("a.B{c: 1} == 1", "builds a message"),
    ] {
        let found = flaws(text);
        assert!(
            found.iter().any(|flaw| flaw.contains(part)),
            "{text}: {found:#?}"
        );
    }
}

#[test]
fn what_is_too_much_is_refused() {
    assert!(flaws(&format!("hour == {}", "1".repeat(5_000)))[0].contains("longer than"));
    for (open, close) in [
        ("!(", ")"),
        ("[", "]"),
        ("size([", "])"),
        ("[1].all(x, ", ")"),
    ] {
        let deep = format!("{}true{}", open.repeat(300), close.repeat(300));
        assert!(check(&deep, &declared()).is_err(), "{open}");
    }
    let right = "true ? true : ".repeat(250) + "true";
    assert!(check(&right, &declared()).is_err());
    // Without a bracket, as deep as a text of this length can be.
    for (first, piece) in [
        ("1", "+1"),
        ("1", "<1"),
        ("claims", ".a"),
        ("claims.a", "[0]"),
    ] {
        let deep = first.to_owned() + &piece.repeat((MAX_SOURCE_BYTES - 8) / piece.len());
        assert!(check(&deep, &declared()).is_err(), "{piece}");
    }
    let long = vec!["hour > 1"; 300].join(" && ");
    let found = flaws(&long);
    assert!(found[0].contains("nodes"), "{found:#?}");
}

#[test]
fn a_loop_hides_what_has_its_name() {
    assert_eq!(
        outcome("[{'method': 'x'}].all(request, request.method == 'x')"),
        Ok(true)
    );
    assert_eq!(
        outcome("['a'].all(hour, hour == 'a') && hour == 9"),
        Ok(true)
    );
    assert_eq!(
        outcome("[1].all(x, [2].all(x, x == 2) && x == 1)"),
        Ok(true)
    );
}

#[test]
fn lists_of_the_host_are_lists() {
    struct Host;
    impl Facts for Host {
        fn variable(&self, _: &str) -> Result<Option<Value<'_>>, Fault> {
            Ok(Some(Value::List(List::Values([Value::from("a")].into()))))
        }
    }
    let expression = check("caller.scopes == ['a']", &declared()).unwrap();
    assert_eq!(evaluate(&expression, &Host), Ok(true));
}

#[test]
fn a_key_is_a_text_a_whole_number_or_a_truth_value() {
    for text in [
        "request.headers['x-team']",
        "claims.tenant",
        "claims.level > 3",
        "hour",
        "request.method + string(hour)",
        "has(claims.tenant) ? claims.tenant : request.method",
    ] {
        assert!(check_key(text, &declared()).is_ok(), "{text}");
    }
    for (text, of) in [
        ("caller.scopes", "list(string)"),
        ("request.headers", "map(string, string)"),
        ("now", "timestamp"),
        ("0.5", "double"),
        ("null", "null"),
    ] {
        let found = check_key(text, &declared()).expect_err(text);
        let message = format!("is `{of}`, by which nothing can be counted");
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert_eq!(found[0].message, message, "{text}");
    }
    // What is wrong inside is told as for a condition.
    assert!(check_key("claims", &declared()).is_err());
    assert!(check_key("request.verb", &declared()).is_err());
}
