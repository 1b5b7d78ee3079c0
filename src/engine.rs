//! The only state machine: an event in, a step out.
//!
//! It does no input or output and keeps no clock. The adapter in `envoy/` turns
//! Envoy's callbacks into [`Event`]s and carries out the [`Step`]s; tests and
//! `portcullis explain` do the same without Envoy. A pause is a returned value,
//! and a pair of state and event that nobody expected denies.

use std::cell::RefCell;
use std::rc::Rc;

use crate::denial::Denial;
use crate::jose::Signatures;
use crate::policy::{OPERATION_HEADER, Policy};
use crate::ratelimit::{Answer, Question};
use crate::request::{RequestHead, ResponseHead};
use crate::stage::authn::cache::TokenCache;
use crate::stage::authn::keys::KeyRing;
use crate::stage::authn::opaque::Told;
use crate::stage::authn::revocations::Revocations;
use crate::stage::authn::{self, Authenticated, Caller, Needed, Waited};
use crate::stage::hand_over;
use crate::stage::hygiene::{self, Screened};
use crate::stage::lockout;
use crate::stage::masking::{self, Treatment};
use crate::stage::quota;
use crate::stage::{self, Admission, Admitted, Candidate, Uncounted};
use crate::store::Store;
use crate::time::Time;
use crate::trail::{Stage, Trail};

/// What a decision may look at besides the event itself.
pub struct World<'a> {
    /// The compiled policy.
    pub policy: &'a Policy,
    /// The issuers' keys.
    pub keys: &'a KeyRing,
    /// Tokens that were verified before.
    pub tokens: &'a RefCell<TokenCache>,
    /// What servers said of tokens.
    pub told: &'a RefCell<Told>,
    /// What is revoked.
    pub revocations: &'a RefCell<Revocations>,
    /// What all workers share.
    pub store: &'a dyn Store,
    /// Who checks signatures.
    pub signatures: &'a dyn Signatures,
    /// Random bytes that all workers share and nobody else knows.
    pub secret: &'a [u8; 32],
    /// Now.
    pub now: Time,
}

/// What happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// The request's head arrived.
    RequestHead(RequestHead),
    /// More of the request's body arrived.
    RequestBody(Body<'a>),
    /// What was awaited has come, or will not come.
    Arrived,
    /// The rate limit service has answered; `None`: it did not.
    Answered(Option<Answer>),
    /// The response's head arrived.
    ResponseHead(ResponseHead),
    /// More of the response's body arrived.
    ResponseBody(Body<'a>),
    /// The exchange is over, however it ended.
    Ended(Ended),
}

/// How an exchange ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ended {
    /// The status that the client got; `None`: none was sent.
    pub status: Option<u16>,
    /// From when the upstream could have all of the request to the head of its response,
    /// or to the end if none came, in nanoseconds.
    pub upstream_ns: Option<u64>,
}

/// A body that is being collected.
#[derive(Debug, Clone, Copy)]
pub enum Body<'a> {
    /// More is to come.
    Partial,
    /// All of it.
    Whole(&'a [u8]),
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Let it go on, with these changes.
    Continue(Edits),
    /// Hold it and fetch this, then send [`Event::Arrived`].
    Await(Needed),
    /// Hold it and ask the rate limit service, then send [`Event::Answered`].
    Ask(Question),
    /// Hold it; an event that was announced before will release it.
    Wait,
    /// Hold the message's head and collect its body.
    AwaitBody,
    /// Answer with this refusal instead.
    Reply(Denial),
}

/// Changes to the message that goes on.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Edits {
    /// Header fields to remove.
    pub remove: Vec<String>,
    /// Header fields to set.
    pub set: Vec<(String, String)>,
    /// The new body.
    pub body: Option<Vec<u8>>,
}

