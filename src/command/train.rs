//! `portcullis train`: from the audit log of a gateway to the model of its traffic.
//!
//! What the filter wrote about each request is all that training reads, so what is
//! learnt and what is later judged cannot differ, and nobody has to collect data.

mod audit;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use self::audit::Audit;
use super::report::write_whole;
use crate::model::{
    DEFAULT_FALSE_POSITIVE_RATE, Model, TrainOptions, Training, train as train_model,
};

/// Learn what is normal from audit logs and write the model that finds what is not.
///
/// Only requests that were let through, and that no observing stage but the anomaly
/// stage itself would have refused, are learnt from: refused ones are no example of
/// normal traffic. Train on days that you believe to be normal, on 1,000 requests or
/// more (100 are the least), and name the model in policy.yaml.
#[derive(Debug, Args)]
pub struct Train {
    /// Audit logs, one JSON record a line; `-` reads standard input.
    #[arg(required = true, value_name = "AUDIT")]
    logs: Vec<PathBuf>,

    /// Where the model goes. An old one is replaced only by a whole new one.
    #[arg(short, long, value_name = "MODEL")]
    output: PathBuf,

    /// The share of normal requests that may be flagged: 0.01 is one in a hundred.
    /// Before the stage enforces, ask for less; 100 divided by it is a good number
    /// of requests to train on.
    #[arg(long, value_name = "SHARE", default_value_t = DEFAULT_FALSE_POSITIVE_RATE)]
    false_positive_rate: f64,

    /// Decides every random choice: the same records and seed give the same model.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    seed: u64,

    /// Print the summary as JSON.
    #[arg(long)]
    json: bool,
}

/// Trains, prints a summary to standard output and problems to standard error.
/// The exit code is 0, or 2 when there is no model.
#[must_use]
pub fn run(args: &Train) -> ExitCode {
    match args.run() {
        Ok(summary) if args.json => print(&format!("{}\n", summary.json())),
        Ok(summary) => print(&summary.text()),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

/// What was read and what came of it.
#[derive(Debug, Serialize)]
struct Summary {
    model: PathBuf,
    records: u64,
    used: usize,
    skipped: audit::Skipped,
    unreadable: audit::Unreadable,
    operations: u32,
    threshold: f32,
    false_positive_rate: f64,
    held_out_rate: f32,
}

impl Train {
    fn run(&self) -> Result<Summary, String> {
        let mut audit = Audit::default();
        for log in &self.logs {
            audit.read_log(log)?;
        }
        audit.check()?;
        let options = TrainOptions {
            seed: self.seed,
            false_positive_rate: self.false_positive_rate,
            ..TrainOptions::default()
        };
        let observations = &audit.observations;
        let long = observations.len() >= LONG_WORK;
        let progress = |step| {
            if long {
                show(step);
            }
        };
        let model = train_model(observations, &options, progress)
            .map_err(|error| format!("{error} ({})", audit.account()))?;
        write_whole(&self.output, model.to_json().to_string().as_bytes())
            .map_err(|error| format!("cannot write `{}`: {error}", self.output.display()))?;
        Ok(self.summary(audit, &model))
    }

    fn summary(&self, audit: Audit, model: &Model) -> Summary {
        Summary {
            model: self.output.clone(),
            records: audit.records,
            used: audit.observations.len(),
            skipped: audit.skipped,
            unreadable: audit.unreadable,
            operations: model.trained().operations,
            threshold: model.threshold(),
            false_positive_rate: self.false_positive_rate,
            held_out_rate: model.trained().held_out_rate,
        }
    }
}

impl Summary {
    fn json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    fn text(&self) -> String {
        let mut text = format!(
            "{} records: {} used, {}\n",
            self.records, self.used, self.skipped
        );
        for line in &self.unreadable.first {
            text += &format!("  cannot read {line}\n");
        }
        if self.unreadable.lines > self.unreadable.first.len() as u64 {
            text += &format!("  {} unreadable lines in all\n", self.unreadable.lines);
        }
        text += &format!(
            "{}: {} operations, threshold {:.4}\n",
            self.model.display(),
            self.operations,
            self.threshold
        );
        text += &format!(
            "normal requests flagged: {:.2} % of those held out, {:.2} % asked for\n",
            self.held_out_rate * 100.0,
            self.false_positive_rate * 100.0
        );
        if self.false_positive_rate * (self.used as f64 + 1.0) < 1.0 {
            text += "so few requests cannot show so low a share: the threshold is the highest \
                     score that any of them had\n";
        }
        text
    }
}

fn show(step: Training) {
    match step {
        Training::Fold(fold, folds) => eprintln!("learning, part {} of {folds}", fold + 1),
        Training::Forest => eprintln!("growing the forest"),
    }
}

/// Writes to standard output. A reader that has gone away is none of our errors.
fn print(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: cannot write the summary: {error}");
            ExitCode::from(2)
        }
    }
}

