//! Variables: alone, in a namespace, or hidden by a loop.

use cel::common::ast::{Expr, IdedExpr};

use super::signature::spelt;
use super::{Checker, Visited};
use crate::rule::expression::Node;
use crate::rule::types::Type;

impl Checker<'_> {
    pub(super) fn name(&mut self, expr: &IdedExpr, name: &str) -> Visited {
        let element = self.elements.iter().rev().find(|(other, _)| other == name);
        if let Some((_, given)) = element {
            let given = given.clone();
            return self.push(Node::Element(name.into()), given);
        }
        if let Some(declared) = self.declared.of(name) {
            let given = declared.clone();
            return self.push(Node::Variable(name.into()), given);
        }
        let inside: Vec<&str> = self
            .declared
            .names()
            .filter(|other| is_inside(other, name))
            .collect();
        match inside.is_empty() {
            true => {
                let hint = format!("use one of {}", spelt(&self.namespaces()));
                self.flaw(expr, format!("`{name}` is not a variable"), &hint)
            }
            false => {
                let hint = format!("use one of {}", spelt(&inside));
                self.flaw(expr, format!("`{name}` is not a value by itself"), &hint)
            }
        }
    }

    /// A name in a namespace, such as `request.method`, unless a loop took its first
    /// word.
    pub(super) fn qualified(&mut self, expr: &IdedExpr, test: bool) -> Option<Visited> {
        let words = words(&expr.expr)?;
        let first = words.first()?;
        if self.elements.iter().any(|(name, _)| name == first) {
            return None;
        }
        let name = words.join(".");
        if let Some(declared) = self.declared.of(&name) {
            let given = declared.clone();
            return Some(match test {
                true => self.push(Node::Known(name), Type::Bool),
                false => self.push(Node::Variable(name), given),
            });
        }
        let inside: Vec<&str> = self
            .declared
            .names()
            .filter(|other| is_inside(other, first))
            .collect();
        let within = |other: &&str| {
            name.strip_prefix(*other)
                .is_some_and(|at| at.starts_with('.'))
        };
        if inside.is_empty() || inside.iter().any(within) {
            return None;
        }
        let hint = format!("use one of {}", spelt(&inside));
        Some(self.flaw(expr, format!("`{name}` is not a variable"), &hint))
    }

    fn namespaces(&self) -> Vec<&'static str> {
        let first = |name: &'static str| name.split('.').next().unwrap_or(name);
        let mut names: Vec<&str> = self.declared.names().map(first).collect();
        names.dedup();
        names
    }
}

/// `a.b.c`, in words.
fn words(expr: &Expr) -> Option<Vec<&str>> {
    match expr {
        Expr::Ident(name) => Some(vec![name]),
        Expr::Select(select) => {
            let mut words = words(&select.operand.expr)?;
            words.push(&select.field);
            Some(words)
        }
        _ => None,
    }
}

fn is_inside(name: &str, namespace: &str) -> bool {
    name.strip_prefix(namespace)
        .is_some_and(|rest| rest.starts_with('.'))
}