/// Where an exchange stands.
#[derive(Debug)]
pub enum Flow {
    /// Nothing came yet.
    Start,
    /// The request waits for something that must be fetched.
    Awaiting(Box<Screened>, Waited),
    /// The rate limit service is being asked.
    Counting(Box<Counting>),
    /// The request's body is being collected, to be looked at.
    Judging(Box<Judging>),
    /// The request may go to the upstream, and its response must be looked at.
    Admitted(Admitted),
    /// The request may go to the upstream, and its response tells of its limits.
    Announcing,
    /// The response's body is being collected.
    Masking {
        /// The request it answers.
        admitted: Admitted,
        /// Where its mask begins.
        root: u32,
        /// The header fields that tell of its limits.
        told: Vec<(String, String)>,
    },
    /// Nothing more is to be decided: what comes goes on as it is.
    Passing,
    /// The client got a refusal; nothing of the exchange goes on.
    Refused,
    /// Nothing follows.
    Over,
}

/// A request about which the rate limit service is being asked.
#[derive(Debug)]
pub struct Counting {
    screened: Screened,
    uncounted: Uncounted,
}

/// A request whose body is being collected.
#[derive(Debug)]
pub struct Judging {
    screened: Screened,
    candidate: Candidate,
}

impl Flow {
    /// Whether every response passes: it hides nothing, or is the refusal itself.
    pub fn is_settled(&self) -> bool {
        matches!(self, Flow::Passing | Flow::Refused)
    }

    /// One event in, one step out. The state is consumed, so none is used twice.
    pub fn step(self, event: Event<'_>, world: &World<'_>, trail: &mut Trail) -> (Flow, Step) {
        match (self, event) {
            (Flow::Start, Event::RequestHead(head)) => {
                match hygiene::screen(head, world.policy, trail) {
                    Ok(screened) => decide(Box::new(screened), world, Waited::default(), trail),
                    Err(denial) => (Flow::Refused, Step::Reply(denial)),
                }
            }
            (Flow::Awaiting(screened, waited), Event::Arrived) => {
                decide(screened, world, waited, trail)
            }
            (flow @ (Flow::Awaiting(..) | Flow::Counting(_)), Event::RequestBody(_)) => {
                (flow, Step::Wait)
            }
            (Flow::Counting(counting), Event::Answered(answer)) => {
                let Counting {
                    screened,
                    uncounted,
                } = *counting;
                count(Box::new(screened), uncounted, answer, world, trail)
            }
            (flow @ Flow::Judging(_), Event::RequestBody(Body::Partial)) => (flow, Step::AwaitBody),
            (Flow::Judging(judging), Event::RequestBody(Body::Whole(body))) => {
                let Judging {
                    screened,
                    candidate,
                } = *judging;
                judge(&screened, candidate, body, world, trail)
            }
            (flow @ (Flow::Admitted(_) | Flow::Announcing), Event::RequestBody(_)) => {
                (flow, go_on())
            }
            (Flow::Announcing, Event::ResponseHead(head)) => {
                let told = quota::announce(&head.headers, world, trail);
                (Flow::Passing, tell(told))
            }
            (Flow::Admitted(admitted), Event::ResponseHead(head)) => {
                respond(admitted, &head, world, trail)
            }
            (flow @ Flow::Masking { .. }, Event::ResponseBody(Body::Partial)) => {
                (flow, Step::AwaitBody)
            }
            (
                Flow::Masking {
                    admitted,
                    root,
                    told,
                },
                Event::ResponseBody(Body::Whole(body)),
            ) => match masking::mask(root, admitted.clearance(), body, world.policy, trail) {
                Ok(body) => (Flow::Passing, Step::Continue(replace_body(body, told))),
                Err(denial) => (Flow::Refused, Step::Reply(denial)),
            },
            (flow, Event::Ended(ended)) => {
                if let Flow::Counting(counting) = flow {
                    quota::abandon(counting.uncounted.pending(), world);
                }
                quota::settle(ended, world, trail);
                (Flow::Over, go_on())
            }
            // Envoy answers by itself when a request is malformed, or waits for too
            // long; the upstream has not seen the request.
            (Flow::Start | Flow::Awaiting(..) | Flow::Judging(_), Event::ResponseHead(_)) => {
                (Flow::Refused, go_on())
            }
            (Flow::Counting(counting), Event::ResponseHead(_)) => {
                quota::abandon(counting.uncounted.pending(), world);
                (Flow::Refused, go_on())
            }
            (
                Flow::Passing,
                Event::RequestBody(_) | Event::ResponseHead(_) | Event::ResponseBody(_),
            ) => (Flow::Passing, go_on()),
            // What follows a refusal is the refusal itself, on its way out.
            (Flow::Refused, Event::ResponseHead(_) | Event::ResponseBody(_)) => {
                (Flow::Refused, go_on())
            }
            // The rest of a request that was answered before it ended.
            (Flow::Refused, Event::RequestBody(_)) => (Flow::Refused, Step::Wait),
            _ => {
                trail.deny(Stage::Engine, &Denial::Unexpected);
                (Flow::Refused, Step::Reply(Denial::Unexpected))
            }
        }
    }
}

