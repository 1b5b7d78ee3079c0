//! The operators and functions, and what they do with values that are there.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::time;
use super::value::{Fault, Map, Value, order};
use super::{MAX_ELEMENTS, MAX_TEXT_BYTES};

/// An operator or a function that needs all its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    /// `!a`.
    Not,
    /// `-a`.
    Negate,
    /// `a + b`.
    Add,
    /// `a - b`.
    Subtract,
    /// `a * b`.
    Multiply,
    /// `a / b`.
    Divide,
    /// `a % b`.
    Modulo,
    /// `a == b`.
    Equal,
    /// `a != b`.
    NotEqual,
    /// `a < b`.
    Less,
    /// `a <= b`.
    LessEqual,
    /// `a > b`.
    Greater,
    /// `a >= b`.
    GreaterEqual,
    /// `a in b`.
    In,
    /// `a[b]`.
    Index,
    /// `a.contains(b)`.
    Contains,
    /// `a.startsWith(b)`.
    StartsWith,
    /// `a.endsWith(b)`.
    EndsWith,
    /// `size(a)`.
    Size,
    /// `int(a)`.
    Int,
    /// `double(a)`.
    Double,
    /// `string(a)`.
    String,
    /// `timestamp(a)`.
    Timestamp,
    /// `duration(a)`.
    Duration,
}

impl Function {
    /// As the plugin document names it.
    pub(super) fn name(self) -> &'static str {
        let known = NAMES.iter().find(|(function, _)| *function == self);
        known.map_or("", |(_, name)| name)
    }

    /// The function of that name.
    pub(super) fn named(name: &str) -> Option<Function> {
        let known = NAMES.iter().find(|(_, other)| *other == name);
        known.map(|(function, _)| *function)
    }

    /// Applies an operator that looks at no more than its arguments themselves; the
    /// others (`==`, `!=`, `in`) look into them and are counted while they do.
    pub(super) fn apply<'a>(self, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
        match (self, arguments) {
            (Function::Not, [Value::Bool(truth)]) => Ok(Value::Bool(!truth)),
            (Function::Negate, [Value::Int(a)]) => int(a.checked_neg()),
            (Function::Negate, [Value::Double(a)]) => Ok(Value::Double(-a)),
            (Function::Index, [of, key]) => index(of, key),
            (Function::Size, [of]) => size(of),
            (Function::Int, [of]) => to_int(of),
            (Function::Double, [of]) => to_double(of),
            (Function::String, [of]) => to_string(of),
            (Function::Timestamp, [of]) => to_timestamp(of),
            (Function::Duration, [Value::String(text)]) => {
                let nanos = time::duration(text).ok_or(Fault::Unreadable)?;
                Ok(Value::Duration(nanos))
            }
            (Function::Duration, [Value::Duration(nanos)]) => Ok(Value::Duration(*nanos)),
            (Function::Contains, [Value::String(a), Value::String(b)]) => {
                Ok(Value::Bool(a.contains(b.as_ref())))
            }
            (Function::StartsWith, [Value::String(a), Value::String(b)]) => {
                Ok(Value::Bool(a.starts_with(b.as_ref())))
            }
            (Function::EndsWith, [Value::String(a), Value::String(b)]) => {
                Ok(Value::Bool(a.ends_with(b.as_ref())))
            }
            (Function::Less, [a, b]) => compared(a, b, |order| order.is_lt()),
            (Function::LessEqual, [a, b]) => compared(a, b, |order| order.is_le()),
            (Function::Greater, [a, b]) => compared(a, b, |order| order.is_gt()),
            (Function::GreaterEqual, [a, b]) => compared(a, b, |order| order.is_ge()),
            (function, [a, b]) => function.reckon(a, b),
            _ => Err(Fault::Overload),
        }
    }

    fn reckon<'a>(self, a: &Value<'a>, b: &Value<'a>) -> Result<Value<'a>, Fault> {
        match (self, a, b) {
            (Function::Divide | Function::Modulo, Value::Int(_), Value::Int(0)) => {
                Err(Fault::DivisionByZero)
            }
            (_, Value::Int(a), Value::Int(b)) => int(match self {
                Function::Add => a.checked_add(*b),
                Function::Subtract => a.checked_sub(*b),
                Function::Multiply => a.checked_mul(*b),
                Function::Divide => a.checked_div(*b),
                Function::Modulo => a.checked_rem(*b),
                _ => return Err(Fault::Overload),
            }),
            (_, Value::Double(a), Value::Double(b)) => Ok(Value::Double(match self {
                Function::Add => a + b,
                Function::Subtract => a - b,
                Function::Multiply => a * b,
                Function::Divide => a / b,
                _ => return Err(Fault::Overload),
            })),
            (Function::Add, Value::String(a), Value::String(b)) => {
                if a.len().saturating_add(b.len()) > MAX_TEXT_BYTES {
                    return Err(Fault::Range);
                }
                Ok(Value::String(Cow::Owned(format!("{a}{b}"))))
            }
            (Function::Add, Value::List(a), Value::List(b)) => {
                if a.len().saturating_add(b.len()) > MAX_ELEMENTS {
                    return Err(Fault::Range);
                }
                Ok(a.iter().chain(b.iter()).collect())
            }
            (Function::Add, Value::Timestamp(at), Value::Duration(length))
            | (Function::Add, Value::Duration(length), Value::Timestamp(at)) => {
                moment(at + i128::from(*length))
            }
            (Function::Subtract, Value::Timestamp(at), Value::Duration(length)) => {
                moment(at - i128::from(*length))
            }
            (Function::Subtract, Value::Timestamp(a), Value::Timestamp(b)) => {
                length(i64::try_from(a - b).ok())
            }
            (Function::Add, Value::Duration(a), Value::Duration(b)) => length(a.checked_add(*b)),
            (Function::Subtract, Value::Duration(a), Value::Duration(b)) => {
                length(a.checked_sub(*b))
            }
            _ => Err(Fault::Overload),
        }
    }
}

