//! Timestamps and durations as CEL writes them.

/// Reads an RFC 3339 timestamp: nanoseconds since 1970. The years are 1 to 9999.
pub(super) fn timestamp(text: &str) -> Option<i128> {
    let (date, rest) = text.split_at_checked(10)?;
    let (year, rest_of_date) = date.split_at_checked(4)?;
    let month = rest_of_date.strip_prefix('-')?;
    let (month, day) = month.split_at_checked(2)?;
    let (year, month) = (digits(year)?, digits(month)?);
    let day = digits(day.strip_prefix('-')?)?;
    let (clock, rest) = rest.strip_prefix(['T', 't'])?.split_at_checked(8)?;
    let mut parts = clock.split(':');
    let mut part = |limit: i64| digits(two(parts.next()?)?).filter(|number| *number < limit);
    let (hour, minute, second) = (part(24)?, part(60)?, part(60)?);
    if parts.next().is_some() || !(1..=12).contains(&month) || year < 1 {
        return None;
    }
    if day < 1 || day > days_of(year, month) {
        return None;
    }
    let (nanos, zone) = fraction(rest)?;
    let seconds = days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    let moment = i128::from(seconds - offset(zone)?) * NANOS + nanos;
    in_range(moment)
}

/// A timestamp, if its year is 1 to 9999.
pub(super) fn in_range(nanos: i128) -> Option<i128> {
    (FIRST_SECOND * NANOS..(LAST_SECOND + 1) * NANOS)
        .contains(&nanos)
        .then_some(nanos)
}

/// Reads a duration such as `1h30m`, `-1.5s` or `100ms`: nanoseconds.
pub(super) fn duration(text: &str) -> Option<i64> {
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let end = rest.find(|at: char| !at.is_ascii_digit() && at != '.')?;
        let (number, tail) = rest.split_at_checked(end)?;
        let end = tail
            .find(|at: char| at.is_ascii_digit() || at == '.')
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at_checked(end)?;
        let unit = UNITS.iter().find(|(name, _)| *name == unit)?.1;
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        if whole.len() + part.len() == 0 || whole.len() > 18 {
            return None;
        }
        total += i128::from(digits(whole)?) * unit;
        let mut scale = unit;
        for digit in part.bytes() {
            scale /= 10;
            total += i128::from(digit.checked_sub(b'0').filter(|digit| *digit < 10)?) * scale;
        }
        rest = tail;
    }
    i64::try_from(sign * total).ok()
}

/// Up to 18 digits; none are zero.
fn digits(text: &str) -> Option<i64> {
    text.bytes().try_fold(0_i64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| byte - b'0')?;
        number.checked_mul(10)?.checked_add(i64::from(digit))
    })
}

fn two(text: &str) -> Option<&str> {
    (text.len() == 2).then_some(text)
}

/// The fraction of a second in nanoseconds, and what follows it.
fn fraction(text: &str) -> Option<(i128, &str)> {
    let Some(rest) = text.strip_prefix('.') else {
        return Some((0, text));
    };
    let end = rest.find(|at: char| !at.is_ascii_digit())?;
    let (part, zone) = rest.split_at_checked(end)?;
    if part.is_empty() || part.len() > 9 {
        return None;
    }
    let scale = 10_i64.pow(9 - u32::try_from(part.len()).ok()?);
    Some((i128::from(digits(part)? * scale), zone))
}

/// Seconds ahead of UTC.
fn offset(zone: &str) -> Option<i64> {
    if zone == "Z" || zone == "z" {
        return Some(0);
    }
    let (sign, rest) = match (zone.strip_prefix('+'), zone.strip_prefix('-')) {
        (Some(rest), _) => (1, rest),
        (_, Some(rest)) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let (hours, minutes) = (digits(two(hours)?)?, digits(two(minutes)?)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3_600 + minutes * 60))
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days are counted in years that begin on 1 March, so that the leap day comes last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year * 365 + year / 4 - year / 100 + year / 400 + of_year - 719_468
}

const NANOS: i128 = 1_000_000_000;
/// 0001-01-01T00:00:00Z.
const FIRST_SECOND: i128 = -62_135_596_800;
/// 9999-12-31T23:59:59Z.
const LAST_SECOND: i128 = 253_402_300_799;
const UNITS: [(&str, i128); 6] = [
    ("h", 3_600 * NANOS),
    ("m", 60 * NANOS),
    ("s", NANOS),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_rfc_3339() {
        let seconds = |text| timestamp(text).map(|nanos| nanos / NANOS);
        assert_eq!(seconds("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(seconds("2026-11-22T00:00:00Z"), Some(1_795_305_600));
        assert_eq!(seconds("2026-11-22T01:30:00+01:30"), Some(1_795_305_600));
        assert_eq!(seconds("2000-02-29T00:00:00Z"), Some(951_782_400));
        assert_eq!(seconds("0001-01-01T00:00:00Z"), Some(FIRST_SECOND));
        assert_eq!(seconds("9999-12-31T23:59:59Z"), Some(LAST_SECOND));
        assert_eq!(timestamp("1970-01-01T00:00:00.25Z"), Some(250_000_000));
        for text in [
            "",
            "2026-11-22",
            "2026-11-22 00:00:00Z",
            "2026-11-22T00:00:00",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-11-22T24:00:00Z",
            "2026-11-22T00:00:00.Z",
            "2026-11-22T00:00:00+1:00",
            "0000-01-01T00:00:00Z",
            "0001-01-01T00:00:00+00:01",
            "2026-11-22T00:00:0\u{e9}Z",
            "+026-11-22T00:00:00Z",
        ] {
            assert_eq!(timestamp(text), None, "{text}");
        }
    }

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("1h30m"), Some(5_400_000_000_000));
        assert_eq!(duration("-1.5s"), Some(-1_500_000_000));
        assert_eq!(duration("100ms20us3ns"), Some(100_020_003));
        assert_eq!(duration("0"), Some(0));
        for text in [
            "",
            "-",
            "1",
            "s",
            ".s",
            "1d",
            "1h 1m",
            "1.2.3s",
            "9999999999h",
            "1e9s",
        ] {
            assert_eq!(duration(text), None, "{text}");
        }
    }
}
