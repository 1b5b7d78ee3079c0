//! Reading audit logs: which records are examples of normal traffic, and which lines
//! are no records at all.
//!
//! Logs pass through many hands before they get here. A line that cannot be read is
//! counted and named, never silently dropped, and when too many cannot, it is the
//! wrong file.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::profile::Observation;

/// What logs held.
#[derive(Debug, Default)]
pub(super) struct Audit {
    /// Examples of normal traffic.
    pub(super) observations: Vec<Observation>,
    /// How many lines held something.
    pub(super) records: u64,
    pub(super) skipped: Skipped,
    pub(super) unreadable: Unreadable,
}

/// Records that are no examples, by why not.
#[derive(Debug, Default, Serialize)]
pub(super) struct Skipped {
    /// The request was refused.
    refused: u64,
    /// A stage that only observes would have refused it.
    would_be_refused: u64,
    /// The record holds no observation: the request was refused before the
    /// anomaly stage, or reached no operation.
    unobserved: u64,
}

/// Lines that are no records.
#[derive(Debug, Default, Serialize)]
pub(super) struct Unreadable {
    pub(super) lines: u64,
    /// The first of them, with file, line and what is wrong.
    pub(super) first: Vec<String>,
}

/// An audit record as far as training needs it.
#[derive(Deserialize)]
struct Record {
    decision: String,
    observation: Option<Observation>,
    #[serde(default)]
    stages: Vec<Finding>,
}

/// What one stage concluded.
#[derive(Deserialize)]
struct Finding {
    stage: String,
    outcome: String,
}

impl Audit {
    /// Reads one log; `-` is standard input.
    pub(super) fn read_log(&mut self, path: &Path) -> Result<(), String> {
        let name = path.display().to_string();
        let read = if name == "-" {
            self.read(io::stdin().lock(), "standard input")
        } else {
            File::open(path).and_then(|file| self.read(BufReader::new(file), &name))
        };
        read.map_err(|error| format!("cannot read `{name}`: {error}"))
    }

    /// Refuses logs of which too much could not be read.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.unreadable.lines.saturating_mul(UNREADABLE_DIVISOR) <= self.records {
            return Ok(());
        }
        let mut message = format!(
            "{} of {} lines are no audit records; give logs that the filter wrote",
            self.unreadable.lines, self.records
        );
        for line in &self.unreadable.first {
            message += &format!("\n  {line}");
        }
        Err(message)
    }

    /// One phrase on where the records went.
    pub(super) fn account(&self) -> String {
        format!(
            "{} records: {} used, {}, {} unreadable",
            self.records,
            self.observations.len(),
            self.skipped,
            self.unreadable.lines
        )
    }

    fn read(&mut self, mut log: impl BufRead, name: &str) -> io::Result<()> {
        let mut line = Vec::new();
        let mut number = 0_u64;
        while log.read_until(b'\n', &mut line)? > 0 {
            number += 1;
            if !line.trim_ascii().is_empty() {
                self.records += 1;
                match serde_json::from_slice(&line) {
                    Ok(record) => self.take(record),
                    Err(error) => self.unreadable.add(format!("{name}:{number}: {error}")),
                }
            }
            line.clear();
        }
        Ok(())
    }

    fn take(&mut self, record: Record) {
        // What the anomaly stage itself finds odd stays in: a model that learns only
        // from what the last one liked would narrow from training to training.
        let doubtful =
            |finding: &Finding| finding.outcome != "passed" && finding.stage != "anomaly";
        if record.decision != "allow" {
            self.skipped.refused += 1;
        } else if record.stages.iter().any(doubtful) {
            self.skipped.would_be_refused += 1;
        } else if let Some(observation) = record.observation {
            self.observations.push(observation);
        } else {
            self.skipped.unobserved += 1;
        }
    }
}

impl Unreadable {
    fn add(&mut self, line: String) {
        self.lines += 1;
        if self.first.len() < UNREADABLE_SHOWN {
            self.first.push(line);
        }
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} refused, {} that an observing stage would have refused, {} without observation",
            self.refused, self.would_be_refused, self.unobserved
        )
    }
}

/// One unreadable line of so many is too much.
const UNREADABLE_DIVISOR: u64 = 10;

/// How many unreadable lines are shown.
const UNREADABLE_SHOWN: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    fn audit(log: &str) -> Audit {
        let mut audit = Audit::default();
        audit.read(log.as_bytes(), "log").unwrap();
        audit
    }

    #[test]
    fn only_what_every_other_stage_passed_is_an_example() {
        let audit = audit(concat!(
            r#"{"decision":"allow","observation":{"operation":"a"},"stages":[{"stage":"quota","outcome":"passed","note":""}]}"#,
            "\n",
            r#"{"decision":"deny","observation":{"operation":"b"}}"#,
            "\n\n",
            r#"{"decision":"allow","observation":{"operation":"c"},"stages":[{"stage":"quota","outcome":"would_deny","note":""}]}"#,
            "\n",
            r#"{"decision":"allow","observation":{"operation":"d"},"stages":[{"stage":"anomaly","outcome":"would_deny","note":""}]}"#,
            "\n",
            r#"{"decision":"allow","time":"now"}"#,
        ));
        let names: Vec<&str> = audit
            .observations
            .iter()
            .map(|o| o.operation.as_str())
            .collect();
        assert_eq!(names, ["a", "d"]);
        assert_eq!(
            audit.account(),
            "5 records: 2 used, 1 refused, 1 that an observing stage would have refused, \
             1 without observation, 0 unreadable"
        );
    }

    #[test]
    fn unreadable_lines_are_counted_and_the_first_are_named() {
        let good = "{\"decision\":\"allow\"}\n".repeat(99);
        let audit = audit(&format!("{good}{{\"decision\":\n{}", "\u{1}\n".repeat(9)));
        assert_eq!((audit.records, audit.unreadable.lines), (109, 10));
        assert_eq!(audit.unreadable.first.len(), UNREADABLE_SHOWN);
        assert!(audit.unreadable.first[0].starts_with("log:100: "));
        assert!(audit.check().is_ok());
    }

    #[test]
    fn the_wrong_file_is_refused() {
        let error = audit("GET / HTTP/1.1 200\nGET / HTTP/1.1 404\n")
            .check()
            .unwrap_err();
        assert!(
            error.starts_with("2 of 2 lines are no audit records"),
            "{error}"
        );
        assert!(error.contains("log:1: "), "{error}");
    }

    #[test]
    fn an_observation_with_more_than_a_shape_is_unreadable() {
        let line = r#"{"decision":"allow","observation":{"operation":"a","parameters":[{"name":"q","length":5,"shape":"alice"}]}}"#;
        assert_eq!(audit(line).unreadable.lines, 1);
    }

    #[test]
    fn a_log_that_is_not_there_is_named() {
        let error = Audit::default().read_log(Path::new("/nowhere/audit.jsonl"));
        assert!(
            error
                .unwrap_err()
                .starts_with("cannot read `/nowhere/audit.jsonl`: ")
        );
    }
}
