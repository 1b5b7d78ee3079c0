//! `x-quota`: which plan counts an operation, and what a call of it costs.

use super::place::Place;
use crate::policy::api::Quota;
use crate::policy::problem::Problems;

/// How an operation is counted. `plans` are the policy's.
pub(super) fn of(operation: &Place<'_>, plans: &[String], problems: &mut Problems) -> Quota {
    let Some(written) = operation.get("x-quota") else {
        return Quota::default();
    };
    if written.value.is_string() {
        return Quota {
            plan: plan(&written, plans, problems),
            cost: None,
        };
    }
    let mut quota = Quota::default();
    let mut good = written.value.is_object();
    for (name, member) in written.members() {
        match name {
            "plan" => quota.plan = plan(&member, plans, problems),
            "cost" => {
                let cost = member.value.as_u64().and_then(|cost| cost.try_into().ok());
                quota.cost = cost.filter(|cost| (0..=MOST_COST).contains(cost));
                good &= quota.cost.is_some();
            }
            _ => good = false,
        }
    }
    if !good {
        problems.add(
            written.path,
            "does not say how a call is counted",
            format!("write a plan's name, or `{{ plan: NAME, cost: 0 to {MOST_COST} }}`"),
        );
    }
    quota
}

fn plan(written: &Place<'_>, plans: &[String], problems: &mut Problems) -> Option<String> {
    let plan = written
        .value
        .as_str()
        .filter(|name| plans.iter().any(|plan| plan == name));
    if plan.is_none() {
        let hint = if plans.is_empty() {
            "declare the plan in the policy under `quotas`".to_owned()
        } else {
            format!("write one of `{}`", plans.join("`, `"))
        };
        problems.add(
            written.path.clone(),
            format!("{} is not a quota plan", written.value),
            hint,
        );
    }
    plan.map(str::to_owned)
}

const MOST_COST: u32 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(written: Value) -> (Quota, Vec<String>) {
        let mut problems = Problems::default();
        let document = json!({ "x-quota": written });
        let quota = of(&Place::root(&document), &["low".to_owned()], &mut problems);
        let problems = problems.into_result(()).err().unwrap_or_default();
        (quota, problems.into_iter().map(|one| one.path).collect())
    }

    #[test]
    fn a_name_or_what_a_call_costs_or_both() {
        let quota = |plan: Option<&str>, cost| Quota {
            plan: plan.map(str::to_owned),
            cost,
        };
        for (written, expected) in [
            (json!("low"), quota(Some("low"), None)),
            (json!({ "cost": 5 }), quota(None, Some(5))),
            (
                json!({ "plan": "low", "cost": 0 }),
                quota(Some("low"), Some(0)),
            ),
        ] {
            assert_eq!(read(written), (expected, Vec::new()));
        }
    }

    #[test]
    fn anything_else_is_a_problem() {
        for (written, path) in [
            (json!("lo"), "x-quota"),
            (json!(5), "x-quota"),
            (json!({ "cost": -1 }), "x-quota"),
            (json!({ "cost": 1_000_001 }), "x-quota"),
            (json!({ "price": 1 }), "x-quota"),
            (json!({ "plan": "lo" }), "x-quota.plan"),
        ] {
            let (_, problems) = read(written.clone());
            assert_eq!(problems.len(), 1, "{written} {problems:?}");
            assert!(problems[0].ends_with(path), "{written} {problems:?}");
        }
    }
}
