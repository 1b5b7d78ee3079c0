//! From a rule's text to an expression that is known to make sense.
//!
//! The crate `cel` parses. What it parsed is checked here against the declared
//! variables, and every flaw is found at once: a rule that names nothing, or adds a
//! text to a number, is refused when it is written and not when a request comes.

mod names;
mod purpose;
mod signature;

use cel::Env;
use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, LiteralValue, SourceInfo, operators};

use super::expression::{Expression, Index, Node, Quantifier};
use super::types::{Declarations, Type};
use super::{Function, MAX_DEPTH, MAX_NODES, MAX_SOURCE_BYTES, time};
use purpose::Purpose;
use signature::{result, spelt};

/// Something wrong with a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// Where in the text, from 1.
    pub line: usize,
    /// Where in the line, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub hint: String,
}

/// Reads and checks a condition.
///
/// # Errors
/// Every flaw: text that is no CEL, unknown names and functions, types that do not
/// go together, a result that is neither true nor false, and too much of anything.
pub fn check(text: &str, declared: &Declarations) -> Result<Expression, Vec<Flaw>> {
    check_for(Purpose::Condition, text, declared)
}

/// Reads and checks an expression that tells one thing from another.
///
/// # Errors
/// As [`check`], except that the result is a text, a whole number or a truth value.
pub fn check_key(text: &str, declared: &Declarations) -> Result<Expression, Vec<Flaw>> {
    check_for(Purpose::Key, text, declared)
}

fn check_for(
    purpose: Purpose,
    text: &str,
    declared: &Declarations,
) -> Result<Expression, Vec<Flaw>> {
    if text.len() > MAX_SOURCE_BYTES {
        let message = format!("is longer than {MAX_SOURCE_BYTES} bytes");
        return Err(whole(message, "make two rules of it"));
    }
    // The parser recurses before it counts, so it must not see what is too deep.
    if nesting(text) > MAX_DEPTH {
        let message = format!("is more than {MAX_DEPTH} levels deep");
        return Err(whole(message, "make two rules of it"));
    }
    // Nor does `1+1+1+…` need a bracket to be deep. What is left is as deep as a text
    // is long at most, and this is stack enough for that.
    let read = std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(PARSER_STACK_BYTES);
        let reading = thread.spawn_scoped(scope, || read(purpose, text, declared));
        reading.ok()?.join().ok()
    });
    read.unwrap_or_else(|| {
        let message = "cannot be read on this machine".into();
        Err(whole(message, "make two rules of it"))
    })
}

/// Reads and checks a text that is neither too long nor too deep in brackets.
fn read(purpose: Purpose, text: &str, declared: &Declarations) -> Result<Expression, Vec<Flaw>> {
    // Without the standard macros, calls such as `all` stay as they were written.
    let (parsed, source) = Env::default()
        .parser()
        .parse_with_source_info(text)
        .map_err(|found| found.errors.into_iter().map(unparsed).collect::<Vec<_>>())?;
    let mut checker = Checker {
        declared,
        source: &source,
        text,
        nodes: Vec::new(),
        elements: Vec::new(),
        flaws: Vec::new(),
    };
    let (_, of) = checker.visit(&parsed);
    if let Some((message, hint)) = purpose.misses(&of) {
        checker.flaw(&parsed, message, hint);
    }
    if !checker.flaws.is_empty() {
        return Err(checker.flaws);
    }
    let nodes = checker.nodes;
    Expression::try_from(nodes).map_err(|message| whole(message, "make two rules of it"))
}

struct Checker<'a> {
    declared: &'a Declarations,
    source: &'a SourceInfo,
    text: &'a str,
    nodes: Vec<Node>,
    elements: Vec<(String, Type)>,
    flaws: Vec<Flaw>,
}

/// Where a lowered node stands, and what it gives. After a flaw it gives anything, so
/// that one flaw is not told twice.
type Visited = (Index, Type);

