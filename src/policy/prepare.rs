//! What the command makes of a policy before it travels, since the filter cannot: it
//! has neither a reader of CEL nor a database of time zones.

use std::collections::BTreeMap;

use super::compile::rule::written;
use super::problem::{Problem, Problems};
use super::rule::{PreparedRule, declarations, key_declarations};
use super::source::{Rule, Source};
use crate::calendar::rule_of;
use crate::rule::Expression;
use crate::rule::check::{Flaw, check, check_key};

/// Every rule of a policy, read and checked.
///
/// # Errors
/// Every flaw in any of them, each with its position.
pub fn rules(source: &Source) -> Result<BTreeMap<String, PreparedRule>, Vec<Problem>> {
    let mut problems = Problems::default();
    let mut prepared = BTreeMap::new();
    for (name, rule) in &source.rules {
        if let Some(rule) = prepare(rule, &format!("policy.rules.{name}"), &mut problems) {
            prepared.insert(name.clone(), rule);
        }
    }
    problems.into_result(prepared)
}

/// Every expression by which a limit counts, read and checked, by its text; and every
/// flaw in the others, each with its position.
pub fn keys(source: &Source) -> (BTreeMap<String, Expression>, Vec<Problem>) {
    let mut problems = Problems::default();
    let mut prepared = BTreeMap::new();
    for (path, text) in source.quotas.expressions() {
        match check_key(text, &key_declarations()) {
            Ok(expression) => {
                prepared.insert(text.to_owned(), expression);
            }
            Err(flaws) => told(&path, flaws, &mut problems),
        }
    }
    let flaws = problems.into_result(()).err().unwrap_or_default();
    (prepared, flaws)
}

/// A rule in which not exactly one condition stands is a problem that compiling finds.
fn prepare(rule: &Rule, path: &str, problems: &mut Problems) -> Option<PreparedRule> {
    let (field, text) = rule.condition()?;
    let zone = match &rule.time_zone {
        None => Some("UTC0".to_owned()),
        Some(name) => rule_of(name),
    };
    if zone.is_none() {
        problems.add(
            format!("{path}.time_zone"),
            "is not in the tz database",
            "write a name such as `Europe/Berlin`",
        );
    }
    let condition = match check(text, &declarations()) {
        Ok(condition) => Some(condition),
        Err(flaws) => {
            told(&format!("{path}.{field}"), flaws, problems);
            None
        }
    };
    Some(PreparedRule {
        of: written(rule),
        zone: zone?,
        condition: condition?,
    })
}

fn told(path: &str, flaws: Vec<Flaw>, problems: &mut Problems) {
    for flaw in flaws {
        let place = match flaw.line {
            1 => format!("character {}", flaw.column),
            line => format!("line {line}, character {}", flaw.column),
        };
        problems.add(path, format!("{place}: {}", flaw.message), flaw.hint);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, from_value, json};

    fn complaints(rules: Value) -> Vec<String> {
        let source: Source = from_value(json!({ "openapi": "o.yaml", "rules": rules })).unwrap();
        let found = super::rules(&source).err().unwrap_or_default();
        found.iter().map(Problem::to_string).collect()
    }

    #[test]
    fn flaws_have_their_place() {
        assert_eq!(
            complaints(json!({
                "a": { "allow_if": "claims.tenant ==\n 'x' && claim.x" },
                "b": { "deny_if": "time.hour > '9'", "time_zone": "Europe/Atlantis" },
                "c": { "allow_if": "time.hour > 9", "time_zone": "Europe/Berlin" },
            }))
            .iter()
            .map(|said| said.split("; ").next().unwrap())
            .collect::<Vec<_>>(),
            [
                "policy.rules.a.allow_if: line 2, character 9: `claim` is not a variable",
                "policy.rules.b.time_zone: is not in the tz database",
                "policy.rules.b.deny_if: character 11: `>` does not go with `int`, `string`",
            ]
        );
    }

    #[test]
    fn keys_are_read_where_they_stand() {
        let limit = |key: Value| json!({ "requests": 1, "per": "1s", "key": key });
        let plans = json!({ "p": { "limits": {
            "a": limit(json!({ "cel": "request.headers['x-team']" })),
            "b": limit(json!(["address", { "cel": "caller.scopes" }])),
            "c": limit(json!({ "cel": "time.hour" })),
        } } });
        let source = |plans: Value| -> Source {
            let policy = json!({ "openapi": "o.yaml", "quotas": { "plans": plans } });
            from_value(policy).unwrap()
        };
        let (prepared, found) = keys(&source(plans));
        let said: Vec<String> = found.iter().map(Problem::to_string).collect();
        assert_eq!(
            said.iter()
                .map(|said| said.split("; ").next().unwrap())
                .collect::<Vec<_>>(),
            [
                "policy.quotas.plans.p.limits.b.key[1].cel: character 7: is `list(string)`, by \
                 which nothing can be counted",
                "policy.quotas.plans.p.limits.c.key.cel: character 1: `time` is not a variable",
            ]
        );
        assert_eq!(
            prepared.keys().collect::<Vec<_>>(),
            ["request.headers['x-team']"]
        );
    }
}
