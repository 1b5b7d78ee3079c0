//! Whether the caller has a role that the operation asks for.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::denial::Denial;
use crate::policy::Policy;
use crate::stage::authn::{Caller, Identity, Kind};
use crate::trail::{Stage, Trail};

/// Holds the caller's roles against those that an operation asks for; any suffices.
///
/// # Errors
/// [`Denial::RoleMissing`] when it has none of them and the stage enforces.
pub(super) fn check(
    asked: &[String],
    caller: &Caller,
    policy: &Policy,
    trail: &mut Trail,
) -> Result<(), Denial> {
    if asked.is_empty() {
        return Ok(());
    }
    let held = of(caller, policy);
    match asked.iter().find(|role| held.contains(*role)) {
        Some(role) => {
            trail.pass(Stage::Authorization, format!("is `{role}`"));
            Ok(())
        }
        None => trail.object(
            Stage::Authorization,
            policy.stages.authorization,
            Denial::RoleMissing,
        ),
    }
}

/// Every role that the caller's credentials give.
pub(in crate::stage) fn of(caller: &Caller, policy: &Policy) -> BTreeSet<String> {
    caller
        .identities()
        .filter_map(|identity| claim(identity, policy))
        .flat_map(|claim| policy.roles.of(claim))
        .collect()
}

/// Where an issuer keeps roles is its own affair; what the policy writes about a key
/// or a certificate has them in one place.
fn claim<'a>(identity: &'a Identity, policy: &Policy) -> Option<&'a Value> {
    match identity.kind {
        Kind::Token => identity.claim(&policy.roles.claim),
        Kind::ApiKey | Kind::Certificate => identity.claims.get("roles"),
    }
}
