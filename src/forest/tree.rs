//! One tree of a forest, as eight bytes a node, proven sound before use.
//!
//! A model comes from a file, and the filter walks its trees for every request.
//! [`Tree::parse`] therefore proves once that every walk ends, stays inside the
//! tree and reads only features that exist, so that walking needs no checks that
//! could fail.

use std::fmt;

/// A binary tree in preorder.
#[derive(Debug, Clone, PartialEq)]
pub struct Tree {
    nodes: Vec<Node>,
    /// For each node, the mean path length of the training rows that reached it.
    expected: Vec<f32>,
}

/// A split, or a leaf when `feature` is [`LEAF`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Node {
    /// A split's threshold (below it the walk goes left, to the next node); a
    /// leaf's path length.
    pub(super) value: f32,
    /// The feature that the split tests, or [`LEAF`].
    pub(super) feature: u16,
    /// How many nodes further the right child stands; in a leaf, how many
    /// training rows ended there.
    pub(super) right: u16,
}

/// Why bytes are not a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TreeError {
    /// The length is no positive multiple of [`NODE_BYTES`], or has more than
    /// [`NODE_LIMIT`] nodes.
    Length(usize),
    /// A threshold is not a finite number, or a path length is negative or
    /// longer than any walk.
    Number {
        /// The node's index.
        node: usize,
    },
    /// A split tests a feature that does not exist.
    Feature {
        /// The node's index.
        node: usize,
        /// The feature it names.
        feature: u16,
    },
    /// The nodes are no preorder of a binary tree: a child stands outside, or
    /// not where its sibling's subtree ends.
    Structure {
        /// The node's index.
        node: usize,
    },
}

impl Tree {
    /// Reads a tree from little-endian nodes (threshold, feature, right offset)
    /// over `features` features.
    ///
    /// # Errors
    /// Whatever would make a walk unsound; see [`TreeError`].
    pub fn parse(bytes: &[u8], features: usize) -> Result<Self, TreeError> {
        let (chunks, rest) = bytes.as_chunks::<NODE_BYTES>();
        if chunks.is_empty() || !rest.is_empty() || chunks.len() > NODE_LIMIT {
            return Err(TreeError::Length(bytes.len()));
        }
        let nodes = chunks.iter().map(Node::from_bytes).collect();
        Self::new(nodes, features)
    }

    /// Takes nodes in preorder, with the proof that they are a tree.
    pub(super) fn new(nodes: Vec<Node>, features: usize) -> Result<Self, TreeError> {
        let expected = prove(&nodes, features)?;
        Ok(Self { nodes, expected })
    }

    /// The bytes that [`Tree::parse`] reads.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.nodes.iter().flat_map(|node| node.to_bytes()).collect()
    }

    /// The path length of a row. A feature that the row lacks counts as 0.
    #[must_use]
    pub fn depth(&self, row: &[f32]) -> f32 {
        let mut at = 0;
        loop {
            // The proof holds every index inside; the exits keep a mistake in it
            // from becoming a panic.
            let Some(node) = self.nodes.get(at) else {
                return 0.0;
            };
            if node.feature == LEAF {
                return node.value;
            }
            at += node.step(row);
        }
    }

    /// Adds to each feature of `shares` what its splits took off the expected
    /// path length on this row's way. The additions sum to
    /// `expected_depth() - depth(row)`.
    pub fn attribute(&self, row: &[f32], shares: &mut [f32]) {
        let mut at = 0;
        while let (Some(node), Some(before)) = (self.nodes.get(at), self.expected.get(at)) {
            if node.feature == LEAF {
                return;
            }
            at += node.step(row);
            let after = self.expected.get(at).copied().unwrap_or(*before);
            if let Some(share) = shares.get_mut(usize::from(node.feature)) {
                *share += before - after;
            }
        }
    }

    /// The mean path length of the training rows.
    #[must_use]
    pub fn expected_depth(&self) -> f32 {
        self.expected.first().copied().unwrap_or(0.0)
    }
}

impl Node {
    /// A leaf where `rows` training rows ended after `depth` steps.
    pub(super) fn leaf(depth: f32, rows: u16) -> Self {
        Self {
            value: depth,
            feature: LEAF,
            right: rows,
        }
    }

    fn step(self, row: &[f32]) -> usize {
        let value = row.get(usize::from(self.feature)).copied().unwrap_or(0.0);
        if value < self.value {
            1
        } else {
            usize::from(self.right)
        }
    }

    fn from_bytes(bytes: &[u8; NODE_BYTES]) -> Self {
        let [a, b, c, d, e, f, g, h] = *bytes;
        Self {
            value: f32::from_le_bytes([a, b, c, d]),
            feature: u16::from_le_bytes([e, f]),
            right: u16::from_le_bytes([g, h]),
        }
    }

    fn to_bytes(self) -> [u8; NODE_BYTES] {
        let [a, b, c, d] = self.value.to_le_bytes();
        let [e, f] = self.feature.to_le_bytes();
        let [g, h] = self.right.to_le_bytes();
        [a, b, c, d, e, f, g, h]
    }
}

