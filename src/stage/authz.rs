//! What the caller may do: the scopes that the document asks for.

use std::borrow::Cow;

use crate::denial::Denial;
use crate::policy::source::Mode;
use crate::policy::{Access, Policy, Requirement};
use crate::stage::authn::Caller;
use crate::trail::{Stage, Trail};

/// Holds the caller's scopes against the operation's requirements: any one of
/// them suffices, and of that one every demand (OpenAPI's OR of ANDs).
///
/// # Errors
/// [`Denial::InsufficientScope`] when none is met and the stage enforces.
pub fn authorize(
    caller: &Caller,
    access: &Access,
    policy: &Policy,
    trail: &mut Trail,
) -> Result<(), Denial> {
    if access.public {
        trail.pass(Stage::Authorization, "open to everybody");
        return Ok(());
    }
    let met = |requirement: &&Requirement| requirement.iter().all(|demand| caller.meets(demand));
    if let Some(requirement) = access.alternatives.iter().find(met) {
        let note = match scopes(requirement) {
            none if none.is_empty() => Cow::Borrowed("no scope needed"),
            scopes => Cow::Owned(format!("has {scopes}")),
        };
        trail.pass(Stage::Authorization, note);
        return Ok(());
    }
    let satisfied = |requirement: &&Requirement| caller.satisfies(requirement);
    match access.alternatives.iter().find(satisfied) {
        Some(requirement) => trail.object(
            Stage::Authorization,
            policy.stages.authorization,
            Denial::InsufficientScope {
                scope: scopes(requirement),
            },
        ),
        // Authentication let nobody through to an operation that is not public.
        None => trail.object(Stage::Authorization, Mode::Enforce, Denial::NoCredential),
    }
}

fn scopes(requirement: &Requirement) -> String {
    let scopes: Vec<&str> = requirement
        .iter()
        .flat_map(|demand| demand.scopes.iter().map(String::as_str))
        .collect();
    scopes.join(" ")
}
