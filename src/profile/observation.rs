//! What a request looked like, without what it said.
//!
//! The filter writes one observation into each audit record, as the member
//! `observation`, and `portcullis train` reads nothing else. What is scored and
//! what was learnt from are therefore the same thing by construction, and no
//! value of a client is ever stored.

use serde::{Deserialize, Serialize};

use super::shape::{Class, ClassSet, SHAPE_LIMIT, Shape};

/// The look of one request to a declared operation.
///
/// ```json
/// {"operation":"getOrder","parameters":[{"name":"order_id","length":8,"shape":"aaa-0000"}]}
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Observation {
    /// The operation's id, as the OpenAPI document has it.
    pub operation: String,
    /// The declared parameters that the request carried, at most
    /// [`PARAMETER_LIMIT`], in order of appearance.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<ObservedParameter>,
    /// How many undeclared parameters came. Their names are the client's words
    /// and are not kept.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub undeclared: u32,
    /// How many declared parameters came beyond [`PARAMETER_LIMIT`].
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unrecorded: u32,
}

/// The look of one declared parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObservedParameter {
    /// Its declared name.
    pub name: String,
    /// The length of its value in bytes; the longest one if it came repeatedly.
    pub length: u32,
    /// The classes of the first bytes of its first value.
    pub shape: Shape,
    /// The classes that occur only beyond the shape (past its cut, or in
    /// repeated values), each once: padding a value must not hide what follows.
    #[serde(default, skip_serializing_if = "Shape::is_empty")]
    pub rest: Shape,
    /// Whether the value is among those that the schema lists; absent when the
    /// schema lists none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listed: Option<bool>,
    /// How often it came; absent when once.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub repeats: u32,
}

impl Observation {
    /// A request to this operation, so far without parameters.
    #[must_use]
    pub fn new(operation: &str) -> Self {
        Self {
            operation: operation.to_owned(),
            ..Self::default()
        }
    }

    /// Notes a parameter that the operation declares, with its decoded value and
    /// the strings its schema lists (none: it lists none).
    #[must_use]
    pub fn declared(mut self, name: &str, value: &[u8], enumeration: &[String]) -> Self {
        let listed = (!enumeration.is_empty())
            .then(|| enumeration.iter().any(|known| known.as_bytes() == value));
        if let Some(seen) = self.parameters.iter_mut().find(|p| p.name == name) {
            seen.repeat(value, listed);
        } else if self.parameters.len() < PARAMETER_LIMIT {
            self.parameters
                .push(ObservedParameter::new(name, value, listed));
        } else {
            self.unrecorded = self.unrecorded.saturating_add(1);
        }
        self
    }

    /// Notes a parameter that the operation does not declare.
    #[must_use]
    pub fn undeclared(mut self) -> Self {
        self.undeclared = self.undeclared.saturating_add(1);
        self
    }
}

impl ObservedParameter {
    /// Whether the shape shows the whole value, so that it also tells its end.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.length as usize <= self.shape.len()
    }

    fn new(name: &str, value: &[u8], listed: Option<bool>) -> Self {
        let shape = Shape::of(value);
        let rest = match value.get(SHAPE_LIMIT..) {
            Some(tail) if !tail.is_empty() => {
                let tail: ClassSet = tail.iter().map(|b| Class::of(*b)).collect();
                Shape::listing(tail.without(shape.classes().collect()))
            }
            _ => Shape::default(),
        };
        Self {
            name: name.to_owned(),
            length: length(value),
            shape,
            rest,
            listed,
            repeats: 1,
        }
    }

    fn repeat(&mut self, value: &[u8], listed: Option<bool>) {
        let shown: ClassSet = self.shape.classes().collect();
        let more: ClassSet = value.iter().map(|b| Class::of(*b)).collect();
        let rest: ClassSet = self.rest.classes().collect();
        self.rest = Shape::listing(rest.union(more).without(shown));
        self.length = self.length.max(length(value));
        self.listed = match (self.listed, listed) {
            (Some(before), Some(now)) => Some(before && now),
            (before, now) => before.or(now),
        };
        self.repeats = self.repeats.saturating_add(1);
    }
}

fn length(value: &[u8]) -> u32 {
    u32::try_from(value.len()).unwrap_or(u32::MAX)
}

fn one() -> u32 {
    1
}

fn is_one(count: &u32) -> bool {
    *count == 1
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// How many parameters of a request are recorded; an audit line stays bounded
/// whatever a client sends.
pub const PARAMETER_LIMIT: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_audit_line_holds_the_look_and_nothing_else() {
        let listed = vec!["paid".to_owned(), "open".to_owned()];
        let observation = Observation::new("getOrder")
            .declared("order_id", b"ord-1234", &[])
            .declared("state", b"lost", &listed)
            .undeclared();
        assert_eq!(
            serde_json::to_string(&observation).unwrap(),
            r#"{"operation":"getOrder","parameters":[{"name":"order_id","length":8,"shape":"aaa-0000"},{"name":"state","length":4,"shape":"aaaa","listed":false}],"undeclared":1}"#
        );
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let mut observation = Observation::new("search").undeclared();
        for _ in 0..3 {
            observation = observation.declared("q", &[b'\''; 70], &["x".to_owned()]);
        }
        let line = serde_json::to_string(&observation).unwrap();
        assert_eq!(
            serde_json::from_str::<Observation>(&line).unwrap(),
            observation
        );
        assert!(serde_json::from_str::<Observation>(r#"{"operation":"a","client":"b"}"#).is_err());
    }

    #[test]
    fn what_follows_the_cut_is_still_seen() {
        let mut value = vec![b'a'; SHAPE_LIMIT];
        value.extend_from_slice(b"a' OR 1");
        let observation = Observation::new("x").declared("q", &value, &[]);
        assert_eq!(observation.parameters[0].rest.as_str(), "A0 '");
        assert_eq!(observation.parameters[0].length, 71);
    }

    #[test]
    fn a_repeated_parameter_is_one_entry_that_keeps_the_worst() {
        let states = vec!["open".to_owned()];
        let observation = Observation::new("x")
            .declared("state", b"open", &states)
            .declared("state", b"open'--", &states);
        let [state] = observation.parameters.as_slice() else {
            panic!("{observation:?}")
        };
        assert_eq!((state.repeats, state.length), (2, 7));
        assert_eq!(state.listed, Some(false));
        assert_eq!(state.rest.as_str(), "'-");
    }

    #[test]
    fn a_request_with_endless_parameters_stays_small() {
        let mut observation = Observation::new("x");
        for n in 0..1000 {
            observation = observation.declared(&format!("p{n}"), b"", &[]);
        }
        assert_eq!(observation.parameters.len(), PARAMETER_LIMIT);
        assert_eq!(observation.unrecorded as usize, 1000 - PARAMETER_LIMIT);
    }
}
