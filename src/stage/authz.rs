//! What the caller may do: the scopes that the document asks for.

use std::borrow::Cow;

use crate::denial::Denial;
use crate::policy::source::Mode;
use crate::policy::{Access, Policy};
use crate::stage::authn::Caller;
use crate::trail::{Stage, Trail};

/// Holds the caller's scopes against the operation's requirements: any one of
/// them suffices, and of that one every scope is needed (OpenAPI's OR of ANDs).
///
/// # Errors
/// [`Denial::InsufficientScope`] when none is met and the stage enforces.
pub fn authorize(
    caller: &Caller,
    access: &Access,
    policy: &Policy,
    trail: &mut Trail,
) -> Result<(), Denial> {
    let held = caller
        .identity()
        .map_or(&[][..], |identity| &identity.scopes);
    let met = |scopes: &Vec<String>| scopes.iter().all(|scope| held.contains(scope));
    if access.public {
        trail.pass(Stage::Authorization, "open to everybody");
        return Ok(());
    }
    match access.alternatives.iter().find(|scopes| met(scopes)) {
        Some(scopes) if caller.identity().is_some() => {
            let note = match scopes.len() {
                0 => Cow::Borrowed("no scope needed"),
                _ => Cow::Owned(format!("has {}", scopes.join(" "))),
            };
            trail.pass(Stage::Authorization, note);
            Ok(())
        }
        // Authentication let nobody through to an operation that is not public.
        Some(_) => trail.object(Stage::Authorization, Mode::Enforce, Denial::NoCredential),
        None => {
            let scope = access
                .alternatives
                .first()
                .map(|scopes| scopes.join(" "))
                .unwrap_or_default();
            trail.object(
                Stage::Authorization,
                policy.stages.authorization,
                Denial::InsufficientScope { scope },
            )
        }
    }
}