fn int<'a>(number: Option<i64>) -> Result<Value<'a>, Fault> {
    number.map(Value::Int).ok_or(Fault::Range)
}

fn length<'a>(nanos: Option<i64>) -> Result<Value<'a>, Fault> {
    nanos.map(Value::Duration).ok_or(Fault::Range)
}

fn moment<'a>(nanos: i128) -> Result<Value<'a>, Fault> {
    let nanos = time::in_range(nanos).ok_or(Fault::Range)?;
    Ok(Value::Timestamp(nanos))
}

fn compared<'a>(
    a: &Value<'a>,
    b: &Value<'a>,
    holds: impl Fn(Ordering) -> bool,
) -> Result<Value<'a>, Fault> {
    Ok(Value::Bool(order(a, b)?.is_some_and(holds)))
}

fn index<'a>(of: &Value<'a>, key: &Value<'a>) -> Result<Value<'a>, Fault> {
    match (of, key) {
        (Value::List(list), Value::Int(index)) => usize::try_from(*index)
            .ok()
            .and_then(|index| list.at(index))
            .ok_or(Fault::Absent),
        (Value::Map(map), key) => map.at(key)?.ok_or(Fault::Absent),
        _ => Err(Fault::Overload),
    }
}

/// A text's size is counted in code points.
fn size<'a>(of: &Value<'a>) -> Result<Value<'a>, Fault> {
    let size = match of {
        Value::String(text) => text.chars().count(),
        Value::List(list) => list.len(),
        Value::Map(Map::Json(members)) => members.len(),
        Value::Map(Map::Values(entries)) => entries.len(),
        Value::Map(Map::Host(members)) => members.names()?.len(),
        _ => return Err(Fault::Overload),
    };
    int(i64::try_from(size).ok())
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the range was checked, and the fraction is to be dropped"
)]
fn to_int<'a>(of: &Value<'a>) -> Result<Value<'a>, Fault> {
    match of {
        Value::Int(number) => Ok(Value::Int(*number)),
        Value::Double(number) if number.abs() < 9_223_372_036_854_775_808.0 => {
            Ok(Value::Int(*number as i64))
        }
        Value::Double(_) => Err(Fault::Range),
        Value::String(text) => text.parse().map(Value::Int).map_err(|_| Fault::Unreadable),
        Value::Timestamp(nanos) => int(i64::try_from(nanos.div_euclid(NANOS)).ok()),
        _ => Err(Fault::Overload),
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "the nearest double is what CEL asks for"
)]
fn to_double<'a>(of: &Value<'a>) -> Result<Value<'a>, Fault> {
    match of {
        Value::Double(number) => Ok(Value::Double(*number)),
        Value::Int(number) => Ok(Value::Double(*number as f64)),
        Value::String(text) => text
            .parse()
            .map(Value::Double)
            .map_err(|_| Fault::Unreadable),
        _ => Err(Fault::Overload),
    }
}

