//! Who failed to authenticate too often, and must wait.
//!
//! Addresses are asked about before any credential is looked at. Keys and accounts
//! are known only afterwards; whoever is locked out then gets the same answer for a
//! right credential as for a wrong one, so the lock tells nothing of either.
//!
//! Only what somebody may be held to is counted. Any client's token expires, and an
//! issuer changes its keys: neither is an attempt at anything. A forged token counts
//! against the address it came from and never against the subject that it names.

use std::net::IpAddr;

use crate::api_key::Fault;
use crate::denial::Denial;
use crate::engine::World;
use crate::jose::TokenError;
use crate::lockout::{self, Kind, Standing, Subject};
use crate::policy::Access;
use crate::policy::lockout::Lockout;
use crate::stage::authn::{self, Authenticated, Caller};
use crate::stage::hygiene::Screened;
use crate::trail::{Stage, Trail};

/// Whether the address must wait. Where nobody can authenticate, nobody need wait.
///
/// # Errors
/// [`Denial::LockedOut`], if the stage enforces.
pub fn approach(
    screened: &Screened,
    access: &Access,
    world: &World,
    trail: &mut Trail,
) -> Result<(), Denial> {
    let Some(lockout) = &world.policy.lockout else {
        return Ok(());
    };
    if access.alternatives.is_empty() {
        return Ok(());
    }
    let counted: Vec<Counted> = address(screened, lockout, world).into_iter().collect();
    match first_locked(&counted, lockout, world) {
        Some(denial) => trail.object(Stage::Lockout, world.policy.stages.lockout, denial),
        None => {
            trail.pass(Stage::Lockout, "not locked out");
            Ok(())
        }
    }
}

/// Draws the consequences of what authentication came to.
///
/// # Errors
/// The outcome's own, or [`Denial::LockedOut`] if a key or an account must wait and
/// the stage enforces.
pub fn conclude(
    outcome: Result<Authenticated, Denial>,
    screened: &Screened,
    world: &World,
    trail: &mut Trail,
) -> Result<Authenticated, Denial> {
    let Some(lockout) = &world.policy.lockout else {
        return outcome;
    };
    match &outcome {
        Ok(Authenticated::Needed(_)) => {}
        Ok(Authenticated::Known(caller)) => {
            let counted = bearers(caller, lockout, world);
            if let Some(denial) = first_locked(&counted, lockout, world) {
                trail.object(Stage::Lockout, world.policy.stages.lockout, denial)?;
            } else {
                for one in counted {
                    one.forgive(lockout, world);
                }
            }
        }
        Err(denial) if is_attempt(denial) => {
            let mut counted = accused(denial, trail, lockout, world);
            if let Some(denial) = first_locked(&counted, lockout, world) {
                trail.object(Stage::Lockout, world.policy.stages.lockout, denial)?;
                return outcome;
            }
            counted.extend(address(screened, lockout, world));
            let notes: Vec<String> = counted
                .iter()
                .filter_map(|one| Some(told(one.kind, one.fail(lockout, world)?)))
                .collect();
            if !notes.is_empty() {
                trail.pass(Stage::Lockout, notes.join(", "));
            }
        }
        Err(_) => {}
    }
    outcome
}

/// Somebody whose failures are counted.
struct Counted {
    kind: Kind,
    subject: Subject,
}

impl Counted {
    fn new(kind: Kind, name: &str, lockout: &Lockout, world: &World) -> Self {
        Counted {
            kind,
            subject: Subject::new(kind, name.as_bytes(), &lockout.epoch, world.secret),
        }
    }

    fn standing(&self, lockout: &Lockout, world: &World) -> Option<Standing> {
        let limits = lockout.limits(self.kind)?;
        Some(lockout::standing(
            &self.subject,
            limits,
            world.store,
            world.now,
        ))
    }

    fn fail(&self, lockout: &Lockout, world: &World) -> Option<Standing> {
        let limits = lockout.limits(self.kind)?;
        Some(lockout::fail(&self.subject, limits, world.store, world.now))
    }

    fn forgive(&self, lockout: &Lockout, world: &World) {
        if let Some(limits) = lockout.limits(self.kind) {
            lockout::forgive(&self.subject, limits, world.store, world.now);
        }
    }
}

fn address(screened: &Screened, lockout: &Lockout, world: &World) -> Option<Counted> {
    let pardoned = |address: &IpAddr| lockout.pardoned_networks.contains(*address);
    let address = screened.address().filter(|address| !pardoned(address))?;
    lockout.by_address.as_ref()?;
    Some(Counted {
        kind: Kind::Address,
        subject: Subject::address(address, &lockout.epoch, world.secret),
    })
}

/// Whose credentials were found good.
fn bearers(caller: &Caller, lockout: &Lockout, world: &World) -> Vec<Counted> {
    caller
        .identities()
        .filter_map(|identity| match identity.kind {
            authn::Kind::Token => account(&identity.pseudonym, lockout, world),
            authn::Kind::ApiKey => key(&identity.source, lockout, world),
            authn::Kind::Certificate => None,
        })
        .collect()
}

/// Whose credentials were refused, as far as that is certain.
fn accused(denial: &Denial, trail: &Trail, lockout: &Lockout, world: &World) -> Vec<Counted> {
    let key = match denial {
        Denial::BadApiKey(Fault::WrongSecret) => trail.claimed.as_deref(),
        _ => None,
    };
    let account = trail.accused.as_deref();
    account
        .and_then(|name| self::account(name, lockout, world))
        .into_iter()
        .chain(key.and_then(|name| self::key(name, lockout, world)))
        .collect()
}

fn account(pseudonym: &str, lockout: &Lockout, world: &World) -> Option<Counted> {
    let counts = lockout.by_account.is_some() && !lockout.pardoned_accounts.contains(pseudonym);
    counts.then(|| Counted::new(Kind::Account, pseudonym, lockout, world))
}

fn key(id: &str, lockout: &Lockout, world: &World) -> Option<Counted> {
    let counts = lockout.by_key.is_some() && !lockout.pardoned_keys.contains(id);
    counts.then(|| Counted::new(Kind::Key, id, lockout, world))
}

fn first_locked(counted: &[Counted], lockout: &Lockout, world: &World) -> Option<Denial> {
    counted
        .iter()
        .filter_map(|one| one.standing(lockout, world))
        .find(Standing::is_locked)
        .map(|standing| Denial::LockedOut {
            retry_after_seconds: seconds(standing),
        })
}

/// Whether a refusal is an attempt that somebody may be held to.
pub(super) fn is_attempt(denial: &Denial) -> bool {
    match denial {
        Denial::BadToken(error) => !matches!(
            error,
            TokenError::Expired
                | TokenError::NotYetValid
                | TokenError::TooOld
                | TokenError::KeyUnknown
        ),
        Denial::BadApiKey(fault) => !matches!(fault, Fault::Expired | Fault::NotYetValid),
        Denial::BadBinding(_)
        | Denial::TokenBound
        | Denial::BadProof(_)
        | Denial::ProofReplayed => true,
        _ => false,
    }
}

fn told(kind: Kind, standing: Standing) -> String {
    let failures = standing.failures;
    let kind = kind.name();
    match standing.is_locked() {
        true => format!(
            "failure {failures} of the {kind}, which waits {} s",
            seconds(standing)
        ),
        false => format!("failure {failures} of the {kind}"),
    }
}

/// Whole seconds, and never too few.
fn seconds(standing: Standing) -> u64 {
    let nanos = standing.wait.subsec_nanos();
    standing.wait.as_secs().saturating_add(u64::from(nanos > 0))
}
