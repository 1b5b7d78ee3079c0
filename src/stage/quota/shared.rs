//! Limits that gateways share by asking a rate limit service.

use std::rc::Rc;
use std::time::Duration;

use super::bill::{Bill, verdict_over};
use super::{Counted, Pending, Refused, Request, key, observed};
use crate::denial::Denial;
use crate::engine::World;
use crate::policy::quota::{Over, Shared};
use crate::policy::source::{OnFailure, SharedMode};
use crate::quota::account::Verdict;
use crate::quota::share::Share;
use crate::quota::table::{Change, Contended, Owner, Table};
use crate::quota::{Standing, State};
use crate::ratelimit::lease::{self, Refill, Spending};
use crate::ratelimit::{Answer, Hit, Question, Status};
use crate::time::Time;
use crate::trail::{Stage, Trail};

/// What the service is asked of one limit.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// The limit's place in its plan.
    place: usize,
    /// Whose units in hand the answer adds to.
    owner: Owner,
    /// The cost, and what is taken in advance.
    pub(super) hit: Hit,
    cost: u64,
    at: Time,
}

/// What to ask for a refill.
pub fn refill(refill: &Refill, world: &World) -> Option<Question> {
    let service = world.policy.quotas.service.as_ref()?;
    Some(Question {
        domain: Rc::clone(&service.domain),
        hits: vec![refill.hit.clone()],
    })
}

/// Takes in the answer to a refill; without one, a later request asks again.
pub fn refilled(refill: &Refill, answer: &Answer, world: &World) {
    if let Ok(status) = status(answer, 0, 1) {
        receive(
            &refill.owner,
            &status,
            refill.hit.units,
            refill.until,
            world,
        );
    }
}

