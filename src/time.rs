//! The time of a decision, passed in so that every decision can be replayed.

pub mod rfc3339;

use std::time::Duration;

/// A moment, in nanoseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(u64);

impl Time {
    /// From nanoseconds since 1970.
    pub const fn from_nanos(nanos: u64) -> Self {
        Time(nanos)
    }

    /// From milliseconds since 1970.
    pub fn from_millis(millis: u64) -> Self {
        Time(millis.saturating_mul(1_000_000))
    }

    /// Nanoseconds since 1970.
    pub fn nanos(self) -> u64 {
        self.0
    }

    /// Milliseconds since 1970.
    pub fn millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// Seconds since 1970, as NumericDate counts them (RFC 7519 §2).
    pub fn seconds(self) -> u64 {
        self.0 / 1_000_000_000
    }

    /// How long ago `earlier` was; nothing if it is still to come.
    pub fn since(self, earlier: Time) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl std::ops::Add<Duration> for Time {
    type Output = Time;

    fn add(self, length: Duration) -> Time {
        Time(
            self.0
                .saturating_add(u64::try_from(length.as_nanos()).unwrap_or(u64::MAX)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_unit_are_dropped() {
        let time = Time::from_nanos(1_999_999_999);
        assert_eq!((time.millis(), time.seconds()), (1_999, 1));
        assert_eq!(Time::from_millis(1_500).nanos(), 1_500_000_000);
    }

    #[test]
    fn times_end_where_their_numbers_do() {
        assert_eq!(Time::from_millis(u64::MAX).nanos(), u64::MAX);
        assert_eq!((Time::from_nanos(1) + Duration::MAX).nanos(), u64::MAX);
        let (earlier, later) = (Time::from_millis(1), Time::from_millis(3));
        assert_eq!(later.since(earlier), Duration::from_millis(2));
        assert_eq!(earlier.since(later), Duration::ZERO);
    }
}
