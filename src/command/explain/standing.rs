//! How a caller stood with its limits, in words.

use super::quota::apart;
use crate::policy::Policy;
use crate::policy::quota::Limit;
use crate::trail::{self, Quota};

/// One line for the plan, and one for each limit. What a limit counts by is known only
/// with the policy.
pub(super) fn sentences(quota: &Quota, policy: Option<&Policy>) -> Vec<String> {
    let tier = match &quota.tier {
        Some(tier) => format!(", of tier `{tier}`"),
        None => String::new(),
    };
    let mut lines = vec![format!("quota: plan `{}`{tier}", quota.plan)];
    lines.extend(quota.limits.iter().map(|limit| {
        let plan = limit.plan.as_deref().unwrap_or(&quota.plan);
        let counted = policy.and_then(|policy| find(policy, plan, &limit.name));
        let by = counted.map_or(String::new(), |limit| format!(", {}", apart(&limit.key)));
        let other = match &limit.plan {
            Some(plan) => format!(" of plan `{plan}`"),
            None => String::new(),
        };
        format!("  `{}`{other}{by}: {}", limit.name, standing(limit))
    }));
    lines
}

fn standing(limit: &trail::Limit) -> String {
    let mut parts = Vec::new();
    if let (Some(left), Some(quota)) = (limit.left, limit.quota) {
        parts.push(format!("{left} of {quota} left"));
    }
    parts.extend(
        limit
            .tightened_to
            .map(|percent| format!("tightened to {percent} %")),
    );
    parts.extend(limit.next_ms.map(|millis| {
        let seconds = millis.div_ceil(100);
        format!("one more in {}.{} s", seconds / 10, seconds % 10)
    }));
    parts.extend(match &*limit.outcome {
        "allowed" => None,
        "spared" => Some("not counted".into()),
        "refused" => Some("over it, hence refused".into()),
        "observed" => Some("over it, which is only observed".into()),
        "shed" => Some("over it, hence handed to the next plan".into()),
        "failed_open" => Some("not counted, since the service did not answer".into()),
        "failed_closed" => Some("refused, since the service did not answer".into()),
        "failed_local" => Some("counted here, since the service did not answer".into()),
        other => Some(other.to_owned()),
    });
    parts.join(", ")
}

fn find<'p>(policy: &'p Policy, plan: &str, limit: &str) -> Option<&'p Limit> {
    let plans = &policy.quotas.plans;
    let plan = plans.iter().find(|known| *known.name == *plan)?;
    plan.limits.iter().find(|known| *known.name == *limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_is_told_by_what_became_of_the_request() {
        let limit = |outcome: &str, left: Option<u64>, next_ms| trail::Limit {
            name: "burst".into(),
            plan: None,
            outcome: outcome.to_owned().into(),
            quota: left.map(|_| 40),
            left,
            tightened_to: None,
            next_ms,
        };
        let quota = Quota {
            plan: "standard".into(),
            tier: Some("gold".into()),
            limits: vec![
                limit("allowed", Some(40), None),
                limit("refused", Some(0), Some(1_201)),
                limit("uncounted", None, None),
                trail::Limit {
                    plan: Some("gate".into()),
                    ..limit("spared", Some(3), Some(100))
                },
            ],
        };
        assert_eq!(
            sentences(&quota, None),
            [
                "quota: plan `standard`, of tier `gold`",
                "  `burst`: 40 of 40 left",
                "  `burst`: 0 of 40 left, one more in 1.3 s, over it, hence refused",
                "  `burst`: uncounted",
                "  `burst` of plan `gate`: 3 of 40 left, one more in 0.1 s, not counted",
            ]
        );
    }
}
