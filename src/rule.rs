//! Rules in CEL, the Common Expression Language.
//!
//! The command reads and checks a rule (`check`), and the filter evaluates what was
//! checked. A whole CEL implementation in the module would double its size, and most
//! of it is a parser that has nothing to do there: what travels is an [`Expression`],
//! a list of nodes that can be read without recursion. Evaluation is bounded in
//! steps, and whatever goes wrong in it is an error, never an answer.

#[cfg(not(target_family = "wasm"))]
pub mod check;
mod evaluate;
mod expression;
mod function;
mod key;
mod time;
mod types;
mod value;

pub use evaluate::{Facts, evaluate};
pub use expression::{Expression, Node, Quantifier};
pub use function::Function;
pub use key::key;
pub use types::{Declarations, Type};
pub use value::{Fault, List, Map, Members, Value};

/// How many steps one evaluation may take. A node is a step, and so is every 64
/// bytes of text and every element that it looks at.
pub const MAX_STEPS: u32 = 10_000;
/// How many nodes an expression may have.
pub const MAX_NODES: usize = 512;
/// How deep expressions may stand in one another.
pub const MAX_DEPTH: usize = 32;
/// How many bytes a rule's text may have.
pub const MAX_SOURCE_BYTES: usize = 4_096;
/// How many bytes a text may have that tells one thing from another.
pub const MAX_KEY_BYTES: usize = 1_024;
/// How many bytes a text may have that an evaluation puts together.
const MAX_TEXT_BYTES: usize = 16_384;
/// How many elements a list may have that an evaluation puts together.
const MAX_ELEMENTS: usize = 1_024;
