//! Whether the sender of a token holds what the token is bound to.
//!
//! A token that is bound to a key is worth nothing to whoever steals it, as long as
//! nobody takes it without a proof: sent as a plain bearer token it is refused,
//! whatever the policy says (RFC 9449 §7.2).

use super::Identity;
use super::credential::{Credential, Manner, credential};
use super::nonce;
use super::replay::{Remembered, remember};
use crate::denial::Denial;
use crate::engine::World;
use crate::jose::{ExpectProof, Proof};
use crate::policy::Dpop;
use crate::stage::hygiene::Screened;

/// Holds the token's binding against what came with it, and what the policy asks of
/// its issuer's tokens against the binding. The note says what was proven.
///
/// # Errors
/// The token is bound to a key and its sender does not prove to hold it, now and for
/// this request; or it is not bound, and must be.
pub(super) fn check(
    identity: &Identity,
    screened: &Screened,
    world: &World,
) -> Result<Option<&'static str>, Denial> {
    let policy = world.policy;
    let constraint = identity
        .issuer
        .and_then(|place| policy.issuers.get(place))
        .map(|issuer| issuer.sender_constraint)
        .unwrap_or_default();
    let sent = credential(screened.head(), policy.dpop.is_some());
    let key = identity.confirmation.key.as_ref();
    match (sent, key, &policy.dpop) {
        (Credential::Token(Manner::Dpop, token), Some(key), Some(dpop)) => {
            prove(dpop, key, token, screened, world)?;
        }
        // Bound, and sent as if it were not; or not bound, and sent as if it were.
        (_, Some(_), _) => return Err(Denial::TokenBound),
        (Credential::Token(Manner::Dpop, _), None, _) => return Err(Denial::TokenUnbound),
        (_, None, _) => {}
    }
    if !constraint.is_met(&identity.confirmation) {
        return Err(Denial::TokenUnbound);
    }
    Ok(key.map(|_| "possession of its key proven"))
}

fn prove(
    dpop: &Dpop,
    key: &[u8; 32],
    token: &str,
    screened: &Screened,
    world: &World,
) -> Result<(), Denial> {
    let mut headers = screened.head().headers.all("dpop");
    let (Some(compact), None) = (headers.next(), headers.next()) else {
        return Err(Denial::ProofMissing);
    };
    let now = world.now.seconds();
    let expect = ExpectProof {
        algorithms: &dpop.algorithms,
        thumbprint: key,
        token,
        method: screened.method(),
        origins: &dpop.origins,
        path: screened.path(),
        now,
        max_age: dpop.max_age_seconds,
        leeway: dpop.leeway_seconds,
    };
    let compact = std::str::from_utf8(compact).unwrap_or_default();
    let proof = Proof::verify(compact, &expect, world.signatures).map_err(Denial::BadProof)?;
    let repeats_nonce = || {
        let fresh = |given| nonce::is_fresh(given, world.secret, world.now);
        proof.nonce().is_some_and(fresh)
    };
    if dpop.asks_for_nonce && !repeats_nonce() {
        return Err(Denial::ProofWithoutNonce {
            nonce: nonce::current(world.secret, world.now),
        });
    }
    let parts = [&key[..], proof.id().as_bytes()];
    let until = proof.good_until();
    match remember(world.store, world.secret, dpop.slots, &parts, until, now) {
        Remembered::First => Ok(()),
        Remembered::Again => Err(Denial::ProofReplayed),
        Remembered::Unknown => Err(Denial::ProofUncounted),
    }
}
