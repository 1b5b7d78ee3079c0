//! What a client is told of its limits, in header fields.
//!
//! `RateLimit-Policy` says how much a limit holds, `RateLimit` how much of it is left
//! and when there is more, both as draft-ietf-httpapi-ratelimit-headers-10 has them:
//! structured fields (RFC 9651). The older `X-RateLimit-*` say the same of one limit.
//! Whatever is rounded is rounded so that a client that believes it waits long enough.

use std::fmt::Write;

/// When clients are told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Announce {
    /// With refusals for a limit.
    pub refused: bool,
    /// With every response.
    pub always: bool,
    /// In the older fields as well.
    pub legacy: bool,
}

/// What is told of one limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notice<'a> {
    /// The limit's name.
    pub name: &'a str,
    /// What is counted.
    pub unit: Unit,
    /// How many units the limit holds when nothing is spent.
    pub quota: u64,
    /// In how many nanoseconds all of it is regained; `None`: not by time.
    pub window_ns: Option<u64>,
    /// How many units are left.
    pub left: u64,
    /// In how many nanoseconds there is one more unit; `None`: nothing is spent, or
    /// it does not come by time.
    pub next_ns: Option<u64>,
}

/// What a limit counts (§3.1.2 of the draft, and its registry of quota units).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Requests, each with its cost. It is what a field means that names no unit.
    Requests,
    /// Requests in flight.
    ConcurrentRequests,
    /// Bytes of request bodies. A unit is `each` bytes, and clients are told of bytes:
    /// there is no registered word for any other measure.
    ContentBytes {
        /// How many bytes one unit is.
        each: u64,
    },
}

/// The value of `RateLimit-Policy` (§3 of the draft); `None`: there is no limit.
pub fn policy<'a>(notices: impl IntoIterator<Item = Notice<'a>>) -> Option<String> {
    list(notices, |item, notice| {
        write!(item, ";q={}", integer(notice.units(notice.quota)))?;
        match notice.unit {
            Unit::Requests => {}
            Unit::ConcurrentRequests => item.push_str(";qu=\"concurrent-requests\""),
            Unit::ContentBytes { .. } => item.push_str(";qu=\"content-bytes\""),
        }
        // A window is never 0 (§3.1.3).
        match notice.window_ns {
            Some(window) => write!(item, ";w={}", integer(seconds(window).max(1))),
            None => Ok(()),
        }
    })
}

/// The value of `RateLimit` (§4 of the draft); `None`: there is no limit.
pub fn rate_limit<'a>(notices: impl IntoIterator<Item = Notice<'a>>) -> Option<String> {
    list(notices, |item, notice| {
        write!(item, ";r={}", integer(notice.units(notice.left)))?;
        match notice.next_ns {
            Some(next) => write!(item, ";t={}", integer(seconds(next))),
            None => Ok(()),
        }
    })
}

/// `X-RateLimit-Limit`, `-Remaining` and `-Reset` of the limit that is nearest to its
/// end, among those that fill again by time. No standard says what `Reset` counts;
/// here it is the seconds until there is one more unit, 0 when nothing is spent.
pub fn legacy<'a>(
    notices: impl IntoIterator<Item = Notice<'a>>,
) -> Option<[(&'static str, String); 3]> {
    let tightest = notices
        .into_iter()
        .filter(|notice| notice.unit != Unit::ConcurrentRequests)
        .min_by(|one, other| {
            // Of two parts left of a whole the smaller, without dividing.
            let part = |a: &Notice, b: &Notice| u128::from(a.left) * u128::from(b.quota);
            part(one, other)
                .cmp(&part(other, one))
                .then(other.next_ns.cmp(&one.next_ns))
        })?;
    Some([
        (
            "x-ratelimit-limit",
            tightest.units(tightest.quota).to_string(),
        ),
        (
            "x-ratelimit-remaining",
            tightest.units(tightest.left).to_string(),
        ),
        (
            "x-ratelimit-reset",
            tightest.next_ns.map_or(0, seconds).to_string(),
        ),
    ])
}

/// Whole seconds that are no shorter than so many nanoseconds.
pub fn seconds(nanos: u64) -> u64 {
    nanos.div_ceil(1_000_000_000)
}

impl Notice<'_> {
    /// Units as a client counts them.
    fn units(&self, units: u64) -> u64 {
        match self.unit {
            Unit::Requests | Unit::ConcurrentRequests => units,
            Unit::ContentBytes { each } => units.saturating_mul(each),
        }
    }
}

/// A list of strings with parameters (RFC 9651 §3.1, §4.1.1).
fn list<'a>(
    notices: impl IntoIterator<Item = Notice<'a>>,
    parameters: impl Fn(&mut String, &Notice<'a>) -> std::fmt::Result,
) -> Option<String> {
    let mut list = String::new();
    for notice in notices {
        if !list.is_empty() {
            list.push_str(", ");
        }
        string(notice.name, &mut list);
        // Writing into a string cannot fail.
        let _ = parameters(&mut list, &notice);
    }
    (!list.is_empty()).then_some(list)
}

