//! What an evaluation reckons with.
//!
//! Claims are JSON and stay where they are: a value borrows from them. What only the
//! host can look up, such as a header, is a [`Members`].

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::rc::Rc;

use serde_json::Value as Json;

/// A value of CEL.
#[derive(Debug, Clone)]
pub enum Value<'a> {
    /// `null`.
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number of 64 bits.
    Int(i64),
    /// A floating point number of 64 bits.
    Double(f64),
    /// A text.
    String(Cow<'a, str>),
    /// Nanoseconds since 1970.
    Timestamp(i128),
    /// Nanoseconds.
    Duration(i64),
    /// A list.
    List(List<'a>),
    /// A map.
    Map(Map<'a>),
}

/// A list.
#[derive(Debug, Clone)]
pub enum List<'a> {
    /// Of a claim.
    Json(&'a [Json]),
    /// Put together.
    Values(Rc<[Value<'a>]>),
}

/// A map.
#[derive(Debug, Clone)]
pub enum Map<'a> {
    /// Of a claim.
    Json(&'a serde_json::Map<String, Json>),
    /// Put together.
    Values(Rc<[(Value<'a>, Value<'a>)]>),
    /// Of the host.
    Host(&'a dyn Members),
}

/// A map that the host looks things up in.
pub trait Members: fmt::Debug {
    /// What stands under a name.
    ///
    /// # Errors
    /// [`Fault::Unreadable`] when what stands there is no text.
    fn member(&self, name: &str) -> Result<Option<Value<'_>>, Fault>;

    /// Every name, each once.
    ///
    /// # Errors
    /// [`Fault::Unreadable`] when a name is no text.
    fn names(&self) -> Result<Vec<Value<'_>>, Fault>;

    /// How many bytes a look goes through, which is counted: a client says how many
    /// there are, and often how many looks a loop takes.
    fn bytes(&self) -> usize;
}

/// Why an evaluation has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A member, an element or a variable is not there.
    Absent,
    /// A function or an operator has nothing to do with values of these types.
    Overload,
    /// A number, a time or a length is beyond its limits.
    Range,
    /// Something divided by zero.
    DivisionByZero,
    /// A text is not what it should be converted from, or bytes are no text.
    Unreadable,
    /// The evaluation took too many steps.
    Exhausted,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fault::Absent => "which asks for what is not there",
            Fault::Overload => "which asks the impossible of a type",
            Fault::Range => "which goes beyond a limit",
            Fault::DivisionByZero => "which divides by zero",
            Fault::Unreadable => "which reads what is not readable",
            Fault::Exhausted => "which takes too many steps",
        })
    }
}

impl<'a> From<&'a Json> for Value<'a> {
    /// A JSON number that is whole and fits becomes an `int`, any other a `double`.
    fn from(json: &'a Json) -> Self {
        match json {
            Json::Null => Value::Null,
            Json::Bool(truth) => Value::Bool(*truth),
            Json::Number(number) => match number.as_i64() {
                Some(whole) => Value::Int(whole),
                None => Value::Double(number.as_f64().unwrap_or(f64::NAN)),
            },
            Json::String(text) => Value::from(text.as_str()),
            Json::Array(elements) => Value::List(List::Json(elements)),
            Json::Object(members) => Value::Map(Map::Json(members)),
        }
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Value::String(Cow::Borrowed(text))
    }
}

impl<'a> FromIterator<Value<'a>> for Value<'a> {
    fn from_iter<I: IntoIterator<Item = Value<'a>>>(elements: I) -> Self {
        Value::List(List::Values(elements.into_iter().collect()))
    }
}

impl<'a> List<'a> {
    /// How many elements it has.
    pub(super) fn len(&self) -> usize {
        match self {
            List::Json(elements) => elements.len(),
            List::Values(elements) => elements.len(),
        }
    }

    /// One element.
    pub(super) fn at(&self, index: usize) -> Option<Value<'a>> {
        match self {
            List::Json(elements) => elements.get(index).map(Value::from),
            List::Values(elements) => elements.get(index).cloned(),
        }
    }

    /// Every element.
    pub(super) fn iter(&self) -> impl Iterator<Item = Value<'a>> + '_ {
        (0..self.len()).filter_map(|index| self.at(index))
    }
}

