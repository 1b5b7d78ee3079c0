//! Units taken in advance: the service is asked for several at once, and requests are
//! answered from what is in hand.
//!
//! Every unit is counted by the service before it is spent, and none is kept beyond the
//! window in which it was asked for. So with clocks that agree several gateways together
//! admit no more in a window than the limit, but for requests that wait over its end for
//! their answer. Where clocks differ, what is in hand may be spent for so much longer: less than
//! one and a half batches a gateway.
//!
//! What is in hand when a window ends is lost, and so is what a gateway asks for when
//! less is left: each may leave as much as that unspent. While one asks for a batch the
//! others that find nothing in hand ask for what they cost, so there is one batch under
//! way, however many requests come at once.

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
    /// When the window ends in which it is asked.
    pub until: Time,
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
    /// What the service said of the window.
    said: Said,
    /// When it was last asked for a batch, and has not answered, in milliseconds since
    /// 1970, without the high bits.
    asked: u32,
}

/// What the service said of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    /// It has more.
    More,
    /// It has no more.
    NoMore,
    /// Nothing yet; when its window ends is not known either.
    Nothing,
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
        /// What is to be kept.
        state: State,
        /// The cost included.
        units: u64,
    },
}

/// Spends from what is in hand.
pub fn spend(state: &State, cost: u64, batch: u64, now: Time) -> Spending {
    let mut hand = Hand::of(state, now).unwrap_or(Hand::unknown(now));
    let reset_ns = hand.until - now.nanos();
    let now_ms = now.millis() as u32;
    // Another worker may have read the clock a little later.
    let apart_ms = now_ms.wrapping_sub(hand.asked).cast_signed().unsigned_abs();
    let waits = hand.asked != 0 && apart_ms < PATIENCE_MS;
    if hand.units < cost {
        if hand.said == Said::NoMore {
            return Spending::Over { reset_ns };
        }
        let units = match waits {
            true => cost,
            false => hand.portion(batch).max(cost),
        };
        if units > cost {
            hand.asked = now_ms.max(1);
        }
        return Spending::Ask {
            state: hand.keep(),
            units,
        };
    }
    hand.units -= cost;
    let refill = (hand.units < batch / 2 && hand.said == Said::More && !waits)
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
/// `None`: its window is over, or a later one has begun.
pub fn receive(state: &State, units: u64, left: u64, until: Time, now: Time) -> Option<State> {
    if until <= now {
        return None;
    }
    let until = until.nanos();
    let mut hand = Hand::of(state, now).unwrap_or(Hand::unknown(now));
    let is_known = hand.said != Said::Nothing;
    if is_known && until < hand.until {
        return None;
    }
    if !is_known || hand.until < until {
        hand.units = 0;
    }
    if units > 0 {
        hand.asked = 0;
    }
    hand.units = hand.units.saturating_add(units);
    hand.left = left;
    hand.until = until;
    hand.said = match left {
        0 => Said::NoMore,
        _ => Said::More,
    };
    Some(hand.keep())
}

/// Puts back what was not spent after all.
pub fn give_back(state: &State, units: u64, now: Time) -> State {
    match Hand::of(state, now) {
        Some(mut hand) if hand.said != Said::Nothing => {
            hand.units = hand.units.saturating_add(units);
            hand.keep()
        }
        _ => *state,
    }
}

/// Takes in that the service gave nothing, since the limit is reached.
pub fn refused(state: &State, until: Time, now: Time) -> Option<State> {
    receive(state, 0, 0, until, now)
}

impl Hand {
    /// What is known of a window of which nothing was said.
    fn unknown(now: Time) -> Hand {
        Hand {
            until: now.nanos() + u64::from(PATIENCE_MS) * 1_000_000,
            units: 0,
            left: MOST,
            said: Said::Nothing,
            asked: 0,
        }
    }

    /// What is kept, unless its window is over.
    fn of(state: &State, now: Time) -> Option<Hand> {
        let [first, second] = state.words;
        (state.idle_at > now.nanos()).then_some(Hand {
            until: state.idle_at,
            units: first >> 32,
            left: first & MOST,
            said: match second >> 32 {
                0 => Said::More,
                1 => Said::NoMore,
                _ => Said::Nothing,
            },
            asked: (second & MOST) as u32,
        })
    }

    fn keep(&self) -> State {
        let said = match self.said {
            Said::More => 0,
            Said::NoMore => 1,
            Said::Nothing => 2,
        };
        State {
            idle_at: self.until,
            words: [
                self.units.min(MOST) << 32 | self.left.min(MOST),
                said << 32 | u64::from(self.asked),
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

    fn asked(state: &State, cost: u64, now: Time) -> (State, u64) {
        match spend(state, cost, 10, now) {
            Spending::Ask { state, units } => (state, units),
            other => panic!("{other:?}"),
        }
    }

    fn given(units: u64, left: u64) -> State {
        receive(&State::default(), units, left, at(60), at(0)).unwrap()
    }

    #[test]
    fn what_is_in_hand_is_spent_before_more_is_asked_for() {
        assert_eq!(asked(&State::default(), 30, at(0)).1, 30);
        let mut state = given(7, 90);
        for refill in [None, None, Some(10), None, None, None, None] {
            let (next, asked) = paid(&state, 1, at(1));
            assert_eq!(asked, refill);
            state = next;
        }
        // An answer that does not come is not waited for for ever.
        let (waiting, refill) = paid(&given(4, 90), 1, at(1));
        assert_eq!(refill, Some(10));
        assert_eq!(paid(&waiting, 1, at(3)).1, Some(10));
    }

    #[test]
    fn a_batch_is_asked_for_once() {
        let (waiting, units) = asked(&State::default(), 3, at(0));
        assert_eq!(units, 10);
        assert_eq!(asked(&waiting, 3, at(0)).1, 3);
        // One that asked for itself alone has its answer first.
        let waiting = receive(&waiting, 0, 80, at(60), at(0)).unwrap();
        assert_eq!(asked(&waiting, 2, at(0)).1, 2);
        let (again, units) = asked(&waiting, 3, at(2));
        assert_eq!(units, 10);
        let known = receive(&again, 7, 80, at(60), at(2)).unwrap();
        assert_eq!(paid(&known, 7, at(2)).1, Some(10));
    }

    #[test]
    fn nothing_is_kept_beyond_its_window() {
        let state = given(7, 90);
        assert_eq!(paid(&state, 1, at(59)).1, None);
        assert_eq!(asked(&state, 1, at(60)).1, 10);
        let over = refused(&state, at(60), at(1)).unwrap();
        let (over, refill) = paid(&over, 7, at(2));
        assert_eq!(refill, None);
        let reset_ns = 58_000_000_000;
        assert_eq!(spend(&over, 1, 10, at(2)), Spending::Over { reset_ns });
        assert_eq!(asked(&over, 1, at(60)).1, 10);
    }

    #[test]
    fn units_of_two_windows_do_not_meet() {
        let state = given(7, 90);
        assert_eq!(receive(&state, 5, 90, at(60), at(60)), None);
        let next = receive(&state, 5, 90, at(120), at(59)).unwrap();
        assert_eq!(asked(&next, 6, at(59)).1, 10);
        assert_eq!(receive(&next, 5, 90, at(60), at(59)), None);
        // What was paid from a window that is over is not worth anything in the next.
        let (waiting, _) = asked(&state, 1, at(60));
        assert_eq!(give_back(&waiting, 4, at(60)), waiting);
        assert_eq!(give_back(&state, 4, at(60)), state);
        assert_eq!(paid(&give_back(&state, 4, at(1)), 11, at(1)).1, Some(10));
    }

    #[test]
    fn near_the_end_less_is_asked_for() {
        for (left, portion) in [(100, 10), (20, 5), (4, 1), (1, 1)] {
            assert_eq!(asked(&given(0, left), 1, at(0)).1, portion, "{left}");
        }
        // Nothing is left, but nobody has been refused yet.
        let over = spend(&given(0, 0), 1, 10, at(0));
        assert!(matches!(over, Spending::Over { .. }), "{over:?}");
    }
}
