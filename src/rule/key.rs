//! What an expression tells apart: its value, as bytes that are the same for the same
//! value and for no other.
//!
//! They are there to be hashed and for nothing else, so nobody needs to read them back.

use super::evaluate::value;
use super::{Expression, Facts, Fault, MAX_KEY_BYTES, Value};

/// The bytes that stand for what the expression gives: its type, then the value.
/// `Ok(None)`: it gives an empty text, which names nobody.
///
/// # Errors
/// The first fault that decides, [`Fault::Overload`] when the value is neither text,
/// whole number nor truth value, and [`Fault::Range`] when it is a text of more than
/// [`MAX_KEY_BYTES`].
pub fn key(expression: &Expression, facts: &dyn Facts) -> Result<Option<Vec<u8>>, Fault> {
    let of = |kind: u8, value: &[u8]| {
        let mut bytes = Vec::with_capacity(1 + value.len());
        bytes.push(kind);
        bytes.extend_from_slice(value);
        Ok(Some(bytes))
    };
    match value(expression, facts)? {
        Value::Bool(truth) => of(b'b', &[truth.into()]),
        Value::Int(number) => of(b'i', &number.to_be_bytes()),
        Value::String(text) if text.is_empty() => Ok(None),
        Value::String(text) if text.len() <= MAX_KEY_BYTES => of(b's', text.as_bytes()),
        Value::String(_) => Err(Fault::Range),
        Value::Null
        | Value::Double(_)
        | Value::Timestamp(_)
        | Value::Duration(_)
        | Value::List(_)
        | Value::Map(_) => Err(Fault::Overload),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value as Json, from_value, json};

    /// Knows `it` by whatever it is.
    struct Knows(Json);

    impl Facts for Knows {
        fn variable(&self, name: &str) -> Result<Option<Value<'_>>, Fault> {
            Ok((name == "it").then(|| Value::from(&self.0)))
        }
    }

    fn of(nodes: Json, it: Json) -> Result<Option<Vec<u8>>, Fault> {
        let expression: Expression = from_value(nodes).unwrap();
        key(&expression, &Knows(it))
    }

    fn it(it: Json) -> Result<Option<Vec<u8>>, Fault> {
        of(json!([["variable", "it"]]), it)
    }

    #[test]
    fn types_are_told_apart_and_so_are_values() {
        let values = [
            json!("1"),
            json!(1),
            json!(true),
            json!("true"),
            json!(0),
            json!(false),
            json!(i64::MIN),
            json!("\u{1}"),
            json!("i\0\0\0\0\0\0\0\u{1}"),
        ];
        for (place, one) in values.iter().enumerate() {
            for (other_place, other) in values.iter().enumerate() {
                let same = it(one.clone()).unwrap() == it(other.clone()).unwrap();
                assert_eq!(same, place == other_place, "{one} {other}");
            }
        }
    }

    #[test]
    fn a_value_is_the_same_however_it_came_about() {
        let sum = of(
            json!([["int", 2], ["variable", "it"], ["add", 0, 1]]),
            json!(3),
        );
        assert_eq!(sum, it(json!(5)));
        let text = of(
            json!([["variable", "it"], ["string", "b"], ["add", 0, 1]]),
            json!("a"),
        );
        assert_eq!(text, it(json!("ab")));
    }

    #[test]
    fn what_names_nobody_is_no_key() {
        assert_eq!(it(json!("")), Ok(None));
        assert_eq!(
            of(json!([["variable", "that"]]), json!(1)),
            Err(Fault::Absent)
        );
        for odd in [
            json!(null),
            json!(1.5),
            json!(u64::MAX),
            json!(["a"]),
            json!({ "a": 1 }),
        ] {
            assert_eq!(it(odd.clone()), Err(Fault::Overload), "{odd}");
        }
    }

    #[test]
    fn a_text_may_not_be_endless() {
        assert!(it(json!("a".repeat(MAX_KEY_BYTES))).is_ok());
        assert_eq!(it(json!("a".repeat(MAX_KEY_BYTES + 1))), Err(Fault::Range));
    }
}
