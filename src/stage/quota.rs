//! How much a caller may ask for.
//!
//! A plan's limits hold at once. All of them are asked before any is spent from; should
//! another worker come in between, what was taken is given back, so that a refused
//! request spends nothing. Where a limit hands a request to a lower plan, the lower
//! one's limits count it in place of its own.

mod announce;
mod key;

pub use announce::announce;

use std::rc::Rc;

use crate::denial::Denial;
use crate::engine::World;
use crate::policy::Operation;
use crate::policy::quota::{Cost, Limit, Over, Plan, Quotas};
use crate::policy::route::PathParameters;
use crate::policy::source::Mode;
use crate::quota::account::{Reading, Taking, Verdict};
use crate::quota::fields::Unit;
use crate::quota::table::{Change, Contended, Owner, Table};
use crate::quota::{Algorithm, Standing, Taken};
use crate::stage::authn::{Caller, Kind};
use crate::stage::hygiene::Screened;
use crate::trail::{Stage, Trail};

/// Spends from the plan that holds before the caller is known.
///
/// # Errors
/// See [`spend`].
pub fn approach(
    screened: &Screened,
    route: Option<Route<'_>>,
    world: &World,
    trail: &mut Trail,
) -> Result<(), Denial> {
    let quotas = &world.policy.quotas;
    let Some(plan) = quotas.before_authentication else {
        return Ok(());
    };
    let request = Request {
        screened,
        route,
        caller: &Caller::default(),
        tier: None,
        world,
    };
    request.spend(plan, trail)
}

/// Spends from the plan of the operation or, where it has one for the caller's tier,
/// from that.
///
/// # Errors
/// [`Denial::QuotaExceeded`] when a limit does not allow it, [`Denial::QuotaUncounted`]
/// when other workers were faster too often, [`Denial::LengthRequired`] when the body
/// costs and its length is not announced; all only if the stage enforces.
pub fn spend(
    screened: &Screened,
    route: Option<Route<'_>>,
    caller: &Caller,
    world: &World,
    trail: &mut Trail,
) -> Result<(), Denial> {
    let quotas = &world.policy.quotas;
    let chosen = route.map_or(quotas.default, |(operation, _)| operation.plan);
    let Some(chosen) = chosen else {
        return Ok(());
    };
    let (plan, tier) = of_tier(chosen, caller, quotas);
    trail.account.tier.clone_from(&tier);
    let request = Request {
        screened,
        route,
        caller,
        tier,
        world,
    };
    request.spend(plan, trail)
}

/// What a request held is free again.
pub fn settle(world: &World, trail: &mut Trail) {
    let table = Table::new(world.store, world.policy.quotas.size);
    for taking in std::mem::take(&mut trail.account.held) {
        taking.give_back(&table, world.now);
    }
}

/// The plan for the caller's tier, if the chosen one has one.
fn of_tier(chosen: usize, caller: &Caller, quotas: &Quotas) -> (usize, Option<Rc<str>>) {
    let Some(plan) = quotas.plans.get(chosen) else {
        return (chosen, None);
    };
    let tier = caller
        .identities()
        .filter_map(|identity| match identity.kind {
            Kind::Token => identity.claim(&quotas.tier),
            Kind::ApiKey | Kind::Certificate => identity.claims.get("tier"),
        })
        .find_map(|tier| plan.tiers.get_key_value(tier.as_str()?));
    match tier {
        Some((tier, place)) => (*place, Some(Rc::clone(tier))),
        None => (chosen, None),
    }
}

/// A request that is to be counted.
struct Request<'a> {
    screened: &'a Screened,
    route: Option<Route<'a>>,
    caller: &'a Caller,
    tier: Option<Rc<str>>,
    world: &'a World<'a>,
}

/// The declared operation, and what stands in its path.
pub(super) type Route<'a> = (&'a Operation, &'a PathParameters<'a>);

/// One limit, and what the request costs it.
struct Counted<'a> {
    plan: &'a Plan,
    limit: &'a Limit,
    owner: Owner,
    cost: u64,
}

/// Why a plan does not let a request pass.
enum Refused {
    /// These limits do not allow it.
    Exceeded {
        limits: Vec<Rc<str>>,
        wait_ns: Option<u64>,
    },
    /// The plan at this place is to count it.
    Shed { limit: Rc<str>, to: usize },
    /// It could not be counted.
    Uncounted(Denial),
}

