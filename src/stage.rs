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
use crate::policy::route::{self, PathParameters};
use crate::policy::{Operation, Policy};
use crate::ratelimit::Answer;
use crate::trail::{Stage, Trail};
use authn::Caller;
use authz::rules::When;
use hygiene::Screened;
use quota::Spent;

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
    /// So far it may; the rate limit service has still to be asked.
    Uncounted(Uncounted),
}

/// A request that may call, if it may call as often. Only [`admit`] makes it.
#[derive(Debug)]
pub struct Uncounted {
    caller: Caller,
    pending: quota::Pending,
}

impl Uncounted {
    /// Who calls.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// What has been taken, and what is asked.
    pub fn pending(&self) -> &quota::Pending {
        &self.pending
    }
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
) -> Result<Option<Found<'a>>, Denial> {
    let denial = match policy.router.find(screened.method(), screened.path()) {
        route::Found::Operation { index, parameters } => {
            if let Some(operation) = policy.operations.get(index) {
                trail.operation = Some(operation.id.clone());
                trail.route = Some(operation.path.clone());
                trail.pass(Stage::Routing, "declared");
                return Ok(Some((index, operation, parameters)));
            }
            Denial::Unexpected
        }
        route::Found::MethodNotAllowed { allow } => Denial::MethodNotDeclared {
            allow: allow.to_string(),
        },
        route::Found::NotFound => Denial::PathNotDeclared,
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
    route: Option<Found<'_>>,
    caller: Caller,
    world: &World,
    trail: &mut Trail,
) -> Result<Admission, Denial> {
    if let Some((_, operation, parameters)) = &route {
        authz::authorize(operation, screened, parameters, &caller, world, trail)?;
    }
    let spent = quota::spend(screened, asked(&route), &caller, world, trail)?;
    go_on(spent, screened, route, caller, world, trail)
}

/// Goes on when the rate limit service has answered; `None`: it did not.
///
/// # Errors
/// The first refusal of a stage that enforces.
pub fn counted(
    screened: &Screened,
    uncounted: Uncounted,
    answer: Option<&Answer>,
    world: &World,
    trail: &mut Trail,
) -> Result<Admission, Denial> {
    // It was found and recorded before the wait.
    let route = route(screened, world.policy, &mut Trail::default())?;
    let Uncounted { caller, pending } = uncounted;
    let spent = quota::answered(
        pending,
        answer,
        screened,
        asked(&route),
        &caller,
        world,
        trail,
    )?;
    go_on(spent, screened, route, caller, world, trail)
}

fn asked<'a>(route: &'a Option<Found<'_>>) -> Option<quota::Route<'a>> {
    route
        .as_ref()
        .map(|(_, operation, parameters)| (*operation, parameters))
}

fn go_on(
    spent: Spent,
    screened: &Screened,
    route: Option<Found<'_>>,
    caller: Caller,
    world: &World,
    trail: &mut Trail,
) -> Result<Admission, Denial> {
    if let Spent::Ask(pending) = spent {
        return Ok(Admission::Uncounted(Uncounted { caller, pending }));
    }
    let policy = world.policy;
    if let Some((_, operation, parameters)) = &route {
        anomaly::judge(operation, screened, parameters, policy, trail)?;
        authz::rules::check(
            When::Scored,
            operation,
            screened,
            parameters,
            &caller,
            world,
            trail,
        )?;
    }
    let admitted = Admitted {
        operation: route.as_ref().map(|(index, _, _)| *index),
        method: screened.method().to_string(),
        clearance: caller.identity().map_or_else(
            || policy.clearances.everybody(),
            |identity| identity.clearance,
        ),
    };
    let asks_for_body = |(_, operation, _): Found<'_>| !operation.body_claims.is_empty();
    Ok(match route.is_some_and(asks_for_body) {
        true => Admission::Candidate(Candidate { admitted, caller }),
        false => Admission::Admitted(admitted),
    })
}

/// The declared operation, its place, and what stands in its path.
type Found<'a> = (usize, &'a Operation, PathParameters<'a>);
