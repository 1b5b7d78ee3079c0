//! What is wrong with something a person wrote.
//!
//! A policy, a key set, a model or an OpenAPI document is refused as a whole, and
//! the refusal lists every problem at once. The command, the filter's log and the
//! tests print the same text, because they print this type.

use std::fmt;

/// One thing that is wrong: where, what, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where it stands, for example `policy.issuers[0].audiences`.
    pub path: String,
    /// What is wrong: lower case, names in back-ticks, no full stop.
    pub message: String,
    /// How to mend it: an instruction, lower case, no full stop.
    pub hint: String,
}

impl Problem {
    /// The same problem, seen from further above.
    #[must_use]
    pub fn below(self, parent: &str) -> Problem {
        let path = match self.path.as_str() {
            "" => parent.to_string(),
            path if path.starts_with('[') => format!("{parent}{path}"),
            path => format!("{parent}.{path}"),
        };
        Problem { path, ..self }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.path, self.message, self.hint)
    }
}

/// A list of problems being gathered.
#[derive(Debug, Default)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Notes one more problem and goes on looking.
    pub fn add(
        &mut self,
        path: impl Into<String>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.0.push(Problem {
            path: path.into(),
            message: message.into(),
            hint: hint.into(),
        });
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes in what another check found.
    pub fn extend(&mut self, others: impl IntoIterator<Item = Problem>) {
        self.0.extend(others);
    }

    /// The value if nothing was found, otherwise everything that was.
    ///
    /// # Errors
    /// Every problem gathered so far, in the order they were found.
    pub fn into_result<T>(self, value: T) -> Result<T, Vec<Problem>> {
        if self.0.is_empty() {
            Ok(value)
        } else {
            Err(self.0)
        }
    }
}
