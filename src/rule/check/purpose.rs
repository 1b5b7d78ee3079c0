//! What an expression is for, and so what its result may be.

use crate::rule::types::Type;

/// What an expression is for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    /// To be true or false.
    Condition,
    /// To tell one thing from another.
    Key,
}

impl Purpose {
    /// What is wrong with a result of this type, and how to mend it.
    pub(super) fn misses(self, of: &Type) -> Option<(String, &'static str)> {
        let good: &[Type] = match self {
            Purpose::Condition => &[Type::Bool],
            Purpose::Key => &[Type::String, Type::Int, Type::Bool],
        };
        if good.iter().any(|good| of.fits(good)) {
            return None;
        }
        Some(match self {
            Purpose::Condition => (format!("is `{of}` and not `bool`"), "write a condition"),
            Purpose::Key => (
                format!("is `{of}`, by which nothing can be counted"),
                "let it give a `string`, an `int` or a `bool`",
            ),
        })
    }
}
