//! Two counts that follow each other: of the present stretch of time and of the one
//! before. What is older is forgotten.

use super::State;
use crate::time::Time;

/// The counts of two stretches of one length.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Which stretch is the present one, counted from 1970.
    pub(super) place: u64,
    /// What was counted in the one before.
    pub(super) previous: u64,
    /// What was counted in it.
    pub(super) current: u64,
}

impl Counts {
    /// As they are at a time. When the clock went back by no more than a stretch, the
    /// present one has just begun; further back, nobody shall wait for the clock, and
    /// what was counted last is counted as now.
    pub(super) fn at(state: &State, length_ns: u64, now: Time) -> Counts {
        let [place, counts] = state.words;
        let (previous, current) = (counts >> 32, counts & MOST);
        let present = now.nanos() / length_ns.max(1);
        match place.checked_sub(present) {
            Some(0 | 1) => Counts {
                place,
                previous,
                current,
            },
            Some(_) => Counts {
                place: present,
                previous: 0,
                current,
            },
            None => Counts {
                place: present,
                previous: if present - place == 1 { current } else { 0 },
                current: 0,
            },
        }
    }

    /// What of the present stretch has passed.
    pub(super) fn elapsed_ns(&self, length_ns: u64, now: Time) -> u64 {
        now.nanos()
            .saturating_sub(self.place.saturating_mul(length_ns))
    }

    /// What is to be kept in the place of a state that a clock which went back left far
    /// ahead, and that nobody shall wait for.
    pub(super) fn mended(&self, state: &State, length_ns: u64) -> Option<State> {
        let [place, _] = state.words;
        (place > self.place).then(|| self.keep(length_ns))
    }

    /// How long it is until the present stretch begins, if the clock went back.
    pub(super) fn ahead_ns(&self, length_ns: u64, now: Time) -> u64 {
        self.place
            .saturating_mul(length_ns)
            .saturating_sub(now.nanos())
    }

    /// Takes out what was counted at a time, if it is still counted.
    pub(super) fn take_out(&mut self, cost: u64, length_ns: u64, counted_at: Time) {
        let place = counted_at.nanos() / length_ns.max(1);
        if place + 1 == self.place {
            self.previous = self.previous.saturating_sub(cost);
        } else {
            // Also what was counted before the clock went back.
            self.current = self.current.saturating_sub(cost);
        }
    }

    /// As a slot keeps them.
    pub(super) fn keep(&self, length_ns: u64) -> State {
        let last = match (self.previous, self.current) {
            (0, 0) => return State::default(),
            (_, 0) => self.place + 1,
            _ => self.place.saturating_add(2),
        };
        State {
            idle_at: last.saturating_mul(length_ns),
            words: [
                self.place,
                self.previous.min(MOST) << 32 | self.current.min(MOST),
            ],
        }
    }
}

/// The most that one count holds.
const MOST: u64 = u32::MAX as u64;
