//! The record of a decision: what every stage saw and concluded, in order.
//!
//! The audit line, the explanation and what a model is trained from are this one
//! thing, seen three ways. It never holds a token, a parameter's value or a header's value:
//! a subject is a pseudonym, a parameter is its shape.

mod quota;

use std::borrow::Cow;
use std::net::IpAddr;
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use crate::denial::{Challenges, Denial, Refusal};
use crate::policy::source::Mode;
use crate::profile::Observation;
use crate::quota::account::Account;
pub use quota::{Limit, Quota};

/// The stages, in the order in which a request meets them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// The form of the request.
    Hygiene,
    /// The declared operation.
    Routing,
    /// Where it comes from.
    Network,
    /// Whether the operation is open.
    Availability,
    /// Whether it may try to authenticate.
    Lockout,
    /// Who calls.
    Authentication,
    /// What the caller may do.
    Authorization,
    /// How much the caller may ask for.
    Quota,
    /// How odd the request is.
    Anomaly,
    /// What the caller may see.
    Masking,
    /// The state machine itself.
    Engine,
}

/// What a stage concluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The exchange may go on.
    Passed,
    /// The exchange is refused.
    Denied,
    /// The stage only observes; it would have refused.
    WouldDeny,
}

/// One stage's conclusion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Which stage.
    pub stage: Stage,
    /// What it concluded.
    pub outcome: Outcome,
    /// In words, without anything the client sent.
    pub note: Cow<'static, str>,
}

/// What drove an anomaly score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Oddity {
    /// The feature's name.
    pub feature: Cow<'static, str>,
    /// Its share of the score, 0 to 1.
    pub share: f32,
    /// In words.
    pub detail: String,
}

/// How many values of a class were hidden.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hidden {
    /// The class.
    pub classification: String,
    /// The number of values.
    pub count: u32,
}

/// Everything known about one exchange.
#[derive(Debug, Clone, Default)]
pub struct Trail {
    /// `x-request-id`, when it is a plain token of at most 64 characters.
    pub request_id: Option<String>,
    /// The method, when it is declared somewhere or standard.
    pub method: Option<String>,
    /// The declared operation's id.
    pub operation: Option<String>,
    /// The declared operation's path template.
    pub route: Option<String>,
    /// The client's address.
    pub address: Option<IpAddr>,
    /// The issuer's name in the policy.
    pub issuer: Option<String>,
    /// The OAuth client.
    pub client: Option<String>,
    /// The subject, as a pseudonym.
    pub subject: Option<String>,
    /// The key that a refused API key was or named.
    pub claimed: Option<String>,
    /// The anomaly score.
    pub score: Option<f32>,
    /// What drove the score, when it exceeded the threshold.
    pub oddities: Vec<Oddity>,
    /// What was hidden from the caller.
    pub hidden: Vec<Hidden>,
    /// What the request looked like, for training.
    pub observation: Option<Observation>,
    /// The pseudonym of whom a refused token names, if its signature is good: a forged
    /// one accuses nobody.
    pub accused: Option<String>,
    /// How one may authenticate for the operation.
    pub challenges: Rc<Challenges>,
    /// What it spent.
    pub account: Account,
    findings: Vec<Finding>,
    observed: Vec<&'static str>,
    denial: Option<Denial>,
    admitted: bool,
}

impl Trail {
    /// A stage lets pass.
    pub fn pass(&mut self, stage: Stage, note: impl Into<Cow<'static, str>>) {
        self.findings.push(Finding {
            stage,
            outcome: Outcome::Passed,
            note: note.into(),
        });
    }

    /// A stage finds a reason to refuse. In `observe` mode the reason is recorded
    /// and the exchange goes on: the one place where the two modes differ.
    ///
    /// # Errors
    /// The denial itself, when the stage enforces.
    pub fn object(&mut self, stage: Stage, mode: Mode, denial: Denial) -> Result<(), Denial> {
        match mode {
            Mode::Enforce => {
                self.deny(stage, &denial);
                Err(denial)
            }
            Mode::Observe => {
                self.would_deny(stage, &denial);
                Ok(())
            }
        }
    }

    /// A stage that only observes finds a reason to refuse.
    pub fn would_deny(&mut self, stage: Stage, denial: &Denial) {
        self.observed.push(denial.code());
        self.findings.push(Finding {
            stage,
            outcome: Outcome::WouldDeny,
            note: denial.note(),
        });
    }

    /// A stage refuses, whatever its mode.
    pub fn deny(&mut self, stage: Stage, denial: &Denial) {
        self.findings.push(Finding {
            stage,
            outcome: Outcome::Denied,
            note: denial.note(),
        });
        self.denial = Some(denial.clone());
    }

    /// Every stage let the request pass: it goes to the upstream.
    pub fn admit(&mut self) {
        self.admitted = true;
    }

    /// The stages' conclusions, in order.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The codes of the refusals that stages only observed, in order.
    pub fn observed(&self) -> &[&'static str] {
        &self.observed
    }

    /// Whether the exchange was allowed, and if not, the code of the refusal.
    pub fn decision(&self) -> (Decision, Option<&'static str>) {
        match (&self.denial, self.admitted) {
            (Some(denial), _) => (Decision::Deny, Some(denial.code())),
            (None, true) => (Decision::Allow, None),
            (None, false) => (Decision::Deny, Some(UNDECIDED)),
        }
    }

