//! Whether the rules of an operation let the request pass.
//!
//! A rule that has no answer denies, whichever way it decides: nothing that was
//! meant to be refused may pass because something was missing.

use crate::denial::Denial;
use crate::engine::World;
use crate::policy::Operation;
use crate::policy::route::PathParameters;
use crate::policy::rule::{Rule, Verdict};
use crate::rule::evaluate;
use crate::stage::authn::Caller;
use crate::stage::facts::Asked;
use crate::stage::hygiene::Screened;
use crate::trail::{Stage, Trail};

/// When a rule is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::stage) enum When {
    /// With the other questions of authorization.
    Before,
    /// When the anomaly score is known, for the rules that ask for it.
    Scored,
}

/// Asks those of the operation's rules whose time it is.
///
/// # Errors
/// [`Denial::RuleRefused`] or [`Denial::RuleFailed`] of the first that does not let
/// the request pass, when the stage enforces.
pub(in crate::stage) fn check(
    when: When,
    operation: &Operation,
    screened: &Screened,
    parameters: &PathParameters<'_>,
    caller: &Caller,
    world: &World,
    trail: &mut Trail,
) -> Result<(), Denial> {
    let policy = world.policy;
    let mut passed = Vec::new();
    let rules = operation.rules.iter();
    for rule in rules.filter_map(|place| policy.rules.all.get(*place)) {
        if rule.asks_for_risk != (when == When::Scored) {
            continue;
        }
        let mut facts = Asked::of(screened, Some((operation, parameters)), caller, world);
        facts.local = Some(rule.zone.local(world.now));
        facts.risk = trail.score;
        let denial = match evaluate(&rule.condition, &facts) {
            Ok(truth) if truth == (rule.verdict == Verdict::AllowIf) => {
                passed.push(rule);
                continue;
            }
            Ok(_) => Denial::RuleRefused {
                rule: rule.name.clone(),
            },
            Err(fault) => Denial::RuleFailed {
                rule: rule.name.clone(),
                fault,
            },
        };
        trail.object(Stage::Authorization, policy.stages.authorization, denial)?;
    }
    if !passed.is_empty() {
        trail.pass(Stage::Authorization, note(&passed));
    }
    Ok(())
}

fn note(passed: &[&Rule]) -> String {
    let names: Vec<String> = passed
        .iter()
        .map(|rule| format!("`{}`", rule.name))
        .collect();
    format!("keeps to {}", names.join(", "))
}
