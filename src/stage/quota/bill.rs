//! What a plan has taken of one request so far.

use std::rc::Rc;

use super::{Counted, Refused, Request};
use crate::engine::World;
use crate::policy::quota::{Cost, Limit, Over};
use crate::policy::source::Mode;
use crate::quota::account::{Reading, Taking, Verdict, Watched};
use crate::quota::fields::Unit;
use crate::quota::table::{Change, Owner, Table};
use crate::quota::{Algorithm, Standing};
use crate::ratelimit::lease;
use crate::trail::{Stage, Trail};

/// What a plan has taken so far.
#[derive(Debug)]
pub(super) struct Bill {
    /// The plan's place.
    pub(super) plan: usize,
    /// What limits that are counted here have given.
    pub(super) taken: Vec<Taking>,
    /// What was spent of units in hand.
    pub(super) leased: Vec<(Owner, u64)>,
    /// How the caller stands.
    pub(super) readings: Vec<Reading>,
    /// Limits that the upstream's answer can tighten.
    pub(super) watched: Vec<Watched>,
}

impl Bill {
    pub(super) fn new(plan: usize) -> Bill {
        Bill {
            plan,
            taken: Vec::new(),
            leased: Vec::new(),
            readings: Vec::new(),
            watched: Vec::new(),
        }
    }

    /// The request does not pass: everything goes back to where it came from.
    pub(super) fn give_back(&self, world: &World) {
        let table = Table::new(world.store, world.policy.quotas.size);
        for taking in &self.taken {
            taking.give_back(&table, world.now);
        }
        for (owner, units) in &self.leased {
            // Should others write first too often, some units are lost.
            let _ = table.update(owner, world.now, |state| {
                Change::Write(lease::give_back(state, *units, world.now), ())
            });
        }
    }

    /// The request does not pass. How its caller stands is told all the same, unless
    /// another plan holds.
    pub(super) fn void(self, refused: &Refused, world: &World, trail: &mut Trail) {
        self.give_back(world);
        let holds = !matches!(refused, Refused::Shed { .. });
        let spared = self.readings.into_iter().map(|reading| Reading {
            verdict: match reading.verdict {
                Verdict::Allowed | Verdict::FailedLocal => Verdict::Spared,
                other => other,
            },
            told: reading.told && holds,
            ..reading
        });
        trail.account.readings.extend(spared);
    }

    /// The request passes.
    pub(super) fn conclude(self, world: &World, trail: &mut Trail) {
        let plan = world.policy.quotas.plans.get(self.plan);
        let name = plan.map_or("", |plan| &plan.name);
        trail.pass(Stage::Quota, format!("plan `{name}`"));
        trail.account.readings.extend(self.readings);
        trail.account.watched.extend(self.watched);
        let returned = |taking: &Taking| taking.algorithm.is_returned();
        trail
            .account
            .held
            .extend(self.taken.into_iter().filter(returned));
    }
}

impl Request<'_> {
    pub(super) fn reading(
        &self,
        one: &Counted<'_>,
        standing: Option<Standing>,
        verdict: Verdict,
    ) -> Reading {
        let enforced = self.world.policy.stages.quota == Mode::Enforce;
        let is_local = one.limit.shared.is_none();
        Reading {
            plan: Rc::clone(&one.plan.name),
            tier: self.tier.clone(),
            limit: Rc::clone(&one.limit.name),
            verdict,
            standing,
            window_ns: one.algorithm.window_ns(),
            share: one.share,
            unit: match (&one.algorithm, one.limit.cost) {
                (Algorithm::Concurrency(_), _) => Unit::ConcurrentRequests,
                (_, Cost::BodyBytes(each)) => Unit::ContentBytes { each },
                (_, Cost::Operation | Cost::Fixed(_)) => Unit::Requests,
            },
            told: enforced && one.limit.over != Over::Observe && verdict != Verdict::Shed,
            counted: is_local.then(|| (one.owner.clone(), one.algorithm)),
        }
    }
}

/// What became of a request that is over a limit.
pub(super) fn verdict_over(limit: &Limit) -> Verdict {
    match limit.over {
        Over::Deny => Verdict::Refused,
        Over::Observe => Verdict::Observed,
        Over::Shed(_) => Verdict::Shed,
    }
}
