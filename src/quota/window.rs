//! The sliding window by the two-bucket approximation: what was spent in the window
//! before counts by as much of it as the last `length` still covers, as if it had been
//! spent evenly. It never admits more than `quota` in a window that starts with the
//! clock's, and in any other one at most what an uneven spending hides: less than
//! twice the quota, and the quota where spending is even.

use super::counts::Counts;
use super::{Standing, State, Taken};
use crate::time::Time;

/// What may be spent in a length of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The length, in nanoseconds; not 0.
    pub length_ns: u64,
    /// How many units may be spent in it.
    pub quota: u64,
}

impl Window {
    pub(super) fn take(&self, state: &State, cost: u64, now: Time) -> Taken {
        let mut counts = Counts::at(state, self.length_ns, now);
        let elapsed = counts.elapsed_ns(self.length_ns, now);
        if !self.fits(&counts, elapsed, cost) {
            return Taken::No {
                standing: self.standing(&counts, now),
                wait_ns: self.wait(&counts, now, cost),
                state: counts.mended(state, self.length_ns),
            };
        }
        counts.current += cost;
        Taken::Yes {
            state: counts.keep(self.length_ns),
            standing: self.standing(&counts, now),
        }
    }

    pub(super) fn give_back(&self, state: &State, cost: u64, taken_at: Time) -> State {
        let [place, _] = state.words;
        let kept = Time::from_nanos(place.saturating_mul(self.length_ns));
        let mut counts = Counts::at(state, self.length_ns, kept);
        counts.take_out(cost, self.length_ns, taken_at);
        counts.keep(self.length_ns)
    }

    fn fits(&self, counts: &Counts, elapsed: u64, cost: u64) -> bool {
        self.spent(counts, elapsed) + self.whole(cost) <= self.whole(self.quota)
    }

    /// What counts as spent, times the window's length, so that nothing is rounded.
    fn spent(&self, counts: &Counts, elapsed: u64) -> u128 {
        let covered = self.length_ns.saturating_sub(elapsed);
        u128::from(counts.previous) * u128::from(covered) + self.whole(counts.current)
    }

    fn whole(&self, units: u64) -> u128 {
        u128::from(units) * u128::from(self.length_ns)
    }

    fn standing(&self, counts: &Counts, now: Time) -> Standing {
        let elapsed = counts.elapsed_ns(self.length_ns, now);
        let free = self
            .whole(self.quota)
            .saturating_sub(self.spent(counts, elapsed));
        let left = u64::try_from(free / u128::from(self.length_ns.max(1))).unwrap_or(u64::MAX);
        Standing {
            quota: self.quota,
            left,
            next_ns: match left < self.quota {
                true => self.wait(counts, now, left + 1),
                false => None,
            },
        }
    }

    /// Until so much fits, if nothing else is spent.
    fn wait(&self, counts: &Counts, now: Time, cost: u64) -> Option<u64> {
        if cost > self.quota {
            return None;
        }
        let elapsed = counts.elapsed_ns(self.length_ns, now);
        let wait = match (self.quota - cost).checked_sub(counts.current) {
            Some(free) => self.faded(counts.previous, free).saturating_sub(elapsed),
            None => {
                let rest = self.length_ns.saturating_sub(elapsed);
                rest.saturating_add(self.faded(counts.current, self.quota - cost))
            }
        };
        Some(wait.saturating_add(counts.ahead_ns(self.length_ns, now)))
    }

    /// How much of a window must have passed until the one before it counts for no more
    /// than `free`.
    fn faded(&self, previous: u64, free: u64) -> u64 {
        if previous <= free {
            return 0;
        }
        let covered = self.whole(free) / u128::from(previous);
        self.length_ns - u64::try_from(covered).unwrap_or(self.length_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Window = Window {
        length_ns: 1_000,
        quota: 10,
    };

    fn at(nanos: u64) -> Time {
        Time::from_nanos(5_000_000 + nanos)
    }

    fn after(cost: u64, at: Time) -> State {
        match WINDOW.take(&State::default(), cost, at) {
            Taken::Yes { state, .. } => state,
            no => panic!("{no:?}"),
        }
    }

    #[test]
    fn the_window_before_counts_by_what_is_covered_of_it() {
        let state = after(10, at(900));
        for (nanos, fits) in [(1_000, 0), (1_100, 1), (1_550, 5), (1_990, 9), (2_000, 10)] {
            let standing = match WINDOW.take(&state, 0, at(nanos)) {
                Taken::Yes { standing, .. } => standing,
                no => panic!("{no:?}"),
            };
            assert_eq!(standing.left, fits, "{nanos}");
        }
    }

    #[test]
    fn who_waits_as_told_is_not_refused() {
        let state = after(10, at(300));
        for cost in 1..=10 {
            let Taken::No {
                wait_ns: Some(wait),
                ..
            } = WINDOW.take(&state, cost, at(400))
            else {
                panic!("nothing is left");
            };
            let taken = |wait| WINDOW.take(&state, cost, at(400 + wait));
            assert!(matches!(taken(wait), Taken::Yes { .. }), "{cost} {wait}");
            assert!(matches!(taken(wait - 1), Taken::No { .. }), "{cost} {wait}");
        }
        assert!(matches!(
            WINDOW.take(&state, 11, at(400)),
            Taken::No { wait_ns: None, .. }
        ));
    }

    #[test]
    fn what_is_given_back_is_given_back_to_its_window() {
        let state = after(10, at(0));
        let same = WINDOW.give_back(&state, 4, at(0));
        assert!(matches!(
            WINDOW.take(&same, 4, at(0)),
            Taken::Yes {
                standing: Standing { left: 0, .. },
                ..
            }
        ));
        // A window later the other counts.
        let Taken::Yes { state, .. } = WINDOW.take(&state, 5, at(1_500)) else {
            panic!("half of ten is left");
        };
        let given = WINDOW.give_back(&state, 10, at(0));
        assert!(matches!(
            WINDOW.take(&given, 5, at(1_500)),
            Taken::Yes {
                standing: Standing { left: 0, .. },
                ..
            }
        ));
    }

    #[test]
    fn a_clock_that_goes_back_costs_two_windows_at_most() {
        let state = after(10, at(900_000));
        let Taken::No {
            wait_ns: Some(wait),
            ..
        } = WINDOW.take(&state, 1, at(0))
        else {
            panic!("it is spent");
        };
        assert!(wait <= 2 * WINDOW.length_ns, "{wait}");
    }
}
