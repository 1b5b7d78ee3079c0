//! Whether a policy has the shape that its JSON Schema asks for.
//!
//! Reading with serde stops at the first fault. A person mending a policy wants
//! all of them, so the shape is first held against the schema that was generated
//! from the same types; after that, reading cannot fail. The command, the filter
//! and editors thus enforce one and the same definition.

use serde_json::{Map, Value};

use super::problem::Problems;
use super::source::Span;

/// The JSON Schema of `policy.yaml`, generated from [`super::source::Source`] and
/// kept in the repository; a test holds the two together.
pub const SCHEMA: &str = include_str!("../../policy.schema.json");

/// Notes everything in `value` that the schema of a policy does not allow.
/// `path` is what stands in front of every path, for example `policy`.
pub fn check(value: &Value, path: &str, problems: &mut Problems) {
    match serde_json::from_str::<Value>(SCHEMA) {
        Ok(schema) => Checker {
            root: &schema,
            problems,
        }
        .check(value, &schema, path),
        Err(error) => problems.add(
            path,
            format!("the embedded schema is damaged: {error}"),
            "build portcullis again",
        ),
    }
}

struct Checker<'a> {
    root: &'a Value,
    problems: &'a mut Problems,
}

impl<'a> Checker<'a> {
    fn check(&mut self, value: &Value, schema: &'a Value, path: &str) {
        let schema = self.resolve(schema);
        if let Some(choices) = schema
            .get("oneOf")
            .or(schema.get("anyOf"))
            .and_then(Value::as_array)
        {
            return self.check_choice(value, choices, path);
        }
        if !self.check_type(value, schema, path) {
            return;
        }
        match value {
            Value::Object(members) => self.check_object(members, schema, path),
            Value::Array(elements) => self.check_array(elements, schema, path),
            Value::String(text) => self.check_string(text, schema, path),
            Value::Number(number) => self.check_number(number.as_f64(), schema, path),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn resolve(&self, schema: &'a Value) -> &'a Value {
        schema
            .get("$ref")
            .and_then(Value::as_str)
            .and_then(|reference| self.root.pointer(reference.strip_prefix('#')?))
            .unwrap_or(schema)
    }

    /// A choice is between words, objects whose only member names the variant, and
    /// values of other types, of which `null` means that a value is optional.
    fn check_choice(&mut self, value: &Value, choices: &'a [Value], path: &str) {
        let choices = self.flattened(choices);
        let words: Vec<&str> = choices
            .iter()
            .filter_map(|choice| choice.get("const")?.as_str())
            .collect();
        let variants: Vec<(&str, &'a Value)> = choices
            .iter()
            .filter_map(|choice| Some((variant(choice)?, *choice)))
            .collect();
        let others: Vec<(&str, &'a Value)> = choices
            .iter()
            .filter(|choice| choice.get("const").is_none() && variant(choice).is_none())
            .map(|choice| (kind(choice), *choice))
            .filter(|(kind, _)| *kind != "null")
            .collect();
        if value.as_str().is_some_and(|word| words.contains(&word)) {
            return;
        }
        if let Some((_, schema)) = others.iter().find(|(kind, _)| *kind == type_name(value)) {
            return self.check(value, schema, path);
        }
        if value.is_object() && !variants.is_empty() {
            let names: Vec<&str> = variants.iter().map(|(name, _)| *name).collect();
            let present: Vec<_> = variants
                .iter()
                .filter(|(name, _)| value.get(name).is_some())
                .collect();
            match present.as_slice() {
                [(_, schema)] => self.check(value, schema, path),
                _ => self.problems.add(
                    path,
                    "must have exactly one member",
                    format!("choose one of {}", list(&names)),
                ),
            }
            return;
        }
        match others.first() {
            _ if value.is_null() && choices.iter().any(|choice| kind(choice) == "null") => {}
            Some((_, schema)) if words.is_empty() && variants.is_empty() => {
                self.check(value, schema, path);
            }
            _ => {
                let named = variants.iter().map(|(name, _)| *name);
                let known: Vec<&str> = words.iter().copied().chain(named).collect();
                self.problems.add(
                    path,
                    format!("{} is not a known word", show(value)),
                    format!("write one of {}", list(&known)),
                );
            }
        }
    }

    /// The choices, with those that are choices themselves laid open.
    fn flattened(&self, choices: &'a [Value]) -> Vec<&'a Value> {
        choices
            .iter()
            .flat_map(|choice| {
                let choice = self.resolve(choice);
                let inner = choice.get("oneOf").or(choice.get("anyOf"));
                match inner.and_then(Value::as_array) {
                    Some(inner) => self.flattened(inner),
                    None => vec![choice],
                }
            })
            .collect()
    }

    fn check_type(&mut self, value: &Value, schema: &'a Value, path: &str) -> bool {
        let allowed: Vec<&str> = match schema.get("type") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
            _ => return true,
        };
        let fits = allowed.iter().any(|name| match *name {
            "integer" => value.is_u64() || value.is_i64(),
            name => name == type_name(value),
        });
        if !fits {
            let wanted: Vec<&str> = allowed.into_iter().filter(|name| *name != "null").collect();
            self.problems.add(
                path,
                format!(
                    "is {}, not {}",
                    article(type_name(value)),
                    article(&wanted.join(" or "))
                ),
                match is_span(schema) {
                    true => SPAN_HINT.to_string(),
                    false => format!("write {}", article(&wanted.join(" or "))),
                },
            );
        }
        fits
    }

    fn check_object(&mut self, members: &Map<String, Value>, schema: &'a Value, path: &str) {
        let properties = schema.get("properties").and_then(Value::as_object);
        let property = |name: &str| properties.and_then(|known| known.get(name));
        let required = schema.get("required").and_then(Value::as_array);
        for name in required.into_iter().flatten().filter_map(Value::as_str) {
            if !members.contains_key(name) {
                let described = property(name).and_then(|property| property.get("description"));
                let hint = described
                    .and_then(Value::as_str)
                    .unwrap_or("it is required");
                self.problems.add(
                    join(path, name),
                    "is missing",
                    format!("add `{name}`: {}", uncapitalized(hint)),
                );
            }
        }
        for (name, value) in members {
            let place = join(path, name);
            match (property(name), schema.get("additionalProperties")) {
                (Some(property), _) => self.check(value, property, &place),
                (None, Some(Value::Bool(false))) => {
                    let known = properties.into_iter().flat_map(Map::keys);
                    let known: Vec<&str> = known.map(String::as_str).collect();
                    let hint = suggestion(name, &known);
                    self.problems.add(place, "is not a known field", hint);
                }
                (None, Some(additional @ Value::Object(_))) => {
                    self.check(value, additional, &place);
                }
                (None, _) => {}
            }
        }
    }

    fn check_array(&mut self, elements: &[Value], schema: &'a Value, path: &str) {
        if let Some(least) = schema.get("minItems").and_then(Value::as_u64)
            && (elements.len() as u64) < least
        {
            self.problems
                .add(path, "is empty", format!("give at least {least}"));
        }
        if let Some(items) = schema.get("items") {
            for (index, element) in elements.iter().enumerate() {
                self.check(element, items, &format!("{path}[{index}]"));
            }
        }
    }

    fn check_string(&mut self, text: &str, schema: &Value, path: &str) {
        if text.is_empty() && schema.get("minLength").and_then(Value::as_u64).unwrap_or(0) > 0 {
            self.problems.add(path, "is empty", "write a value");
        }
        if let Some(words) = schema.get("enum").and_then(Value::as_array) {
            let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
            if !words.contains(&text) {
                self.problems.add(
                    path,
                    format!("`{text}` is not a known word"),
                    format!("write one of {}", list(&words)),
                );
            }
        }
        if is_span(schema) && Span::parse(text).is_none() {
            self.problems
                .add(path, format!("`{text}` is not a length of time"), SPAN_HINT);
        }
    }

    fn check_number(&mut self, number: Option<f64>, schema: &Value, path: &str) {
        let bound = |name| schema.get(name).and_then(Value::as_f64);
        let number = number.unwrap_or(f64::NAN);
        let (least, most) = (bound("minimum"), bound("maximum"));
        if least.is_some_and(|least| number < least) || most.is_some_and(|most| number > most) {
            let range = match (least, most) {
                (Some(least), Some(most)) => format!("from {least} to {most}"),
                (Some(least), None) => format!("of at least {least}"),
                (None, most) => format!("of at most {}", most.unwrap_or_default()),
            };
            self.problems.add(
                path,
                format!("{number} is out of range"),
                format!("write a number {range}"),
            );
        }
    }
}

fn is_span(schema: &Value) -> bool {
    schema.get("format").and_then(Value::as_str) == Some("span")
}

/// The only required member of an object that stands for one variant of a choice.
fn variant(choice: &Value) -> Option<&str> {
    if choice.get("properties")?.as_object()?.len() != 1 {
        return None;
    }
    match choice.get("required")?.as_array()?.as_slice() {
        [Value::String(name)] => Some(name),
        _ => None,
    }
}

fn suggestion(unknown: &str, known: &[&str]) -> String {
    let nearest = known
        .iter()
        .map(|name| (distance(unknown, name), *name))
        .min();
    match nearest {
        Some((edits, name)) if edits <= 2 => format!("did you mean `{name}`?"),
        _ => format!("remove it, or use one of {}", list(known)),
    }
}

/// Levenshtein's distance; names here are short.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (slot, to) in row.iter_mut().skip(1).zip(b.chars()) {
            let best = (diagonal + usize::from(from != to))
                .min(left + 1)
                .min(*slot + 1);
            diagonal = std::mem::replace(slot, best);
            left = best;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_string()
    } else {
        format!("{path}.{name}")
    }
}

fn list(words: &[&str]) -> String {
    words
        .iter()
        .map(|word| format!("`{word}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

fn show(value: &Value) -> String {
    match value {
        Value::String(text) => format!("`{text}`"),
        other => article(type_name(other)),
    }
}

/// The type that a schema asks for, if it is one.
/// The type of the values that a schema is for, in the words of [`type_name`].
fn kind(schema: &Value) -> &str {
    match schema.get("type").and_then(Value::as_str) {
        Some("integer") => "number",
        kind => kind.unwrap_or_default(),
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn article(name: &str) -> String {
    match name.bytes().next() {
        Some(b'a' | b'e' | b'i' | b'o' | b'u') => format!("an {name}"),
        _ if name == "null" => name.to_string(),
        _ => format!("a {name}"),
    }
}

fn uncapitalized(sentence: &str) -> String {
    let mut characters = sentence.trim_end_matches('.').chars();
    characters
        .next()
        .map(|first| first.to_lowercase().chain(characters).collect())
        .unwrap_or_default()
}

const SPAN_HINT: &str = "write a whole number and a unit, such as `250ms`, `30s`, `5m` or `1h`";

#[cfg(test)]
mod tests;
