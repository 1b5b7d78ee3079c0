//! Hides the classified places of a JSON body.
//!
//! The compiled API says which places of a response are classified; the caller's
//! clearance says which classifications are hidden and how. This module copies a
//! body from one to the other in a single pass: what is visible is copied as it was
//! written, so numbers keep their digits, and what is hidden is never decoded
//! further than hiding asks for. It knows JSON and levels, and nothing of policy.
//!
//! A body that contradicts its schema must not show what it should hide:
//! - an array where an object is declared: each element is taken for the object;
//! - an object where only an array is declared: hidden whole, when anything in the
//!   array would be;
//! - a scalar where an object or an array is declared has no classified places in
//!   it, and is treated by the level of its own place.

use crate::policy::api::MaskNode;
use crate::policy::problem::{Problem, Problems};
use std::borrow::Cow;
use std::fmt;

mod hide;
mod rules;
mod walk;

pub use rules::{Hide, Rules};

/// The mask nodes of an API with their classifications resolved.
#[derive(Debug, Clone, Default)]
pub struct Table {
    nodes: Vec<Node>,
}

/// A body after masking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Masked<'a> {
    /// The body to send: the original bytes when nothing was hidden.
    pub body: Cow<'a, [u8]>,
    /// How many values of each level were hidden, lowest level first. A container
    /// hidden whole counts once.
    pub hidden: Vec<(u8, u32)>,
}

/// Why a body cannot be masked, and so must not be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MaskError {
    /// Not UTF-8, as JSON must be (RFC 8259 §8.1).
    NotUtf8,
    /// Not one JSON text, or nested deeper than 128 levels on the way to a
    /// classified place.
    NotJson {
        /// From 1.
        line: usize,
        /// From 1, in bytes.
        column: usize,
    },
    /// The operation points to a node that the table does not have.
    NoSuchNode(u32),
}

impl Table {
    /// Resolves the nodes' classifications to levels.
    ///
    /// # Errors
    /// Unknown names, indices beyond the arena, and levels beyond [`MAX_LEVELS`].
    pub fn new(
        nodes: &[MaskNode],
        resolve: impl Fn(&str) -> Option<u8>,
    ) -> Result<Self, Vec<Problem>> {
        let mut problems = Problems::default();
        let mut table = Self::default();
        for (index, node) in nodes.iter().enumerate() {
            let path = || format!("api.masks[{index}]");
            let level = node.classification.as_deref().and_then(|name| {
                let level = resolve(name).filter(|level| *level < MAX_LEVELS);
                if level.is_none() {
                    problems.add(
                        path(),
                        format!("`{name}` is not a classification"),
                        format!("list it under `classifications`, which holds {MAX_LEVELS} names at most"),
                    );
                }
                level
            });
            let children = node.properties.iter().map(|(_, child)| *child);
            for child in children.chain(node.items).chain(node.additional) {
                if usize::try_from(child).map_or(true, |child| child >= nodes.len()) {
                    problems.add(
                        path(),
                        format!("points to node {child}, which is not there"),
                        "build the plugin configuration again with `portcullis build`",
                    );
                }
            }
            let mut properties = node.properties.clone();
            properties.sort();
            table.nodes.push(Node {
                level,
                properties,
                items: node.items,
                additional: node.additional,
                reach: level.map_or(0, bit),
            });
        }
        table.spread();
        problems.into_result(table)
    }

    /// Whether these rules can hide anything in a body whose mask starts at `root`.
    /// Where they cannot, there is no need to hold the body back.
    #[must_use]
    pub fn conceals(&self, root: u32, rules: &Rules) -> bool {
        self.node(root)
            .is_none_or(|node| rules.hides_any(node.reach) || rules.hides_undeclared())
    }

