//! Lengths of time as a person writes them: with their unit.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[cfg(not(target_family = "wasm"))]
use schemars::JsonSchema;

/// A length of time, written like `250ms`, `30s`, `5m` or `1h`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(Duration);

impl Span {
    /// Reads `250ms`, `30s`, `5m`, `1h`; nothing else, and at most 100 years.
    pub fn parse(text: &str) -> Option<Span> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at_checked(digits)?;
        let number: u64 = number.parse().ok()?;
        let millis = match unit {
            "ms" => Some(number),
            "s" => number.checked_mul(1_000),
            "m" => number.checked_mul(60_000),
            "h" => number.checked_mul(3_600_000),
            _ => None,
        }?;
        (millis <= LONGEST_MILLIS).then(|| Span(Duration::from_millis(millis)))
    }

    /// So many whole seconds.
    pub(super) const fn of_seconds(seconds: u64) -> Span {
        Span(Duration::from_secs(seconds))
    }

    /// So many milliseconds.
    pub(super) const fn of_millis(millis: u64) -> Span {
        Span(Duration::from_millis(millis))
    }

    /// As the standard library has it.
    pub fn duration(self) -> Duration {
        self.0
    }

    /// Whole seconds, rounded down.
    pub fn seconds(self) -> u64 {
        self.0.as_secs()
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        if millis.is_multiple_of(1_000) {
            write!(f, "{}s", millis / 1_000)
        } else {
            write!(f, "{millis}ms")
        }
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Span::parse(&text)
            .ok_or_else(|| serde::de::Error::custom("is not a length of time such as `30s`"))
    }
}

#[cfg(not(target_family = "wasm"))]
impl JsonSchema for Span {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "format": "span",
            "pattern": "^[0-9]+(ms|s|m|h)$",
            "description": "A length of time: `250ms`, `30s`, `5m` or `1h`."
        })
    }
}

const LONGEST_MILLIS: u64 = 100 * 365 * 24 * 3_600_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_with_their_unit() {
        assert_eq!(
            Span::parse("250ms").unwrap().duration(),
            Duration::from_millis(250)
        );
        assert_eq!(Span::parse("5m").unwrap().seconds(), 300);
        assert_eq!(Span::parse("1h").unwrap().to_string(), "3600s");
    }

    #[test]
    fn anything_else_is_not_a_span() {
        for text in [
            "",
            "5",
            "s",
            "-5s",
            "5 s",
            "1d",
            "99999999999999999999s",
            "18446744073709551615h",
            "1.5s",
            "é",
        ] {
            assert_eq!(Span::parse(text), None, "{text}");
        }
    }
}
