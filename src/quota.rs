//! How much is too much: limits, and the table in which they are counted.
//!
//! An algorithm is a pure function from what a slot holds to what it shall hold, so
//! one compare-and-swap spends from it. It never reads a clock and never waits.

pub mod account;
pub mod adaptive;
mod bucket;
mod counts;
pub mod fields;
mod in_flight;
pub mod share;
pub mod suspicion;
pub mod table;
mod window;

pub use bucket::Bucket;
pub use in_flight::InFlight;
pub use window::Window;

use crate::time::Time;

/// How a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// A bucket that fills with time.
    TokenBucket(Bucket),
    /// What was spent in the last window's length, by the two-bucket approximation.
    SlidingWindow(Window),
    /// What is under way at once.
    Concurrency(InFlight),
}

/// What is kept of one key. The default is what is kept of a key that is new.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct State {
    /// From this moment on it is like new, in nanoseconds since 1970.
    pub idle_at: u64,
    /// What the algorithm makes of it.
    pub words: [u64; 2],
}

/// How a key stands with a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// What the limit allows at most.
    pub quota: u64,
    /// How much of it is left.
    pub left: u64,
    /// Nanoseconds until there is one unit more; `None`: nothing is spent, or time
    /// does not bring it back.
    pub next_ns: Option<u64>,
}

/// What became of a request's cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It fits.
    Yes {
        /// What is to be kept.
        state: State,
        /// How the key stands afterwards.
        standing: Standing,
    },
    /// It does not.
    No {
        /// How the key stands.
        standing: Standing,
        /// Nanoseconds until it fits; `None`: never, or time alone does not help.
        wait_ns: Option<u64>,
        /// What is to be kept instead, when the clock went back.
        state: Option<State>,
    },
}

impl Algorithm {
    /// Takes `cost` units, if they are there.
    pub fn take(&self, state: &State, cost: u64, now: Time) -> Taken {
        match self {
            Algorithm::TokenBucket(bucket) => bucket.take(state, cost, now),
            Algorithm::SlidingWindow(window) => window.take(state, cost, now),
            Algorithm::Concurrency(in_flight) => in_flight.take(state, cost, now),
        }
    }

    /// Gives back what was taken at `taken_at`.
    pub fn give_back(&self, state: &State, cost: u64, taken_at: Time) -> State {
        match self {
            Algorithm::TokenBucket(bucket) => bucket.give_back(state, cost),
            Algorithm::SlidingWindow(window) => window.give_back(state, cost, taken_at),
            Algorithm::Concurrency(in_flight) => in_flight.give_back(state, cost, taken_at),
        }
    }

    /// How a key stands.
    pub fn standing(&self, state: &State, now: Time) -> Standing {
        match self.take(state, 0, now) {
            Taken::Yes { standing, .. } | Taken::No { standing, .. } => standing,
        }
    }

    /// The time in which all of the quota comes back, in nanoseconds; `None`: time does
    /// not bring it back.
    pub fn window_ns(&self) -> Option<u64> {
        match self {
            Algorithm::TokenBucket(bucket) => Some(bucket.capacity_ns()),
            Algorithm::SlidingWindow(window) => Some(window.length_ns),
            Algorithm::Concurrency(_) => None,
        }
    }

    /// The longest time for which a key can be other than new, in nanoseconds.
    pub fn horizon_ns(&self) -> u64 {
        match self {
            Algorithm::TokenBucket(bucket) => bucket.capacity_ns(),
            Algorithm::SlidingWindow(window) => window.length_ns.saturating_mul(2),
            Algorithm::Concurrency(in_flight) => in_flight.longest_ns.saturating_mul(2),
        }
    }

    /// Whether what is taken must be given back when the request is over.
    pub fn is_returned(&self) -> bool {
        matches!(self, Algorithm::Concurrency(_))
    }
}

/// How far the times of two workers may be apart without the clock having gone back: one
/// may read it, be held up, and write after the other. In Envoy on two busy cores that was
/// up to 13 ms; a second is far from it, and little to wait for.
const SKEW_NS: u64 = 1_000_000_000;