    /// Masks one body. `root` is the response's node in the table.
    ///
    /// # Errors
    /// A body that is not exactly one JSON text in UTF-8. It must not be sent: what
    /// cannot be read may hold what must be hidden.
    pub fn mask<'a>(
        &self,
        root: u32,
        body: &'a [u8],
        rules: &Rules,
    ) -> Result<Masked<'a>, MaskError> {
        let node = self.node(root).ok_or(MaskError::NoSuchNode(root))?;
        let text = str::from_utf8(body).map_err(|_| MaskError::NotUtf8)?;
        let copied = walk::walk(self, node, text, rules)?;
        Ok(Masked {
            body: if copied.hidden.is_empty() {
                Cow::Borrowed(body)
            } else {
                Cow::Owned(copied.body)
            },
            hidden: copied.hidden,
        })
    }

    fn node(&self, index: u32) -> Option<&Node> {
        self.nodes.get(usize::try_from(index).ok()?)
    }

    /// Gives every node the levels that stand anywhere below it. A node is looked at
    /// again when one of its children has learnt something, at most once a level.
    fn spread(&mut self) {
        let mut parents: Vec<Vec<usize>> = vec![Vec::new(); self.nodes.len()];
        for (index, node) in self.nodes.iter().enumerate() {
            for child in node.children() {
                if let Some(known) = usize::try_from(child)
                    .ok()
                    .and_then(|child| parents.get_mut(child))
                {
                    known.push(index);
                }
            }
        }
        let mut fresh: Vec<usize> = (0..self.nodes.len()).collect();
        while let Some(child) = fresh.pop() {
            let reach = self.nodes.get(child).map_or(0, |node| node.reach);
            for &parent in parents.get(child).into_iter().flatten() {
                if let Some(node) = self.nodes.get_mut(parent)
                    && node.reach | reach != node.reach
                {
                    node.reach |= reach;
                    fresh.push(parent);
                }
            }
        }
    }
}

impl Masked<'_> {
    /// Whether the body differs from what came in.
    #[must_use]
    pub fn changed(&self) -> bool {
        !self.hidden.is_empty()
    }
}

impl fmt::Display for MaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUtf8 => f.write_str("the body is not UTF-8"),
            Self::NotJson { line, column } => {
                write!(f, "the body is not JSON at line {line}, column {column}")
            }
            Self::NoSuchNode(node) => write!(f, "there is no mask node {node}"),
        }
    }
}

impl std::error::Error for MaskError {}

/// One place, resolved.
#[derive(Debug, Clone)]
struct Node {
    level: Option<u8>,
    /// Sorted by name.
    properties: Vec<(String, u32)>,
    items: Option<u32>,
    additional: Option<u32>,
    /// The levels of this place and of all below it, one bit each.
    reach: u64,
}

impl Node {
    fn children(&self) -> impl Iterator<Item = u32> + '_ {
        let properties = self.properties.iter().map(|(_, child)| *child);
        properties.chain(self.items).chain(self.additional)
    }

    /// Whether anything is declared inside this place.
    fn has_children(&self) -> bool {
        self.declares_members() || self.items.is_some()
    }

    fn declares_members(&self) -> bool {
        !self.properties.is_empty() || self.additional.is_some()
    }

    fn member(&self, name: &str) -> Option<u32> {
        self.properties
            .binary_search_by(|(known, _)| known.as_str().cmp(name))
            .ok()
            .and_then(|at| self.properties.get(at))
            .map(|(_, child)| *child)
            .or(self.additional)
    }
}

fn bit(level: u8) -> u64 {
    1u64.checked_shl(u32::from(level)).unwrap_or(0)
}

/// How many classifications a policy may have.
pub const MAX_LEVELS: u8 = 64;

#[cfg(test)]
#[cfg(not(target_family = "wasm"))]
mod reference;

#[cfg(test)]
mod tests {
    use super::*;
    use Hide::{Last4, Null, Redact, Remove};

    const PUBLIC: u32 = 0;

    /// `open` is level 0, `low` 1, `high` 2. Node 0 is open, 1 low, 2 high; 3 is a
    /// person, 4 a list of them, 5 a map of them, 6 itself within itself.
    fn table() -> Table {
        let leaf = |name: &str| MaskNode {
            classification: Some(name.to_owned()),
            ..MaskNode::default()
        };
        let member = |name: &str, child| (name.to_owned(), child);
        let nodes = [
            leaf("open"),
            leaf("low"),
            leaf("high"),
            MaskNode {
                properties: vec![member("name", 1), member("id", PUBLIC), member("card", 2)],
                ..MaskNode::default()
            },
            MaskNode {
                items: Some(3),
                ..MaskNode::default()
            },
            MaskNode {
                additional: Some(3),
                ..MaskNode::default()
            },
            MaskNode {
                properties: vec![member("next", 6), member("pin", 2)],
                items: Some(6),
                ..MaskNode::default()
            },
            MaskNode {
                classification: Some("low".to_owned()),
                properties: vec![member("id", PUBLIC)],
                ..MaskNode::default()
            },
        ];
        Table::new(&nodes, level).unwrap()
    }

