//! What the caller may do: scopes, roles, the log-in behind a token, objects of its
//! own, and the rules.

pub(super) mod objects;
pub(super) mod roles;
pub(super) mod rules;
mod step_up;

use std::borrow::Cow;

use crate::denial::Denial;
use crate::engine::World;
use crate::policy::route::PathParameters;
use crate::policy::source::Mode;
use crate::policy::{Access, Operation, Policy, Requirement};
use crate::stage::authn::Caller;
use crate::stage::hygiene::Screened;
use crate::trail::{Stage, Trail};
use rules::When;

/// Asks everything that can be answered before the body is there.
///
/// # Errors
/// The first refusal, when the stage enforces.
pub fn authorize(
    operation: &Operation,
    screened: &Screened,
    parameters: &PathParameters<'_>,
    caller: &Caller,
    world: &World,
    trail: &mut Trail,
) -> Result<(), Denial> {
    let policy = world.policy;
    scopes(caller, &operation.access, policy, trail)?;
    roles::check(&operation.roles, caller, policy, trail)?;
    if let Some(asked) = &operation.step_up {
        step_up::check(asked, caller, world, trail)?;
    }
    objects::parameters(operation, screened, parameters, caller, policy, trail)?;
    rules::check(
        When::Before,
        operation,
        screened,
        parameters,
        caller,
        world,
        trail,
    )
}

/// Holds the caller's scopes against the operation's requirements: any one of
/// them suffices, and of that one every demand (OpenAPI's OR of ANDs).
///
/// # Errors
/// [`Denial::InsufficientScope`] when none is met and the stage enforces.
fn scopes(
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
        let note = match listed(requirement) {
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
                scope: listed(requirement),
            },
        ),
        // Authentication let nobody through to an operation that is not public.
        None => trail.object(Stage::Authorization, Mode::Enforce, Denial::NoCredential),
    }
}

fn listed(requirement: &Requirement) -> String {
    let scopes: Vec<&str> = requirement
        .iter()
        .flat_map(|demand| demand.scopes.iter().map(String::as_str))
        .collect();
    scopes.join(" ")
}
