//! A node as it is written in the plugin document: `["and", 1, 4]`.
//!
//! Written out by hand, since what serde derives for this takes five times the space
//! in the module.

use serde_json::{Value, json};

use super::{Index, Node, Quantifier};
use crate::rule::Function;

/// Reads a node.
pub(super) fn read(written: &[Value]) -> Option<Node> {
    let (name, parts) = written.split_first()?;
    Some(match (name.as_str()?, parts) {
        ("null", []) => Node::Null,
        ("bool", [Value::Bool(truth)]) => Node::Bool(*truth),
        ("int", [number]) => Node::Int(number.as_i64()?),
        ("double", [number]) => Node::Double(number.as_f64()?),
        ("string", [Value::String(text)]) => Node::String(text.clone()),
        ("list", parts) => Node::List(indices(parts)?),
        ("map", parts) => {
            let (entries, []) = parts.as_chunks::<2>() else {
                return None;
            };
            let entry = |[key, value]: &[Value; 2]| Some((index(key)?, index(value)?));
            Node::Map(entries.iter().map(entry).collect::<Option<_>>()?)
        }
        ("variable", [Value::String(name)]) => Node::Variable(name.clone()),
        ("known", [Value::String(name)]) => Node::Known(name.clone()),
        ("element", [Value::String(name)]) => Node::Element(name.clone()),
        ("select", [of, Value::String(name)]) => Node::Select(index(of)?, name.clone()),
        ("has", [of, Value::String(name)]) => Node::Has(index(of)?, name.clone()),
        ("and", [a, b]) => Node::And(index(a)?, index(b)?),
        ("or", [a, b]) => Node::Or(index(a)?, index(b)?),
        ("if", [a, b, c]) => Node::If(index(a)?, index(b)?, index(c)?),
        (name, [range, Value::String(element), body]) => {
            let (quantifier, _) = QUANTIFIERS.iter().find(|(_, other)| *other == name)?;
            Node::Loop(*quantifier, index(range)?, element.clone(), index(body)?)
        }
        (name, parts) => Node::Call(Function::named(name)?, indices(parts)?),
    })
}

/// Writes a node.
pub(super) fn write(node: &Node) -> Vec<Value> {
    let with = |name: &str, parts: &[Index]| {
        let parts = parts.iter().map(|part| json!(part));
        std::iter::once(json!(name)).chain(parts).collect()
    };
    match node {
        Node::Null => vec![json!("null")],
        Node::Bool(truth) => vec![json!("bool"), json!(truth)],
        Node::Int(number) => vec![json!("int"), json!(number)],
        Node::Double(number) => vec![json!("double"), json!(number)],
        Node::String(text) => vec![json!("string"), json!(text)],
        Node::List(parts) => with("list", parts),
        Node::Map(entries) => {
            let parts: Vec<Index> = entries.iter().flat_map(|(a, b)| [*a, *b]).collect();
            with("map", &parts)
        }
        Node::Variable(name) => vec![json!("variable"), json!(name)],
        Node::Known(name) => vec![json!("known"), json!(name)],
        Node::Element(name) => vec![json!("element"), json!(name)],
        Node::Select(of, name) => vec![json!("select"), json!(of), json!(name)],
        Node::Has(of, name) => vec![json!("has"), json!(of), json!(name)],
        Node::And(a, b) => with("and", &[*a, *b]),
        Node::Or(a, b) => with("or", &[*a, *b]),
        Node::If(a, b, c) => with("if", &[*a, *b, *c]),
        Node::Loop(quantifier, range, element, body) => {
            let known = QUANTIFIERS.iter().find(|(other, _)| other == quantifier);
            let name = known.map_or("", |(_, name)| name);
            vec![json!(name), json!(range), json!(element), json!(body)]
        }
        Node::Call(function, parts) => with(function.name(), parts),
    }
}

fn indices(parts: &[Value]) -> Option<Vec<Index>> {
    parts.iter().map(index).collect()
}

fn index(part: &Value) -> Option<Index> {
    part.as_u64().and_then(|index| Index::try_from(index).ok())
}

const QUANTIFIERS: [(Quantifier, &str); 3] = [
    (Quantifier::All, "all"),
    (Quantifier::Exists, "exists"),
    (Quantifier::ExistsOne, "exists_one"),
];
