//! How many requests are under way at once.
//!
//! A request that ends gives its place back. A worker that crashes gives back nothing,
//! so places are counted by when they were taken, and those of the stretch of time
//! before the last are forgotten: a place is lost for twice `longest` at most, and a
//! request that takes longer than `longest` may be counted no more.

use super::counts::Counts;
use super::{Standing, State, Taken};
use crate::time::Time;

/// What may be under way at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InFlight {
    /// How many units.
    pub most: u64,
    /// How long a request is counted at least, in nanoseconds; not 0.
    pub longest_ns: u64,
}

impl InFlight {
    pub(super) fn take(&self, state: &State, cost: u64, now: Time) -> Taken {
        let mut counts = Counts::at(state, self.longest_ns, now);
        let under_way = counts.previous + counts.current;
        if cost > 0 && under_way.saturating_add(cost) > self.most {
            return Taken::No {
                standing: self.standing(under_way),
                wait_ns: None,
                state: counts.mended(state, self.longest_ns),
            };
        }
        counts.current += cost;
        Taken::Yes {
            state: counts.keep(self.longest_ns),
            standing: self.standing(under_way + cost),
        }
    }

    pub(super) fn give_back(&self, state: &State, cost: u64, taken_at: Time) -> State {
        let [place, _] = state.words;
        let kept = Time::from_nanos(place.saturating_mul(self.longest_ns));
        let mut counts = Counts::at(state, self.longest_ns, kept);
        let taken = taken_at.nanos() / self.longest_ns.max(1);
        if taken + 1 >= counts.place {
            counts.take_out(cost, self.longest_ns, taken_at);
        }
        counts.keep(self.longest_ns)
    }

    fn standing(&self, under_way: u64) -> Standing {
        Standing {
            quota: self.most,
            left: self.most.saturating_sub(under_way),
            next_ns: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IN_FLIGHT: InFlight = InFlight {
        most: 2,
        longest_ns: 1_000,
    };

    fn at(nanos: u64) -> Time {
        Time::from_nanos(5_000_000 + nanos)
    }

    fn take(state: State, now: u64) -> Option<State> {
        match IN_FLIGHT.take(&state, 1, at(now)) {
            Taken::Yes { state, .. } => Some(state),
            Taken::No { .. } => None,
        }
    }

    #[test]
    fn a_place_is_free_again_when_its_request_has_ended() {
        let one = take(State::default(), 0).unwrap();
        let two = take(one, 1_900).unwrap();
        assert_eq!(take(two, 1_900), None);
        for taken_at in [0, 1_900] {
            let freed = IN_FLIGHT.give_back(&two, 1, at(taken_at));
            assert!(take(freed, 1_900).is_some(), "{taken_at}");
        }
        let free = IN_FLIGHT.give_back(&one, 1, at(0));
        assert_eq!(free, State::default());
    }

    #[test]
    fn what_a_crash_took_along_is_forgotten() {
        let full = take(take(State::default(), 0).unwrap(), 0).unwrap();
        assert_eq!(take(full, 1_999), None);
        let fresh = take(full, 2_000).unwrap();
        // Its owner may come back late: what is counted now is not his.
        assert_eq!(IN_FLIGHT.give_back(&fresh, 1, at(0)), fresh);
    }
}
