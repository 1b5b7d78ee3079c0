//! The token bucket, kept as one moment: when it will be full again (the generic cell
//! rate algorithm, ITU-T I.371). A bucket that is full again is like a new one.

use super::{SKEW_NS, Standing, State, Taken};
use crate::time::Time;

/// A bucket that fills with time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// The time in which it regains one unit, in nanoseconds; not 0.
    pub interval_ns: u64,
    /// How many units it holds.
    pub burst: u64,
}

impl Bucket {
    pub(super) fn take(&self, state: &State, cost: u64, now: Time) -> Taken {
        // In the past, the bucket is full now. Further ahead than an empty bucket
        // needs, the clock went backwards, and nobody shall wait for that. A little
        // ahead is what another worker took a moment later: that must not be forgotten.
        let capacity = self.capacity_ns();
        let latest = now.nanos().saturating_add(capacity);
        let is_relic = state.idle_at > latest.saturating_add(SKEW_NS);
        let full_at = match is_relic {
            true => latest,
            false => state.idle_at.max(now.nanos()),
        };
        let price = self.interval_ns.saturating_mul(cost);
        let after = (full_at - now.nanos()).saturating_add(price);
        if after > capacity {
            return Taken::No {
                standing: self.standing(full_at - now.nanos()),
                wait_ns: (cost <= self.burst).then(|| after - capacity),
                // Else it would look empty until the clock has caught up.
                state: is_relic.then(|| kept(latest)),
            };
        }
        Taken::Yes {
            state: kept(full_at.saturating_add(price)),
            standing: self.standing(after),
        }
    }

    pub(super) fn give_back(&self, state: &State, cost: u64) -> State {
        let price = self.interval_ns.saturating_mul(cost);
        kept(state.idle_at.saturating_sub(price))
    }

    /// The time in which an empty bucket fills.
    pub(super) fn capacity_ns(&self) -> u64 {
        self.interval_ns.saturating_mul(self.burst)
    }

    /// `spent` is the time until it is full.
    fn standing(&self, spent: u64) -> Standing {
        let left = self.capacity_ns().saturating_sub(spent) / self.interval_ns.max(1);
        let with_one_more = self
            .capacity_ns()
            .saturating_sub(self.interval_ns.saturating_mul(left + 1));
        Standing {
            quota: self.burst,
            left,
            next_ns: (spent > 0).then(|| spent - with_one_more),
        }
    }
}

fn kept(full_at: u64) -> State {
    State {
        idle_at: full_at,
        words: [0; 2],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUCKET: Bucket = Bucket {
        interval_ns: 10,
        burst: 3,
    };

    fn at(nanos: u64) -> Time {
        Time::from_nanos(1_000_000 + nanos)
    }

    #[test]
    fn it_gives_its_burst_and_then_its_rate() {
        let mut state = State::default();
        for left in [2, 1, 0] {
            let Taken::Yes {
                state: next,
                standing,
            } = BUCKET.take(&state, 1, at(0))
            else {
                panic!("{left} should be left");
            };
            assert_eq!((standing.left, standing.next_ns), (left, Some(10)));
            state = next;
        }
        let refused = BUCKET.take(&state, 1, at(4));
        let standing = Standing {
            quota: 3,
            left: 0,
            next_ns: Some(6),
        };
        assert_eq!(
            refused,
            Taken::No {
                standing,
                wait_ns: Some(6),
                state: None
            }
        );
        assert!(matches!(BUCKET.take(&state, 1, at(10)), Taken::Yes { .. }));
        assert!(matches!(
            BUCKET.take(&state, 2, at(19)),
            Taken::No {
                wait_ns: Some(1),
                ..
            }
        ));
    }

    #[test]
    fn what_never_fits_is_not_waited_for() {
        let refused = BUCKET.take(&State::default(), 4, at(0));
        assert!(matches!(
            refused,
            Taken::No {
                wait_ns: None,
                standing: Standing {
                    left: 3,
                    next_ns: None,
                    ..
                },
                ..
            }
        ));
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let Taken::Yes { state, .. } = BUCKET.take(&State::default(), 3, at(0)) else {
            panic!("a new bucket is full");
        };
        let state = BUCKET.give_back(&state, 2);
        let Taken::Yes { standing, .. } = BUCKET.take(&state, 2, at(0)) else {
            panic!("two were given back");
        };
        assert_eq!(standing.left, 0);
    }

    #[test]
    fn a_worker_that_read_the_clock_earlier_gives_nothing_back() {
        let Taken::Yes { state, .. } = BUCKET.take(&State::default(), 3, at(SKEW_NS)) else {
            panic!("a new bucket is full");
        };
        let late = BUCKET.take(&state, 1, at(0));
        assert!(matches!(late, Taken::No { state: None, .. }), "{late:?}");
    }

    #[test]
    fn a_clock_that_goes_back_costs_one_filling_at_most() {
        let Taken::Yes { state, .. } = BUCKET.take(&State::default(), 3, at(SKEW_NS + 1)) else {
            panic!("a new bucket is full");
        };
        let Taken::No {
            wait_ns,
            state: Some(mended),
            ..
        } = BUCKET.take(&state, 1, at(0))
        else {
            panic!("it is empty");
        };
        assert_eq!((wait_ns, mended.idle_at), (Some(10), at(30).nanos()));
    }
}