    fn level(name: &str) -> Option<u8> {
        ["open", "low", "high"]
            .iter()
            .zip(0..)
            .find_map(|(known, level)| (*known == name).then_some(level))
    }

    fn rules(low: Option<Hide>, high: Option<Hide>) -> Rules {
        Rules::new(vec![None, low, high], 0)
    }

    fn masked(root: u32, body: &str, rules: &Rules) -> String {
        let masked = table().mask(root, body.as_bytes(), rules).unwrap();
        String::from_utf8(masked.body.into_owned()).unwrap()
    }

    #[test]
    fn hides_what_is_classified_and_nothing_else() {
        let redact = rules(Some(Redact), Some(Redact));
        let cases = [
            (
                3,
                r#"{"id":1,"name":"Ann","card":{"n":[1]},"x":1.50}"#,
                r#"{"id":1,"name":"***","card":"***","x":1.50}"#,
            ),
            // Escaped, repeated and spaced names are the same names.
            (
                3,
                r#" { "n\u0061me" : "A" , "name":"B","name":[]}"#,
                r#"{"name":"***","name":"***","name":"***"}"#,
            ),
            (3, r#"{"a\"b":1,"name":null}"#, r#"{"a\"b":1,"name":"***"}"#),
            // Digits beyond 64 bits, unusual fractions and inner spaces stay.
            (
                3,
                r#"{"id": 123456789012345678901.10e0,"name":1,"y":[ 1 ]}"#,
                r#"{"id":123456789012345678901.10e0,"name":"***","y":[ 1 ]}"#,
            ),
            (
                4,
                r#"[{"name":1},{"id":2}]"#,
                r#"[{"name":"***"},{"id":2}]"#,
            ),
            (4, r#"[[[{"name":1}]]]"#, r#"[[[{"name":"***"}]]]"#),
            (
                3,
                r#"[{"name":1},[{"card":1}]]"#,
                r#"[{"name":"***"},[{"card":"***"}]]"#,
            ),
            (4, r#"{"name":1}"#, r#""***""#),
            (4, r#"{"data":[{"name":1}]}"#, r#""***""#),
            (
                5,
                r#"{"a":{"name":1},"b":[{"name":2}],"c":3}"#,
                r#"{"a":{"name":"***"},"b":[{"name":"***"}],"c":3}"#,
            ),
            (
                6,
                r#"{"next":{"next":[{"pin":1}],"pin":2}}"#,
                r#"{"next":{"next":[{"pin":"***"}],"pin":"***"}}"#,
            ),
            (7, r#"{"id":1}"#, r#""***""#),
            (3, "[]", "[]"),
            (3, "\"text\\n\"", "\"text\\n\""),
            (3, " 18446744073709551615 ", " 18446744073709551615 "),
            (
                3,
                "[true,null,-1,\"\\u0007\",{\"name\":1}]",
                "[true,null,-1,\"\\u0007\",{\"name\":\"***\"}]",
            ),
        ];
        for (root, body, expected) in cases {
            assert_eq!(masked(root, body, &redact), expected, "{body}");
        }
    }

    #[test]
    fn hides_in_the_way_the_level_asks_for() {
        let body = r#"{"name":"J\u00f6rg \"Q\" Li","id":1,"card":-4111222233.5}"#;
        for (low, high, expected) in [
            (None, None, body),
            (Some(Remove), Some(Null), r#"{"id":1,"card":null}"#),
            (
                Some(Last4),
                Some(Last4),
                r#"{"name":"*******\" Li","id":1,"card":"*******2335"}"#,
            ),
            (Some(Null), Some(Remove), r#"{"name":null,"id":1}"#),
        ] {
            assert_eq!(masked(3, body, &rules(low, high)), expected);
        }
        let last = rules(Some(Last4), Some(Last4));
        for (value, expected) in [
            ("\"1234567\"", "\"***\""),
            ("\"12345678\"", "\"****5678\""),
            ("12345678", "\"****5678\""),
            ("1e7", "\"***\""),
            ("true", "\"***\""),
            ("[123456789]", "\"***\""),
            (
                "\"\u{1f600}\u{1f600}\u{1f600}\u{1f600}abcd\"",
                "\"****abcd\"",
            ),
        ] {
            assert_eq!(masked(1, value, &last), expected);
        }
        let removed = rules(Some(Remove), Some(Remove));
        assert_eq!(masked(1, "[1]", &removed), "null");
        assert_eq!(masked(4, r#"{"a":1}"#, &removed), r#""***""#);
        assert_eq!(masked(3, r#"{"name":1,"card":2}"#, &removed), "{}");
    }

    #[test]
    fn undeclared_places_take_the_default_level() {
        let rules = Rules::new(vec![None, None, Some(Redact), Some(Redact)], 3);
        assert_eq!(
            masked(3, r#"{"id":1,"name":"A","x":{"y":1},"card":1}"#, &rules),
            r#"{"id":1,"name":"A","x":"***","card":"***"}"#
        );
        assert_eq!(masked(3, "[7,{}]", &rules), r#"["***",{}]"#);
        // A classified ancestor's level is inherited instead.
        assert_eq!(masked(7, r#"{"id":1,"x":2}"#, &rules), r#"{"id":1,"x":2}"#);
        // A level that the rules do not know is hidden.
        assert_eq!(masked(2, "1", &Rules::new(vec![None], 0)), r#""***""#);
    }

    #[test]
    fn counts_what_it_hid() {
        let table = table();
        let redact = rules(Some(Redact), Some(Remove));
        let body = br#"[{"name":1,"card":2},{"name":[1,2]}]"#;
        let masked = table.mask(4, body, &redact).unwrap();
        assert_eq!(masked.hidden, [(1, 2), (2, 1)]);
        assert!(masked.changed());
        let untouched = table.mask(4, b" [ {} ] ", &redact).unwrap();
        assert_eq!(untouched.body, Cow::Borrowed(b" [ {} ] "));
        assert!(!untouched.changed());
        assert!(table.conceals(4, &redact) && table.conceals(6, &redact));
        assert!(!table.conceals(4, &rules(None, None)) && !table.conceals(PUBLIC, &redact));
        assert!(table.conceals(PUBLIC, &Rules::new(vec![None], 9)));
    }

    #[test]
    fn what_is_not_one_json_text_is_refused() {
        let redact = rules(Some(Redact), Some(Redact));
        let deep = format!("{{\"next\":{}1{}}}", "[".repeat(200), "]".repeat(200));
        let bodies: [&[u8]; 12] = [
            b"",
            b" ",
            b"{",
            b"{} x",
            b"{}{}",
            b"[1,]",
            b"{\"name\":tru}",
            b"{name:1}",
            b"{\"name\":\"\xff\"}",
            b"\xef\xbb\xbf{}",
            b"{\"\\ud800\":1}",
            deep.as_bytes(),
        ];
        for body in bodies {
            assert!(table().mask(6, body, &redact).is_err(), "{body:?}");
        }
        // Visible or not, the whole body is read.
        for body in [&b"[1"[..], b"[1] 2", b"\"\x01\"", b"01"] {
            assert!(table().mask(PUBLIC, body, &redact).is_err(), "{body:?}");
            assert!(table().mask(2, body, &redact).is_err(), "{body:?}");
        }
        assert_eq!(
            table().mask(99, b"1", &redact),
            Err(MaskError::NoSuchNode(99))
        );
    }

    #[test]
    fn a_table_that_contradicts_itself_is_refused() {
        let nodes = [
            MaskNode::default(),
            MaskNode {
                classification: Some("unknown".to_owned()),
                items: Some(2),
                ..MaskNode::default()
            },
        ];
        let problems = Table::new(&nodes, level).unwrap_err();
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 2);
        assert!(told[0].starts_with("api.masks[1]: `unknown` is not a classification"));
        assert!(told[1].starts_with("api.masks[1]: points to node 2"));
        assert!(Table::new(&nodes, |_| Some(MAX_LEVELS)).is_err());
    }
}
