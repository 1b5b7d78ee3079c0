//! Limits that tighten by themselves: what a request adds to what is known of the
//! upstream and of its caller, and what share of a limit it finds.

use std::rc::Rc;

use super::{Request, key};
use crate::engine::{Ended, World};
use crate::policy::quota::Limit;
use crate::quota::account::Watched;
use crate::quota::adaptive::{Adaptive, Change as Shift};
use crate::quota::share::Share;
use crate::quota::table::{Change, Owner, Table};
use crate::stage::lockout;
use crate::trail::{Decision, Stage, Trail};

impl Request<'_> {
    /// How much of its limits the caller has.
    pub(super) fn share_of_caller(&self) -> Share {
        let Some(suspicion) = &self.world.policy.quotas.suspicion else {
            return Share::WHOLE;
        };
        let table = Table::new(self.world.store, self.world.policy.quotas.size);
        let identity = self.caller.identity();
        let pseudonym = identity.map(|identity| identity.pseudonym.as_str());
        let owner = suspect(pseudonym, self.screened.address(), self.world);
        let state = owner.own(table.read(&owner, self.world.now));
        suspicion.share(&state, self.world.now)
    }

    /// How much of a limit holds for all.
    pub(super) fn share_of_limit(&self, limit: &Limit) -> Share {
        let Some(adaptive) = &limit.adaptive else {
            return Share::WHOLE;
        };
        let table = Table::new(self.world.store, self.world.policy.quotas.size);
        let state = table.read(&health(limit, self.world), self.world.now);
        adaptive.share(&state, self.world.now)
    }

    /// What is to be told of the upstream's answer when it has come.
    pub(super) fn watched(&self, limit: &Limit) -> Option<Watched> {
        Some(Watched {
            limit: Rc::clone(&limit.full_name),
            owner: health(limit, self.world),
            adaptive: limit.adaptive?,
        })
    }
}

/// Draws the consequences of how an exchange ended.
pub(super) fn learn(ended: Ended, world: &World, trail: &mut Trail) {
    // What the gateway withholds is no answer of the upstream's.
    if trail.decision().0 == Decision::Allow {
        for watched in std::mem::take(&mut trail.account.watched) {
            let is_slow = is_slow(&watched.adaptive, ended);
            let is_bad = match ended.status {
                Some(status) => status >= 500 || is_slow,
                None if is_slow => true,
                // A client that leaves at once says nothing of the upstream.
                None => continue,
            };
            if let Some(shift) = count(&watched, is_bad, world) {
                trail.pass(Stage::Quota, told(&watched.limit, shift));
            }
        }
    }
    suspect_of(world, trail);
}

fn is_slow(adaptive: &Adaptive, ended: Ended) -> bool {
    let (Some(most), Some(took)) = (adaptive.slower_than_ns, ended.upstream_ns) else {
        return false;
    };
    took > most
}

fn count(watched: &Watched, is_bad: bool, world: &World) -> Option<Shift> {
    let table = Table::new(world.store, world.policy.quotas.size);
    // Should others write first too often, one answer is not counted.
    table
        .update(&watched.owner, world.now, |state| {
            let (state, shift) = watched.adaptive.count(state, is_bad, world.now);
            Change::Write(state, shift)
        })
        .ok()
        .flatten()
}

/// A failure to log in counts against the address it came from, since nobody has shown
/// who it was; an odd request against its caller.
fn suspect_of(world: &World, trail: &mut Trail) {
    let Some(suspicion) = world.policy.quotas.suspicion else {
        return;
    };
    let line = suspicion.anomaly.or(world
        .policy
        .anomaly
        .as_ref()
        .map(|anomaly| anomaly.threshold));
    let is_odd = trail
        .score
        .zip(line)
        .is_some_and(|(score, line)| score > line);
    let failed = trail.denial().is_some_and(lockout::is_attempt);
    let (subject, what) = match (failed, is_odd) {
        (true, _) => (None, "a failure to log in"),
        (false, true) => (trail.subject.as_deref(), "an odd request"),
        (false, false) => return,
    };
    let owner = suspect(subject, trail.address, world);
    let table = Table::new(world.store, world.policy.quotas.size);
    let share = table.update(&owner, world.now, |state| {
        let state = owner.own(*state);
        let before = suspicion.share(&state, world.now);
        let state = owner.mark(suspicion.remember(&state, world.now));
        let after = suspicion.share(&state, world.now);
        Change::Write(state, (before, after))
    });
    if let Ok((before, after)) = share
        && before != after
    {
        let whom = match subject {
            Some(_) => "caller",
            None => "address",
        };
        let percent = after.percent();
        let note = format!("{what}: the limits of the {whom} tighten to {percent} %");
        trail.pass(Stage::Quota, note);
    }
}

fn told(limit: &str, shift: Shift) -> String {
    let Shift {
        from,
        to,
        bad,
        answers,
    } = shift;
    let percent = to.percent();
    match to < from {
        true => format!("`{limit}` tightens to {percent} %: {bad} of {answers} answers were bad"),
        false => format!("`{limit}` recovers to {percent} %"),
    }
}

/// Whose state tells how the upstream does. It is no owner of the limit's: when slots are
/// short, it must not be counted together with them.
fn health(limit: &Limit, world: &World) -> Owner {
    let name = Rc::from(format!("adaptive/{}", limit.full_name));
    Owner::new(&name, &[], world.secret)
}

/// Whose state tells what somebody has done.
fn suspect(subject: Option<&str>, address: Option<std::net::IpAddr>, world: &World) -> Owner {
    let limit = Rc::from("suspicion");
    match (subject, address) {
        (Some(subject), _) => {
            let parts = [&b"subject"[..], subject.as_bytes()];
            Owner::new(&limit, &parts, world.secret)
        }
        (None, address) => {
            let network = address.map(key::one_client).unwrap_or_default();
            Owner::new(&limit, &[b"address", &network], world.secret)
        }
    }
}