impl Request<'_> {
    fn spend(&self, plan: usize, trail: &mut Trail) -> Result<(), Denial> {
        let mode = self.world.policy.stages.quota;
        trail.account.announce = self.world.policy.quotas.announce;
        let mut plan = plan;
        while let Some(tried) = self.world.policy.quotas.plans.get(plan) {
            trail.account.plan = Some(Rc::clone(&tried.name));
            let denial = match self.take_all(tried, trail) {
                Ok(()) => return Ok(()),
                Err(Refused::Shed { limit, to }) => {
                    let note = format!("plan `{}`: over `{limit}`", tried.name);
                    trail.pass(Stage::Quota, note);
                    plan = to;
                    continue;
                }
                Err(Refused::Exceeded { limits, wait_ns }) => Denial::QuotaExceeded {
                    limits,
                    retry_after_seconds: wait_ns.map(|wait| wait.div_ceil(SECOND_NS).max(1)),
                },
                Err(Refused::Uncounted(denial)) => denial,
            };
            return trail.object(Stage::Quota, mode, denial);
        }
        Ok(())
    }

    fn take_all(&self, plan: &Plan, trail: &mut Trail) -> Result<(), Refused> {
        let table = Table::new(self.world.store, self.world.policy.quotas.size);
        let mut counted = Vec::with_capacity(plan.limits.len());
        for limit in &plan.limits {
            let cost = self.cost(limit).map_err(Refused::Uncounted)?;
            let owner = key::owner(limit, self);
            counted.push(Counted {
                plan,
                limit,
                owner,
                cost,
            });
        }
        if counted.len() > 1 {
            self.foresee(&counted, &table, trail)?;
        }
        let mut taken: Vec<Taking> = Vec::with_capacity(counted.len());
        let mut readings = Vec::with_capacity(counted.len());
        for one in counted {
            match self.take(&one, &table) {
                Ok(Taken::Yes { standing, .. }) => {
                    readings.push(self.reading(&one, Some(standing), Verdict::Allowed));
                    taken.push(Taking {
                        owner: one.owner,
                        algorithm: one.limit.algorithm,
                        cost: one.cost,
                        taken_at: self.world.now,
                    });
                }
                Ok(Taken::No {
                    standing, wait_ns, ..
                }) if one.limit.over == Over::Observe => {
                    readings.push(self.reading(&one, Some(standing), Verdict::Observed));
                    observed(one.limit, wait_ns, trail);
                }
                Ok(Taken::No {
                    standing, wait_ns, ..
                }) => {
                    self.give_back(&taken, &table);
                    let verdict = verdict_over(one.limit);
                    let reading = self.reading(&one, Some(standing), verdict);
                    trail.account.readings.push(reading);
                    return Err(over(one.limit, wait_ns));
                }
                Err(Contended) => {
                    self.give_back(&taken, &table);
                    let reading = self.reading(&one, None, Verdict::Uncounted);
                    trail.account.readings.push(reading);
                    return Err(Refused::Uncounted(Denial::QuotaUncounted));
                }
            }
        }
        trail.pass(Stage::Quota, told(plan, &readings));
        trail.account.readings.extend(readings);
        taken.retain(|taking| taking.algorithm.is_returned());
        trail.account.held.extend(taken);
        Ok(())
    }

    /// Whether all of them will allow it, as far as can be said before any is spent from.
    fn foresee(
        &self,
        counted: &[Counted<'_>],
        table: &Table<'_>,
        trail: &mut Trail,
    ) -> Result<(), Refused> {
        let now = self.world.now;
        let mut limits = Vec::new();
        let mut longest = Some(0);
        let mut shed = None;
        let mut readings = Vec::new();
        for one in counted {
            let state = table.read(&one.owner, now);
            let Taken::No {
                standing, wait_ns, ..
            } = one.limit.algorithm.take(&state, one.cost, now)
            else {
                let standing = one.limit.algorithm.standing(&state, now);
                readings.push(self.reading(one, Some(standing), Verdict::Spared));
                continue;
            };
            readings.push(self.reading(one, Some(standing), verdict_over(one.limit)));
            match one.limit.over {
                Over::Observe => {}
                Over::Shed(to) => {
                    shed.get_or_insert(Refused::Shed {
                        limit: Rc::clone(&one.limit.name),
                        to,
                    });
                }
                Over::Deny => {
                    limits.push(Rc::clone(&one.limit.name));
                    longest = longest.zip(wait_ns).map(|(one, other)| one.max(other));
                }
            }
        }
        let refused = match limits.is_empty() {
            true => shed,
            false => Some(Refused::Exceeded {
                limits,
                wait_ns: longest,
            }),
        };
        match refused {
            Some(refused) => {
                if matches!(refused, Refused::Shed { .. }) {
                    // Another plan holds.
                    readings.iter_mut().for_each(|reading| reading.told = false);
                }
                trail.account.readings.extend(readings);
                Err(refused)
            }
            None => Ok(()),
        }
    }

    fn take(&self, one: &Counted<'_>, table: &Table<'_>) -> Result<Taken, Contended> {
        table.update(&one.owner, self.world.now, |state| {
            let taken = one.limit.algorithm.take(state, one.cost, self.world.now);
            match &taken {
                Taken::Yes { state, .. }
                | Taken::No {
                    state: Some(state), ..
                } => Change::Write(*state, taken),
                Taken::No { state: None, .. } => Change::Keep(taken),
            }
        })
    }

    fn reading(&self, one: &Counted<'_>, standing: Option<Standing>, verdict: Verdict) -> Reading {
        let enforced = self.world.policy.stages.quota == Mode::Enforce;
        Reading {
            plan: Rc::clone(&one.plan.name),
            tier: self.tier.clone(),
            limit: Rc::clone(&one.limit.name),
            verdict,
            standing,
            window_ns: one.limit.algorithm.window_ns(),
            unit: match (&one.limit.algorithm, one.limit.cost) {
                (Algorithm::Concurrency(_), _) => Unit::ConcurrentRequests,
                (_, Cost::BodyBytes(each)) => Unit::ContentBytes { each },
                (_, Cost::Operation | Cost::Fixed(_)) => Unit::Requests,
            },
            told: enforced && one.limit.over != Over::Observe && verdict != Verdict::Shed,
            counted: Some((one.owner.clone(), one.limit.algorithm)),
        }
    }

    fn give_back(&self, taken: &[Taking], table: &Table<'_>) {
        for taking in taken {
            taking.give_back(table, self.world.now);
        }
    }

    fn cost(&self, limit: &Limit) -> Result<u64, Denial> {
        match limit.cost {
            Cost::Operation => Ok(self.route.map_or(1, |(operation, _)| operation.cost)),
            Cost::Fixed(units) => Ok(units),
            Cost::BodyBytes(piece) => {
                let head = self.screened.head();
                if head.end_of_stream {
                    return Ok(1);
                }
                let length = head.headers.first("content-length");
                let length: u64 = length
                    .and_then(|length| std::str::from_utf8(length).ok()?.parse().ok())
                    .ok_or(Denial::LengthRequired)?;
                Ok(length.div_ceil(piece).max(1))
            }
        }
    }
}

