//! How much a caller may ask of an operation, in words.

use std::time::Duration;

use super::sharing;
use crate::policy::quota::{Cost, KeyPart, Limit, Over, Plan};
use crate::policy::{Operation, Policy};
use crate::quota::Algorithm;
use crate::quota::adaptive::Adaptive;

/// What holds before anybody knows who calls.
pub(super) fn approach(policy: &Policy, sentences: &mut Vec<String>) {
    let quotas = &policy.quotas;
    let plan = quotas.before_authentication;
    if let Some(plan) = plan.and_then(|place| quotas.plans.get(place)) {
        sentences.push(format!("quota before credentials: plan `{}`", plan.name));
        limits(plan, policy, sentences);
    }
}

/// The plan of an operation, those that can take its place, and what they allow.
pub(super) fn sentences(operation: &Operation, policy: &Policy, sentences: &mut Vec<String>) {
    let plans = &policy.quotas.plans;
    let Some((place, plan)) = operation
        .plan
        .and_then(|place| Some((place, plans.get(place)?)))
    else {
        return;
    };
    let mut said = format!("quota: plan `{}`", plan.name);
    for (tier, place) in &plan.tiers {
        if let Some(plan) = plans.get(*place) {
            said.push_str(&format!(", for the tier `{tier}` plan `{}`", plan.name));
        }
    }
    match operation.cost {
        1 => {}
        0 => said.push_str("; a call costs nothing"),
        cost => said.push_str(&format!("; a call costs {cost}")),
    }
    sentences.push(said);
    for plan in reached(place, plan, plans) {
        limits(plan, policy, sentences);
    }
    sentences.extend(suspicion(policy));
}

/// A plan, those of its tiers, and all that they hand requests over to, each once.
fn reached<'p>(place: usize, plan: &Plan, plans: &'p [Plan]) -> Vec<&'p Plan> {
    let mut places = vec![place];
    for tier in plan.tiers.values() {
        if !places.contains(tier) {
            places.push(*tier);
        }
    }
    let mut next = 0;
    while let Some(plan) = places.get(next).and_then(|place| plans.get(*place)) {
        next += 1;
        for limit in &plan.limits {
            match limit.over {
                Over::Shed(to) if !places.contains(&to) => places.push(to),
                _ => {}
            }
        }
    }
    places
        .iter()
        .filter_map(|place| plans.get(*place))
        .collect()
}

/// What a limit counts apart.
pub(super) fn apart(key: &[KeyPart]) -> String {
    if key.is_empty() {
        return "for all together".into();
    }
    let parts: Vec<String> = key.iter().map(counted).collect();
    format!("for each {}", parts.join(" and "))
}

fn limits(plan: &Plan, policy: &Policy, sentences: &mut Vec<String>) {
    for limit in &plan.limits {
        let mut said = format!("limit `{}`: {}", limit.full_name, allowed(limit));
        said.push_str(&format!(", {}", apart(&limit.key)));
        match limit.cost {
            Cost::Operation | Cost::Fixed(1) => {}
            Cost::Fixed(units) => said.push_str(&format!("; a call takes {units}")),
            Cost::BodyBytes(bytes) => {
                said.push_str(&format!(
                    "; a call takes 1 for each {bytes} bytes of its body"
                ));
            }
        }
        match limit.over {
            Over::Deny => {}
            Over::Observe => said.push_str("; over it a call passes, and the record says so"),
            Over::Shed(to) => {
                if let Some(plan) = policy.quotas.plans.get(to) {
                    said.push_str(&format!("; over it plan `{}` counts", plan.name));
                }
            }
        }
        if let (Some(shared), Some(service)) = (&limit.shared, &policy.quotas.service) {
            said.push_str(&sharing::sentence(shared, service));
        }
        said.extend(limit.adaptive.as_ref().map(yielding));
        sentences.push(said);
    }
}

/// When a limit gives way to the upstream.
fn yielding(adaptive: &Adaptive) -> String {
    let slow = adaptive.slower_than_ns.map_or(String::new(), |most| {
        format!(" or take longer than {:?}", Duration::from_nanos(most))
    });
    format!(
        "; while more than {} % of the answers in {:?} fail{slow} it is halved, down to {} %, \
         and it is whole again in {:?}",
        adaptive.bad_thousandths.div_ceil(10),
        Duration::from_nanos(adaptive.window_ns),
        adaptive.floor.percent(),
        Duration::from_nanos(adaptive.recover_ns),
    )
}

/// What callers lose who give reason for suspicion.
fn suspicion(policy: &Policy) -> Option<String> {
    let suspicion = policy.quotas.suspicion?;
    let odd = match (suspicion.anomaly, &policy.anomaly) {
        (Some(score), Some(_)) => format!(" and requests with a score over {score}"),
        (None, Some(_)) => " and odd requests".to_owned(),
        (_, None) => String::new(),
    };
    Some(format!(
        "suspicion: more than {} failures to log in{odd} cost a part of each limit, down to {} %; \
         as many are forgotten in {:?}",
        suspicion.after,
        suspicion.floor.percent(),
        Duration::from_nanos(suspicion.per_ns),
    ))
}

