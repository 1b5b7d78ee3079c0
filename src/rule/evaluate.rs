//! Evaluation, with CEL's meaning and with an end.
//!
//! `&&` and `||` answer when either side decides, whatever the other side does, even
//! if it fails: that is CEL's rule, and it makes them commutative. Running out of
//! steps is no such failure: once there are none left, every further node fails.

use super::expression::{Expression, Index, Node, Quantifier};
use super::function::{Function, weight};
use super::value::{Fault, Map, Value, same_scalar};
use super::{MAX_DEPTH, MAX_STEPS};

/// What the host knows.
pub trait Facts {
    /// The value of a variable; `None`: there is none in this request.
    ///
    /// # Errors
    /// [`Fault::Unreadable`] when what stands there is no text.
    fn variable(&self, name: &str) -> Result<Option<Value<'_>>, Fault>;
}

/// Evaluates an expression that must be true or false.
///
/// # Errors
/// The first fault that decides, [`Fault::Overload`] when the value is neither.
pub fn evaluate(expression: &Expression, facts: &dyn Facts) -> Result<bool, Fault> {
    Run::of(expression, facts).truth(expression.root())
}

/// Evaluates an expression to whatever it gives.
///
/// # Errors
/// The first fault that decides.
pub(super) fn value<'a>(
    expression: &'a Expression,
    facts: &'a dyn Facts,
) -> Result<Value<'a>, Fault> {
    Run::of(expression, facts).value(expression.root())
}

struct Run<'a> {
    nodes: &'a [Node],
    facts: &'a dyn Facts,
    left: u32,
    elements: Vec<(&'a str, Value<'a>)>,
}

impl<'a> Run<'a> {
    fn of(expression: &'a Expression, facts: &'a dyn Facts) -> Self {
        Run {
            nodes: expression.nodes(),
            facts,
            left: MAX_STEPS,
            elements: Vec::new(),
        }
    }

