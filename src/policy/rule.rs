//! Rules: conditions in CEL, and what they may ask about.

use serde::{Deserialize, Serialize};

use super::source::RuleHeaders;
use crate::calendar::Zone;
use crate::rule::{Declarations, Expression, Type};

/// Every rule of the policy.
#[derive(Debug, Default)]
pub struct Rules {
    /// The rules; operations point here.
    pub all: Vec<Rule>,
    /// Where the country and the device stand.
    pub headers: RuleHeaders,
}

/// One rule.
#[derive(Debug)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// What its condition decides.
    pub verdict: Verdict,
    /// The condition as a person wrote it.
    pub text: String,
    /// The condition, checked.
    pub condition: Expression,
    /// Where its clock hangs.
    pub zone: Zone,
    /// Whether it asks for the anomaly score, and so must wait for it.
    pub asks_for_risk: bool,
}

/// What a condition decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// What satisfies it passes.
    AllowIf,
    /// What satisfies it is refused.
    DenyIf,
}

/// A rule as it travels to the filter: read and checked by the command, beside the
/// text that it was read from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PreparedRule {
    /// The condition and the time zone that it was made from.
    pub of: String,
    /// The time zone's rule (POSIX `TZ`).
    pub zone: String,
    /// The condition.
    pub condition: Expression,
}

/// What rules may ask about.
pub fn declarations() -> Declarations {
    Declarations::new(variables())
}

/// What the keys of limits may ask about: by the clock every count would begin anew
/// whenever it strikes, and the risk is not known yet.
pub fn key_declarations() -> Declarations {
    let mut variables = variables();
    variables.retain(|(name, _)| !name.starts_with("time.") && *name != RISK);
    Declarations::new(variables)
}

/// Whether a variable tells of who calls, which is not known before authentication.
pub fn tells_of_caller(variable: &str) -> bool {
    let namespace = variable.split('.').next();
    matches!(namespace, Some("claims" | "caller" | "key" | "certificate"))
}

fn variables() -> Vec<(&'static str, Type)> {
    let named = Type::Named(Box::new(Type::Dyn));
    vec![
        ("claims", named),
        ("caller.kind", Type::String),
        ("caller.client", Type::String),
        ("caller.subject", Type::String),
        ("caller.issuer", Type::String),
        ("caller.scopes", Type::String.list()),
        ("caller.roles", Type::String.list()),
        ("key.id", Type::String),
        ("key.owner", Type::String),
        ("key.tier", Type::String),
        ("certificate.name", Type::String),
        ("certificate.owner", Type::String),
        ("certificate.subject", Type::String),
        ("certificate.uris", Type::String.list()),
        ("certificate.dns", Type::String.list()),
        ("request.method", Type::String),
        ("request.path", Type::String),
        ("request.host", Type::String),
        ("request.headers", Type::String.map()),
        ("request.query", Type::String.list().map()),
        ("request.parameters", Type::String.map()),
        ("operation", Type::String),
        ("source.address", Type::String),
        ("country", Type::String),
        ("device", Type::String),
        ("time.year", Type::Int),
        ("time.month", Type::Int),
        ("time.day", Type::Int),
        ("time.weekday", Type::Int),
        ("time.hour", Type::Int),
        ("time.minute", Type::Int),
        ("time.timestamp", Type::Timestamp),
        (RISK, Type::Double),
    ]
}

/// The anomaly score, which is known only after all else.
pub const RISK: &str = "risk";
