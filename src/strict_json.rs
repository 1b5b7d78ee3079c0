//! JSON in which a member has one value.
//!
//! RFC 8259 leaves a repeated member name to the reader, and readers differ. A
//! token or a body that says `"admin": false` to the gateway and `"admin": true` to the
//! service behind it is a way around both, so a repetition at any depth is refused
//! (RFC 7515 §4, RFC 7519 §4, RFC 8725 §2.6).

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Why a text is not JSON that can be read in one way only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotStrict {
    /// Not JSON at all, or not an object where one is asked for, or nested deeper than 127 levels.
    Json,
    /// A member name occurs twice in one object.
    Duplicate,
}

/// Reads one JSON object and nothing after it.
pub(crate) fn object(bytes: &[u8]) -> Result<Map<String, Value>, NotStrict> {
    match value(bytes)? {
        Value::Object(members) => Ok(members),
        _ => Err(NotStrict::Json),
    }
}

/// Reads one JSON value and nothing after it.
pub(crate) fn value(bytes: &[u8]) -> Result<Value, NotStrict> {
    let mut duplicate = false;
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let strict = Strict {
        duplicate: &mut duplicate,
    };
    let value = strict
        .deserialize(&mut reader)
        .and_then(|value| reader.end().map(|()| value));
    value.map_err(|_| match duplicate {
        true => NotStrict::Duplicate,
        false => NotStrict::Json,
    })
}

/// Builds a value and raises the flag at the first repeated name.
struct Strict<'a> {
    duplicate: &'a mut bool,
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = items.next_element_seed(Strict {
            duplicate: &mut *self.duplicate,
        })? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = entries.next_key::<String>()? {
            let value = entries.next_value_seed(Strict {
                duplicate: &mut *self.duplicate,
            })?;
            if members.insert(name, value).is_some() {
                *self.duplicate = true;
                return Err(A::Error::custom("a member name occurs twice"));
            }
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_value_survives() {
        let text = br#" {"a":[1,-2,2.5,true,null,"x",{"b":{}}],"c":""} "#;
        let expected: Map<String, Value> = serde_json::from_slice(text).unwrap();
        assert_eq!(object(text), Ok(expected));
    }

    #[test]
    fn a_repeated_name_is_refused_at_any_depth_and_however_spelt() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"x":[{"y":{"a":1,"b":2,"a":3}}]}"#,
        ] {
            assert_eq!(object(text.as_bytes()), Err(NotStrict::Duplicate), "{text}");
        }
        assert!(object(br#"{"a":{"a":{"a":1}}}"#).is_ok());
    }

    #[test]
    fn anything_but_one_object_is_refused() {
        for text in [
            "",
            "[]",
            "1",
            "\"a\"",
            "null",
            "{} {}",
            "{",
            "{\"a\":}",
            "\u{feff}{}",
        ] {
            assert_eq!(object(text.as_bytes()), Err(NotStrict::Json), "{text}");
        }
        assert_eq!(object(b"{\"a\":\"\xff\"}"), Err(NotStrict::Json));
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
        assert_eq!(object(deep.as_bytes()), Err(NotStrict::Json));
    }
}
