//! Limits that gateways share, and the service that counts them.

use std::rc::Rc;

use super::nanos;
use crate::policy::problem::Problems;
use crate::policy::quota::{Plan, Service, Shared};
use crate::policy::source::{self, OnFailure, SharedMode};

pub(super) fn service(written: &source::Quotas, problems: &mut Problems) -> Option<Service> {
    let mut limits = written.plans.values().flat_map(|plan| plan.limits.values());
    let is_needed = limits.any(|limit| limit.shared.is_some());
    if is_needed && written.service.is_none() {
        problems.add(
            "policy.quotas.service",
            "is missing, and limits are shared",
            "name the cluster of the rate limit service: `service: { cluster: ratelimit }`",
        );
    }
    let written = written.service.as_ref()?;
    if written.cluster.len() > LONGEST_NAME {
        problems.add(
            "policy.quotas.service.cluster",
            format!("has more than {LONGEST_NAME} bytes"),
            "give the cluster a shorter name: Envoy is told it in a form that is no text any more",
        );
    }
    Some(Service {
        cluster: written.cluster.clone(),
        domain: Rc::from(written.domain.as_str()),
        timeout: written.timeout.duration(),
    })
}

pub(super) fn shared(
    written: &source::Limit,
    path: &str,
    problems: &mut Problems,
) -> Option<Shared> {
    let is_fixed = written.algorithm == source::Algorithm::FixedWindow;
    let Some(shared) = &written.shared else {
        if is_fixed {
            problems.add(
                format!("{path}.shared"),
                "is missing: fixed windows are what a rate limit service counts in",
                "write `shared: {}`, or count here with `sliding_window`",
            );
        }
        return None;
    };
    if !is_fixed {
        problems.add(
            format!("{path}.algorithm"),
            "is not what a rate limit service counts by",
            "write `algorithm: fixed_window`, or leave `shared` out",
        );
        return None;
    }
    let per = written.per?;
    let mut quiet = Problems::default();
    let window_ns = nanos(per, path, &mut quiet);
    if !WINDOWS_S.contains(&per.seconds()) || window_ns != per.seconds() * 1_000_000_000 {
        problems.add(
            format!("{path}.per"),
            format!("`{per}` is no window of a rate limit service"),
            "write `1s`, `1m`, `1h` or `24h`",
        );
    }
    if let SharedMode::Leased(batch) = shared.mode
        && u64::from(batch) * 2 > u64::from(written.requests)
    {
        problems.add(
            format!("{path}.shared.mode.leased"),
            format!("{batch} at once are more than half of {}", written.requests),
            "lease fewer at once: what one gateway holds the others cannot spend",
        );
    }
    Some(Shared {
        mode: shared.mode,
        on_failure: shared.on_failure,
        quota: written.requests.into(),
        window_ns,
    })
}

/// What the gateway counts by itself where the service cannot.
pub(super) fn share(written: &source::Limit) -> u64 {
    let gateways = match written.shared.as_ref().map(|shared| shared.on_failure) {
        Some(OnFailure::Local(gateways)) => gateways,
        _ => 1,
    };
    u64::from(written.requests / gateways.max(1)).max(1)
}

/// Before authentication nothing is waited for.
pub(super) fn asks_nobody(plan: &Plan, problems: &mut Problems) {
    for limit in plan.limits.iter().filter(|limit| limit.shared.is_some()) {
        problems.add(
            format!(
                "policy.quotas.plans.{}.limits.{}.shared",
                plan.name, limit.name
            ),
            "would make strangers wait for the rate limit service",
            "count here in the plan `before_authentication`",
        );
    }
}

/// The units of time that a rate limit service knows, in seconds.
const WINDOWS_S: [u64; 4] = [1, 60, 3_600, 86_400];

/// The lengths of a `GrpcService` with a longer name take more than seven bits.
const LONGEST_NAME: usize = 120;

#[cfg(test)]
mod tests {
    use crate::policy::compile::tests::complaints;
    use serde_json::{Value, json};

    fn found(quotas: Value) -> Vec<String> {
        complaints(|document| document["policy"]["quotas"] = quotas)
    }

    fn limit(change: Value) -> Value {
        let mut limit =
            json!({ "algorithm": "fixed_window", "requests": 9, "per": "1m", "shared": {} });
        for (field, value) in change.as_object().unwrap() {
            limit[field] = value.clone();
        }
        json!({ "slow": { "limits": { "m": limit } } })
    }

    #[test]
    fn what_no_service_counts_is_a_problem() {
        let service = json!({ "cluster": "ratelimit" });
        let path = "policy.quotas.plans.slow.limits.m";
        for (change, field) in [
            (json!({ "algorithm": "sliding_window" }), "algorithm"),
            (json!({ "shared": null }), "shared"),
            (json!({ "per": "90s" }), "per"),
            (json!({ "per": "1ms" }), "per"),
            (
                json!({ "shared": { "mode": { "leased": 5 } } }),
                "shared.mode.leased",
            ),
        ] {
            let plans = limit(change.clone());
            let found = found(json!({ "service": service, "plans": plans }));
            assert_eq!(found, [format!("{path}.{field}")], "{change}");
        }
    }

    #[test]
    fn a_shared_limit_needs_a_service_that_envoy_can_be_told() {
        let plans = limit(json!({}));
        assert_eq!(found(json!({ "plans": plans })), ["policy.quotas.service"]);
        let cluster = "c".repeat(121);
        assert_eq!(
            found(json!({ "service": { "cluster": cluster }, "plans": plans })),
            ["policy.quotas.service.cluster"]
        );
    }

    #[test]
    fn strangers_do_not_wait_for_the_service() {
        let mut plans = limit(json!({ "key": "address" }));
        plans["open"] = json!({ "limits": { "s": { "requests": 1, "per": "1s" } } });
        let quotas = json!({
            "service": { "cluster": "ratelimit" },
            "before_authentication": "slow",
            "plans": plans,
        });
        assert_eq!(found(quotas), ["policy.quotas.plans.slow.limits.m.shared"]);
    }
}
