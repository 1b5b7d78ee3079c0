//! One rule: a claim that holds a header, a scope, and the clock.

use std::hint::black_box;

use portcullis::rule::check::check;
use portcullis::rule::{Declarations, Facts, Fault, Type, Value, evaluate};
use serde_json::{Value as Json, json};

use super::Result;

/// Prints a line for its evaluation, and one for its reading, which the command does.
pub(crate) fn lines(line: impl Fn(&str, &mut dyn FnMut())) -> Result<()> {
    let declared = Declarations::new(vec![
        ("claims", Type::Named(Box::new(Type::Dyn))),
        ("caller.scopes", Type::String.list()),
        ("header", Type::String),
        ("time.hour", Type::Int),
    ]);
    let rule = check(RULE, &declared).map_err(|flaws| format!("{flaws:?}"))?;
    let request = Request(json!({
        "claims": { "desks": ["d-1", "d-2", "d-3"] },
        "caller.scopes": ["orders:read", "travel:write"],
        "header": "d-3",
        "time.hour": 9,
    }));
    if evaluate(&rule, &request) != Ok(true) {
        return Err("the rule does not let the request pass".into());
    }
    line("rule, evaluate", &mut || {
        let _ = black_box(evaluate(black_box(&rule), &request));
    });
    line("rule, read and check", &mut || {
        drop(black_box(check(black_box(RULE), &declared)));
    });
    Ok(())
}

struct Request(Json);

impl Facts for Request {
    fn variable(&self, name: &str) -> std::result::Result<Option<Value<'_>>, Fault> {
        Ok(self.0.get(name).map(Value::from))
    }
}

const RULE: &str = "header in claims.desks && 'travel:write' in caller.scopes \
    && (time.hour >= 7 && time.hour < 19 || caller.scopes.exists(s, s.endsWith(':any')))";