impl Checker<'_> {
    fn visit(&mut self, expr: &IdedExpr) -> Visited {
        let visited = self.visit_any(expr);
        match &visited.1 {
            Type::Named(_) => self.flaw(
                expr,
                format!("`{}` is used as a whole", self.written(expr)),
                "name the member, as in `claims.tenant`",
            ),
            _ => visited,
        }
    }

    /// As [`visit`](Self::visit), where a member is to be named.
    fn visit_any(&mut self, expr: &IdedExpr) -> Visited {
        match &expr.expr {
            Expr::Literal(literal) => self.literal(expr, literal),
            Expr::Ident(name) => self.name(expr, name),
            Expr::Select(select) => {
                if let Some(found) = self.qualified(expr, select.test) {
                    return found;
                }
                let (of, given) = self.visit_any(&select.operand);
                self.select(expr, of, &given, &select.field, select.test)
            }
            Expr::Call(call) => self.call(expr, call),
            Expr::List(list) => self.list(&list.elements),
            Expr::Map(map) => {
                let entries: Vec<(&IdedExpr, &IdedExpr)> = map
                    .entries
                    .iter()
                    .filter_map(|entry| match &entry.expr {
                        EntryExpr::MapEntry(entry) => Some((&entry.key, &entry.value)),
                        EntryExpr::StructField(_) => None,
                    })
                    .collect();
                self.map(&entries)
            }
            Expr::Comprehension(_) | Expr::Struct(_) | Expr::Unspecified => self.flaw(
                expr,
                "builds a message, which rules have not".into(),
                "use a map such as `{\"a\": 1}`",
            ),
        }
    }

    fn literal(&mut self, expr: &IdedExpr, literal: &LiteralValue) -> Visited {
        let (node, given) = match literal {
            LiteralValue::Boolean(truth) => (Node::Bool(*truth.inner()), Type::Bool),
            LiteralValue::Int(number) => (Node::Int(*number.inner()), Type::Int),
            LiteralValue::Double(number) if number.inner().is_finite() => {
                (Node::Double(*number.inner()), Type::Double)
            }
            LiteralValue::String(text) => (Node::String(text.inner().into()), Type::String),
            LiteralValue::Null => (Node::Null, Type::Null),
            LiteralValue::UInt(_) => {
                let hint = "write the number without `u`";
                return self.flaw(expr, "`uint` is not a type of rules".into(), hint);
            }
            LiteralValue::Bytes(_) => {
                let hint = "write a text without `b`";
                return self.flaw(expr, "`bytes` is not a type of rules".into(), hint);
            }
            LiteralValue::Double(_) => {
                return self.flaw(expr, "is no finite number".into(), "write a smaller one");
            }
        };
        self.push(node, given)
    }

    fn select(
        &mut self,
        expr: &IdedExpr,
        of: Index,
        given: &Type,
        field: &str,
        test: bool,
    ) -> Visited {
        let value = match given {
            Type::Dyn => Type::Dyn,
            Type::Map(value) | Type::Named(value) => value.as_ref().clone(),
            other => {
                let message = format!("`{other}` has no member `{field}`");
                return self.flaw(expr, message, "name a member of a map");
            }
        };
        match test {
            true => self.push(Node::Has(of, field.into()), Type::Bool),
            false => self.push(Node::Select(of, field.into()), value),
        }
    }

    fn list(&mut self, elements: &[IdedExpr]) -> Visited {
        let visited: Vec<Visited> = elements.iter().map(|element| self.visit(element)).collect();
        let given = one_type(visited.iter().map(|(_, given)| given));
        let parts = visited.into_iter().map(|(index, _)| index).collect();
        self.push(Node::List(parts), given.list())
    }

    fn map(&mut self, entries: &[(&IdedExpr, &IdedExpr)]) -> Visited {
        let mut parts = Vec::new();
        let mut values = Vec::new();
        for (key, value) in entries {
            let (at, given) = self.visit(key);
            if !given.fits(&Type::String) {
                let message = format!("`{given}` is no key");
                self.flaw(key, message, "use a text");
            }
            let (value, given) = self.visit(value);
            parts.push((at, value));
            values.push(given);
        }
        let given = one_type(values.iter());
        self.push(Node::Map(parts), given.map())
    }

    fn call(&mut self, expr: &IdedExpr, call: &CallExpr) -> Visited {
        let name = call.func_name.as_str();
        match (name, call.target.as_deref(), call.args.as_slice()) {
            (operators::LOGICAL_AND, None, [a, b]) => {
                let (a, b) = (self.condition(a), self.condition(b));
                self.push(Node::And(a, b), Type::Bool)
            }
            (operators::LOGICAL_OR, None, [a, b]) => {
                let (a, b) = (self.condition(a), self.condition(b));
                self.push(Node::Or(a, b), Type::Bool)
            }
            (operators::CONDITIONAL, None, [condition, a, b]) => {
                let condition = self.condition(condition);
                let ((a, given), (b, other)) = (self.visit(a), self.visit(b));
                if !given.fits(&other) {
                    let message = format!("the one side is `{given}`, the other `{other}`");
                    return self.flaw(expr, message, "give both one type");
                }
                self.push(
                    Node::If(condition, a, b),
                    one_type([&given, &other].into_iter()),
                )
            }
            ("has", None, [argument]) => match &argument.expr {
                Expr::Select(select) => {
                    let mut tested = select.clone();
                    tested.test = true;
                    self.visit(&IdedExpr {
                        id: argument.id,
                        expr: Expr::Select(tested),
                    })
                }
                _ => self.flaw(
                    expr,
                    "`has` asks for a member".into(),
                    "write `has(claims.tenant)` or `\"x-tenant\" in request.headers`",
                ),
            },
            (operators::INDEX, None, [of, key]) => self.index(expr, of, key),
            (operators::IN, None, [key, of]) => self.is_in(expr, key, of),
            ("all", Some(range), [name, body]) => {
                self.quantify(expr, Quantifier::All, range, name, body)
            }
            ("exists", Some(range), [name, body]) => {
                self.quantify(expr, Quantifier::Exists, range, name, body)
            }
            ("exists_one", Some(range), [name, body]) => {
                self.quantify(expr, Quantifier::ExistsOne, range, name, body)
            }
            (_, target, arguments) => {
                let parts: Vec<&IdedExpr> = target.into_iter().chain(arguments).collect();
                match Function::of(name, target.is_some()) {
                    Ok(function) => self.apply(expr, function, &parts),
                    Err(hint) => {
                        for part in parts {
                            self.visit(part);
                        }
                        self.flaw(expr, format!("`{name}` is not a function of rules"), hint)
                    }
                }
            }
        }
    }

    fn apply(&mut self, expr: &IdedExpr, function: Function, parts: &[&IdedExpr]) -> Visited {
        let visited: Vec<Visited> = parts.iter().map(|part| self.visit(part)).collect();
        let given: Vec<Type> = visited.iter().map(|(_, given)| given.clone()).collect();
        let indices = visited.into_iter().map(|(index, _)| index).collect();
        if let ([one], Function::Timestamp | Function::Duration) = (parts, function)
            && let Expr::Literal(LiteralValue::String(text)) = &one.expr
        {
            let text = text.inner();
            let (good, hint) = match function {
                Function::Timestamp => (
                    time::timestamp(text).is_some(),
                    "write it as in `2026-12-31T23:59:59Z`",
                ),
                _ => (time::duration(text).is_some(), "write it as in `1h30m`"),
            };
            if !good {
                return self.flaw(one, format!("`{text}` cannot be read"), hint);
            }
        }
        match result(function, &given) {
            Some(given) => self.push(Node::Call(function, indices), given),
            None => {
                let types: Vec<String> = given.iter().map(Type::to_string).collect();
                let message = format!("`{}` does not go with {}", function.sign(), spelt(&types));
                self.flaw(expr, message, function.usage())
            }
        }
    }

    /// `claims["x"]` is `claims.x` for a name that is no word.
    fn index(&mut self, expr: &IdedExpr, of: &IdedExpr, key: &IdedExpr) -> Visited {
        if let Expr::Literal(LiteralValue::String(name)) = &key.expr {
            let (of, given) = self.visit_any(of);
            if matches!(given, Type::Map(_) | Type::Named(_)) {
                return self.select(expr, of, &given, name.inner(), false);
            }
            let (key, _) = self.visit(key);
            return match given {
                Type::Dyn => self.push(Node::Call(Function::Index, vec![of, key]), Type::Dyn),
                other => {
                    let message = format!("`{other}` has no member");
                    self.flaw(expr, message, Function::Index.usage())
                }
            };
        }
        self.apply(expr, Function::Index, &[of, key])
    }

    fn is_in(&mut self, expr: &IdedExpr, key: &IdedExpr, of: &IdedExpr) -> Visited {
        if let Expr::Literal(LiteralValue::String(name)) = &key.expr {
            let before = self.nodes.len();
            let (of, given) = self.visit_any(of);
            if matches!(given, Type::Named(_)) {
                return self.select(expr, of, &given, name.inner(), true);
            }
            self.nodes.truncate(before);
        }
        self.apply(expr, Function::In, &[key, of])
    }

    fn quantify(
        &mut self,
        expr: &IdedExpr,
        quantifier: Quantifier,
        range: &IdedExpr,
        name: &IdedExpr,
        body: &IdedExpr,
    ) -> Visited {
        let (range_at, given) = self.visit(range);
        let element = match given {
            Type::List(element) => *element,
            Type::Map(_) => Type::String,
            Type::Dyn => Type::Dyn,
            other => {
                let message = format!("`{other}` has no elements");
                return self.flaw(range, message, "go through a list");
            }
        };
        let Expr::Ident(name) = &name.expr else {
            let hint = "write as in `caller.scopes.exists(scope, scope == \"a\")`";
            return self.flaw(expr, "does not name the element".into(), hint);
        };
        self.elements.push((name.clone(), element));
        let body = self.condition(body);
        self.elements.pop();
        self.push(
            Node::Loop(quantifier, range_at, name.clone(), body),
            Type::Bool,
        )
    }

    fn condition(&mut self, expr: &IdedExpr) -> Index {
        let (index, given) = self.visit(expr);
        if !given.fits(&Type::Bool) {
            let message = format!("`{given}` is no condition");
            self.flaw(expr, message, "compare it with something");
        }
        index
    }

    fn push(&mut self, node: Node, given: Type) -> Visited {
        // One too many is enough for the refusal.
        if self.nodes.len() <= MAX_NODES {
            self.nodes.push(node);
        }
        let last = self.nodes.len().saturating_sub(1);
        (Index::try_from(last).unwrap_or(Index::MAX), given)
    }

    fn flaw(&mut self, expr: &IdedExpr, message: String, hint: &str) -> Visited {
        let (start, _) = self.offsets(expr);
        let before: Vec<char> = self.text.chars().take(start).collect();
        let line_start = before.iter().rposition(|at| *at == '\n');
        self.flaws.push(Flaw {
            line: before.iter().filter(|at| **at == '\n').count() + 1,
            column: before.len() - line_start.map_or(0, |at| at + 1) + 1,
            message,
            hint: hint.into(),
        });
        self.push(Node::Null, Type::Dyn)
    }

    fn offsets(&self, expr: &IdedExpr) -> (usize, usize) {
        let found = self.source.offset_for(expr.id).unwrap_or_default();
        let place = |offset: u32| usize::try_from(offset).unwrap_or_default();
        (place(found.0), place(found.1))
    }

    fn written(&self, expr: &IdedExpr) -> String {
        let (start, end) = self.offsets(expr);
        let length = end.saturating_sub(start).saturating_add(1);
        self.text.chars().skip(start).take(length).collect()
    }
}

