//! How much a caller may ask for.
//!
//! A plan's limits hold at once. All of them are asked before any is spent from; should
//! another worker come in between, what was taken is given back, so that a refused
//! request spends nothing. Where a limit hands a request to a lower plan, the lower
//! one's limits count it in place of its own. Limits that gateways share come last:
//! what the rate limit service has counted cannot be given back.

mod announce;
mod bill;
mod defence;
mod key;
mod local;
mod shared;

pub use announce::announce;
pub use shared::{refill, refilled};

use std::rc::Rc;

use crate::denial::Denial;
use crate::engine::{Ended, World};
use crate::policy::Operation;
use crate::policy::quota::{Limit, Over, Plan, Quotas};
use crate::policy::route::PathParameters;
use crate::quota::Algorithm;
use crate::quota::account::Verdict;
use crate::quota::share::Share;
use crate::quota::table::{Owner, Table};
use crate::ratelimit::{Answer, Question};
use crate::stage::authn::{Caller, Kind};
use crate::stage::hygiene::Screened;
use crate::trail::{Stage, Trail};
use bill::Bill;
use shared::Asked;

/// What became of a request's quotas.
#[derive(Debug)]
pub enum Spent {
    /// They are spent, or nobody minds.
    Done,
    /// The rate limit service must be asked first.
    Ask(Pending),
}

/// A request that the rate limit service must be asked about. What it has taken of other
/// limits is taken.
#[derive(Debug)]
pub struct Pending {
    bill: Bill,
    asked: Vec<Asked>,
}