    fn value(&mut self, index: Index) -> Result<Value<'a>, Fault> {
        self.spend(1)?;
        let nodes = self.nodes;
        match nodes.get(usize::from(index)).ok_or(Fault::Absent)? {
            Node::Null => Ok(Value::Null),
            Node::Bool(truth) => Ok(Value::Bool(*truth)),
            Node::Int(number) => Ok(Value::Int(*number)),
            Node::Double(number) => Ok(Value::Double(*number)),
            Node::String(text) => Ok(Value::from(text.as_str())),
            Node::List(parts) => parts.iter().map(|part| self.value(*part)).collect(),
            Node::Map(entries) => self.map(entries),
            Node::Variable(name) => {
                let value = self.facts.variable(name)?.ok_or(Fault::Absent)?;
                self.weighed(value)
            }
            Node::Known(name) => Ok(Value::Bool(self.facts.variable(name)?.is_some())),
            Node::Element(name) => {
                let found = self.elements.iter().rev().find(|(other, _)| other == name);
                let value = found.map(|(_, value)| value.clone()).ok_or(Fault::Absent)?;
                self.weighed(value)
            }
            Node::Select(of, name) => self.member(*of, name)?.ok_or(Fault::Absent),
            Node::Has(of, name) => Ok(Value::Bool(self.member(*of, name)?.is_some())),
            Node::Call(function, parts) => self.call(*function, parts),
            Node::And(a, b) => self.either(*a, *b, false),
            Node::Or(a, b) => self.either(*a, *b, true),
            Node::If(condition, then, otherwise) => match self.truth(*condition)? {
                true => self.value(*then),
                false => self.value(*otherwise),
            },
            Node::Loop(quantifier, range, name, body) => {
                self.quantify(*quantifier, *range, name, *body)
            }
        }
    }

    fn truth(&mut self, index: Index) -> Result<bool, Fault> {
        match self.value(index)? {
            Value::Bool(truth) => Ok(truth),
            _ => Err(Fault::Overload),
        }
    }

    /// `&&` is decided by one side that is false, `||` by one that is true.
    fn either(&mut self, a: Index, b: Index, decisive: bool) -> Result<Value<'a>, Fault> {
        let first = self.truth(a);
        if first == Ok(decisive) {
            return Ok(Value::Bool(decisive));
        }
        let second = self.truth(b);
        if second == Ok(decisive) {
            return Ok(Value::Bool(decisive));
        }
        first.and(second).map(Value::Bool)
    }

    fn map(&mut self, written: &[(Index, Index)]) -> Result<Value<'a>, Fault> {
        let mut entries: Vec<(Value<'a>, Value<'a>)> = Vec::with_capacity(written.len());
        for (key, value) in written {
            let key = self.value(*key)?;
            self.spend(entries.len())?;
            if !matches!(key, Value::String(_) | Value::Int(_) | Value::Bool(_))
                || entries.iter().any(|(other, _)| same_scalar(other, &key))
            {
                return Err(Fault::Overload);
            }
            entries.push((key, self.value(*value)?));
        }
        Ok(Value::Map(Map::Values(entries.into())))
    }

    fn member(&mut self, of: Index, name: &'a str) -> Result<Option<Value<'a>>, Fault> {
        match self.value(of)? {
            Value::Map(map) => {
                let found = map.at(&Value::from(name))?;
                found.map(|value| self.weighed(value)).transpose()
            }
            _ => Err(Fault::Overload),
        }
    }

    fn call(&mut self, function: Function, parts: &[Index]) -> Result<Value<'a>, Fault> {
        let mut arguments = Vec::with_capacity(parts.len());
        for part in parts {
            let argument = self.value(*part)?;
            arguments.push(self.weighed(argument)?);
        }
        match (function, arguments.as_slice()) {
            (Function::Equal, [a, b]) => self.equal(a, b, MAX_DEPTH).map(Value::Bool),
            (Function::NotEqual, [a, b]) => {
                let equal = self.equal(a, b, MAX_DEPTH)?;
                Ok(Value::Bool(!equal))
            }
            (Function::In, [needle, Value::List(list)]) => {
                for element in list.iter() {
                    if self.equal(needle, &element, MAX_DEPTH)? {
                        return Ok(Value::Bool(true));
                    }
                }
                Ok(Value::Bool(false))
            }
            (Function::In, [key, Value::Map(map)]) => Ok(Value::Bool(map.at(key)?.is_some())),
            (function, arguments) => function.apply(arguments),
        }
    }

    /// Values of different types are different, and so are lists of different length.
    fn equal(&mut self, a: &Value<'a>, b: &Value<'a>, depth: usize) -> Result<bool, Fault> {
        let look = weight(a) + weight(b);
        self.spend(1 + look)?;
        let below = depth.checked_sub(1).ok_or(Fault::Range)?;
        match (a, b) {
            (Value::List(a), Value::List(b)) => {
                if a.len() != b.len() {
                    return Ok(false);
                }
                for (a, b) in a.iter().zip(b.iter()) {
                    if !self.equal(&a, &b, below)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            (Value::Map(a), Value::Map(b)) => {
                let keys = a.keys()?;
                if keys.len() != b.keys()?.len() {
                    return Ok(false);
                }
                for key in keys {
                    self.spend(look)?;
                    let same = match (a.at(&key)?, b.at(&key)?) {
                        (Some(a), Some(b)) => self.equal(&a, &b, below)?,
                        _ => false,
                    };
                    if !same {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            (a, b) => Ok(same_scalar(a, b)),
        }
    }

    fn quantify(
        &mut self,
        quantifier: Quantifier,
        range: Index,
        name: &'a str,
        body: Index,
    ) -> Result<Value<'a>, Fault> {
        let range = match self.value(range)? {
            Value::List(list) => list,
            Value::Map(map) => super::List::Values(map.keys()?.into()),
            _ => return Err(Fault::Overload),
        };
        let decisive = quantifier == Quantifier::Exists;
        let mut fault = None;
        let mut holding = 0_u32;
        for element in range.iter() {
            self.elements.push((name, element));
            let truth = self.truth(body);
            self.elements.pop();
            match (truth, quantifier) {
                (Err(found), _) if self.left == 0 => return Err(found),
                (Err(found), Quantifier::ExistsOne) => return Err(found),
                (Err(found), _) => fault = fault.or(Some(found)),
                (Ok(truth), Quantifier::ExistsOne) => holding += u32::from(truth),
                (Ok(truth), _) if truth == decisive => return Ok(Value::Bool(decisive)),
                (Ok(_), _) => {}
            }
        }
        match (fault, quantifier) {
            (Some(fault), _) => Err(fault),
            (None, Quantifier::ExistsOne) => Ok(Value::Bool(holding == 1)),
            (None, _) => Ok(Value::Bool(!decisive)),
        }
    }

    /// The value, when there are steps left for what it is to look at it.
    fn weighed(&mut self, value: Value<'a>) -> Result<Value<'a>, Fault> {
        self.spend(weight(&value))?;
        Ok(value)
    }

    fn spend(&mut self, steps: usize) -> Result<(), Fault> {
        let left = u32::try_from(steps)
            .ok()
            .and_then(|steps| self.left.checked_sub(steps));
        self.left = left.unwrap_or(0);
        match left {
            Some(_) => Ok(()),
            None => Err(Fault::Exhausted),
        }
    }
}
