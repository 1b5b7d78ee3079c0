//! What is known of a value before there is one.

use std::fmt;

/// A type of CEL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    /// Known only when there is a value: what a claim holds.
    Dyn,
    /// `null`.
    Null,
    /// A truth value.
    Bool,
    /// A whole number.
    Int,
    /// A floating point number.
    Double,
    /// A text.
    String,
    /// A moment.
    Timestamp,
    /// A length of time.
    Duration,
    /// A list with elements of one type.
    List(Box<Type>),
    /// A map from texts to values of one type.
    Map(Box<Type>),
    /// A map of which only the members may be used that an expression names, since no
    /// others are kept.
    Named(Box<Type>),
}

impl Type {
    /// A list of these.
    pub fn list(self) -> Type {
        Type::List(Box::new(self))
    }

    /// A map to these.
    pub fn map(self) -> Type {
        Type::Map(Box::new(self))
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Type::Dyn => "dyn",
            Type::Null => "null",
            Type::Bool => "bool",
            Type::Int => "int",
            Type::Double => "double",
            Type::String => "string",
            Type::Timestamp => "timestamp",
            Type::Duration => "duration",
            Type::List(element) => return write!(f, "list({element})"),
            Type::Map(value) | Type::Named(value) => return write!(f, "map(string, {value})"),
        })
    }
}

/// The variables that an expression may use. A name with a point in it stands in a
/// namespace, which is no value by itself.
#[derive(Debug, Clone)]
pub struct Declarations(Vec<(&'static str, Type)>);

impl Declarations {
    /// These.
    pub fn new(variables: Vec<(&'static str, Type)>) -> Self {
        Declarations(variables)
    }

    /// The type of a variable.
    pub fn of(&self, name: &str) -> Option<&Type> {
        let found = self.0.iter().find(|(other, _)| *other == name);
        found.map(|(_, declared)| declared)
    }

    /// Every name.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|(name, _)| *name)
    }
}
