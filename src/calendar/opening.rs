//! Opening hours: the days and the time of day at which something is open.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Local, Zone};
use crate::time::Time;

/// When something is open, by the clocks of one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// Whose clocks count.
    pub zone: Zone,
    /// The days on which it opens; the first is Sunday.
    pub days: [bool; 7],
    /// The minute of the day in which it opens, 0 to 1439.
    pub from: u16,
    /// The minute of the day in which it closes, 1 to 1440. Not after `from`: on the
    /// following day.
    pub to: u16,
    /// Days on which it does not open: year, month, day.
    pub except: BTreeSet<(i16, u8, u8)>,
}

impl Opening {
    /// Whether it is open.
    pub fn is_open(&self, time: Time) -> bool {
        let local = self.zone.local(time);
        let minute = u16::from(local.hour) * 60 + u16::from(local.minute);
        if self.from < self.to {
            return self.opens(local) && (self.from..self.to).contains(&minute);
        }
        if minute >= self.from {
            return self.opens(local);
        }
        if minute >= self.to {
            return false;
        }
        // It opened yesterday. An hour more or less, when clocks are changed, must
        // lead to no other day, hence the two hours.
        let since_yesterday = Duration::from_secs(60 * (u64::from(minute) + 121));
        let seconds = time.seconds().saturating_sub(since_yesterday.as_secs());
        self.opens(
            self.zone
                .local(Time::default() + Duration::from_secs(seconds)),
        )
    }

    fn opens(&self, day: Local) -> bool {
        let on = self.days.get(usize::from(day.weekday)).copied();
        on.unwrap_or_default() && !self.except.contains(&(day.year, day.month, day.day))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::rfc3339;

    const BERLIN: &str = "CET-1CEST,M3.5.0,M10.5.0/3";

    fn opening(from: u16, to: u16) -> Opening {
        Opening {
            zone: Zone::parse(BERLIN).unwrap(),
            days: [false, true, true, true, true, true, false],
            from,
            to,
            except: BTreeSet::from([(2026, 12, 25)]),
        }
    }

    fn open(opening: &Opening, time: &str) -> bool {
        opening.is_open(rfc3339::parse(time).unwrap())
    }

    #[test]
    fn it_opens_and_closes_by_the_clocks_of_its_place() {
        let day = opening(8 * 60, 18 * 60);
        // A Monday in winter and one in summer.
        for (time, is) in [
            ("2026-11-23T07:59:59+01:00", false),
            ("2026-11-23T08:00:00+01:00", true),
            ("2026-11-23T17:59:59+01:00", true),
            ("2026-11-23T18:00:00+01:00", false),
            ("2026-07-06T06:00:00Z", true),
            ("2026-07-06T05:59:59Z", false),
            ("2026-11-22T12:00:00+01:00", false),
            ("2026-12-24T12:00:00+01:00", true),
            ("2026-12-25T12:00:00+01:00", false),
        ] {
            assert_eq!(open(&day, time), is, "{time}");
        }
        let whole = opening(0, 1440);
        assert!(open(&whole, "2026-11-23T00:00:00+01:00"));
        assert!(open(&whole, "2026-11-23T23:59:59+01:00"));
        assert!(!open(&whole, "2026-11-22T23:59:59+01:00"));
    }

    #[test]
    fn a_night_belongs_to_the_day_on_which_it_began() {
        let night = opening(22 * 60, 6 * 60);
        for (time, is) in [
            ("2026-11-23T05:00:00+01:00", false),
            ("2026-11-23T22:00:00+01:00", true),
            ("2026-11-24T05:59:59+01:00", true),
            ("2026-11-24T06:00:00+01:00", false),
            // From Friday into Saturday, and not from Saturday on.
            ("2026-11-28T00:00:00+01:00", true),
            ("2026-11-28T22:00:00+01:00", false),
            // The night of the exception, and its morning, which is the day before's.
            ("2026-12-25T05:00:00+01:00", true),
            ("2026-12-25T23:00:00+01:00", false),
            ("2026-12-26T05:00:00+01:00", false),
        ] {
            assert_eq!(open(&night, time), is, "{time}");
        }
    }

    #[test]
    fn the_night_of_a_clock_change_is_still_yesterdays() {
        let mut night = opening(22 * 60, 12 * 60);
        night.days = [false, false, false, false, false, false, true];
        // Saturday's night, into the Sundays on which clocks go forward and back.
        for morning in ["2026-03-29", "2026-10-25"] {
            for hour in 0..12 {
                let time = format!("{morning}T{hour:02}:00:00Z");
                let local = night.zone.local(rfc3339::parse(&time).unwrap());
                assert_eq!(open(&night, &time), local.hour < 12, "{time}");
            }
            assert!(!open(&night, &format!("{morning}T22:30:00Z")));
        }
    }
}