/// A flaw of the text as a whole.
fn whole(message: String, hint: &str) -> Vec<Flaw> {
    vec![Flaw {
        line: 1,
        column: 1,
        message,
        hint: hint.into(),
    }]
}

fn unparsed(error: cel::ParseError) -> Flaw {
    let place = |number: isize| usize::try_from(number).unwrap_or_default().max(1);
    let message: String = error.msg.replace('`', "'").replace('\n', " ");
    Flaw {
        line: place(error.pos.0),
        column: place(error.pos.1),
        message: format!("is not CEL: {}", message.to_lowercase()),
        hint: "write as in `claims.tenant == request.parameters.tenant`".into(),
    }
}

/// How deep brackets stand in brackets, and conditionals in conditionals. Those in
/// texts and comments count as well: better one too many.
fn nesting(text: &str) -> usize {
    let mut open: usize = 0;
    let mut deepest = 0;
    for byte in text.bytes() {
        match byte {
            b'(' | b'[' | b'{' | b'?' => open += 1,
            b')' | b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(open);
    }
    deepest
}

/// The type of all of them, if they have one.
fn one_type<'t>(mut types: impl Iterator<Item = &'t Type>) -> Type {
    let Some(first) = types.next() else {
        return Type::Dyn;
    };
    match types.all(|other| other == first) {
        true => first.clone(),
        false => Type::Dyn,
    }
}

/// The deepest texts of 4,096 bytes overflow 8 MiB without optimization, and are read
/// on 32. It is reserved, and used only as far as a text goes.
const PARSER_STACK_BYTES: usize = 64 << 20;

#[cfg(test)]
mod tests;