fn to_string<'a>(of: &Value<'a>) -> Result<Value<'a>, Fault> {
    Ok(Value::String(match of {
        Value::String(text) => text.clone(),
        Value::Int(number) => Cow::Owned(number.to_string()),
        // The module has serde_json's way to write one already, and `to_string` is large.
        Value::Double(number) => {
            let number = serde_json::Number::from_f64(*number).ok_or(Fault::Range)?;
            let text = number.to_string();
            Cow::Owned(text.strip_suffix(".0").unwrap_or(&text).to_owned())
        }
        Value::Bool(truth) => Cow::Borrowed(if *truth { "true" } else { "false" }),
        _ => return Err(Fault::Overload),
    }))
}

/// From RFC 3339, or from seconds since 1970 as tokens have them.
fn to_timestamp<'a>(of: &Value<'a>) -> Result<Value<'a>, Fault> {
    match of {
        Value::Timestamp(nanos) => Ok(Value::Timestamp(*nanos)),
        Value::Int(seconds) => moment(i128::from(*seconds) * NANOS),
        Value::String(text) => time::timestamp(text)
            .map(Value::Timestamp)
            .ok_or(Fault::Unreadable),
        _ => Err(Fault::Overload),
    }
}

/// How much work a look at a value may be: its bytes or its elements.
pub(super) fn weight(value: &Value<'_>) -> usize {
    let size = match value {
        Value::String(text) => text.len(),
        Value::List(list) => list.len(),
        Value::Map(Map::Json(members)) => members.len(),
        Value::Map(Map::Values(entries)) => entries.len(),
        Value::Map(Map::Host(members)) => members.bytes(),
        _ => 0,
    };
    size / 64
}

const NANOS: i128 = 1_000_000_000;

const NAMES: [(Function, &str); 24] = [
    (Function::Not, "not"),
    (Function::Negate, "negate"),
    (Function::Add, "add"),
    (Function::Subtract, "subtract"),
    (Function::Multiply, "multiply"),
    (Function::Divide, "divide"),
    (Function::Modulo, "modulo"),
    (Function::Equal, "equal"),
    (Function::NotEqual, "not_equal"),
    (Function::Less, "less"),
    (Function::LessEqual, "less_equal"),
    (Function::Greater, "greater"),
    (Function::GreaterEqual, "greater_equal"),
    (Function::In, "in"),
    (Function::Index, "index"),
    (Function::Contains, "contains"),
    (Function::StartsWith, "starts_with"),
    (Function::EndsWith, "ends_with"),
    (Function::Size, "size"),
    (Function::Int, "to_int"),
    (Function::Double, "to_double"),
    (Function::String, "to_string"),
    (Function::Timestamp, "to_timestamp"),
    (Function::Duration, "to_duration"),
];
