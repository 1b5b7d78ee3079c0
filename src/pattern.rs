//! Texts with a `*` at either end, for what need not be a regular expression.
//!
//! Matching is linear in the text, whatever the pattern, and so is reading one.

use std::fmt;

/// A text to compare with, whole or in part, without regard to ASCII case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// In lower case.
    text: String,
    open_before: bool,
    open_after: bool,
}

impl Pattern {
    /// Reads `whole`, `beginning*`, `*end` or `*within*`; `None` for anything else, and
    /// for what would match everything.
    pub fn parse(text: &str) -> Option<Pattern> {
        let (text, open_before) = match text.strip_prefix('*') {
            Some(rest) => (rest, true),
            None => (text, false),
        };
        let (text, open_after) = match text.strip_suffix('*') {
            Some(rest) => (rest, true),
            None => (text, false),
        };
        (!text.is_empty() && !text.contains('*')).then(|| Pattern {
            text: text.to_ascii_lowercase(),
            open_before,
            open_after,
        })
    }

    /// Whether it fits a text that is in lower case already.
    pub fn matches(&self, lower: &str) -> bool {
        match (self.open_before, self.open_after) {
            (false, false) => lower == self.text,
            (false, true) => lower.starts_with(&self.text),
            (true, false) => lower.ends_with(&self.text),
            (true, true) => lower.contains(&self.text),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let star = |open| if open { "*" } else { "" };
        let (before, after) = (star(self.open_before), star(self.open_after));
        write!(f, "{before}{}{after}", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_what_comes_before_or_after() {
        let fits = |pattern: &str, text: &str| Pattern::parse(pattern).unwrap().matches(text);
        assert!(fits("Curl", "curl"));
        assert!(!fits("curl", "curl/8.5"));
        assert!(fits("curl/*", "curl/8.5"));
        assert!(!fits("curl/*", "libcurl/8.5"));
        assert!(fits("*bot", "googlebot"));
        assert!(!fits("*bot", "botany"));
        assert!(fits("*Nikto*", "mozilla/5.0 (nikto/2.5)"));
        assert!(!fits("*nikto*", "mozilla/5.0"));
        for text in ["a", "a*", "*a", "*a*"] {
            assert_eq!(Pattern::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_would_match_everything_is_no_pattern() {
        for text in ["", "*", "**", "a*b", "*a*b*", "***"] {
            assert_eq!(Pattern::parse(text), None, "{text}");
        }
    }
}
