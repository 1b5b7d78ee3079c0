//! A limit's share by how the upstream does: it falls fast while too many answers are
//! bad, and comes back slowly while they are good (additive increase, multiplicative
//! decrease; RFC 5681 §3.1 has the same idea).
//!
//! Answers are counted in windows, and a window is judged once, by whoever counts the
//! first answer of the next. The share of the last window holds in this one. Between the
//! threshold and half of it, and where few answers came and those were bad, it stays as
//! it is: else it would swing.

use super::State;
use super::share::Share;
use crate::time::Time;

/// When a limit tightens, and how it recovers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Adaptive {
    /// More bad answers than these of a thousand are too many.
    pub bad_thousandths: u64,
    /// An answer that takes longer is bad, in nanoseconds.
    pub slower_than_ns: Option<u64>,
    /// The length of a window, in nanoseconds; not 0.
    pub window_ns: u64,
    /// Of fewer answers nothing is concluded.
    pub at_least: u64,
    /// The least share.
    pub floor: Share,
    /// The time from the floor to the whole, in nanoseconds.
    pub recover_ns: u64,
}

/// A share that has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// What it was.
    pub from: Share,
    /// What it is.
    pub to: Share,
    /// Bad answers of the window.
    pub bad: u64,
    /// All answers of the window.
    pub answers: u64,
}

/// How a window has gone so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Health {
    place: u64,
    share: Share,
    bad: u64,
    answers: u64,
}

impl Adaptive {
    /// The share that holds now.
    pub fn share(&self, state: &State, now: Time) -> Share {
        self.at(state, now).0.share
    }

    /// Counts an answer. The change is told once, to whoever begins a window.
    pub fn count(&self, state: &State, is_bad: bool, now: Time) -> (State, Option<Change>) {
        let (mut health, change) = self.at(state, now);
        health.answers = (health.answers + 1).min(MOST);
        health.bad = (health.bad + u64::from(is_bad)).min(MOST);
        (self.keep(&health), change)
    }

    /// The longest time for which the share can be other than the whole, in nanoseconds.
    pub fn horizon_ns(&self) -> u64 {
        self.recover_ns
            .saturating_add(self.window_ns.saturating_mul(3))
    }

    fn at(&self, state: &State, now: Time) -> (Health, Option<Change>) {
        let place = now.nanos() / self.window_ns.max(1);
        let known = Health::of(state);
        let passed = match place.checked_sub(known.place) {
            // A clock that went back begins no window.
            None | Some(0) => return (known, None),
            Some(passed) => passed,
        };
        let exceeds = |bad: u64| bad * 1_000 > self.bad_thousandths * known.answers;
        let (share, well) = match (exceeds(known.bad), exceeds(known.bad * 2)) {
            (true, _) if known.answers >= self.at_least => {
                (known.share.in_thousandths() / 2, passed - 1)
            }
            (_, true) => (known.share.in_thousandths(), passed - 1),
            (_, false) => (known.share.in_thousandths(), passed),
        };
        let floor = self.floor.in_thousandths();
        let lost = Share::WHOLE.in_thousandths() - floor;
        let windows = (self.recover_ns / self.window_ns.max(1)).max(1);
        let step = lost.div_ceil(windows);
        let share = share
            .max(floor)
            .saturating_add(step.saturating_mul(well))
            .min(Share::WHOLE.in_thousandths());
        let share = Share::thousandths(share);
        let change = (share != known.share).then_some(Change {
            from: known.share,
            to: share,
            bad: known.bad,
            answers: known.answers,
        });
        let fresh = Health {
            place,
            share,
            bad: 0,
            answers: 0,
        };
        (fresh, change)
    }

    fn keep(&self, health: &Health) -> State {
        let end = health
            .place
            .saturating_add(2)
            .saturating_mul(self.window_ns);
        State {
            idle_at: end.saturating_add(self.recover_ns),
            words: [
                health.place,
                health.share.in_thousandths() << 48 | health.bad << 24 | health.answers,
            ],
        }
    }
}