fn allowed(limit: &Limit) -> String {
    if let Some(shared) = &limit.shared {
        return sharing::allowed(shared);
    }
    match limit.algorithm {
        Algorithm::TokenBucket(bucket) => format!(
            "{} at once, then 1 every {:?}",
            bucket.burst,
            Duration::from_nanos(bucket.interval_ns)
        ),
        Algorithm::SlidingWindow(window) => format!(
            "{} in any {:?}",
            window.quota,
            Duration::from_nanos(window.length_ns)
        ),
        Algorithm::Concurrency(in_flight) => format!("{} under way at once", in_flight.most),
    }
}

fn counted(part: &KeyPart) -> String {
    match part {
        KeyPart::Network(prefixes) if (prefixes.ipv4, prefixes.ipv6) == (32, 64) => {
            "address".into()
        }
        KeyPart::Network(prefixes) => {
            format!("network (/{}, IPv6 /{})", prefixes.ipv4, prefixes.ipv6)
        }
        KeyPart::ApiKey => "API key".into(),
        KeyPart::Subject => "subject".into(),
        KeyPart::Client => "client".into(),
        KeyPart::Claim(path) => format!("`{}`", path.join(".")),
        KeyPart::Operation => "operation".into(),
        KeyPart::Expression { text, .. } => {
            let text: Vec<&str> = text.split_whitespace().collect();
            format!("`{}`", text.join(" "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::operation::sentences;
    use crate::policy::compile::tests::{compiled, sample};
    use serde_json::json;

    #[test]
    fn says_what_each_plan_allows() {
        let mut document = sample();
        document["policy"]["quotas"] = json!({
            "before_authentication": "gate",
            "suspicion": {},
            "plans": {
                "gate": { "limits": { "all": { "requests": 100, "per": "1s", "key": [] } } },
                "slow": {
                    "tiers": { "gold": "gold" },
                    "limits": {
                        "burst": { "requests": 20, "per": "1s", "burst": 40, "key": "client",
                            "adaptive": { "slower_than": "500ms" } },
                        "parallel": { "algorithm": "concurrency", "requests": 10, "key": "subject" },
                    },
                },
                "gold": { "limits": {
                    "body": { "requests": 9, "per": "1m", "key": "api_key", "cost": { "body_bytes": 1024 }, "over": "observe" },
                    "hourly": { "algorithm": "sliding_window", "requests": 5000, "per": "1h",
                        "key": ["address", "operation", { "claim": ["crm", "tenant"] },
                            { "network": { "ipv4": 24, "ipv6": 56 } }, { "cel": "request.method" }],
                        "cost": 2, "over": { "shed": "last" } },
                } },
                "last": { "limits": {
                    "rate": { "requests": 3, "per": "1s" },
                    "shared": { "algorithm": "fixed_window", "requests": 60, "per": "1m",
                        "shared": { "mode": { "leased": 5 }, "on_failure": { "local": 2 } } },
                } },
            },
            "service": { "cluster": "ratelimit" },
        });
        document["keys"] = json!({ "request.method": [["variable", "request.method"]] });
        document["api"]["operations"][0]["quota"] = json!({ "plan": "slow", "cost": 5 });
        let policy = compiled(&document);
        let said = sentences(&policy.operations[0], &policy);
        assert_eq!(
            said.iter()
                .filter(|one| ["quota", "limit", "suspicion"]
                    .iter()
                    .any(|word| one.starts_with(word)))
                .collect::<Vec<_>>(),
            [
                "quota before credentials: plan `gate`",
                "limit `gate/all`: 100 at once, then 1 every 10ms, for all together",
                "quota: plan `slow`, for the tier `gold` plan `gold`; a call costs 5",
                "limit `slow/burst`: 40 at once, then 1 every 50ms, for each client; while \
                 more than 20 % of the answers in 5s fail or take longer than 500ms it is halved, \
                 down to 10 %, and it is whole again in 60s",
                "limit `slow/parallel`: 10 under way at once, for each subject",
                "limit `gold/body`: 9 at once, then 1 every 6.666666666s, for each API key; a \
                 call takes 1 for each 1024 bytes of its body; over it a call passes, and the \
                 record says so",
                "limit `gold/hourly`: 5000 in any 3600s, for each address and operation and \
                 `crm.tenant` and network (/24, IPv6 /56) and `request.method`; a call takes 2; \
                 over it plan `last` counts",
                "limit `last/rate`: 3 at once, then 1 every 333.333333ms, for each client",
                "limit `last/shared`: 60 in each 60s, of all gateways together, for each client; \
                 `ratelimit` is asked for 5 in advance, which a gateway may leave unspent; \
                 without its answer each of 2 gateways allows 30",
                "suspicion: more than 5 failures to log in cost a part of each limit, down to 10 %; \
                 as many are forgotten in 600s",
            ]
        );
    }
}
