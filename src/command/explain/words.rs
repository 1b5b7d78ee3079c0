//! An audit record as a person reads it.

use super::standing;
use crate::policy::Policy;
use crate::trail::{Decision, Outcome, Record};

/// The record as a person reads it, with what only the policy it was made by can tell.
pub(super) fn in_words(record: &Record, policy: Option<&Policy>) -> String {
    let mut out = String::new();
    let mut line = |text: String| {
        out.push_str(&text);
        out.push('\n');
    };
    let what = record
        .operation
        .as_deref()
        .unwrap_or("an undeclared operation");
    let who = record
        .client
        .as_deref()
        .or(record.subject.as_deref())
        .unwrap_or("somebody unknown");
    let verdict = match (record.decision, record.reason.as_deref()) {
        (Decision::Deny, Some(reason)) => format!("refused: {reason}"),
        (Decision::Deny, None) => "refused".into(),
        (Decision::Allow, _) => "allowed".into(),
    };
    let status = record
        .status
        .map(|status| format!(" ({status})"))
        .unwrap_or_default();
    line(format!("{what} for {who}: {verdict}{status}"));
    for finding in &record.stages {
        let outcome = match finding.outcome {
            Outcome::Passed => "passed",
            Outcome::Denied => "refused",
            Outcome::WouldDeny => "would refuse",
        };
        let stage = format!("{:?}", finding.stage).to_lowercase();
        line(format!("  {stage:<15} {outcome:<13} {}", finding.note));
    }
    for sentence in record
        .quota
        .iter()
        .flat_map(|quota| standing::sentences(quota, policy))
    {
        line(format!("  {sentence}"));
    }
    for hidden in &record.hidden {
        line(format!(
            "  hidden: {} of class `{}`",
            hidden.count, hidden.classification
        ));
    }
    if let Some(score) = record.score {
        line(format!("  anomaly score {score:.2}"));
    }
    for oddity in &record.oddities {
        line(format!(
            "    {:>3.0} %  {} ({})",
            oddity.share * 100.0,
            oddity.detail,
            oddity.feature
        ));
    }
    out
}
