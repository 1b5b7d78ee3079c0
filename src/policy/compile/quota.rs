//! Quota plans as buckets.

use super::known_names;
use crate::policy::Plan;
use crate::policy::problem::Problems;
use crate::policy::source::Source;

pub(super) fn plans(source: &Source, problems: &mut Problems) -> Vec<Plan> {
    let mut plans = Vec::new();
    for (name, plan) in &source.quotas.plans {
        let per_ns = u64::try_from(plan.per.duration().as_nanos()).unwrap_or(u64::MAX);
        let interval_ns = per_ns / u64::from(plan.requests.max(1));
        if interval_ns == 0 {
            problems.add(
                format!("policy.quotas.plans.{name}.per"),
                "leaves less than a nanosecond for a request",
                "ask for fewer requests or a longer time",
            );
        }
        let burst = u64::from(plan.burst.unwrap_or(plan.requests));
        // Later on, times would reach their end, where nothing is refused any more.
        if interval_ns.saturating_mul(burst) > LONGEST_REFILL_NS {
            problems.add(
                format!("policy.quotas.plans.{name}.burst"),
                "takes more than a hundred years to fill",
                "ask for a smaller burst, or more requests in the time",
            );
        }
        plans.push(Plan {
            name: name.clone(),
            interval_ns: interval_ns.max(1),
            burst,
            key: plan.key,
        });
    }
    if let Some(name) = &source.quotas.default
        && !source.quotas.plans.contains_key(name)
    {
        let names: Vec<String> = source.quotas.plans.keys().cloned().collect();
        problems.add(
            "policy.quotas.default",
            format!("`{name}` is not one of the plans"),
            known_names(&names),
        );
    }
    plans
}

/// A hundred years.
const LONGEST_REFILL_NS: u64 = 100 * 365 * 24 * 3_600_000_000_000;