/// A string (RFC 9651 §4.1.6). What cannot stand in one is left out.
fn string(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars().filter(|one| matches!(one, ' '..='~')) {
        if matches!(character, '"' | '\\') {
            out.push('\\');
        }
        out.push(character);
    }
    out.push('"');
}

/// An integer has at most fifteen digits (RFC 9651 §3.3.1).
fn integer(value: u64) -> u64 {
    value.min(GREATEST_INTEGER)
}

/// The field that says what limits hold.
pub const POLICY: &str = "ratelimit-policy";

/// The field that says what is left of them.
pub const RATE_LIMIT: &str = "ratelimit";

const GREATEST_INTEGER: u64 = 999_999_999_999_999;

#[cfg(test)]
mod tests {
    use super::*;

    const BURST: Notice = Notice {
        name: "burst",
        unit: Unit::Requests,
        quota: 40,
        window_ns: Some(2_000_000_000),
        left: 39,
        next_ns: Some(50_000_000),
    };

    const PARALLEL: Notice = Notice {
        name: "parallel",
        unit: Unit::ConcurrentRequests,
        quota: 10,
        window_ns: None,
        left: 9,
        next_ns: None,
    };

    #[test]
    fn a_limit_says_what_it_holds_and_what_is_left() {
        assert_eq!(
            policy([BURST, PARALLEL]).unwrap(),
            "\"burst\";q=40;w=2, \"parallel\";q=10;qu=\"concurrent-requests\""
        );
        assert_eq!(
            rate_limit([BURST, PARALLEL]).unwrap(),
            "\"burst\";r=39;t=1, \"parallel\";r=9"
        );
        assert_eq!(policy([]), None);
        assert_eq!(rate_limit([]), None);
    }

    #[test]
    fn seconds_are_never_too_few() {
        assert_eq!(seconds(0), 0);
        assert_eq!(seconds(1), 1);
        assert_eq!(seconds(1_000_000_000), 1);
        assert_eq!(seconds(1_000_000_001), 2);
        assert_eq!(seconds(u64::MAX), 18_446_744_074);
    }

    #[test]
    fn a_window_of_less_than_a_second_is_told_as_one() {
        let quick = Notice {
            window_ns: Some(1_000_000),
            ..BURST
        };
        assert_eq!(policy([quick]).unwrap(), "\"burst\";q=40;w=1");
    }

    #[test]
    fn bodies_are_told_in_bytes() {
        let bytes = Notice {
            unit: Unit::ContentBytes { each: 1024 },
            quota: 1000,
            left: 3,
            ..BURST
        };
        assert_eq!(
            policy([bytes]).unwrap(),
            "\"burst\";q=1024000;qu=\"content-bytes\";w=2"
        );
        assert_eq!(rate_limit([bytes]).unwrap(), "\"burst\";r=3072;t=1");
    }

    #[test]
    fn nothing_breaks_out_of_a_string_or_grows_out_of_an_integer() {
        let odd = Notice {
            name: "a\"b\\c\r\n\u{e9}",
            quota: u64::MAX,
            next_ns: Some(u64::MAX),
            ..BURST
        };
        assert_eq!(
            policy([odd]).unwrap(),
            "\"a\\\"b\\\\c\";q=999999999999999;w=2"
        );
        let bytes = Notice {
            unit: Unit::ContentBytes { each: u64::MAX },
            ..odd
        };
        assert_eq!(
            rate_limit([bytes]).unwrap(),
            "\"a\\\"b\\\\c\";r=999999999999999;t=18446744074"
        );
    }

    #[test]
    fn the_older_fields_tell_of_the_limit_that_is_nearest_to_its_end() {
        let hourly = Notice {
            name: "hourly",
            quota: 5000,
            left: 100,
            next_ns: Some(3_599_000_000_001),
            ..BURST
        };
        let told = legacy([BURST, PARALLEL, hourly]).unwrap();
        assert_eq!(
            told.map(|(name, value)| format!("{name}: {value}")),
            [
                "x-ratelimit-limit: 5000",
                "x-ratelimit-remaining: 100",
                "x-ratelimit-reset: 3600"
            ]
        );
        let spent = |left, next_ns| Notice {
            left,
            next_ns,
            ..hourly
        };
        let told = legacy([spent(0, Some(1)), spent(0, Some(9_000_000_000))]).unwrap();
        assert_eq!(told[2].1, "9");
        let told = legacy([spent(5000, None)]).unwrap();
        assert_eq!(told[2].1, "0");
        assert_eq!(legacy([PARALLEL]), None);
    }
}