impl Health {
    fn of(state: &State) -> Health {
        let [place, counts] = state.words;
        let share = match counts >> 48 {
            0 => Share::WHOLE,
            share => Share::thousandths(share),
        };
        Health {
            place,
            share,
            bad: counts >> 24 & MOST,
            answers: counts & MOST,
        }
    }
}

/// What a count holds.
const MOST: u64 = (1 << 24) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    const ADAPTIVE: Adaptive = Adaptive {
        bad_thousandths: 200,
        slower_than_ns: None,
        window_ns: 1_000,
        at_least: 10,
        floor: Share::WHOLE,
        recover_ns: 10_000,
    };

    fn adaptive() -> Adaptive {
        Adaptive {
            floor: Share::thousandths(100),
            ..ADAPTIVE
        }
    }

    fn at(window: u64) -> Time {
        Time::from_nanos(1_000_000 + 1_000 * window)
    }

    /// A window of answers.
    fn window(state: State, bad: u64, answers: u64, now: Time) -> (State, Vec<Change>) {
        let mut changes = Vec::new();
        let mut state = state;
        for answer in 0..answers {
            let (next, change) = adaptive().count(&state, answer < bad, now);
            state = next;
            changes.extend(change);
        }
        (state, changes)
    }

    #[test]
    fn it_falls_by_half_and_recovers_in_the_time_that_is_said() {
        let mut state = State::default();
        let mut shares = Vec::new();
        for place in 0..5 {
            (state, _) = window(state, 5, 10, at(place));
            shares.push(adaptive().share(&state, at(place)).in_thousandths());
        }
        assert_eq!(shares, [1_000, 500, 250, 125, 100]);
        // The fifth window is judged too, at the floor.
        assert_eq!(adaptive().share(&state, at(5)).in_thousandths(), 100);
        assert_eq!(adaptive().share(&state, at(10)).in_thousandths(), 550);
        assert_eq!(adaptive().share(&state, at(15)), Share::WHOLE);
        assert!(state.idle_at >= at(15).nanos());
    }

    #[test]
    fn a_change_is_told_once() {
        let (state, changes) = window(State::default(), 3, 10, at(0));
        assert_eq!(changes, []);
        let (state, changes) = window(state, 0, 10, at(1));
        let told = Change {
            from: Share::WHOLE,
            to: Share::thousandths(500),
            bad: 3,
            answers: 10,
        };
        assert_eq!(changes, [told]);
        let (_, changes) = window(state, 0, 10, at(2));
        assert_eq!(changes.len(), 1);
        assert_eq!(changes[0].to, Share::thousandths(590));
    }

    #[test]
    fn few_answers_or_few_bad_ones_say_nothing() {
        for (bad, answers) in [(9, 9), (2, 10), (0, 100)] {
            let (state, _) = window(State::default(), bad, answers, at(0));
            assert_eq!(adaptive().share(&state, at(1)), Share::WHOLE, "{bad}");
        }
    }

    #[test]
    fn between_well_and_bad_nothing_changes() {
        let (tight, _) = window(State::default(), 10, 10, at(0));
        for (bad, answers, share) in [(3, 10, 250), (2, 10, 500), (1, 10, 590), (1, 1, 500)] {
            let (state, _) = window(tight, bad, answers, at(1));
            let judged = adaptive().share(&state, at(2)).in_thousandths();
            assert_eq!(judged, share, "{bad} of {answers}");
        }
    }

    #[test]
    fn a_clock_that_goes_back_changes_nothing() {
        let (state, _) = window(State::default(), 10, 10, at(5));
        let (state, changes) = window(state, 0, 1, at(4));
        assert_eq!(changes, []);
        assert_eq!(adaptive().share(&state, at(6)).in_thousandths(), 500);
    }
}