/// Proves that the nodes are a preorder and computes each node's expected path
/// length. Both go from the last node to the first: a child stands behind its
/// parent, so it is finished when the parent needs it.
fn prove(nodes: &[Node], features: usize) -> Result<Vec<f32>, TreeError> {
    let mut done: Vec<Subtree> = Vec::new();
    let mut expected = vec![0.0; nodes.len()];
    for (index, node) in nodes.iter().enumerate().rev() {
        let subtree = if node.feature == LEAF {
            if !(0.0..=PATH_LIMIT).contains(&node.value) {
                return Err(TreeError::Number { node: index });
            }
            Subtree::leaf(node)
        } else {
            if !node.value.is_finite() {
                return Err(TreeError::Number { node: index });
            }
            if usize::from(node.feature) >= features {
                return Err(TreeError::Feature {
                    node: index,
                    feature: node.feature,
                });
            }
            let (Some(left), Some(right)) = (done.pop(), done.pop()) else {
                return Err(TreeError::Structure { node: index });
            };
            if left.size + 1 != usize::from(node.right) {
                return Err(TreeError::Structure { node: index });
            }
            Subtree::join(&left, &right)
        };
        if let Some(slot) = expected.get_mut(index) {
            *slot = subtree.expected as f32;
        }
        done.push(subtree);
    }
    match done.as_slice() {
        [_] => Ok(expected),
        _ => Err(TreeError::Structure { node: 0 }),
    }
}

/// What is known of a finished subtree.
struct Subtree {
    size: usize,
    rows: f64,
    expected: f64,
}

impl Subtree {
    fn leaf(node: &Node) -> Self {
        Self {
            size: 1,
            rows: f64::from(node.right),
            expected: f64::from(node.value),
        }
    }

    fn join(left: &Self, right: &Self) -> Self {
        let rows = left.rows + right.rows;
        let expected = if rows > 0.0 {
            (left.expected * left.rows + right.expected * right.rows) / rows
        } else {
            (left.expected + right.expected) / 2.0
        };
        Self {
            size: 1 + left.size + right.size,
            rows,
            expected,
        }
    }
}

impl fmt::Display for TreeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length(bytes) => write!(
                f,
                "{bytes} bytes are not 1 to {NODE_LIMIT} nodes of {NODE_BYTES}"
            ),
            Self::Number { node } => write!(f, "node {node} holds a number that cannot be"),
            Self::Feature { node, feature } => {
                write!(
                    f,
                    "node {node} tests feature {feature}, which does not exist"
                )
            }
            Self::Structure { node } => {
                write!(
                    f,
                    "the children of node {node} are not where a preorder has them"
                )
            }
        }
    }
}

impl std::error::Error for TreeError {}

/// The `feature` of a leaf.
pub(super) const LEAF: u16 = u16::MAX;

/// The size of a node in a file.
pub const NODE_BYTES: usize = 8;

/// The most nodes of a tree: what a right offset can span.
pub const NODE_LIMIT: usize = u16::MAX as usize;

const PATH_LIMIT: f32 = NODE_LIMIT as f32;

#[cfg(test)]
mod tests {
    use super::*;

    fn split(value: f32, feature: u16, right: u16) -> Node {
        Node {
            value,
            feature,
            right,
        }
    }

    /// `x0 < 1 ? (x1 < 5 ? 4 rows : none) : 1 row`.
    fn small() -> Vec<Node> {
        vec![
            split(1.0, 0, 4),
            split(5.0, 1, 2),
            Node::leaf(3.0, 4),
            Node::leaf(2.0, 0),
            Node::leaf(1.0, 1),
        ]
    }

    #[test]
    fn a_row_goes_left_below_the_threshold() {
        let tree = Tree::new(small(), 2).unwrap();
        assert_eq!(tree.depth(&[0.0, 0.0]), 3.0);
        assert_eq!(tree.depth(&[0.0, 5.0]), 2.0);
        assert_eq!(tree.depth(&[1.0, 0.0]), 1.0);
        assert_eq!(tree.depth(&[f32::NAN, 0.0]), 1.0);
    }

    #[test]
    fn attribution_is_the_drop_of_the_expected_depth() {
        let tree = Tree::new(small(), 2).unwrap();
        assert!((tree.expected_depth() - 2.6).abs() < 1e-6);
        let mut shares = [0.0; 2];
        tree.attribute(&[0.0, 9.0], &mut shares);
        assert!((shares[0] - (2.6 - 3.0)).abs() < 1e-6);
        assert!((shares[1] - (3.0 - 2.0)).abs() < 1e-6);
    }

    #[test]
    fn bytes_round_trip() {
        let tree = Tree::new(small(), 2).unwrap();
        assert_eq!(Tree::parse(&tree.to_bytes(), 2), Ok(tree));
    }

    #[test]
    fn an_unsound_tree_is_refused() {
        let broken = |index: usize, node: Node| {
            let mut nodes = small();
            nodes[index] = node;
            Tree::new(nodes, 2).unwrap_err()
        };
        assert_eq!(
            broken(1, split(f32::NAN, 1, 2)),
            TreeError::Number { node: 1 }
        );
        assert_eq!(
            broken(2, Node::leaf(-1.0, 4)),
            TreeError::Number { node: 2 }
        );
        assert_eq!(
            broken(0, split(1.0, 2, 4)),
            TreeError::Feature {
                node: 0,
                feature: 2
            }
        );
        for right in [0, 1, 3, 5, u16::MAX] {
            assert_eq!(
                broken(0, split(1.0, 0, right)),
                TreeError::Structure { node: 0 }
            );
        }
        assert_eq!(
            broken(4, split(1.0, 0, 1)),
            TreeError::Structure { node: 4 }
        );
        assert_eq!(
            broken(0, Node::leaf(1.0, 1)),
            TreeError::Structure { node: 0 }
        );
    }

    #[test]
    fn bytes_that_are_no_nodes_are_refused() {
        assert_eq!(Tree::parse(&[], 2), Err(TreeError::Length(0)));
        assert_eq!(Tree::parse(&[0; 9], 2), Err(TreeError::Length(9)));
        let many = vec![0; NODE_BYTES * (NODE_LIMIT + 1)];
        assert_eq!(Tree::parse(&many, 2), Err(TreeError::Length(many.len())));
    }
}
