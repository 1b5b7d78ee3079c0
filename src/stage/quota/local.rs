//! Limits that are counted in this gateway alone.

use super::bill::{Bill, verdict_over};
use super::{Counted, Refused, Request, observed};
use crate::denial::Denial;
use crate::policy::quota::{Cost, Limit, Over};
use crate::quota::Taken;
use crate::quota::account::{Taking, Verdict};
use crate::quota::table::{Change, Contended, Table};
use crate::trail::Trail;

impl Request<'_> {
    /// What it costs.
    pub(super) fn cost(&self, limit: &Limit) -> Result<u64, Denial> {
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

    /// Whether all of them will allow it, as far as can be said before any is spent from.
    pub(super) fn foresee(
        &self,
        counted: &[Counted<'_>],
        trail: &mut Trail,
    ) -> Result<(), Refused> {
        let table = Table::new(self.world.store, self.world.policy.quotas.size);
        let now = self.world.now;
        let mut refused: Option<Refused> = None;
        let mut readings = Vec::new();
        for one in counted {
            let state = table.read(&one.owner, now);
            let Taken::No {
                standing, wait_ns, ..
            } = one.algorithm.take(&state, one.cost, now)
            else {
                let standing = one.algorithm.standing(&state, now);
                readings.push(self.reading(one, Some(standing), Verdict::Spared));
                continue;
            };
            let verdict = match one.limit.over {
                // It says nothing where it does not decide.
                Over::Observe => Verdict::Spared,
                Over::Deny | Over::Shed(_) => verdict_over(one.limit),
            };
            readings.push(self.reading(one, Some(standing), verdict));
            if one.limit.over != Over::Observe {
                let over = Refused::over(one.limit, wait_ns);
                refused = Some(match refused {
                    Some(refused) => refused.and(over),
                    None => over,
                });
            }
        }
        let Some(refused) = refused else {
            return Ok(());
        };
        if matches!(refused, Refused::Shed { .. }) {
            // Another plan holds.
            readings.iter_mut().for_each(|reading| reading.told = false);
        }
        trail.account.readings.extend(readings);
        Err(refused)
    }

    /// Takes what it costs. `allowed` is what becomes of a request that fits.
    pub(super) fn take(
        &self,
        one: &Counted<'_>,
        allowed: Verdict,
        bill: &mut Bill,
        trail: &mut Trail,
    ) -> Result<(), Refused> {
        let table = Table::new(self.world.store, self.world.policy.quotas.size);
        let now = self.world.now;
        let taken = table.update(&one.owner, now, |state| {
            let taken = one.algorithm.take(state, one.cost, now);
            match &taken {
                Taken::Yes { state, .. }
                | Taken::No {
                    state: Some(state), ..
                } => Change::Write(*state, taken),
                Taken::No { state: None, .. } => Change::Keep(taken),
            }
        });
        match taken {
            Ok(Taken::Yes { standing, .. }) => {
                bill.readings
                    .push(self.reading(one, Some(standing), allowed));
                bill.taken.push(Taking {
                    owner: one.owner.clone(),
                    algorithm: one.algorithm,
                    cost: one.cost,
                    taken_at: now,
                });
                Ok(())
            }
            Ok(Taken::No {
                standing, wait_ns, ..
            }) => {
                let verdict = verdict_over(one.limit);
                bill.readings
                    .push(self.reading(one, Some(standing), verdict));
                if verdict == Verdict::Observed {
                    observed(one.limit, wait_ns, trail);
                    return Ok(());
                }
                Err(Refused::over(one.limit, wait_ns))
            }
            Err(Contended) => {
                bill.readings
                    .push(self.reading(one, None, Verdict::Uncounted));
                Err(Refused::Uncounted(Denial::QuotaUncounted))
            }
        }
    }
}
