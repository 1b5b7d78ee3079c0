//! How much of a limit holds for now.

use super::{Algorithm, Bucket, InFlight, Window};

/// A share of a limit, in thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(u16);

impl Share {
    /// All of it.
    pub const WHOLE: Share = Share(1_000);

    /// So many thousandths, of which there are 1 to 1,000.
    pub fn thousandths(thousandths: u64) -> Share {
        Share(u16::try_from(thousandths.clamp(1, 1_000)).unwrap_or(1_000))
    }

    /// In thousandths.
    pub fn in_thousandths(self) -> u64 {
        self.0.into()
    }

    /// In whole hundredths, rounded up.
    pub fn percent(self) -> u64 {
        self.in_thousandths().div_ceil(10)
    }

    /// So much of a number, and at least 1.
    fn of(self, number: u64) -> u64 {
        let share = u128::from(number) * u128::from(self.0) / 1_000;
        u64::try_from(share).unwrap_or(number).max(1)
    }

    /// A time that is longer by as much as the share is less.
    fn slowed(self, interval_ns: u64) -> u64 {
        let slowed = u128::from(interval_ns) * 1_000 / u128::from(self.0.max(1));
        let slowed = u64::try_from(slowed).unwrap_or(u64::MAX);
        slowed.min(LONGEST_NS.max(interval_ns))
    }
}

impl Algorithm {
    /// The same with a share of what it allows: less at once, and less by time.
    ///
    /// A bucket takes no less time to fill than before, so what is spent stays spent in
    /// the same proportion, and nobody gains by a change of the share. Where its burst
    /// cannot shrink by the share, since there is always one unit, its rate does.
    pub fn at(&self, share: Share) -> Algorithm {
        if share == Share::WHOLE {
            return *self;
        }
        match *self {
            Algorithm::TokenBucket(bucket) => {
                let burst = share.of(bucket.burst);
                Algorithm::TokenBucket(Bucket {
                    interval_ns: share
                        .slowed(bucket.interval_ns)
                        .max(bucket.capacity_ns().div_ceil(burst)),
                    burst,
                })
            }
            Algorithm::SlidingWindow(window) => Algorithm::SlidingWindow(Window {
                quota: share.of(window.quota),
                ..window
            }),
            Algorithm::Concurrency(in_flight) => Algorithm::Concurrency(InFlight {
                most: share.of(in_flight.most),
                ..in_flight
            }),
        }
    }
}

/// A hundred years: later on times would reach their end, where nothing is refused.
const LONGEST_NS: u64 = 100 * 365 * 24 * 3_600_000_000_000;

#[cfg(test)]
mod tests {
    use super::super::{State, Taken};
    use super::*;
    use crate::time::Time;

    const BUCKET: Algorithm = Algorithm::TokenBucket(Bucket {
        interval_ns: 10,
        burst: 100,
    });

    fn left(algorithm: Algorithm, state: &State, now: Time) -> u64 {
        algorithm.standing(state, now).left
    }

    #[test]
    fn a_change_of_the_share_gives_nobody_anything() {
        let now = Time::from_nanos(1_000_000);
        let Taken::Yes { state, .. } = BUCKET.take(&State::default(), 60, now) else {
            panic!("it is full");
        };
        let half = BUCKET.at(Share::thousandths(500));
        assert_eq!(left(half, &state, now), 20);
        assert_eq!(left(BUCKET, &state, now), 40);
        // Spent under the half, it is spent of the whole in proportion.
        let Taken::Yes { state, .. } = half.take(&state, 20, now) else {
            panic!("20 are left");
        };
        assert_eq!(left(BUCKET, &state, now), 0);
        let later = Time::from_nanos(1_000_000 + 500);
        assert_eq!(left(half, &state, later), 25);
        assert_eq!(left(BUCKET, &state, later), 50);
    }

    #[test]
    fn the_rate_of_a_bucket_tightens_whatever_its_burst() {
        for burst in [1, 3, 7] {
            let bucket = Algorithm::TokenBucket(Bucket {
                interval_ns: 1_000,
                burst,
            });
            let half = bucket.at(Share::thousandths(500));
            let mut state = State::default();
            let mut given = 0;
            for tick in 0..100 {
                let now = Time::from_nanos(1_000_000 + 1_000 * tick);
                if let Taken::Yes { state: next, .. } = half.take(&state, 1, now) {
                    state = next;
                    given += 1;
                }
            }
            assert!((30..=50 + burst / 2).contains(&given), "{burst}: {given}");
        }
    }

    #[test]
    fn whoever_is_out_of_units_gains_none_by_changes() {
        let now = Time::from_nanos(1_000_000_000_000_000_000);
        for burst in 1..=40 {
            let bucket = Algorithm::TokenBucket(Bucket {
                interval_ns: 10_000_000_001,
                burst,
            });
            let mut state = State::default();
            let mut given = 0;
            for share in [1_000, 500, 100, 333, 999, 1, 750, 1_000] {
                let tightened = bucket.at(Share::thousandths(share));
                loop {
                    match tightened.take(&state, 1, now) {
                        Taken::Yes { state: next, .. } => {
                            state = next;
                            given += 1;
                        }
                        Taken::No { state: mended, .. } => {
                            assert_eq!(mended, None, "{burst} {share}: a debt was forgiven");
                            break;
                        }
                    }
                }
            }
            assert_eq!(given, burst);
        }
    }

    #[test]
    fn something_is_always_allowed() {
        let least = Share::thousandths(0);
        assert_eq!(least.percent(), 1);
        assert_eq!(
            left(BUCKET.at(least), &State::default(), Time::default()),
            1
        );
        let three = Algorithm::Concurrency(InFlight {
            most: 3,
            longest_ns: 10,
        });
        let third = three.at(Share::thousandths(333));
        assert_eq!(left(third, &State::default(), Time::default()), 1);
    }
}
