//! Declared parameters: a path item's and an operation's, merged.

use super::claim::Claims;
use super::place::{Document, Place};
use crate::policy::api::{Location, Parameter};
use crate::policy::problem::Problems;
use serde_json::Value;

/// The parameters of an operation. Its own replace those of its path item that have
/// the same name and location.
pub(super) fn merged<'a>(
    document: Document<'a>,
    claims: &mut Claims<'a>,
    item: &Place<'a>,
    operation: &Place<'a>,
    problems: &mut Problems,
) -> Vec<Parameter> {
    let mut parameters = list(document, claims, item, problems);
    let own = list(document, claims, operation, problems);
    parameters.retain(|shared| !own.iter().any(|one| same(one, shared)));
    parameters.extend(own);
    parameters
}

/// Reports where template and declarations differ.
pub(super) fn check_template(
    names: &[String],
    parameters: &[Parameter],
    operation: &Place<'_>,
    problems: &mut Problems,
) {
    let in_path = |parameter: &&Parameter| parameter.location == Location::Path;
    for name in names {
        if !parameters
            .iter()
            .filter(in_path)
            .any(|one| one.name == *name)
        {
            problems.add(
                operation.at("parameters"),
                format!("the path has `{{{name}}}`, which no parameter declares"),
                format!("declare `{name}` with `in: path`"),
            );
        }
    }
    for parameter in parameters.iter().filter(in_path) {
        if !names.contains(&parameter.name) {
            problems.add(
                operation.at("parameters"),
                format!(
                    "`{}` is declared in the path, which does not have it",
                    parameter.name
                ),
                format!(
                    "put `{{{}}}` into the path or drop the parameter",
                    parameter.name
                ),
            );
        }
    }
}

fn same(one: &Parameter, other: &Parameter) -> bool {
    one.name == other.name && one.location == other.location
}

fn list<'a>(
    document: Document<'a>,
    claims: &mut Claims<'a>,
    owner: &Place<'a>,
    problems: &mut Problems,
) -> Vec<Parameter> {
    let mut parameters: Vec<Parameter> = Vec::new();
    let Some(written) = owner.get("parameters") else {
        return parameters;
    };
    if !written.value.is_array() {
        problems.add(&written.path, "is not a list", "write a list of parameters");
    }
    for element in written.elements() {
        let path = element.path.clone();
        let Some(place) = document.follow(element, problems) else {
            continue;
        };
        let Some(parameter) = read(document, claims, &place, problems) else {
            continue;
        };
        if parameters.iter().any(|known| same(known, &parameter)) {
            problems.add(
                path,
                format!("`{}` is declared twice in the same place", parameter.name),
                "drop one of them",
            );
            continue;
        }
        // What these three declare counts for nothing (OpenAPI 3.1 §4.8.12.2): other
        // parts of the document speak for them.
        let spoken_for = ["accept", "content-type", "authorization"];
        let ignored =
            parameter.location == Location::Header && spoken_for.contains(&parameter.name.as_str());
        if !ignored {
            parameters.push(parameter);
        }
    }
    parameters
}

fn read<'a>(
    document: Document<'a>,
    claims: &mut Claims<'a>,
    place: &Place<'a>,
    problems: &mut Problems,
) -> Option<Parameter> {
    if !place.value.is_object() {
        problems.add(&place.path, "is not an object", "write a parameter");
        return None;
    }
    let name = place.get("name").and_then(|name| name.value.as_str());
    let name = name.filter(|name| !name.is_empty());
    if name.is_none() {
        problems.add(
            place.at("name"),
            "is missing, empty or not a string",
            "name the parameter",
        );
    }
    let location = place.get("in").and_then(|location| location.value.as_str());
    let location = match location {
        Some("path") => Some(Location::Path),
        Some("query") => Some(Location::Query),
        Some("header") => Some(Location::Header),
        Some("cookie") => Some(Location::Cookie),
        _ => {
            problems.add(
                place.at("in"),
                "is missing or no place where parameters travel",
                "write one of `path`, `query`, `header`, `cookie`",
            );
            None
        }
    };
    let (name, location) = (name?, location?);
    let required = place.get("required");
    if required
        .as_ref()
        .is_some_and(|written| !written.value.is_boolean())
    {
        problems.add(
            place.at("required"),
            "is not a boolean",
            "write `true` or `false`",
        );
    }
    let required = required.is_some_and(|written| written.value == &Value::Bool(true));
    let schema = place.get("schema");
    Some(Parameter {
        name: match location {
            Location::Header => name.to_ascii_lowercase(),
            _ => name.to_owned(),
        },
        location,
        // A path without it would be another path.
        required: required || location == Location::Path,
        enumeration: schema
            .and_then(|schema| enumeration(document, schema, problems))
            .unwrap_or_default(),
        // A cookie is sent by itself, whoever sends the request.
        claim: (location != Location::Cookie)
            .then(|| claims.at(place, problems))
            .flatten(),
    })
}

/// The strings that a schema lists. A list with something that no string stands for
/// is no list of strings; `null` stands for a value that is not sent.
fn enumeration<'a>(
    document: Document<'a>,
    schema: Place<'a>,
    problems: &mut Problems,
) -> Option<Vec<String>> {
    let schema = document.follow(schema, problems)?;
    if let Some(constant) = schema.get("const") {
        return text(constant.value).map(|text| vec![text]);
    }
    let Some(listed) = schema.get("enum") else {
        // The usual way to add a description to a shared schema.
        let branches = schema.get("allOf")?;
        let mut branches = branches.elements();
        let only = branches.next().filter(|_| branches.next().is_none())?;
        return document
            .follow(only, problems)?
            .get("enum")
            .and_then(|listed| texts(&listed));
    };
    texts(&listed)
}

fn texts(listed: &Place<'_>) -> Option<Vec<String>> {
    let values = listed.value.as_array()?.iter();
    values.filter(|value| !value.is_null()).map(text).collect()
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