fn decide(
    screened: Box<Screened>,
    world: &World,
    waited: Waited,
    trail: &mut Trail,
) -> (Flow, Step) {
    match consider(&screened, world, waited, trail) {
        Ok(Considered::Known(caller, admission)) => {
            proceed(screened, &caller, admission, world, trail)
        }
        Ok(Considered::Needed(needed)) => (
            Flow::Awaiting(screened, waited.and(&needed)),
            Step::Await(needed),
        ),
        Err(denial) => (Flow::Refused, Step::Reply(denial)),
    }
}

/// The rate limit service has answered, or did not.
fn count(
    screened: Box<Screened>,
    uncounted: Uncounted,
    answer: Option<Answer>,
    world: &World,
    trail: &mut Trail,
) -> (Flow, Step) {
    let caller = uncounted.caller().clone();
    match stage::counted(&screened, uncounted, answer.as_ref(), world, trail) {
        Ok(admission) => proceed(screened, &caller, admission, world, trail),
        Err(denial) => (Flow::Refused, Step::Reply(denial)),
    }
}

fn proceed(
    screened: Box<Screened>,
    caller: &Caller,
    admission: Admission,
    world: &World,
    trail: &mut Trail,
) -> (Flow, Step) {
    match admission {
        Admission::Admitted(admitted) => release(&screened, admitted, caller, world, trail),
        Admission::Candidate(candidate) if screened.head().end_of_stream => {
            judge(&screened, candidate, &[], world, trail)
        }
        Admission::Candidate(candidate) => {
            let judging = Judging {
                screened: *screened,
                candidate,
            };
            (Flow::Judging(Box::new(judging)), Step::AwaitBody)
        }
        Admission::Uncounted(uncounted) => match uncounted.pending().question(world) {
            Some(question) => {
                let counting = Counting {
                    screened: *screened,
                    uncounted,
                };
                (Flow::Counting(Box::new(counting)), Step::Ask(question))
            }
            None => count(screened, uncounted, None, world, trail),
        },
    }
}

enum Considered {
    Known(Caller, Admission),
    Needed(Needed),
}

fn consider(
    screened: &Screened,
    world: &World,
    waited: Waited,
    trail: &mut Trail,
) -> Result<Considered, Denial> {
    let policy = world.policy;
    let route = if waited != Waited::default() {
        // It was found, asked and recorded before the wait.
        stage::route(screened, policy, &mut Trail::default())?
    } else {
        let route = stage::route(screened, policy, trail)?;
        let asked = route
            .as_ref()
            .map(|(_, operation, parameters)| (*operation, parameters));
        stage::approach(screened, asked, world, trail)?;
        route
    };
    let access = route
        .as_ref()
        .map_or(&policy.undeclared, |(_, operation, _)| &operation.access);
    trail.challenges = Rc::clone(&access.challenges);
    let outcome = authn::authenticate(screened, access, world, waited, trail);
    let caller = match lockout::conclude(outcome, screened, world, trail)? {
        Authenticated::Known(caller) => caller,
        Authenticated::Needed(needed) => return Ok(Considered::Needed(needed)),
    };
    let admission = stage::admit(screened, route, caller.clone(), world, trail)?;
    Ok(Considered::Known(caller, admission))
}

