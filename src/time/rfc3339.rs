//! Moments as a person writes them: a date, or a date with a time and an offset.
//!
//! RFC 3339 §5.6, of which a date alone is a part; a date stands for its first
//! moment in UTC. Nothing else is read, because a moment that is misread opens a
//! door too early or too late.

use std::time::Duration;

use super::Time;

/// Reads `2027-01-31`, `2027-01-31T17:30:00Z` or `2027-01-31T17:30:00+01:00`.
///
/// Fractions of a second may follow the seconds and are dropped. `None`: it is no
/// such text, no day of the calendar, or lies before 1970 or after 2500.
pub fn parse(text: &str) -> Option<Time> {
    let date = text.get(..10)?;
    let days = days(date)?;
    let seconds = match text.get(10..)? {
        "" => days.checked_mul(DAY)?,
        rest => {
            let rest = rest.strip_prefix(['T', 't'])?;
            let (clock, rest) = rest.split_at_checked(8)?;
            let offset = offset(fraction(rest)?)?;
            days.checked_mul(DAY)?
                .checked_add(time_of_day(clock)?)?
                .checked_sub(offset)?
        }
    };
    Some(Time::default() + Duration::from_secs(u64::try_from(seconds).ok()?))
}

/// Days from 1970-01-01.
fn days(date: &str) -> Option<i64> {
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let february = if leap { 29 } else { 28 };
    let months = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let index = usize::try_from(month.checked_sub(1)?).ok()?;
    let length = *months.get(index)?;
    if !(1970..=2500).contains(&year) || !(1..=length).contains(&day) {
        return None;
    }
    let before = year - 1;
    let leaps = |year: i64| year / 4 - year / 100 + year / 400;
    let years = (year - 1970) * 365 + leaps(before) - leaps(1969);
    Some(years + months.iter().take(index).sum::<i64>() + day - 1)
}

fn time_of_day(clock: &str) -> Option<i64> {
    let [hours, minutes, seconds] = numbers(clock, ':', [2, 2, 2])?;
    // A leap second is the first moment of the next minute.
    (hours < 24 && minutes < 60 && seconds <= 60).then_some(hours * 3600 + minutes * 60 + seconds)
}

/// What stands behind the fraction of a second, if there is one.
fn fraction(text: &str) -> Option<&str> {
    let Some(digits) = text.strip_prefix('.') else {
        return Some(text);
    };
    let rest = digits.trim_start_matches(|digit: char| digit.is_ascii_digit());
    (rest.len() < digits.len()).then_some(rest)
}

/// Seconds by which the clock is ahead of UTC.
fn offset(text: &str) -> Option<i64> {
    if matches!(text, "Z" | "z") {
        return Some(0);
    }
    let (sign, clock) = match text.split_at_checked(1)? {
        ("+", clock) => (1, clock),
        ("-", clock) => (-1, clock),
        _ => return None,
    };
    let [hours, minutes] = numbers(clock, ':', [2, 2])?;
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// Exactly so many numbers of exactly so many digits.
fn numbers<const N: usize>(text: &str, separator: char, lengths: [usize; N]) -> Option<[i64; N]> {
    let mut parts = text.split(separator);
    let mut numbers = [0; N];
    for (number, length) in numbers.iter_mut().zip(lengths) {
        let part = parts.next()?;
        if part.len() != length || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

/// Seconds in a day.
const DAY: i64 = 24 * 3600;

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(text: &str) -> Option<u64> {
        parse(text).map(Time::seconds)
    }

    #[test]
    fn moments_are_seconds_since_1970() {
        for (text, expected) in [
            ("1970-01-01", 0),
            ("1970-03-01", 59 * 86_400),
            ("2000-02-29T00:00:00Z", 951_782_400),
            ("2000-03-01", 951_868_800),
            ("2027-01-31T17:30:05Z", 1_801_416_605),
            ("2027-01-31t18:30:05.999+01:00", 1_801_416_605),
            ("2027-01-31T12:00:05-05:30", 1_801_416_605),
            ("2100-03-01", 4_107_542_400),
            ("2016-12-31T23:59:60Z", 1_483_228_800),
        ] {
            assert_eq!(seconds(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn anything_else_is_no_moment() {
        for text in [
            "",
            "2027",
            "2027-1-31",
            "2027-02-29",
            "2100-02-29",
            "2027-13-01",
            "2027-00-01",
            "2027-01-00",
            "2027-01-32",
            "1969-12-31",
            "9999-01-01",
            "+027-01-01",
            "2027-01-31T17:30:05",
            "2027-01-31 17:30:05Z",
            "2027-01-31T17:30Z",
            "2027-01-31T24:00:00Z",
            "2027-01-31T17:60:00Z",
            "2027-01-31T17:30:05.Z",
            "2027-01-31T17:30:05Zz",
            "2027-01-31T17:30:05+0100",
            "2027-01-31T17:30:05+24:00",
            "1970-01-01T00:00:00+01:00",
            "2027-01-31\u{e9}",
            "2027-01-3\u{e9}T",
        ] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
