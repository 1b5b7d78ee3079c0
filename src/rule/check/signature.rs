//! Which functions there are, and what they take and give.

use super::super::Function;
use super::super::types::Type;
use cel::common::ast::operators;

/// What a place in a signature may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Bool,
    Int,
    Double,
    String,
    Timestamp,
    Duration,
    List,
    Map,
}

/// What a function gives when it gets these; `None`: it cannot get them.
pub(super) fn result(function: Function, given: &[Type]) -> Option<Type> {
    match (function, given) {
        (Function::Equal | Function::NotEqual, [a, b]) => {
            (a.fits(b) || numbers(a, b)).then_some(Type::Bool)
        }
        (
            Function::Less | Function::LessEqual | Function::Greater | Function::GreaterEqual,
            [a, b],
        ) => {
            let ordered = |one: &Type| {
                !matches!(
                    one,
                    Type::Null | Type::List(_) | Type::Map(_) | Type::Named(_)
                )
            };
            (ordered(a) && ordered(b) && (a.fits(b) || numbers(a, b))).then_some(Type::Bool)
        }
        (Function::In, [key, Type::List(element)]) => {
            (key.fits(element) || numbers(key, element)).then_some(Type::Bool)
        }
        (Function::In, [key, Type::Map(_)]) => key.fits(&Type::String).then_some(Type::Bool),
        (Function::In, [_, Type::Dyn]) => Some(Type::Bool),
        (Function::Index, [Type::List(element), key]) => {
            key.fits(&Type::Int).then(|| element.as_ref().clone())
        }
        (Function::Index, [Type::Map(value), key]) => {
            key.fits(&Type::String).then(|| value.as_ref().clone())
        }
        (Function::Index, [Type::Dyn, _]) => Some(Type::Dyn),
        (Function::Add, [Type::List(a), Type::List(b)]) => Some(match a == b {
            true => Type::List(a.clone()),
            false => Type::Dyn.list(),
        }),
        _ => among(function, given),
    }
}

/// The one result of all signatures that fit, or any if there are several.
fn among(function: Function, given: &[Type]) -> Option<Type> {
    let fits = |(of, takes, _): &&(Function, &[Shape], Shape)| {
        *of == function
            && takes.len() == given.len()
            && takes.iter().zip(given).all(|(shape, one)| shape.holds(one))
    };
    let mut results = SIGNATURES.iter().filter(fits).map(|(_, _, gives)| *gives);
    let first = results.next()?;
    Some(match results.all(|other| other == first) {
        true => first.as_type(),
        false => Type::Dyn,
    })
}

fn numbers(a: &Type, b: &Type) -> bool {
    let number = |one: &Type| matches!(one, Type::Int | Type::Double);
    number(a) && number(b)
}

impl Type {
    /// Whether a value of one type can be one of the other.
    pub(in crate::rule) fn fits(&self, other: &Type) -> bool {
        match (self, other) {
            (Type::Dyn, _) | (_, Type::Dyn) => true,
            (Type::List(a), Type::List(b)) => a.fits(b),
            (Type::Map(a) | Type::Named(a), Type::Map(b) | Type::Named(b)) => a.fits(b),
            (a, b) => a == b,
        }
    }
}

impl Shape {
    fn holds(self, given: &Type) -> bool {
        match self {
            Shape::List => matches!(given, Type::List(_) | Type::Dyn),
            Shape::Map => matches!(given, Type::Map(_) | Type::Dyn),
            shape => shape.as_type().fits(given),
        }
    }

    fn as_type(self) -> Type {
        match self {
            Shape::Bool => Type::Bool,
            Shape::Int => Type::Int,
            Shape::Double => Type::Double,
            Shape::String => Type::String,
            Shape::Timestamp => Type::Timestamp,
            Shape::Duration => Type::Duration,
            Shape::List => Type::Dyn.list(),
            Shape::Map => Type::Dyn.map(),
        }
    }
}

impl Function {
    /// The function of that name, called on something or not; otherwise what to do
    /// instead.
    pub(super) fn of(name: &str, on_something: bool) -> Result<Function, &'static str> {
        let known = NAMES.iter().find(|(other, _, _)| *other == name);
        match known {
            Some((_, function, Called::Either)) => Ok(*function),
            Some((_, function, Called::OnSomething)) if on_something => Ok(*function),
            Some((_, function, Called::Alone)) if !on_something => Ok(*function),
            Some((_, function, _)) => Err(function.usage()),
            None if name == "matches" => Err(
                "use `startsWith`, `endsWith`, `contains` or `in`: patterns are not for the filter",
            ),
            None if ["map", "filter", "existsOne"].contains(&name) => {
                Err("use `all`, `exists` or `exists_one`")
            }
            None if ["getFullYear", "getMonth", "getHours", "getDayOfWeek"].contains(&name) => {
                Err("use `time.year`, `time.month`, `time.hour`, `time.weekday`")
            }
            None => Err("use one of those that docs/configuration.md lists"),
        }
    }

    /// As it is written.
    pub(super) fn sign(self) -> &'static str {
        let known = NAMES.iter().find(|(_, function, _)| *function == self);
        known.map_or("", |(name, _, _)| {
            name.trim_matches('_').trim_start_matches('@')
        })
    }

    /// How it is written.
    pub(super) fn usage(self) -> &'static str {
        match self {
            Function::Not => "negate a condition: `!(a == b)`",
            Function::Negate => "negate a number: `-1`",
            Function::Add => {
                "add two of `int`, `double`, `string`, `list`, `duration`, or a `duration` to a `timestamp`"
            }
            Function::Subtract => {
                "subtract two of `int`, `double`, `duration`, `timestamp`, or a `duration` from a `timestamp`"
            }
            Function::Multiply | Function::Divide => {
                "use two of `int` or two of `double`, converted with `int()` or `double()`"
            }
            Function::Modulo => "use two of `int`",
            Function::Equal | Function::NotEqual => "compare values of one type",
            Function::Less | Function::LessEqual | Function::Greater | Function::GreaterEqual => {
                "compare numbers, texts or times of one type"
            }
            Function::In => "write `value in list`, with elements of the value's type",
            Function::Index => "write `list[0]` or `map[\"name\"]`",
            Function::Contains => "write `text.contains(\"part\")`",
            Function::StartsWith => "write `text.startsWith(\"part\")`",
            Function::EndsWith => "write `text.endsWith(\"part\")`",
            Function::Size => "write `size(list)`, of a text, a list or a map",
            Function::Int => "write `int(value)`, of a number, a text or a timestamp",
            Function::Double => "write `double(value)`, of a number or a text",
            Function::String => "write `string(value)`, of a number, a text or a truth value",
            Function::Timestamp => {
                "write `timestamp(\"2026-12-31T23:59:59Z\")` or `timestamp(seconds)`"
            }
            Function::Duration => "write `duration(\"1h30m\")`",
        }
    }
}

