//! What became of an exchange, whoever ran it, and how it differs from what must.

use std::collections::BTreeMap;

use portcullis::trail::{Decision, Record};
use serde::Deserialize;
use serde_json::Value;

/// What must become of an exchange.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expectation {
    /// The status that the client gets.
    status: u16,
    /// The code of the refusal; without it the exchange is allowed.
    #[serde(default)]
    pub(crate) reason: Option<String>,
    /// Headers that the client gets; `null`: does not get.
    #[serde(default)]
    headers: BTreeMap<String, Option<String>>,
    /// The body that the client gets: a text as it is, anything else as JSON.
    #[serde(default)]
    body: Value,
    /// What the upstream gets.
    #[serde(default)]
    upstream: Upstream,
    /// Every stage with what it concluded, and after a colon, if wanted, its note.
    #[serde(default)]
    pub(crate) stages: Vec<String>,
    /// How many values of which class were hidden.
    #[serde(default)]
    hidden: BTreeMap<String, u32>,
    /// The features that an odd request must be explained by.
    #[serde(default)]
    oddities: Vec<String>,
    /// What is left of limits, by their names, where the record last speaks of them.
    #[serde(default)]
    left: BTreeMap<String, u64>,
    /// Other members of the audit record.
    #[serde(default)]
    record: BTreeMap<String, Value>,
    /// Why the request had to wait for keys: `missing` or `unknown`.
    #[serde(default)]
    waits: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Upstream {
    /// `:path`.
    #[serde(default)]
    path: Option<String>,
    /// Headers that it gets; `null`: does not get.
    #[serde(default)]
    headers: BTreeMap<String, Option<String>>,
}

/// What became of an exchange.
pub(crate) struct Outcome {
    /// The status that the client got.
    pub(crate) status: u16,
    /// The headers that the client got.
    pub(crate) headers: Vec<(String, String)>,
    /// The body that the client got.
    pub(crate) body: String,
    /// What the upstream got, if anything: `:path` and headers.
    pub(crate) upstream: Option<(String, Vec<(String, String)>)>,
    /// The audit record.
    pub(crate) record: Record,
    /// Why it waited for keys, if it did; without it nobody can tell.
    pub(crate) waited: Option<Option<&'static str>>,
}

impl Expectation {
    /// Every difference, one a line.
    pub(crate) fn differences(&self, outcome: &Outcome) -> Vec<String> {
        let mut diff = Diff::default();
        let record = &outcome.record;
        diff.compare("status", &self.status, &outcome.status);
        diff.compare("status of the record", &Some(self.status), &record.status);
        diff.compare("reason", &self.reason.as_deref(), &record.reason.as_deref());
        let decision = match self.reason {
            Some(_) => Decision::Deny,
            None => Decision::Allow,
        };
        diff.compare("decision", &decision, &record.decision);
        diff.headers("answer", &self.headers, &outcome.headers);
        match &self.body {
            Value::Null => {}
            Value::String(text) => diff.compare("body", text, &outcome.body),
            json => {
                let got = serde_json::from_str(&outcome.body).unwrap_or_default();
                diff.compare("body", json, &got);
            }
        }
        self.compare_upstream(outcome, &mut diff);
        self.compare_stages(record, &mut diff);
        let hidden = record.hidden.iter();
        let hidden: BTreeMap<String, u32> = hidden
            .map(|one| (one.classification.clone(), one.count))
            .collect();
        diff.compare("hidden", &self.hidden, &hidden);
        let named = |feature: &String| record.oddities.iter().any(|odd| odd.feature == *feature);
        for feature in self.oddities.iter().filter(|feature| !named(feature)) {
            diff.note(format!("oddities: no `{feature}` in {:?}", record.oddities));
        }
        for (name, left) in &self.left {
            let limits = record.quota.iter().flat_map(|quota| &quota.limits).rev();
            let limit = limits.into_iter().find(|limit| limit.name == *name);
            let got = limit.and_then(|limit| limit.left);
            diff.compare(&format!("left of {name}"), &Some(*left), &got);
        }
        let members = serde_json::to_value(record).unwrap();
        for (name, value) in &self.record {
            diff.compare(&format!("record.{name}"), value, &members[name]);
        }
        if let Some(waited) = outcome.waited {
            diff.compare("waits for keys", &self.waits.as_deref(), &waited);
        }
        diff.0
    }

    fn compare_upstream(&self, outcome: &Outcome, diff: &mut Diff) {
        // A response that is withheld is the upstream's answer to a request it got.
        let withheld = self.reason.as_deref() == Some("response_unmaskable");
        let reaches = self.reason.is_none() || withheld;
        diff.compare(
            "reaches the upstream",
            &reaches,
            &outcome.upstream.is_some(),
        );
        if let Some((path, headers)) = &outcome.upstream {
            if let Some(wanted) = &self.upstream.path {
                diff.compare("path of the upstream", wanted, path);
            }
            diff.headers("upstream", &self.upstream.headers, headers);
        }
    }

    fn compare_stages(&self, record: &Record, diff: &mut Diff) {
        if self.stages.is_empty() {
            return;
        }
        let members = serde_json::to_value(&record.stages).unwrap();
        let got: Vec<String> = members.as_array().unwrap().iter().map(sentence).collect();
        let fits = |(wanted, got): (&String, &String)| match wanted.contains(": ") {
            true => wanted == got,
            false => got.split(": ").next() == Some(wanted),
        };
        if self.stages.len() != got.len() || !self.stages.iter().zip(&got).all(fits) {
            diff.compare("stages", &self.stages, &got);
        }
    }
}

#[derive(Default)]
struct Diff(Vec<String>);

impl Diff {
    fn compare<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, wanted: &T, got: &T) {
        if wanted != got {
            self.note(format!(
                "{what}:\n      wanted {wanted:?}\n      got    {got:?}"
            ));
        }
    }

    fn headers(
        &mut self,
        whose: &str,
        wanted: &BTreeMap<String, Option<String>>,
        got: &[(String, String)],
    ) {
        for (name, wanted) in wanted {
            let got: Vec<&str> = got
                .iter()
                .filter(|(other, _)| other == name)
                .map(|(_, value)| value.as_str())
                .collect();
            let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
            self.compare(&format!("`{name}` of the {whose}"), &wanted, &got);
        }
    }

    fn note(&mut self, difference: String) {
        self.0.push(difference);
    }
}

/// `quota would_deny: quota_exceeded`
fn sentence(finding: &Value) -> String {
    let part = |name: &str| finding[name].as_str().unwrap_or_default();
    format!("{} {}: {}", part("stage"), part("outcome"), part("note"))
}