impl Pending {
    /// What to ask.
    pub fn question(&self, world: &World) -> Option<Question> {
        let service = world.policy.quotas.service.as_ref()?;
        Some(Question {
            domain: Rc::clone(&service.domain),
            hits: self.asked.iter().map(|asked| asked.hit.clone()).collect(),
        })
    }
}

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
    // No limit of this plan is shared.
    request.spend(plan, trail).map(|_| ())
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
) -> Result<Spent, Denial> {
    let quotas = &world.policy.quotas;
    let chosen = route.map_or(quotas.default, |(operation, _)| operation.plan);
    let Some(chosen) = chosen else {
        return Ok(Spent::Done);
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

/// Goes on when the rate limit service has answered; `None`: it did not.
///
/// # Errors
/// As [`spend`], and [`Denial::QuotaServiceUnavailable`] if a limit that is shared fails
/// closed.
pub fn answered(
    pending: Pending,
    answer: Option<&Answer>,
    screened: &Screened,
    route: Option<Route<'_>>,
    caller: &Caller,
    world: &World,
    trail: &mut Trail,
) -> Result<Spent, Denial> {
    let request = Request {
        screened,
        route,
        caller,
        tier: trail.account.tier.clone(),
        world,
    };
    let plan = pending.bill.plan;
    match request.take_in(pending, answer, trail) {
        Ok(bill) => {
            bill.conclude(world, trail);
            Ok(Spent::Done)
        }
        Err(refused) => match request.refuse(plan, refused, trail)? {
            Some(next) => request.spend(next, trail),
            None => Ok(Spent::Done),
        },
    }
}

/// An exchange is over: what it held is free again, and how it went is remembered.
pub fn settle(ended: Ended, world: &World, trail: &mut Trail) {
    defence::learn(ended, world, trail);
    let table = Table::new(world.store, world.policy.quotas.size);
    for taking in std::mem::take(&mut trail.account.held) {
        taking.give_back(&table, world.now);
    }
}

/// Gives back what a request took that goes no further.
pub fn abandon(pending: &Pending, world: &World) {
    pending.bill.give_back(world);
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
    /// How it counts, with the share that holds for now.
    algorithm: Algorithm,
    share: Share,
    /// Where the limit is in its plan.
    place: usize,
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

impl Refused {
    /// A request is over a limit that does not only observe.
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

    /// Both: a limit that refuses counts for more than one that hands on, and the
    /// longest wait for all.
    fn and(self, other: Refused) -> Refused {
        match (self, other) {
            (uncounted @ Refused::Uncounted(_), _) | (_, uncounted @ Refused::Uncounted(_)) => {
                uncounted
            }
            (
                Refused::Exceeded {
                    mut limits,
                    wait_ns,
                },
                Refused::Exceeded {
                    limits: others,
                    wait_ns: other,
                },
            ) => {
                limits.extend(others);
                Refused::Exceeded {
                    limits,
                    wait_ns: wait_ns.zip(other).map(|(one, other)| one.max(other)),
                }
            }
            (Refused::Shed { .. }, exceeded @ Refused::Exceeded { .. }) => exceeded,
            (first, Refused::Shed { .. }) => first,
        }
    }
}

impl Request<'_> {
    fn spend(&self, plan: usize, trail: &mut Trail) -> Result<Spent, Denial> {
        trail.account.announce = self.world.policy.quotas.announce;
        let mut next = Some(plan);
        while let Some(place) = next
            && let Some(plan) = self.world.policy.quotas.plans.get(place)
        {
            trail.account.plan = Some(Rc::clone(&plan.name));
            match self.take_all(place, plan, trail) {
                Ok((bill, asked)) if asked.is_empty() => {
                    bill.conclude(self.world, trail);
                    return Ok(Spent::Done);
                }
                Ok((bill, asked)) => return Ok(Spent::Ask(Pending { bill, asked })),
                Err(refused) => next = self.refuse(place, refused, trail)?,
            }
        }
        Ok(Spent::Done)
    }

    fn take_all(
        &self,
        place: usize,
        plan: &Plan,
        trail: &mut Trail,
    ) -> Result<(Bill, Vec<Asked>), Refused> {
        let of_caller = self.share_of_caller();
        let mut counted = Vec::with_capacity(plan.limits.len());
        for (place, limit) in plan.limits.iter().enumerate() {
            let share = match limit.shared {
                Some(_) => Share::WHOLE,
                None => self.share_of_limit(limit).min(of_caller),
            };
            counted.push(Counted {
                plan,
                limit,
                algorithm: limit.algorithm.at(share),
                share,
                place,
                owner: key::owner(limit, self),
                cost: self.cost(limit).map_err(Refused::Uncounted)?,
            });
        }
        let (shared, local): (Vec<_>, Vec<_>) = counted
            .into_iter()
            .partition(|one| one.limit.shared.is_some());
        if local.len() + shared.len() > 1 {
            self.foresee(&local, trail)?;
        }
        let mut bill = Bill::new(place);
        let watched = plan.limits.iter().filter_map(|limit| self.watched(limit));
        bill.watched.extend(watched);
        let mut asked = Vec::new();
        let mut take = || {
            for one in &local {
                self.take(one, Verdict::Allowed, &mut bill, trail)?;
            }
            for one in &shared {
                asked.extend(self.take_shared(one, &mut bill, trail)?);
            }
            Ok(())
        };
        match take() {
            Ok(()) => Ok((bill, asked)),
            Err(refused) => {
                bill.void(&refused, self.world, trail);
                Err(refused)
            }
        }
    }

    /// The plan that is to count the request instead, unless it goes on as it is.
    fn refuse(
        &self,
        plan: usize,
        refused: Refused,
        trail: &mut Trail,
    ) -> Result<Option<usize>, Denial> {
        let denial = match refused {
            Refused::Shed { limit, to } => {
                let plan = self.world.policy.quotas.plans.get(plan);
                let name = plan.map_or("", |plan| &plan.name);
                trail.pass(Stage::Quota, format!("plan `{name}`: over `{limit}`"));
                return Ok(Some(to));
            }
            Refused::Exceeded { limits, wait_ns } => Denial::QuotaExceeded {
                limits,
                retry_after_seconds: wait_ns.map(seconds),
            },
            Refused::Uncounted(denial) => denial,
        };
        trail
            .object(Stage::Quota, self.world.policy.stages.quota, denial)
            .map(|()| None)
    }
}

/// A limit that only observes is exceeded.
fn observed(limit: &Limit, wait_ns: Option<u64>, trail: &mut Trail) {
    let denial = Denial::QuotaExceeded {
        limits: vec![Rc::clone(&limit.name)],
        retry_after_seconds: wait_ns.map(seconds),
    };
    trail.would_deny(Stage::Quota, &denial);
}

/// Whole seconds, and never too few.
fn seconds(nanos: u64) -> u64 {
    nanos.div_ceil(1_000_000_000).max(1)
}
