//! From text to a value: JSON or YAML, in which no name stands twice in one object
//! and no alias grows without bound.

use crate::policy::problem::Problem;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::fmt;

/// Reads a document: JSON when it begins with `{`, otherwise YAML 1.2.
///
/// # Errors
/// What cannot be read, names that stand twice in one object (of which readers
/// would pick different ones), and YAML beyond the bounds.
pub fn read(text: &str) -> Result<Value, Vec<Problem>> {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let read = if text.starts_with('{') {
        serde_json::from_str::<Unique>(text).map_err(|error| error.to_string())
    } else {
        let options = serde_saphyr::options! {
            budget: serde_saphyr::budget! {
                max_events: MOST_EVENTS,
                max_nodes: MOST_EVENTS,
                max_depth: DEEPEST,
            },
            alias_limits: serde_saphyr::alias_limits! {
                max_total_replayed_events: MOST_REPLAYED,
            },
            // Norway is `NO`, and YAML 1.2 knows two booleans.
            strict_booleans: true,
            with_snippet: false,
        };
        serde_saphyr::from_str_with_options::<Unique>(text, options)
            .map_err(|error| error.to_string())
    };
    read.map(|unique| unique.0).map_err(|message| {
        vec![Problem {
            path: "openapi".to_owned(),
            message: format!("the document cannot be read: {}", message.trim_end()),
            hint: "mend it there; it must be one JSON or YAML document".to_owned(),
        }]
    })
}

/// A value in whose objects no name stood twice.
struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        input.deserialize_any(AnyValue).map(Self)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value that JSON can hold")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, input: D) -> Result<Value, D::Error> {
        input.deserialize_any(self)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("a number that JSON cannot hold"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut input: A) -> Result<Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(Unique(element)) = input.next_element()? {
            elements.push(element);
        }
        Ok(Value::Array(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut input: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = input.next_key::<String>()? {
            if members.contains_key(&name) {
                return Err(A::Error::custom(format!(
                    "`{name}` stands twice in one object"
                )));
            }
            let Unique(member) = input.next_value()?;
            members.insert(name, member);
        }
        Ok(Value::Object(members))
    }
}

/// Several times what the largest public documents hold.
const MOST_EVENTS: usize = 4_000_000;

/// How much aliases may repeat: some documents share examples or parameters so.
const MOST_REPLAYED: usize = 400_000;

/// What the smallest stack that this runs on can hold.
const DEEPEST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_json_and_yaml_alike() {
        let expected = json!({"responses": {"200": {"ok": true, "n": null, "x": [1, -2, 1.5]}}});
        let yaml = "# comment\nresponses:\n  200: &a {ok: true, n: , x: [1, -2, 1.5]}\n";
        assert_eq!(read(yaml), Ok(expected.clone()));
        assert_eq!(read(&format!("\u{feff}\n {expected}")), Ok(expected));
        assert_eq!(
            read("a: &x {b: no}\nc: *x\nversion: 3.0.3\n'on': 2001-01-01"),
            Ok(json!({"a": {"b": "no"}, "c": {"b": "no"}, "version": "3.0.3", "on": "2001-01-01"}))
        );
    }

    #[test]
    fn refuses_names_that_stand_twice() {
        for text in [
            "{\"a\": {\"b\": 1, \"\\u0062\": 2}}",
            "a:\n  b: 1\n  \"b\": 2\n",
        ] {
            let problem = read(text).unwrap_err().remove(0);
            assert_eq!(problem.path, "openapi");
            assert!(problem.message.contains('b'), "{problem}");
        }
    }

    #[test]
    fn refuses_what_cannot_be_read() {
        let deep_json = format!("{{\"a\":{}", "[".repeat(100_000));
        let deep_yaml = "- ".repeat(100_000);
        for text in [
            "{",
            "{} {}",
            "a: [",
            "a: *b",
            "a: .inf",
            "a: 1\n---\nb: 2",
            &deep_json,
            &deep_yaml,
        ] {
            let short: String = text.chars().take(20).collect();
            assert!(read(text).is_err(), "{short}");
        }
        assert_eq!(read(""), Ok(Value::Null));
    }

    #[test]
    fn bounds_what_aliases_grow_to() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..20 {
            let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
            bomb.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
        }
        assert!(read(&bomb).is_err());
    }
}
