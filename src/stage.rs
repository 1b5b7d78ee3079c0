//! The order of the stages, and what each may assume.
//!
//! | stage | takes | gives |
//! |---|---|---|
//! | [`hygiene`] | a head as it came | [`Screened`]: one reading |
//! | routing | `Screened` | the declared operation |
//! | [`network`], [`availability`] | `Screened`, the operation | leave to go on |
//! | [`lockout`] | `Screened`, the operation | leave to authenticate |
//! | [`authn`] | `Screened`, the operation's requirements | [`Caller`](authn::Caller) |
//! | [`authz`], [`quota`], [`anomaly`] | `Caller` | leave to go on |
//! | all of them | | [`Admitted`], which alone reaches the upstream |
//! | [`hand_over`] | `Screened`, `Caller` | what the upstream gets of credentials |
//! | [`masking`] | `Admitted`, the response | what the caller may see |
//!
//! The types have private constructors: what needs an authenticated caller takes
//! one, so the compiler keeps the order.

pub mod anomaly;
pub mod authn;
pub mod authz;
pub mod availability;
mod facts;
pub mod hand_over;
pub mod hygiene;
pub mod lockout;
pub mod masking;
pub mod network;
pub mod quota;

use crate::denial::Denial;
use crate::engine::World;
use crate::policy::route::{Found, PathParameters};
use crate::policy::{Operation, Policy};
use crate::trail::{Stage, Trail};
use authn::Caller;
use authz::rules::When;
use hygiene::Screened;

/// A request that may go to the upstream. Only [`admit`] makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    operation: Option<usize>,
    method: String,
    clearance: u8,
}

impl Admitted {
    /// The operation, unless routing only observes and found none.
    pub fn operation<'p>(&self, policy: &'p Policy) -> Option<&'p Operation> {
        policy.operations.get(self.operation?)
    }

    /// The request's method.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The highest class of data that the caller may see.
    pub fn clearance(&self) -> u8 {
        self.clearance
    }
}

/// What became of a request after its head.
#[derive(Debug)]
pub enum Admission {
    /// It may go on.
    Admitted(Admitted),
    /// So far it may; its body has still to be looked at.
    Candidate(Candidate),
}

/// A request of which everything but the body was found good. Only [`admit`] makes it.
#[derive(Debug)]
pub struct Candidate {
    admitted: Admitted,
    caller: Caller,
}

impl Candidate {
    /// Who calls.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Looks at the body.
    ///
    /// # Errors
    /// What is in it is not for this caller, and the stage enforces.
    pub fn judge(
        self,
        screened: &Screened,
        body: &[u8],
        policy: &Policy,
        trail: &mut Trail,
    ) -> Result<Admitted, Denial> {
        if let Some(operation) = self.admitted.operation(policy) {
            let headers = &screened.head().headers;
            authz::objects::body(operation, headers, body, &self.caller, policy, trail)?;
        }
        Ok(self.admitted)
    }
}

/// Finds the declared operation.
///
/// # Errors
/// Nothing is declared for path or method, and the stage enforces. When it only
/// observes, an undeclared operation is `None`.
pub fn route<'a>(
    screened: &'a Screened,
    policy: &'a Policy,
    trail: &mut Trail,
) -> Result<Option<(usize, &'a Operation, PathParameters<'a>)>, Denial> {
    let denial = match policy.router.find(screened.method(), screened.path()) {
        Found::Operation { index, parameters } => {
            if let Some(operation) = policy.operations.get(index) {
                trail.operation = Some(operation.id.clone());
                trail.route = Some(operation.path.clone());
                trail.pass(Stage::Routing, "declared");
                return Ok(Some((index, operation, parameters)));
            }
            Denial::Unexpected
        }
        Found::MethodNotAllowed { allow } => Denial::MethodNotDeclared {
            allow: allow.to_string(),
        },
        Found::NotFound => Denial::PathNotDeclared,
    };
    trail
        .object(Stage::Routing, policy.stages.routing, denial)
        .map(|()| None)
}

/// Asks every stage that needs not know the caller, once for each request.
///
/// # Errors
/// The first refusal of a stage that enforces.
pub fn approach(
    screened: &Screened,
    route: Option<(&Operation, &PathParameters<'_>)>,
    world: &World,
    trail: &mut Trail,
) -> Result<(), Denial> {
    let policy = world.policy;
    let operation = route.map(|(operation, _)| operation);
    let territory = operation.map_or(&policy.networks.everywhere, |operation| {
        &operation.territory
    });
    network::restrict(screened, territory, policy, trail)?;
    let availability = operation.map_or(&policy.undeclared_availability, |operation| {
        &operation.availability
    });
    availability::restrict(availability, policy, world.now, trail)?;
    quota::approach(screened, route, world, trail)?;
    let access = operation.map_or(&policy.undeclared, |operation| &operation.access);
    lockout::approach(screened, access, world, trail)
}

/// Asks every stage that needs to know the caller.
///
/// # Errors
/// The first refusal of a stage that enforces.
pub fn admit(
    screened: &Screened,
    route: Option<(usize, &Operation, PathParameters<'_>)>,
    caller: Caller,
    world: &World,
    trail: &mut Trail,
) -> Result<Admission, Denial> {
    let policy = world.policy;
    let mut asks_for_body = false;
    let index = match route {
        None => {
            quota::spend(screened, None, &caller, world, trail)?;
            None
        }
        Some((index, operation, parameters)) => {
            authz::authorize(operation, screened, &parameters, &caller, world, trail)?;
            let asked = Some((operation, &parameters));
            quota::spend(screened, asked, &caller, world, trail)?;
            anomaly::judge(operation, screened, &parameters, policy, trail)?;
            authz::rules::check(
                When::Scored,
                operation,
                screened,
                &parameters,
                &caller,
                world,
                trail,
            )?;
            asks_for_body = !operation.body_claims.is_empty();
            Some(index)
        }
    };
    let admitted = Admitted {
        operation: index,
        method: screened.method().to_string(),
        clearance: caller.identity().map_or_else(
            || policy.clearances.everybody(),
            |identity| identity.clearance,
        ),
    };
    Ok(match asks_for_body {
        true => Admission::Candidate(Candidate { admitted, caller }),
        false => Admission::Admitted(admitted),
    })
}
