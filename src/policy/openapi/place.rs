//! A value in the document and where it stands, and the references between them.

use crate::policy::problem::Problems;
use serde_json::Value;
use std::borrow::Cow;

/// A value and its path, such as `openapi.paths./orders/{id}.get`.
#[derive(Debug, Clone)]
pub(super) struct Place<'a> {
    pub(super) value: &'a Value,
    pub(super) path: String,
}

impl<'a> Place<'a> {
    pub(super) fn root(value: &'a Value) -> Self {
        Self {
            value,
            path: "openapi".to_owned(),
        }
    }

    /// A member, if this is an object that has it.
    pub(super) fn get(&self, name: &str) -> Option<Self> {
        let value = self.value.as_object()?.get(name)?;
        Some(self.member(name, value))
    }

    /// All members of an object, in the document's sorted order; none of anything else.
    pub(super) fn members(&self) -> impl Iterator<Item = (&'a str, Self)> + '_ {
        let members = self.value.as_object().into_iter().flatten();
        members.map(|(name, value)| (name.as_str(), self.member(name, value)))
    }

    /// All elements of an array; none of anything else.
    pub(super) fn elements(&self) -> impl Iterator<Item = Self> + '_ {
        let elements = self.value.as_array().into_iter().flatten();
        elements.enumerate().map(|(index, value)| Self {
            value,
            path: format!("{}[{index}]", self.path),
        })
    }

    /// Where a member stands or would stand.
    pub(super) fn at(&self, name: &str) -> String {
        format!("{}.{name}", self.path)
    }

    /// The reference this object is, if it is one.
    pub(super) fn reference(&self) -> Option<&'a str> {
        self.value.as_object()?.get("$ref")?.as_str()
    }

    fn member(&self, name: &str, value: &'a Value) -> Self {
        Self {
            value,
            path: self.at(name),
        }
    }
}

/// The whole document, as references see it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Document<'a> {
    root: &'a Value,
}

impl<'a> Document<'a> {
    pub(super) fn new(root: &'a Value) -> Self {
        Self { root }
    }

    /// Follows a chain of references to what it stands for. A chain that bites its
    /// own tail, an external one and a dangling one are problems.
    pub(super) fn follow(&self, place: Place<'a>, problems: &mut Problems) -> Option<Place<'a>> {
        let mut place = place;
        for _ in 0..MOST_REFERENCES {
            match place.reference() {
                None => return Some(place),
                Some(reference) => place = self.target(&place, reference, problems)?,
            }
        }
        problems.add(
            place.at("$ref"),
            "the reference leads back to itself",
            "let one of the references of the circle be the thing itself",
        );
        None
    }

    /// What one reference points to (RFC 6901 §6: a JSON pointer in a fragment).
    pub(super) fn target(
        &self,
        from: &Place<'a>,
        reference: &str,
        problems: &mut Problems,
    ) -> Option<Place<'a>> {
        let refuse = |problems: &mut Problems, message: String, hint: &str| {
            problems.add(from.at("$ref"), message, hint);
            None
        };
        let Some(fragment) = reference.strip_prefix('#') else {
            return refuse(
                problems,
                format!("`{reference}` points outside the document"),
                "bundle the documents into one, for example with `redocly bundle`",
            );
        };
        let fragment = percent_decoded(fragment);
        if !fragment.is_empty() && !fragment.starts_with('/') {
            return refuse(
                problems,
                format!("`{reference}` is not a JSON pointer"),
                "write it as `#/components/...`",
            );
        }
        let mut place = Place::root(self.root);
        for token in fragment.split('/').skip(1) {
            let token = token.replace("~1", "/").replace("~0", "~");
            let next = match place.value {
                Value::Object(_) => place.get(&token),
                Value::Array(_) => index(&token).and_then(|index| place.elements().nth(index)),
                _ => None,
            };
            let Some(next) = next else {
                return refuse(
                    problems,
                    format!(
                        "`{reference}` points to nothing: `{}` has no `{token}`",
                        place.path
                    ),
                    "declare it there or mend the reference",
                );
            };
            place = next;
        }
        Some(place)
    }
}

/// An array index as RFC 6901 §4 writes it: no leading zeros.
fn index(token: &str) -> Option<usize> {
    let plain = token.bytes().all(|byte| byte.is_ascii_digit());
    let short = token == "0" || !token.starts_with('0');
    (plain && short).then(|| token.parse().ok()).flatten()
}

fn percent_decoded(fragment: &str) -> Cow<'_, str> {
    match crate::policy::route::template::decode(fragment) {
        Cow::Borrowed(_) => Cow::Borrowed(fragment),
        Cow::Owned(bytes) => String::from_utf8(bytes).map_or(Cow::Borrowed(fragment), Cow::Owned),
    }
}

/// Longer chains than this are taken for circles.
const MOST_REFERENCES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn followed(reference: &str) -> Result<(Value, String), String> {
        let document = json!({
            "a/b": {"c~d": [1, {"x y": "found"}]},
            "chain": {"$ref": "#/middle"},
            "middle": {"$ref": "#/a~1b/c~0d/1"},
            "circle": {"$ref": "#/tail"},
            "tail": {"$ref": "#/circle"},
        });
        let here = json!({ "$ref": reference });
        let mut problems = Problems::default();
        let from = Place {
            value: &here,
            path: "openapi.here".to_owned(),
        };
        match Document::new(&document).follow(from, &mut problems) {
            Some(place) => Ok((place.value.clone(), place.path)),
            None => Err(problems.into_result(()).unwrap_err()[0].to_string()),
        }
    }

    #[test]
    fn follows_pointers_and_chains() {
        for (reference, value, path) in [
            (
                "#/a~1b/c~0d/1/x%20y",
                json!("found"),
                "openapi.a/b.c~d[1].x y",
            ),
            ("#/a%7E1b/c~0d/0", json!(1), "openapi.a/b.c~d[0]"),
            ("#/chain", json!({"x y": "found"}), "openapi.a/b.c~d[1]"),
        ] {
            assert_eq!(followed(reference), Ok((value, path.to_owned())));
        }
    }

    #[test]
    fn says_where_a_reference_breaks() {
        for (reference, told) in [
            ("#/circle", "leads back to itself"),
            (
                "other.yaml#/x",
                "openapi.here.$ref: `other.yaml#/x` points outside",
            ),
            ("#anchor", "is not a JSON pointer"),
            ("#/a~1b/nope", "`openapi.a/b` has no `nope`"),
            ("#/a~1b/c~0d/01", "has no `01`"),
            ("#/a~1b/c~0d/9", "has no `9`"),
            ("#/%FF", "points to nothing"),
        ] {
            let problem = followed(reference).unwrap_err();
            assert!(problem.contains(told), "{problem}");
        }
    }
}
