//! What is counted of exchanges, and under which names.
//!
//! Every name is made of words of the policy and of this program, so clients cannot
//! make new ones: a metric of Envoy's is never forgotten. A name is a family and pairs
//! of label and value, all with dots between; Envoy's `stats_tags` make labels of them
//! (`docs/metrics.md`).

use std::fmt::Write;

use crate::quota::account::Verdict;
use crate::trail::{Decision, Trail};

/// The family of the histogram of how long decisions take, in microseconds: from the
/// request's head to the decision, waiting for keys or answers included.
pub const DECISION_TIME: &str = "portcullis_decision_microseconds";

/// The counters that a finished exchange adds one to.
pub fn counted(trail: &Trail) -> Vec<String> {
    let (decision, reason) = trail.decision();
    let decision = match decision {
        Decision::Allow => "allow",
        Decision::Deny => "deny",
    };
    let mut names = vec![name(
        "portcullis_requests",
        &[("decision", decision), ("reason", reason.unwrap_or(NONE))],
    )];
    names.extend(
        trail
            .observed()
            .iter()
            .map(|reason| name("portcullis_observed", &[("reason", reason)])),
    );
    let met = trail.account.readings.iter();
    names.extend(
        met.filter(|reading| reading.verdict != Verdict::Spared)
            .map(|reading| {
                let tier = reading.tier.as_deref().unwrap_or(NONE);
                let labels = [
                    ("plan", &*reading.plan),
                    ("tier", tier),
                    ("limit", &*reading.limit),
                    ("outcome", reading.verdict.as_str()),
                ];
                name("portcullis_quota", &labels)
            }),
    );
    names
}

/// The name of one counter.
fn name(family: &str, labels: &[(&str, &str)]) -> String {
    let mut name = family.to_owned();
    for (label, value) in labels {
        // Writing into a string cannot fail.
        let _ = write!(name, ".{label}.");
        name.extend(value.chars().map(plain));
    }
    name
}

/// A dot would end the value, and what else is special to those who read metrics is
/// not worth telling apart.
fn plain(character: char) -> char {
    match character {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '-' => character,
        _ => '_',
    }
}

/// The value of a label where there is nothing to tell.
const NONE: &str = "none";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::denial::Denial;
    use crate::policy::source::Mode;
    use crate::quota::account::Reading;
    use crate::quota::fields::Unit;
    use crate::quota::share::Share;
    use crate::trail::Stage;

    #[test]
    fn an_exchange_is_counted_by_its_decision_and_reason() {
        let mut trail = Trail::default();
        assert_eq!(
            counted(&trail),
            ["portcullis_requests.decision.deny.reason.undecided"]
        );
        trail.admit();
        assert_eq!(
            counted(&trail),
            ["portcullis_requests.decision.allow.reason.none"]
        );
        trail.deny(Stage::Masking, &Denial::ResponseUnmaskable);
        assert_eq!(
            counted(&trail),
            ["portcullis_requests.decision.deny.reason.response_unmaskable"]
        );
    }

    #[test]
    fn what_would_have_been_refused_is_counted_beside_it() {
        let mut trail = Trail::default();
        let rule = Denial::RuleRefused {
            rule: "office hours".into(),
        };
        trail
            .object(Stage::Authorization, Mode::Observe, rule)
            .unwrap();
        trail.admit();
        assert_eq!(
            counted(&trail),
            [
                "portcullis_requests.decision.allow.reason.none",
                "portcullis_observed.reason.rule_refused"
            ]
        );
    }

    #[test]
    fn a_limit_is_counted_where_it_counted() {
        let mut trail = Trail::default();
        let reading = |limit: &str, tier: Option<&str>, verdict| Reading {
            plan: "standard".into(),
            tier: tier.map(Into::into),
            limit: limit.into(),
            verdict,
            standing: None,
            window_ns: None,
            share: Share::WHOLE,
            unit: Unit::Requests,
            told: true,
            counted: None,
        };
        trail.account.readings = vec![
            reading("burst", Some("gold"), Verdict::Spared),
            reading("hourly", Some("gold"), Verdict::Refused),
            reading("gate", None, Verdict::Allowed),
        ];
        assert_eq!(
            counted(&trail)[1..],
            [
                "portcullis_quota.plan.standard.tier.gold.limit.hourly.outcome.refused",
                "portcullis_quota.plan.standard.tier.none.limit.gate.outcome.allowed",
            ]
        );
    }

    #[test]
    fn a_value_cannot_look_like_another_label() {
        let name = name("family", &[("plan", "a.tier.b \u{e9}"), ("tier", "")]);
        assert_eq!(name, "family.plan.a_tier_b__.tier.");
    }
}
