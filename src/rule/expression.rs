//! A checked expression, in the form in which it travels.
//!
//! The nodes stand in one list, each after those that it refers to. So reading one
//! needs no recursion, none can hold itself, and the depth is known before anything
//! is evaluated.

mod written;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Function, MAX_DEPTH, MAX_NODES};

/// An expression whose nodes refer only to earlier ones, within the limits of size
/// and depth. The last node is the whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Vec<Value>>", into = "Vec<Vec<Value>>")]
pub struct Expression(Vec<Node>);

/// A place in the list of nodes.
pub(super) type Index = u16;

/// One node. The names of the variants are CEL's.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A floating point number.
    Double(f64),
    /// A text.
    String(String),
    /// `[a, b]`.
    List(Vec<Index>),
    /// `{a: b}`.
    Map(Vec<(Index, Index)>),
    /// What the host knows by this name, such as `request.method`.
    Variable(String),
    /// `has()` of such a name.
    Known(String),
    /// The element that a loop is at, by the name that the loop gives it.
    Element(String),
    /// `a.name`.
    Select(Index, String),
    /// `has(a.name)`.
    Has(Index, String),
    /// An operator or a function.
    Call(Function, Vec<Index>),
    /// `a && b`.
    And(Index, Index),
    /// `a || b`.
    Or(Index, Index),
    /// `a ? b : c`.
    If(Index, Index, Index),
    /// `list.all(name, body)` and its like.
    Loop(Quantifier, Index, String, Index),
}

/// How many elements of a list must satisfy a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantifier {
    /// Every one.
    All,
    /// One or more.
    Exists,
    /// Exactly one.
    ExistsOne,
}

impl Expression {
    /// Every node.
    pub fn nodes(&self) -> &[Node] {
        &self.0
    }

    /// The last node, which is the whole.
    pub(super) fn root(&self) -> Index {
        Index::try_from(self.0.len().saturating_sub(1)).unwrap_or_default()
    }

    /// The variables that it asks for.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|node| match node {
            Node::Variable(name) | Node::Known(name) => Some(name.as_str()),
            _ => None,
        })
    }

    /// The names of the members of the map `variable` that it asks for. A map that it
    /// uses in any other way is not told.
    pub fn members_of(&self, variable: &str) -> impl Iterator<Item = &str> {
        let is_it = move |index: &Index| {
            let node = self.0.get(usize::from(*index));
            matches!(node, Some(Node::Variable(name)) if name == variable)
        };
        self.0.iter().filter_map(move |node| match node {
            Node::Select(of, name) | Node::Has(of, name) if is_it(of) => Some(name.as_str()),
            _ => None,
        })
    }
}

impl Node {
    /// The nodes that it refers to.
    fn parts(&self) -> Vec<Index> {
        match self {
            Node::Null
            | Node::Bool(_)
            | Node::Int(_)
            | Node::Double(_)
            | Node::String(_)
            | Node::Variable(_)
            | Node::Known(_)
            | Node::Element(_) => Vec::new(),
            Node::List(parts) | Node::Call(_, parts) => parts.clone(),
            Node::Map(entries) => entries.iter().flat_map(|(a, b)| [*a, *b]).collect(),
            Node::Select(of, _) | Node::Has(of, _) => vec![*of],
            Node::And(a, b) | Node::Or(a, b) | Node::Loop(_, a, _, b) => vec![*a, *b],
            Node::If(a, b, c) => vec![*a, *b, *c],
        }
    }
}

impl TryFrom<Vec<Node>> for Expression {
    type Error = String;

    fn try_from(nodes: Vec<Node>) -> Result<Self, String> {
        if nodes.is_empty() || nodes.len() > MAX_NODES {
            return Err(format!("an expression has 1 to {MAX_NODES} nodes"));
        }
        let mut depths: Vec<usize> = Vec::with_capacity(nodes.len());
        for (index, node) in nodes.iter().enumerate() {
            let mut depth = 1;
            for part in node.parts() {
                let below = depths
                    .get(usize::from(part))
                    .ok_or_else(|| format!("node {index} refers to one that is not before it"))?;
                depth = depth.max(below + 1);
            }
            if depth > MAX_DEPTH {
                return Err(format!("is more than {MAX_DEPTH} levels deep"));
            }
            depths.push(depth);
        }
        Ok(Expression(nodes))
    }
}

impl TryFrom<Vec<Vec<Value>>> for Expression {
    type Error = String;

    fn try_from(nodes: Vec<Vec<Value>>) -> Result<Self, String> {
        let read = nodes.iter().enumerate().map(|(index, node)| {
            written::read(node).ok_or_else(|| format!("node {index} is none of a rule"))
        });
        read.collect::<Result<Vec<Node>, String>>()?.try_into()
    }
}

impl From<Expression> for Vec<Vec<Value>> {
    fn from(expression: Expression) -> Self {
        expression.0.iter().map(written::write).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, from_value, json};

    fn refused(nodes: Value) -> String {
        from_value::<Expression>(nodes).unwrap_err().to_string()
    }

    #[test]
    fn nodes_refer_only_to_earlier_ones() {
        let good = json!([["bool", true], ["variable", "a"], ["and", 0, 1]]);
        let read: Expression = from_value(good.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), good);
        assert!(refused(json!([["and", 0, 0]])).contains("not before it"));
        assert!(refused(json!([["bool", true], ["or", 0, 9]])).contains("not before it"));
        assert!(refused(json!([["list", 65535]])).contains("not before it"));
        assert!(refused(json!([])).contains("nodes"));
        for odd in [
            json!(["eval", "x"]),
            json!(["and", 0]),
            json!(["select", 0, 1]),
            json!(["list", 65_536]),
            json!(["list", -1]),
            json!(["map", 0]),
            json!(["any", 0, "x", 0]),
            json!([]),
        ] {
            assert!(
                refused(json!([["null"], odd.clone()])).contains("node 1 is none"),
                "{odd}"
            );
        }
    }

    #[test]
    fn what_is_too_deep_or_too_long_is_no_expression() {
        let chain = |length: u16| {
            let mut nodes = vec![Node::Bool(true)];
            nodes.extend((0..length).map(|below| Node::Call(Function::Not, vec![below])));
            Expression::try_from(nodes)
        };
        assert!(chain(31).is_ok());
        assert!(chain(32).is_err());
        assert!(Expression::try_from(vec![Node::Null; MAX_NODES]).is_ok());
        assert!(Expression::try_from(vec![Node::Null; MAX_NODES + 1]).is_err());
    }

    #[test]
    fn tells_what_it_asks_for() {
        let nodes = json!([
            ["variable", "claims"],
            ["select", 0, "a"],
            ["has", 0, "b"],
            ["known", "key.id"],
            ["list", 1, 2, 3]
        ]);
        let read: Expression = from_value(nodes).unwrap();
        assert_eq!(read.members_of("claims").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(read.variables().collect::<Vec<_>>(), ["claims", "key.id"]);
    }
}
