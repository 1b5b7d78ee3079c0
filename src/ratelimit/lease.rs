//! Units taken in advance: the service is asked for several at once, and requests are
//! answered from what is in hand.
//!
//! Every unit is counted by the service before it is spent, and none is kept beyond the
//! window it was counted in. So several gateways together admit no more in a window
//! than the limit, but for units that are spent while the news of the window's end
//! is on its way: at most what is in hand then. What is in hand when a window ends is lost: each gateway may leave as much as one batch unspent.

use super::Hit;
use crate::quota::State;
use crate::quota::table::Owner;
use crate::time::Time;

/// Units that are asked for in the background.
#[derive(Debug, Clone)]
pub struct Refill {
    /// Whose units in hand they add to.
    pub owner: Owner,
    /// What to ask for.
    pub hit: Hit,
    /// The limit's window, in nanoseconds.
    pub window_ns: u64,
}

/// What a gateway has in hand of one caller's limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Hand {
    /// When the window ends, in nanoseconds since 1970.
    until: u64,
    /// Units that may be spent.
    units: u64,
    /// Units that the service had left when it was last asked.
    left: u64,
    /// Whether the service has none left.
    exhausted: bool,
    /// When it was last asked for more in the background, and has not answered, in
    /// milliseconds since 1970, without the high bits.
    asked: u32,
}

/// What is to become of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spending {
    /// It is paid for.
    Paid {
        /// What is to be kept.
        state: State,
        /// Units in hand and at the service.
        left: u64,
        /// Until the window ends.
        reset_ns: u64,
        /// Units to ask for in the background.
        refill: Option<u64>,
    },
    /// The window has no more.
    Over {
        /// Until it ends.
        reset_ns: u64,
    },
    /// The service must be asked for so many units.
    Ask {
        /// The cost included.
        units: u64,
    },
}

/// Spends from what is in hand.
pub fn spend(state: &State, cost: u64, batch: u64, now: Time) -> Spending {
    let Some(mut hand) = Hand::of(state, now) else {
        return Spending::Ask {
            units: batch.max(cost),
        };
    };
    let reset_ns = hand.until - now.nanos();
    if hand.units < cost {
        return match hand.exhausted {
            true => Spending::Over { reset_ns },
            false => Spending::Ask {
                units: hand.portion(batch).max(cost),
            },
        };
    }
    hand.units -= cost;
    let now_ms = now.millis() as u32;
    let waits = hand.asked != 0 && now_ms.wrapping_sub(hand.asked) < PATIENCE_MS;
    let refill = (hand.units < batch / 2 && !hand.exhausted && !waits)
        .then(|| hand.portion(batch))
        .filter(|units| *units > 0);
    if refill.is_some() {
        hand.asked = now_ms.max(1);
    }
    Spending::Paid {
        left: hand.units.saturating_add(hand.left),
        state: hand.keep(),
        reset_ns,
        refill,
    }
}

/// Takes in what the service gave: `units` of them, and what it has left until when.
pub fn receive(state: &State, units: u64, left: u64, until: Time, now: Time) -> State {
    let mut hand = Hand::of(state, now).unwrap_or(Hand::EMPTY);
    hand.units = hand.units.saturating_add(units).min(MOST);
    hand.left = left;
    hand.until = until.nanos();
    hand.exhausted = left == 0;
    hand.asked = 0;
    hand.keep()
}

/// Puts back what was not spent after all.
pub fn give_back(state: &State, units: u64, now: Time) -> State {
    match Hand::of(state, now) {
        Some(mut hand) => {
            hand.units = hand.units.saturating_add(units).min(MOST);
            hand.keep()
        }
        None => *state,
    }
}

/// Takes in that the service gave nothing, since the limit is reached.
pub fn refused(state: &State, until: Time, now: Time) -> State {
    receive(state, 0, 0, until, now)
}

impl Hand {
    const EMPTY: Hand = Hand {
        until: 0,
        units: 0,
        left: 0,
        exhausted: false,
        asked: 0,
    };

    /// What is kept, unless its window is over.
    fn of(state: &State, now: Time) -> Option<Hand> {
        let [first, second] = state.words;
        (state.idle_at > now.nanos()).then_some(Hand {
            until: state.idle_at,
            units: first >> 32,
            left: first & MOST,
            exhausted: second >> 32 != 0,
            asked: (second & MOST) as u32,
        })
    }

    fn keep(&self) -> State {
        State {
            idle_at: self.until,
            words: [
                self.units.min(MOST) << 32 | self.left.min(MOST),
                u64::from(self.exhausted) << 32 | u64::from(self.asked),
            ],
        }
    }

    /// Near the end of a quota, less is asked for: what is asked for and not there
    /// is refused as a whole.
    fn portion(&self, batch: u64) -> u64 {
        batch.min(self.left.div_ceil(CAUTION)).min(self.left)
    }
}

/// What a count holds.
const MOST: u64 = u32::MAX as u64;

/// What part of what is left is asked for at once.
const CAUTION: u64 = 4;

/// How long an answer is waited for before the question is put again.
const PATIENCE_MS: u32 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from_millis(1_000 * seconds)
    }

    fn paid(state: &State, cost: u64, now: Time) -> (State, Option<u64>) {
        match spend(state, cost, 10, now) {
            Spending::Paid { state, refill, .. } => (state, refill),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_in_hand_is_spent_before_more_is_asked_for() {
        let nothing = State::default();
        assert_eq!(spend(&nothing, 3, 10, at(0)), Spending::Ask { units: 10 });
        assert_eq!(spend(&nothing, 30, 10, at(0)), Spending::Ask { units: 30 });
        let mut state = receive(&nothing, 7, 90, at(60), at(0));
        for refill in [None, None, Some(10), None, None, None, None] {
            let (next, asked) = paid(&state, 1, at(1));
            assert_eq!(asked, refill);
            state = next;
        }
        assert_eq!(spend(&state, 1, 10, at(1)), Spending::Ask { units: 10 });
        // An answer that does not come is not waited for for ever.
        let waiting = receive(&nothing, 4, 90, at(60), at(0));
        let (waiting, asked) = paid(&waiting, 1, at(1));
        assert_eq!(asked, Some(10));
        assert_eq!(paid(&waiting, 1, at(3)).1, Some(10));
    }

    #[test]
    fn nothing_is_kept_beyond_its_window() {
        let state = receive(&State::default(), 7, 90, at(60), at(0));
        assert!(matches!(
            spend(&state, 1, 10, at(59)),
            Spending::Paid { .. }
        ));
        assert_eq!(spend(&state, 1, 10, at(60)), Spending::Ask { units: 10 });
        let over = refused(&state, at(60), at(1));
        let (over, refill) = paid(&over, 7, at(2));
        assert_eq!(refill, None);
        let reset_ns = 58_000_000_000;
        assert_eq!(spend(&over, 1, 10, at(2)), Spending::Over { reset_ns });
        assert_eq!(spend(&over, 1, 10, at(60)), Spending::Ask { units: 10 });
    }

    #[test]
    fn near_the_end_less_is_asked_for() {
        for (left, portion) in [(100, 10), (20, 5), (4, 1), (1, 1)] {
            let state = receive(&State::default(), 0, left, at(60), at(0));
            let asked = spend(&state, 1, 10, at(0));
            assert_eq!(asked, Spending::Ask { units: portion }, "{left}");
        }
        // Nothing is left, but nobody has been refused yet.
        let state = receive(&State::default(), 0, 0, at(60), at(0));
        assert!(matches!(spend(&state, 1, 10, at(0)), Spending::Over { .. }));
    }
}
