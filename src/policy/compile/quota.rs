//! Quota plans as the stage asks them.

mod defence;
mod key;
mod shared;

use std::collections::BTreeMap;
use std::rc::Rc;

use super::known_names;
use crate::policy::api;
use crate::policy::problem::Problems;
use crate::policy::quota::{Cost, Limit, Over, Plan, Quotas};
use crate::policy::source::{self, CostBy, Source, Span};
use crate::quota::fields::Announce;
use crate::quota::share::Share;
use crate::quota::table::Size;
use crate::quota::{Algorithm, Bucket, InFlight, Window};
use crate::rule::Expression;
use key::Keys;
pub(super) use key::claims;

/// The plans. `prepared` are the expressions of their keys, by their texts.
pub(super) fn quotas(
    source: &Source,
    prepared: &BTreeMap<String, Expression>,
    problems: &mut Problems,
) -> Quotas {
    let written = &source.quotas;
    let named = Named {
        names: written.plans.keys().cloned().collect(),
    };
    let keys = Keys::new(source, prepared, problems);
    let plans: Vec<Plan> = written
        .plans
        .iter()
        .map(|(name, plan)| named.plan(name, plan, &keys, problems))
        .collect();
    cycles(&plans, problems);
    let mut chosen = |field: &str, name: &Option<String>| {
        let path = format!("policy.quotas.{field}");
        named.place(name.as_deref()?, &path, problems)
    };
    let default = chosen("default", &written.default);
    let before_authentication = chosen("before_authentication", &written.before_authentication);
    if let Some(plan) = before_authentication.and_then(|place| plans.get(place)) {
        key::knows_no_caller(plan, problems);
        shared::asks_nobody(plan, problems);
    }
    let suspicion = defence::suspicion(written, problems);
    let limits = plans.iter().flat_map(|plan| &plan.limits);
    let horizons = limits.map(|limit| {
        let adaptive = limit.adaptive.map_or(0, |adaptive| adaptive.horizon_ns());
        let floors = [
            limit.adaptive.map(|adaptive| adaptive.floor),
            suspicion.map(|suspicion| suspicion.floor),
        ];
        let least = floors.into_iter().flatten().min();
        let tightest = limit.algorithm.at(least.unwrap_or(Share::WHOLE));
        let longest = limit.algorithm.horizon_ns().max(tightest.horizon_ns());
        longest.max(adaptive)
    });
    Quotas {
        default,
        before_authentication,
        tier: written.tier.names().to_vec(),
        size: Size {
            slots: written.slots,
            horizon_ns: horizons
                .chain(suspicion.map(|suspicion| suspicion.horizon_ns()))
                .max()
                .unwrap_or_default(),
        },
        plans,
        announce: announce(&written.announce),
        service: shared::service(written, problems),
        suspicion,
    }
}

fn announce(written: &source::Announce) -> Announce {
    Announce {
        refused: written.on != source::AnnounceOn::Never,
        always: written.on == source::AnnounceOn::Always,
        legacy: written.legacy,
    }
}

/// The plan of an operation, and what a call of it costs.
pub(super) fn of(
    written: &api::Quota,
    quotas: &Quotas,
    path: &str,
    problems: &mut Problems,
) -> (Option<usize>, u64) {
    let plan = match &written.plan {
        None => quotas.default,
        Some(name) => {
            let names = quotas.plans.iter().map(|plan| plan.name.to_string());
            let named = Named {
                names: names.collect(),
            };
            named.place(name, &format!("{path}.quota.plan"), problems)
        }
    };
    (plan, written.cost.map_or(1, u64::from))
}

/// The plans, by their places.
struct Named {
    names: Vec<String>,
}

impl Named {
    fn place(&self, name: &str, path: &str, problems: &mut Problems) -> Option<usize> {
        let place = self.names.iter().position(|known| known == name);
        if place.is_none() {
            problems.add(
                path,
                format!("`{name}` is not one of the plans"),
                known_names(&self.names),
            );
        }
        place
    }

    fn plan(
        &self,
        name: &str,
        written: &source::Plan,
        keys: &Keys<'_>,
        problems: &mut Problems,
    ) -> Plan {
        let path = format!("policy.quotas.plans.{name}");
        plain_name(name, &path, problems);
        if written.limits.is_empty() || written.limits.len() > MOST_LIMITS {
            problems.add(
                format!("{path}.limits"),
                format!("has {} limits", written.limits.len()),
                format!("write 1 to {MOST_LIMITS}"),
            );
        }
        let tiers: BTreeMap<Rc<str>, usize> = written
            .tiers
            .iter()
            .filter_map(|(tier, plan)| {
                let place = self.place(plan, &format!("{path}.tiers.{tier}"), problems)?;
                Some((Rc::from(tier.as_str()), place))
            })
            .collect();
        let limits = written
            .limits
            .iter()
            .map(|(limit, written)| {
                let path = format!("{path}.limits.{limit}");
                plain_name(limit, &path, problems);
                Limit {
                    name: Rc::from(limit.as_str()),
                    full_name: Rc::from(format!("{name}/{limit}")),
                    algorithm: algorithm(written, &path, problems),
                    key: keys.key(&written.key, &format!("{path}.key"), problems),
                    cost: match written.cost {
                        source::Cost::By(CostBy::Operation) => Cost::Operation,
                        source::Cost::Fixed(units) => Cost::Fixed(units.into()),
                        source::Cost::By(CostBy::BodyBytes(bytes)) => {
                            Cost::BodyBytes(bytes.max(1).into())
                        }
                    },
                    over: match &written.over {
                        source::Over::Deny => Over::Deny,
                        source::Over::Observe => Over::Observe,
                        source::Over::Shed(plan) => self
                            .place(plan, &format!("{path}.over.shed"), problems)
                            .map_or(Over::Deny, Over::Shed),
                    },
                    shared: shared::shared(written, &path, problems),
                    adaptive: defence::adaptive(written, &path, problems),
                }
            })
            .collect();
        Plan {
            name: Rc::from(name),
            tiers,
            limits,
        }
    }
}

