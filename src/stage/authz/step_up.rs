//! Whether the caller logged in well enough and lately enough (RFC 9470).

use serde_json::Value;

use crate::denial::Denial;
use crate::engine::World;
use crate::policy::api::StepUp;
use crate::stage::authn::{Caller, Identity, Kind};
use crate::trail::{Stage, Trail};

/// Holds `acr` and `auth_time` of the caller's token against what the operation asks.
///
/// # Errors
/// [`Denial::StepUp`] when the token says less, or there is none.
pub(super) fn check(
    asked: &StepUp,
    caller: &Caller,
    world: &World,
    trail: &mut Trail,
) -> Result<(), Denial> {
    let token = caller
        .identities()
        .find(|identity| identity.kind == Kind::Token);
    if token.is_some_and(|token| well(asked, token) && lately(asked, token, world)) {
        trail.pass(Stage::Authorization, "logged in well and lately enough");
        return Ok(());
    }
    let denial = Denial::StepUp {
        acr_values: asked.acr_values.join(" "),
        max_age_seconds: asked.max_age_seconds,
    };
    trail.object(
        Stage::Authorization,
        world.policy.stages.authorization,
        denial,
    )
}

fn well(asked: &StepUp, token: &Identity) -> bool {
    let acr = token.claims.get("acr").and_then(Value::as_str);
    asked.acr_values.is_empty()
        || acr.is_some_and(|acr| asked.acr_values.iter().any(|value| value == acr))
}

/// Without `auth_time` nothing says when, which is not lately.
fn lately(asked: &StepUp, token: &Identity, world: &World) -> bool {
    let Some(max_age) = asked.max_age_seconds else {
        return true;
    };
    let logged_in = token.claims.get("auth_time").and_then(Value::as_u64);
    logged_in.is_some_and(|then| world.now.seconds().saturating_sub(then) <= max_age)
}