fn judge(
    screened: &Screened,
    candidate: Candidate,
    body: &[u8],
    world: &World,
    trail: &mut Trail,
) -> (Flow, Step) {
    let caller = candidate.caller().clone();
    match candidate.judge(screened, body, world.policy, trail) {
        Ok(admitted) => release(screened, admitted, &caller, world, trail),
        Err(denial) => (Flow::Refused, Step::Reply(denial)),
    }
}

/// The request goes to the upstream.
fn release(
    screened: &Screened,
    admitted: Admitted,
    caller: &Caller,
    world: &World,
    trail: &mut Trail,
) -> (Flow, Step) {
    trail.admit();
    let mut edits = request_edits(screened, &admitted, caller, world.policy);
    hand_over::apply(screened, caller, world, &mut edits);
    if masking::concerns(&admitted, world.policy) {
        return (Flow::Admitted(admitted), Step::Continue(edits));
    }
    trail.pass(Stage::Masking, "nothing to hide");
    let flow = match trail.account.announce.always {
        true => Flow::Announcing,
        false => Flow::Passing,
    };
    (flow, Step::Continue(edits))
}

fn request_edits(
    screened: &Screened,
    admitted: &Admitted,
    caller: &Caller,
    policy: &Policy,
) -> Edits {
    let mut edits = Edits {
        remove: screened.dropped_headers().to_vec(),
        ..Edits::default()
    };
    edits.set.extend(
        screened
            .rewritten_path()
            .map(|path| (":path".to_string(), path.to_string())),
    );
    caller.conceal_keys(screened, &mut edits);
    if let Some(identity) = caller.identity() {
        edits.set.extend(identity.headers.iter().cloned());
    }
    if let Some(operation) = admitted.operation(policy) {
        edits
            .set
            .push((OPERATION_HEADER.into(), operation.header.clone()));
        if masking::concerns(admitted, policy) {
            edits
                .remove
                .extend(["accept-encoding", "range", "if-range"].map(String::from));
        }
    }
    edits
}

fn respond(
    admitted: Admitted,
    head: &ResponseHead,
    world: &World,
    trail: &mut Trail,
) -> (Flow, Step) {
    let told = quota::announce(&head.headers, world, trail);
    let Some(operation) = admitted.operation(world.policy) else {
        return (Flow::Passing, tell(told));
    };
    match masking::prepare(
        operation,
        admitted.method(),
        admitted.clearance(),
        head,
        world.policy,
        trail,
    ) {
        Ok(Treatment::None) => (Flow::Passing, tell(told)),
        Ok(Treatment::Mask(root)) => {
            let flow = Flow::Masking {
                admitted,
                root,
                told,
            };
            (flow, Step::AwaitBody)
        }
        Err(denial) => (Flow::Refused, Step::Reply(denial)),
    }
}

fn replace_body(body: Option<Vec<u8>>, told: Vec<(String, String)>) -> Edits {
    let Some(body) = body else {
        return Edits {
            set: told,
            ..Edits::default()
        };
    };
    let mut set = told;
    set.push(("content-length".into(), body.len().to_string()));
    Edits {
        // What describes the bytes that the upstream sent is no longer true.
        remove: [
            "etag",
            "accept-ranges",
            "content-md5",
            "digest",
            "content-digest",
            "repr-digest",
        ]
        .map(String::from)
        .to_vec(),
        set,
        body: Some(body),
    }
}

fn tell(told: Vec<(String, String)>) -> Step {
    Step::Continue(Edits {
        set: told,
        ..Edits::default()
    })
}

fn go_on() -> Step {
    Step::Continue(Edits::default())
}
