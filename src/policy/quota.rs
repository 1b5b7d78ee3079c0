//! How much a caller may ask for, as the stage asks it.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use crate::policy::source::{OnFailure, Prefixes, SharedMode};
use crate::quota::Algorithm;
use crate::quota::adaptive::Adaptive;
use crate::quota::fields::Announce;
use crate::quota::suspicion::Suspicion;
use crate::quota::table::Size;
use crate::rule::Expression;

/// The plans, and which of them hold when the operation names none.
#[derive(Debug)]
pub struct Quotas {
    /// The plans; others name them by their places.
    pub plans: Vec<Plan>,
    /// The plan of operations that name none.
    pub default: Option<usize>,
    /// The plan that holds before anybody looks at credentials.
    pub before_authentication: Option<usize>,
    /// The claim that names a token's tier.
    pub tier: Vec<String>,
    /// Who counts shared limits.
    pub service: Option<Service>,
    /// When limits tighten for a caller.
    pub suspicion: Option<Suspicion>,
    /// The table in which all of them count.
    pub size: Size,
    /// When clients are told how they stand.
    pub announce: Announce,
}

/// Limits that hold at once.
#[derive(Debug)]
pub struct Plan {
    /// Its name.
    pub name: Rc<str>,
    /// The plans that count callers of these tiers in its place.
    pub tiers: BTreeMap<Rc<str>, usize>,
    /// The limits.
    pub limits: Vec<Limit>,
}

/// One limit.
#[derive(Debug)]
pub struct Limit {
    /// Its name in the plan.
    pub name: Rc<str>,
    /// Its name among all limits: `plan/limit`.
    pub full_name: Rc<str>,
    /// How it counts.
    pub algorithm: Algorithm,
    /// What it counts apart.
    pub key: Vec<KeyPart>,
    /// What a request costs.
    pub cost: Cost,
    /// What happens to a request that goes over it.
    pub over: Over,
    /// How it is shared with other gateways, if it is. The algorithm is then what counts
    /// where the service cannot.
    pub shared: Option<Shared>,
    /// When it tightens by how the upstream does.
    pub adaptive: Option<Adaptive>,
}

/// A limit that gateways share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shared {
    /// When the service is asked.
    pub mode: SharedMode,
    /// What happens without its answer.
    pub on_failure: OnFailure,
    /// What all gateways together may spend in a window.
    pub quota: u64,
    /// The window, in nanoseconds.
    pub window_ns: u64,
}

/// The rate limit service that counts shared limits.
#[derive(Debug)]
pub struct Service {
    /// The cluster's name.
    pub cluster: String,
    /// Which of its configurations is meant.
    pub domain: Rc<str>,
    /// How long an answer may take.
    pub timeout: Duration,
}

/// One thing that a limit counts apart.
#[derive(Debug, Clone, PartialEq)]
pub enum KeyPart {
    /// The network of the client's address.
    Network(Prefixes),
    /// The API key.
    ApiKey,
    /// The subject.
    Subject,
    /// The OAuth client, or the subject.
    Client,
    /// A claim, by its names from the outside in.
    Claim(Vec<String>),
    /// The operation.
    Operation,
    /// What an expression gives.
    Expression {
        /// As a person wrote it.
        text: String,
        /// Checked.
        checked: Expression,
    },
}

/// What a request costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cost {
    /// What the operation says.
    Operation,
    /// So much.
    Fixed(u64),
    /// One for each begun piece of so many bytes of the request's body.
    BodyBytes(u64),
}

/// What happens to a request that goes over a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// It is refused.
    Deny,
    /// It passes, and the audit record says so.
    Observe,
    /// The plan at this place counts it.
    Shed(usize),
}