    /// The refusal, if there was one.
    pub fn denial(&self) -> Option<&Denial> {
        self.denial.as_ref()
    }

    /// The response that a refusal of this exchange becomes.
    pub fn refusal(&self, denial: &Denial) -> Refusal {
        let mut refusal = denial.refusal(self.request_id.as_deref(), &self.challenges);
        let of_quota = matches!(denial, Denial::QuotaExceeded { .. });
        refusal.headers.extend(self.account.with_refusal(of_quota));
        refusal
    }

    /// The audit record of the finished exchange.
    pub fn record(&self, ending: Ending, policy: &str) -> Record {
        let (decision, reason) = self.decision();
        Record {
            time: timestamp(ending.time_ms),
            request_id: self.request_id.clone(),
            policy: policy.to_string(),
            decision,
            reason: reason.map(Cow::Borrowed),
            status: ending.status,
            latency_us: ending.latency_us,
            method: self.method.clone(),
            operation: self.operation.clone(),
            route: self.route.clone(),
            address: self.address,
            issuer: self.issuer.clone(),
            client: self.client.clone(),
            subject: self.subject.clone(),
            claimed: self.claimed.clone(),
            quota: Quota::of(&self.account),
            score: self.score,
            oddities: self.oddities.clone(),
            hidden: self.hidden.clone(),
            stages: self.findings.clone(),
            observation: self.observation.clone(),
        }
    }
}

/// How an exchange ended, as Envoy saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    /// Milliseconds since 1970.
    pub time_ms: u64,
    /// The status that the client got; `None`: none was sent.
    pub status: Option<u16>,
    /// From the first byte in to the last byte out, in microseconds.
    pub latency_us: Option<u64>,
}

/// Whether the exchange was allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// It was.
    Allow,
    /// It was not.
    Deny,
}

/// One line of the audit log. `portcullis train` and `portcullis explain` read it back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// When the exchange ended (RFC 3339, UTC, milliseconds).
    pub time: String,
    /// `x-request-id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The first 16 hex digits of the SHA-256 of the plugin configuration.
    pub policy: String,
    /// Whether the exchange was allowed.
    pub decision: Decision,
    /// The code of the refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Cow<'static, str>>,
    /// The status that the client got.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Duration in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_us: Option<u64>,
    /// The method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The operation's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// The operation's path template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// The client's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// The issuer's name in the policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// The OAuth client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// The subject, as a pseudonym.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The key that a refused API key was or named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed: Option<String>,
    /// The limits that the request met.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<Quota>,
    /// The anomaly score, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f32>,
    /// What drove the score, when it exceeded the threshold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub oddities: Vec<Oddity>,
    /// What was hidden from the caller.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hidden: Vec<Hidden>,
    /// What each stage concluded.
    pub stages: Vec<Finding>,
    /// What the request looked like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observation: Option<Observation>,
}

/// RFC 3339 in UTC with milliseconds. The days are counted in eras of 400 years
/// that begin on 1 March, so that the leap day comes last.
pub(crate) fn timestamp(millis: u64) -> String {
    let (days, of_day) = (millis / 86_400_000, millis % 86_400_000);
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (seconds, millis) = (of_day / 1_000, of_day % 1_000);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{millis:03}Z",
        seconds / 3_600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// The reason when Envoy answered, or the client left, before the gateway decided.
const UNDECIDED: &str = "undecided";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_admitted_was_not_allowed() {
        let ending = Ending {
            time_ms: 0,
            status: Some(400),
            latency_us: None,
        };
        let mut trail = Trail::default();
        let record = trail.record(ending, "");
        assert_eq!(
            (record.decision, record.reason.as_deref()),
            (Decision::Deny, Some("undecided"))
        );
        trail.admit();
        assert_eq!(trail.record(ending, "").decision, Decision::Allow);
        trail.deny(Stage::Masking, &Denial::ResponseUnmaskable);
        let record = trail.record(ending, "");
        assert_eq!(record.reason.as_deref(), Some("response_unmaskable"));
    }

    #[test]
    fn an_observing_stage_records_and_lets_pass() {
        let mut trail = Trail::default();
        assert_eq!(
            trail.object(Stage::Quota, Mode::Observe, Denial::QuotaUncounted),
            Ok(())
        );
        assert_eq!(trail.denial(), None);
        assert_eq!(trail.findings().last().unwrap().outcome, Outcome::WouldDeny);
        assert_eq!(
            trail.object(Stage::Quota, Mode::Enforce, Denial::QuotaUncounted),
            Err(Denial::QuotaUncounted)
        );
        assert_eq!(trail.denial(), Some(&Denial::QuotaUncounted));
    }

    #[test]
    fn timestamps_know_leap_years() {
        assert_eq!(timestamp(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(timestamp(951_782_400_123), "2000-02-29T00:00:00.123Z");
        assert_eq!(timestamp(4_107_542_399_999), "2100-02-28T23:59:59.999Z");
        assert_eq!(timestamp(1_795_305_600_000), "2026-11-22T00:00:00.000Z");
    }
}