fn over(limit: &Limit, wait_ns: Option<u64>) -> Refused {
    let name = Rc::clone(&limit.name);
    match limit.over {
        Over::Shed(to) => Refused::Shed { limit: name, to },
        Over::Deny | Over::Observe => Refused::Exceeded {
            limits: vec![name],
            wait_ns,
        },
    }
}

fn verdict_over(limit: &Limit) -> Verdict {
    match limit.over {
        Over::Deny => Verdict::Refused,
        Over::Observe => Verdict::Observed,
        Over::Shed(_) => Verdict::Shed,
    }
}

fn observed(limit: &Limit, wait_ns: Option<u64>, trail: &mut Trail) {
    let denial = Denial::QuotaExceeded {
        limits: vec![Rc::clone(&limit.name)],
        retry_after_seconds: wait_ns.map(|wait| wait.div_ceil(SECOND_NS)),
    };
    trail.would_deny(Stage::Quota, &denial);
}

fn told(plan: &Plan, readings: &[Reading]) -> String {
    let limits: Vec<String> = readings
        .iter()
        .filter_map(|reading| {
            let Standing { quota, left, .. } = reading.standing?;
            Some(format!("`{}` {left} of {quota} left", reading.limit))
        })
        .collect();
    format!("plan `{}`: {}", plan.name, limits.join(", "))
}

const SECOND_NS: u64 = 1_000_000_000;