impl Request<'_> {
    /// Spends of the units in hand, or says what the service must be asked.
    pub(super) fn take_shared(
        &self,
        one: &Counted<'_>,
        bill: &mut Bill,
        trail: &mut Trail,
    ) -> Result<Option<Asked>, Refused> {
        let Some(shared) = &one.limit.shared else {
            return Ok(None);
        };
        let hit = |units| Hit {
            limit: Rc::clone(&one.limit.full_name),
            caller: key::shared_name(one.limit, self),
            units,
        };
        let asked = |units| Asked {
            place: one.place,
            owner: one.owner.clone(),
            hit: hit(units),
            cost: one.cost,
            at: self.world.now,
        };
        let SharedMode::Leased(batch) = shared.mode else {
            return Ok(Some(asked(one.cost)));
        };
        let table = Table::new(self.world.store, self.world.policy.quotas.size);
        let now = self.world.now;
        let spending = table.update(&one.owner, now, |state| {
            let spending = lease::spend(state, one.cost, batch.into(), now);
            match &spending {
                Spending::Paid { state, .. } | Spending::Ask { state, .. } => {
                    Change::Write(*state, spending)
                }
                Spending::Over { .. } => Change::Keep(spending),
            }
        });
        match spending {
            Ok(Spending::Paid {
                left,
                reset_ns,
                refill,
                ..
            }) => {
                let standing = standing(shared, left, reset_ns);
                bill.readings
                    .push(self.reading(one, Some(standing), Verdict::Allowed));
                bill.leased.push((one.owner.clone(), one.cost));
                let refill = refill.map(|units| Refill {
                    owner: one.owner.clone(),
                    hit: hit(units),
                    until: end(shared, now),
                });
                trail.account.refills.extend(refill);
                Ok(None)
            }
            Ok(Spending::Over { reset_ns }) => self
                .exceeded(one, standing(shared, 0, reset_ns), bill, trail)
                .map(|()| None),
            Ok(Spending::Ask { units, .. }) => Ok(Some(asked(units))),
            Err(Contended) => {
                bill.readings
                    .push(self.reading(one, None, Verdict::Uncounted));
                Err(Refused::Uncounted(Denial::QuotaUncounted))
            }
        }
    }

    /// Draws the consequences of what the service answered, or of its silence.
    pub(super) fn take_in(
        &self,
        pending: Pending,
        answer: Option<&Answer>,
        trail: &mut Trail,
    ) -> Result<Bill, Refused> {
        let Pending { mut bill, asked } = pending;
        let mut refused: Option<Refused> = None;
        for (index, hit) in asked.iter().enumerate() {
            let plans = &self.world.policy.quotas.plans;
            let Some((plan, limit, shared)) = plans
                .get(bill.plan)
                .and_then(|plan| Some((plan, plan.limits.get(hit.place)?)))
                .and_then(|(plan, limit)| Some((plan, limit, limit.shared.as_ref()?)))
            else {
                continue;
            };
            let one = Counted {
                plan,
                limit,
                algorithm: limit.algorithm,
                share: Share::WHOLE,
                place: hit.place,
                owner: hit.owner.clone(),
                cost: hit.cost,
            };
            let status = answer
                .ok_or("does not answer")
                .and_then(|answer| status(answer, index, asked.len()));
            let taken = match status {
                Ok(status) => self.take_status(&one, hit, shared, &status, &mut bill, trail),
                Err(why) => self.do_without(&one, shared, why, &mut bill, trail),
            };
            refused = match (refused, taken.err()) {
                (Some(refused), Some(over)) => Some(refused.and(over)),
                (refused, over) => refused.or(over),
            };
        }
        match refused {
            Some(refused) => {
                bill.void(&refused, self.world, trail);
                Err(refused)
            }
            None => Ok(bill),
        }
    }

    fn take_status(
        &self,
        one: &Counted<'_>,
        hit: &Asked,
        shared: &Shared,
        status: &Status,
        bill: &mut Bill,
        trail: &mut Trail,
    ) -> Result<(), Refused> {
        let now = self.world.now;
        // The service says it in whole seconds, or not at all.
        let told = status.reset.map_or(u64::MAX, |reset| (now + reset).nanos());
        let reset_ns = end(shared, now).nanos().min(told) - now.nanos();
        let in_hand = hit.hit.units - hit.cost;
        if let SharedMode::Leased(_) = shared.mode {
            receive(&hit.owner, status, in_hand, end(shared, hit.at), self.world);
            if !status.over_limit {
                bill.leased.push((hit.owner.clone(), hit.cost));
            }
        }
        if status.over_limit {
            return self.exceeded(one, standing(shared, status.left, reset_ns), bill, trail);
        }
        let left = status.left.saturating_add(in_hand);
        // A service that tells nothing leaves nothing to tell.
        let standing = status.quota.map(|_| standing(shared, left, reset_ns));
        bill.readings
            .push(self.reading(one, standing, Verdict::Allowed));
        Ok(())
    }

    /// The service has no word for the limit: what the policy says for that case.
    fn do_without(
        &self,
        one: &Counted<'_>,
        shared: &Shared,
        why: &str,
        bill: &mut Bill,
        trail: &mut Trail,
    ) -> Result<(), Refused> {
        let name = &one.limit.name;
        let (verdict, consequence) = match shared.on_failure {
            OnFailure::Open => (Verdict::FailedOpen, "passes uncounted"),
            OnFailure::Closed => (Verdict::FailedClosed, "is refused"),
            OnFailure::Local(_) => (Verdict::FailedLocal, "is counted here"),
        };
        let note = format!("`{name}`: the rate limit service {why}, the request {consequence}");
        trail.pass(Stage::Quota, note);
        match shared.on_failure {
            OnFailure::Open => {
                bill.readings.push(self.reading(one, None, verdict));
                Ok(())
            }
            OnFailure::Closed => {
                bill.readings.push(self.reading(one, None, verdict));
                Err(Refused::Uncounted(Denial::QuotaServiceUnavailable))
            }
            OnFailure::Local(_) => {
                let share = Counted {
                    owner: one.owner.aside(),
                    ..*one
                };
                self.take(&share, verdict, bill, trail)
            }
        }
    }

    /// A request is over a shared limit.
    fn exceeded(
        &self,
        one: &Counted<'_>,
        standing: Standing,
        bill: &mut Bill,
        trail: &mut Trail,
    ) -> Result<(), Refused> {
        bill.readings
            .push(self.reading(one, Some(standing), verdict_over(one.limit)));
        match one.limit.over {
            Over::Observe => {
                observed(one.limit, standing.next_ns, trail);
                Ok(())
            }
            Over::Deny | Over::Shed(_) => Err(Refused::over(one.limit, standing.next_ns)),
        }
    }
}

/// What the service says of one of several hits.
fn status(answer: &Answer, index: usize, hits: usize) -> Result<Status, &'static str> {
    if answer.statuses.is_empty() {
        return Ok(Status {
            over_limit: answer.over_limit,
            ..Status::default()
        });
    }
    match answer.statuses.get(index) {
        Some(status) if answer.statuses.len() == hits => match status.quota {
            Some(_) => Ok(status.clone()),
            None => Err("knows no such limit"),
        },
        _ => Err("answers something else"),
    }
}

/// Puts units in hand, or notes that there are no more.
fn receive(owner: &Owner, status: &Status, units: u64, until: Time, world: &World) {
    let table = Table::new(world.store, world.policy.quotas.size);
    // Who does not tell what is left may have enough.
    let left = status.quota.map_or(u64::MAX, |_| status.left);
    // Should others write first too often, the units are lost.
    let _ = table.update(owner, world.now, |state: &State| {
        let state = match status.over_limit {
            true => lease::refused(state, until, world.now),
            false => lease::receive(state, units, left, until, world.now),
        };
        state.map_or(Change::Keep(()), |state| Change::Write(state, ()))
    });
}

/// When the window ends in which it is now: windows begin with the clock's.
fn end(shared: &Shared, now: Time) -> Time {
    let window_ns = shared.window_ns.max(1);
    now + Duration::from_nanos(window_ns - now.nanos() % window_ns)
}

fn standing(shared: &Shared, left: u64, reset_ns: u64) -> Standing {
    Standing {
        quota: shared.quota,
        left: left.min(shared.quota),
        next_ns: (left < shared.quota).then_some(reset_ns),
    }
}