impl<'a> Map<'a> {
    /// What stands under a key.
    pub(super) fn at(&self, key: &Value<'_>) -> Result<Option<Value<'a>>, Fault> {
        match (self, key) {
            (_, Value::Null | Value::List(_) | Value::Map(_)) => Err(Fault::Overload),
            (Map::Json(members), Value::String(name)) => {
                Ok(members.get(name.as_ref()).map(Value::from))
            }
            (Map::Host(members), Value::String(name)) => members.member(name),
            (Map::Values(entries), key) => {
                let found = entries.iter().find(|(other, _)| same_scalar(other, key));
                Ok(found.map(|(_, value)| value.clone()))
            }
            _ => Ok(None),
        }
    }

    /// Every key.
    pub(super) fn keys(&self) -> Result<Vec<Value<'a>>, Fault> {
        match self {
            Map::Json(members) => Ok(members
                .keys()
                .map(|name| Value::from(name.as_str()))
                .collect()),
            Map::Host(members) => members.names(),
            Map::Values(entries) => Ok(entries.iter().map(|(key, _)| key.clone()).collect()),
        }
    }
}

/// Whether two values that are neither lists nor maps are equal. Numbers are equal
/// when they stand for the same number; values of other different types never are.
pub(super) fn same_scalar(a: &Value<'_>, b: &Value<'_>) -> bool {
    match (a, b) {
        (Value::Null, Value::Null) => true,
        _ => order(a, b) == Ok(Some(Ordering::Equal)),
    }
}

/// How two values stand to each other; `None`: one of them is not a number (NaN).
///
/// # Errors
/// [`Fault::Overload`]: they have no order.
pub(super) fn order(a: &Value<'_>, b: &Value<'_>) -> Result<Option<Ordering>, Fault> {
    Ok(match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (Value::Double(a), Value::Double(b)) => a.partial_cmp(b),
        (Value::Int(a), Value::Double(b)) => int_to_double(*a, *b),
        (Value::Double(a), Value::Int(b)) => int_to_double(*b, *a).map(Ordering::reverse),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        (Value::Timestamp(a), Value::Timestamp(b)) => Some(a.cmp(b)),
        (Value::Duration(a), Value::Duration(b)) => Some(a.cmp(b)),
        _ => return Err(Fault::Overload),
    })
}

/// A conversion to either type would call different numbers equal.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the range was checked, and the fraction is compared"
)]
fn int_to_double(int: i64, double: f64) -> Option<Ordering> {
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    if double.is_nan() {
        return None;
    }
    if double >= BEYOND {
        return Some(Ordering::Less);
    }
    if double < -BEYOND {
        return Some(Ordering::Greater);
    }
    let whole = double.trunc();
    let fraction = 0.0_f64.partial_cmp(&(double - whole))?;
    Some(int.cmp(&(whole as i64)).then(fraction))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_compare_as_numbers() {
        let order = |a, b| order(&Value::Int(a), &Value::Double(b)).unwrap();
        assert_eq!(order(1, 1.0), Some(Ordering::Equal));
        assert_eq!(order(1, 1.5), Some(Ordering::Less));
        assert_eq!(order(-1, -1.5), Some(Ordering::Greater));
        assert_eq!(
            order(i64::MAX, 9_223_372_036_854_775_808.0),
            Some(Ordering::Less)
        );
        assert_eq!(
            order(i64::MIN, -9_223_372_036_854_775_808.0),
            Some(Ordering::Equal)
        );
        assert_eq!(
            order(9_007_199_254_740_993, 9_007_199_254_740_992.0),
            Some(Ordering::Greater)
        );
        assert_eq!(order(0, f64::NAN), None);
        assert_eq!(order(0, f64::INFINITY), Some(Ordering::Less));
    }

    #[test]
    fn types_do_not_mix() {
        let text = Value::from("1");
        assert!(!same_scalar(&text, &Value::Int(1)));
        assert!(!same_scalar(&Value::Null, &Value::Bool(false)));
        assert_eq!(order(&text, &Value::Int(1)), Err(Fault::Overload));
    }
}