fn algorithm(written: &source::Limit, path: &str, problems: &mut Problems) -> Algorithm {
    let mut misplaced = |field: &str, present: bool, owner: &str| {
        if present {
            problems.add(
                format!("{path}.{field}"),
                format!("means nothing to this algorithm; it belongs to {owner}"),
                "leave it out, or choose that algorithm",
            );
        }
    };
    let quota = u64::from(written.requests);
    match written.algorithm {
        source::Algorithm::TokenBucket => {
            misplaced("longest", written.longest.is_some(), "`concurrency`");
            let interval_ns = per_ns(written, path, problems) / quota.max(1);
            if interval_ns == 0 {
                problems.add(
                    format!("{path}.per"),
                    "leaves less than a nanosecond for a request",
                    "ask for fewer requests or a longer time",
                );
            }
            let burst = written.burst.map_or(quota, u64::from);
            // Later on, times would reach their end, where nothing is refused any more.
            if interval_ns.saturating_mul(burst) > LONGEST_NS {
                problems.add(
                    format!("{path}.burst"),
                    "takes more than a hundred years to fill",
                    "ask for a smaller burst, or more requests in the time",
                );
            }
            Algorithm::TokenBucket(Bucket {
                interval_ns: interval_ns.max(1),
                burst,
            })
        }
        source::Algorithm::SlidingWindow => {
            misplaced("longest", written.longest.is_some(), "`concurrency`");
            misplaced("burst", written.burst.is_some(), "`token_bucket`");
            Algorithm::SlidingWindow(Window {
                length_ns: per_ns(written, path, problems),
                quota,
            })
        }
        source::Algorithm::FixedWindow => {
            misplaced("longest", written.longest.is_some(), "`concurrency`");
            misplaced("burst", written.burst.is_some(), "`token_bucket`");
            Algorithm::SlidingWindow(Window {
                length_ns: per_ns(written, path, problems),
                quota: shared::share(written),
            })
        }
        source::Algorithm::Concurrency => {
            misplaced("per", written.per.is_some(), "the others");
            misplaced("burst", written.burst.is_some(), "`token_bucket`");
            Algorithm::Concurrency(InFlight {
                most: quota,
                longest_ns: nanos(written.longest(), &format!("{path}.longest"), problems),
            })
        }
    }
}

fn per_ns(written: &source::Limit, path: &str, problems: &mut Problems) -> u64 {
    let path = format!("{path}.per");
    match written.per {
        Some(per) => nanos(per, &path, problems),
        None => {
            problems.add(path, "is missing", "say in what time, such as `1s` or `1h`");
            1
        }
    }
}

fn nanos(span: Span, path: &str, problems: &mut Problems) -> u64 {
    let nanos = u64::try_from(span.duration().as_nanos()).unwrap_or(u64::MAX);
    if nanos == 0 || nanos > LONGEST_NS {
        problems.add(
            path,
            "is no time or too long a one",
            "write a time such as `1m`",
        );
    }
    nanos.clamp(1, LONGEST_NS)
}

/// A request that is handed from plan to plan must come to an end.
fn cycles(plans: &[Plan], problems: &mut Problems) {
    for (start, plan) in plans.iter().enumerate() {
        let mut reached = vec![start];
        let mut next = 0;
        while let Some(place) = reached.get(next).copied() {
            next += 1;
            for limit in plans.get(place).map_or(&[][..], |plan| &plan.limits) {
                let Over::Shed(to) = limit.over else { continue };
                if to == start {
                    problems.add(
                        format!("policy.quotas.plans.{}", plan.name),
                        "hands requests over that come back to it",
                        "let `over` of the last of the plans refuse",
                    );
                    return;
                }
                if !reached.contains(&to) {
                    reached.push(to);
                }
            }
        }
    }
}

/// Names travel to clients and into metrics, where little else is plain.
fn plain_name(name: &str, path: &str, problems: &mut Problems) {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.is_empty() || name.len() > 64 || !name.bytes().all(plain) {
        problems.add(
            path,
            "is not a plain name",
            "use 1 to 64 letters, digits, `-`, `_` and `.`",
        );
    }
}

/// Each costs a look into shared data and a write, for every request.
const MOST_LIMITS: usize = 8;

/// A hundred years.
const LONGEST_NS: u64 = 100 * 365 * 24 * 3_600_000_000_000;

#[cfg(test)]
mod tests;
