//! What the command makes of a policy before it travels, since the filter cannot: it
//! has neither a reader of CEL nor a database of time zones.

use std::collections::BTreeMap;

use super::compile::rule::written;
use super::problem::{Problem, Problems};
use super::rule::{PreparedRule, declarations};
use super::source::{Rule, Source};
use crate::calendar::rule_of;
use crate::rule::check::check;

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
            for flaw in flaws {
                let place = match flaw.line {
                    1 => format!("character {}", flaw.column),
                    line => format!("line {line}, character {}", flaw.column),
                };
                problems.add(
                    format!("{path}.{field}"),
                    format!("{place}: {}", flaw.message),
                    flaw.hint,
                );
            }
            None
        }
    };
    Some(PreparedRule {
        of: written(rule),
        zone: zone?,
        condition: condition?,
    })
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
}
