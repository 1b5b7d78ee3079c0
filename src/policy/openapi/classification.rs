//! Whether every `x-classification` in the document means something.
//!
//! A classification with a slip of the pen, or in a place where it has no effect,
//! would leave open what somebody meant to close. So the whole document is searched,
//! components that nothing uses included.

use super::place::Place;
use crate::policy::problem::Problems;

/// The keyword.
pub(super) const KEYWORD: &str = "x-classification";

/// Reports unknown names, values that are no names, and places that are no schema.
pub(super) fn check(root: &Place<'_>, known: &[String], problems: &mut Problems) {
    search(root, Kind::Other, known, problems);
}

/// The level that a schema's classification stands for, counted from the lowest;
/// what means nothing is a problem.
pub(super) fn level(
    schema: &Place<'_>,
    known: &[String],
    problems: &mut Problems,
) -> Option<usize> {
    let written = schema.get(KEYWORD)?;
    let level = written
        .value
        .as_str()
        .and_then(|name| known.iter().position(|candidate| candidate == name));
    if level.is_none() {
        let hint = if known.is_empty() {
            "list the classifications in the policy under `classifications`".to_owned()
        } else {
            format!("write one of `{}`", known.join("`, `"))
        };
        problems.add(
            written.path,
            format!("{} is not a classification", written.value),
            hint,
        );
    }
    level
}

/// What stands at a place, as far as the keyword must know it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Schema,
    /// An object or an array whose members are schemas.
    Schemas,
    Other,
}

/// The recursion is as deep as the document, which its reader bounds.
fn search(place: &Place<'_>, kind: Kind, known: &[String], problems: &mut Problems) {
    if place.value.is_array() {
        let inner = if kind == Kind::Other {
            kind
        } else {
            Kind::Schema
        };
        for element in place.elements() {
            search(&element, inner, known, problems);
        }
        return;
    }
    for (name, member) in place.members() {
        let inner = match (kind, name) {
            (Kind::Schemas, _) => Kind::Schema,
            (Kind::Schema, KEYWORD) => {
                level(place, known, problems);
                continue;
            }
            (Kind::Other, KEYWORD) => {
                problems.add(
                    member.path,
                    "a classification outside a schema has no effect",
                    "move it into the `schema` of what it should hide",
                );
                continue;
            }
            (Kind::Schema, "default" | "const" | "enum") | (_, "example" | "examples") => continue,
            (_, "schemas" | "$defs" | "definitions" | "properties" | "patternProperties") => {
                Kind::Schemas
            }
            (_, "dependentSchemas" | "allOf" | "oneOf" | "anyOf" | "prefixItems") => Kind::Schemas,
            (
                _,
                "schema"
                | "items"
                | "additionalProperties"
                | "not"
                | "if"
                | "then"
                | "else"
                | "contains"
                | "propertyNames"
                | "additionalItems"
                | "unevaluatedItems"
                | "unevaluatedProperties",
            ) => Kind::Schema,
            _ => Kind::Other,
        };
        search(&member, inner, known, problems);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn finds_every_classification_that_means_nothing() {
        let document = json!({
            "components": {
                "schemas": {
                    "x-classification": {"type": "string"},
                    "Person": {
                        "x-classification": "low",
                        "properties": {
                            "x-classification": {"type": "string", "x-classification": "hihg"},
                            "default": {"x-classification": 3},
                        },
                        "allOf": [{"x-classification": ["low"]}],
                        "example": {"x-classification": "an example"},
                        "default": {"x-classification": "a default"},
                        "additionalProperties": {"x-classification": "high"},
                    },
                },
                "responses": {"default": {"x-classification": "high", "content": {
                    "application/json": {"x-classification": "high"}}}},
            },
        });
        let mut problems = Problems::default();
        let known = ["low".to_owned(), "high".to_owned()];
        check(&Place::root(&document), &known, &mut problems);
        let mut told: Vec<String> = problems
            .into_result(())
            .unwrap_err()
            .iter()
            .map(|p| p.path.clone())
            .collect();
        told.sort();
        assert_eq!(
            told,
            [
                "openapi.components.responses.default.content.application/json.x-classification",
                "openapi.components.responses.default.x-classification",
                "openapi.components.schemas.Person.allOf[0].x-classification",
                "openapi.components.schemas.Person.properties.default.x-classification",
                "openapi.components.schemas.Person.properties.x-classification.x-classification",
            ]
        );
    }
}
