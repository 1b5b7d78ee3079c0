//! A caller's share of its limits by what it has done: requests unlike those the model
//! learnt from, and failures to log in. Each is remembered for a time, and beyond some
//! number each costs a part of the share.

use super::share::Share;
use super::{Bucket, State, Taken};
use crate::time::Time;

/// How much is borne, and what more of it costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Suspicion {
    /// Events that cost nothing.
    pub after: u64,
    /// The time in which as many are forgotten, in nanoseconds.
    pub per_ns: u64,
    /// The least share, at twice as many.
    pub floor: Share,
    /// The anomaly score above which a request is an event; `None`: the model's own line.
    pub anomaly: Option<f32>,
}

impl Suspicion {
    /// The share that a caller has.
    pub fn share(&self, state: &State, now: Time) -> Share {
        let beyond = self.remembered(state, now).saturating_sub(self.after);
        let lost = Share::WHOLE.in_thousandths() - self.floor.in_thousandths();
        let part = lost.saturating_mul(beyond) / self.after.max(1);
        Share::thousandths(Share::WHOLE.in_thousandths() - part.min(lost))
    }

    /// Remembers an event.
    pub fn remember(&self, state: &State, now: Time) -> State {
        match self.events().take(state, 1, now) {
            Taken::Yes { state, .. } => state,
            Taken::No { state: mended, .. } => mended.unwrap_or(*state),
        }
    }

    /// The longest time for which something is remembered, in nanoseconds.
    pub fn horizon_ns(&self) -> u64 {
        self.events().capacity_ns()
    }

    fn remembered(&self, state: &State, now: Time) -> u64 {
        match self.events().take(state, 0, now) {
            Taken::Yes { standing, .. } | Taken::No { standing, .. } => {
                standing.quota - standing.left
            }
        }
    }

    /// Events are spent of a bucket, and forgotten as it fills.
    fn events(&self) -> Bucket {
        Bucket {
            interval_ns: (self.per_ns / self.after.max(1)).max(1),
            burst: self.after.saturating_mul(2),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_cost_a_share_and_are_forgotten() {
        let suspicion = Suspicion {
            after: 4,
            per_ns: 4_000,
            floor: Share::thousandths(200),
            anomaly: None,
        };
        let now = Time::from_nanos(1_000_000);
        let mut state = State::default();
        let mut shares = Vec::new();
        for _ in 0..10 {
            state = suspicion.remember(&state, now);
            shares.push(suspicion.share(&state, now).in_thousandths());
        }
        let expected = [1_000, 1_000, 1_000, 1_000, 800, 600, 400, 200, 200, 200];
        assert_eq!(shares, expected);
        let later = |events: u64| Time::from_nanos(1_000_000 + 1_000 * events);
        assert_eq!(suspicion.share(&state, later(2)).in_thousandths(), 600);
        assert_eq!(suspicion.share(&state, later(4)), Share::WHOLE);
    }
}