/// From how many rows on training takes seconds and says where it is.
const LONG_WORK: usize = 20_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Observation;
    use clap::Parser;
    use std::fs;
    use std::path::Path;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        train: Train,
    }

    fn train(folder: &Path, log: &str, more: &[&str]) -> Result<Summary, String> {
        let audit = folder.join("audit.jsonl");
        fs::write(&audit, log).unwrap();
        let output = folder.join("model.json");
        let line = [
            "train",
            audit.to_str().unwrap(),
            "-o",
            output.to_str().unwrap(),
        ];
        Line::parse_from(line.iter().chain(more)).train.run()
    }

    fn log(rows: usize) -> String {
        (0..rows)
            .map(|n| {
                let id = format!("ord-{n:04}");
                let row = Observation::new("getOrder").declared("id", id.as_bytes(), &[]);
                let observation = serde_json::to_string(&row).unwrap();
                format!("{{\"decision\":\"allow\",\"observation\":{observation}}}\n")
            })
            .collect()
    }

    #[test]
    fn a_log_becomes_a_model_that_can_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let summary = train(folder.path(), &log(300), &[]).unwrap();
        assert_eq!(
            (summary.records, summary.used, summary.operations),
            (300, 300, 1)
        );
        let text = fs::read_to_string(folder.path().join("model.json")).unwrap();
        assert_eq!(
            Model::parse_str(&text).unwrap().threshold(),
            summary.threshold
        );
        let files = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(files, 2, "a temporary file was left");
    }

    #[test]
    fn the_summary_says_what_was_skipped_and_why() {
        let folder = tempfile::tempdir().unwrap();
        let log = log(300) + "{\"decision\":\"deny\"}\nnot json\n";
        let text = train(folder.path(), &log, &[]).unwrap().text();
        assert!(
            text.starts_with("302 records: 300 used, 1 refused"),
            "{text}"
        );
        assert!(text.contains("audit.jsonl:302: expected"), "{text}");
    }

    #[test]
    fn a_log_that_does_not_suffice_leaves_the_old_model() {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("model.json");
        fs::write(&model, "old").unwrap();
        let error = train(folder.path(), &log(99), &[]).unwrap_err();
        assert!(error.starts_with("99 requests are too few"), "{error}");
        let error = train(folder.path(), &log(200), &["--false-positive-rate", "2"]).unwrap_err();
        assert!(error.contains("false-positive rate of 2"), "{error}");
        assert_eq!(fs::read_to_string(&model).unwrap(), "old");
    }

    #[test]
    fn a_rate_too_low_for_the_rows_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let rate = ["--false-positive-rate", "0.0001"];
        let text = train(folder.path(), &log(200), &rate).unwrap().text();
        assert!(text.contains("so few requests"), "{text}");
    }

    #[test]
    fn a_place_that_cannot_be_written_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let nowhere = folder.path().join("missing/model.json");
        assert!(write_whole(&nowhere, b"x").is_err());
    }
}
