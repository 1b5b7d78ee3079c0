//! What a record says of the limits that a request met.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::quota::account::{Account, Reading};
use crate::quota::share::Share;

/// The limits that a request met, and how its caller stood with them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// The plan that was asked last: it allowed the request, or refused it.
    pub plan: String,
    /// The caller's tier, if that chose the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// The limits, in the order in which they were asked.
    pub limits: Vec<Limit>,
}

/// How a caller stood with a limit when the request was decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// Its name in its plan.
    pub name: String,
    /// Its plan, if that is another one: it held before authentication, or handed the
    /// request on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// What became of the request there.
    pub outcome: Cow<'static, str>,
    /// How many units it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<u64>,
    /// How many of them were left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<u64>,
    /// How much of the limit held, in hundredths; missing: all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tightened_to: Option<u64>,
    /// Milliseconds until there was one more, rounded up; missing: nothing was spent,
    /// or it does not come by time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_ms: Option<u64>,
}

impl Quota {
    /// Of an account; `None`: no plan was asked.
    pub(super) fn of(account: &Account) -> Option<Quota> {
        let plan = account.plan.as_deref()?;
        Some(Quota {
            plan: plan.to_owned(),
            tier: account.tier.as_deref().map(str::to_owned),
            limits: account
                .readings
                .iter()
                .map(|reading| limit(reading, plan))
                .collect(),
        })
    }
}

fn limit(reading: &Reading, plan: &str) -> Limit {
    let standing = reading.standing;
    Limit {
        name: reading.limit.to_string(),
        plan: (*reading.plan != *plan).then(|| reading.plan.to_string()),
        outcome: Cow::Borrowed(reading.verdict.as_str()),
        quota: standing.map(|standing| standing.quota),
        left: standing.map(|standing| standing.left),
        tightened_to: (reading.share < Share::WHOLE).then(|| reading.share.percent()),
        next_ms: standing
            .and_then(|standing| standing.next_ns)
            .map(|next| next.div_ceil(1_000_000)),
    }
}