/// Names in a sentence.
pub(super) fn spelt(names: &[impl AsRef<str>]) -> String {
    let quoted: Vec<String> = names
        .iter()
        .map(|name| format!("`{}`", name.as_ref()))
        .collect();
    quoted.join(", ")
}

enum Called {
    Alone,
    OnSomething,
    Either,
}

const NAMES: [(&str, Function, Called); 24] = [
    (operators::LOGICAL_NOT, Function::Not, Called::Alone),
    (operators::NEGATE, Function::Negate, Called::Alone),
    (operators::ADD, Function::Add, Called::Alone),
    (operators::SUBSTRACT, Function::Subtract, Called::Alone),
    (operators::MULTIPLY, Function::Multiply, Called::Alone),
    (operators::DIVIDE, Function::Divide, Called::Alone),
    (operators::MODULO, Function::Modulo, Called::Alone),
    (operators::EQUALS, Function::Equal, Called::Alone),
    (operators::NOT_EQUALS, Function::NotEqual, Called::Alone),
    (operators::LESS, Function::Less, Called::Alone),
    (operators::LESS_EQUALS, Function::LessEqual, Called::Alone),
    (operators::GREATER, Function::Greater, Called::Alone),
    (
        operators::GREATER_EQUALS,
        Function::GreaterEqual,
        Called::Alone,
    ),
    (operators::IN, Function::In, Called::Alone),
    (operators::INDEX, Function::Index, Called::Alone),
    ("contains", Function::Contains, Called::OnSomething),
    ("startsWith", Function::StartsWith, Called::OnSomething),
    ("endsWith", Function::EndsWith, Called::OnSomething),
    ("size", Function::Size, Called::Either),
    ("int", Function::Int, Called::Alone),
    ("double", Function::Double, Called::Alone),
    ("string", Function::String, Called::Alone),
    ("timestamp", Function::Timestamp, Called::Alone),
    ("duration", Function::Duration, Called::Alone),
];

const SIGNATURES: [(Function, &[Shape], Shape); 41] = {
    use Function as F;
    use Shape::{Bool, Double, Duration, Int, List, Map, String, Timestamp};
    [
        (F::Not, &[Bool], Bool),
        (F::Negate, &[Int], Int),
        (F::Negate, &[Double], Double),
        (F::Add, &[Int, Int], Int),
        (F::Add, &[Double, Double], Double),
        (F::Add, &[String, String], String),
        (F::Add, &[List, List], List),
        (F::Add, &[Duration, Duration], Duration),
        (F::Add, &[Timestamp, Duration], Timestamp),
        (F::Add, &[Duration, Timestamp], Timestamp),
        (F::Subtract, &[Int, Int], Int),
        (F::Subtract, &[Double, Double], Double),
        (F::Subtract, &[Duration, Duration], Duration),
        (F::Subtract, &[Timestamp, Duration], Timestamp),
        (F::Subtract, &[Timestamp, Timestamp], Duration),
        (F::Multiply, &[Int, Int], Int),
        (F::Multiply, &[Double, Double], Double),
        (F::Divide, &[Int, Int], Int),
        (F::Divide, &[Double, Double], Double),
        (F::Modulo, &[Int, Int], Int),
        (F::Contains, &[String, String], Bool),
        (F::StartsWith, &[String, String], Bool),
        (F::EndsWith, &[String, String], Bool),
        (F::Size, &[String], Int),
        (F::Size, &[List], Int),
        (F::Size, &[Map], Int),
        (F::Int, &[Int], Int),
        (F::Int, &[Double], Int),
        (F::Int, &[String], Int),
        (F::Int, &[Timestamp], Int),
        (F::Double, &[Double], Double),
        (F::Double, &[Int], Double),
        (F::Double, &[String], Double),
        (F::String, &[String], String),
        (F::String, &[Int], String),
        (F::String, &[Double], String),
        (F::String, &[Bool], String),
        (F::Timestamp, &[String], Timestamp),
        (F::Timestamp, &[Int], Timestamp),
        (F::Timestamp, &[Timestamp], Timestamp),
        (F::Duration, &[String], Duration),
    ]
};
