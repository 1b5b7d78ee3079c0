//! What limits count apart: who calls, what they call, or what an expression gives.

use std::collections::{BTreeMap, BTreeSet};

use crate::policy::compile::rule;
use crate::policy::problem::Problems;
use crate::policy::quota::{KeyPart, Plan, Quotas};
use crate::policy::rule::{key_declarations, tells_of_caller};
use crate::policy::source::{self, Prefixes, Source};
use crate::rule::Expression;

/// What keys are made of.
pub(super) struct Keys<'a> {
    source: &'a Source,
    prepared: &'a BTreeMap<String, Expression>,
}

impl<'a> Keys<'a> {
    /// Looks at what was prepared.
    pub(super) fn new(
        source: &'a Source,
        prepared: &'a BTreeMap<String, Expression>,
        problems: &mut Problems,
    ) -> Self {
        let asked: BTreeSet<&str> = source.quotas.expressions().map(|(_, text)| text).collect();
        for text in prepared
            .keys()
            .filter(|text| !asked.contains(text.as_str()))
        {
            problems.add(
                "keys",
                format!("`{text}` is no key of the policy"),
                BUILD_IT,
            );
        }
        for text in asked.iter().filter(|text| !prepared.contains_key(**text)) {
            problems.add("keys", format!("`{text}` is missing"), BUILD_IT);
        }
        let known = key_declarations();
        for checked in prepared.values() {
            let variables: BTreeSet<&str> = checked.variables().collect();
            for variable in variables.iter().filter(|name| known.of(name).is_none()) {
                let message = format!("asks for `{variable}`, which this filter does not know");
                problems.add("keys", message, BUILD_IT);
            }
        }
        Keys { source, prepared }
    }

    /// A key that stands at `path`.
    pub(super) fn key(
        &self,
        written: &source::Key,
        path: &str,
        problems: &mut Problems,
    ) -> Vec<KeyPart> {
        let parts = written.parts_at(path).into_iter();
        parts
            .filter_map(|(path, part)| self.part(part, &path, problems))
            .collect()
    }

    /// `None`: it was not prepared, which is noted.
    fn part(
        &self,
        written: &source::KeyPart,
        path: &str,
        problems: &mut Problems,
    ) -> Option<KeyPart> {
        Some(match written {
            source::KeyPart::Address => KeyPart::Network(ONE_CLIENT),
            source::KeyPart::Network(prefixes) => {
                if prefixes.ipv4 > 32 || prefixes.ipv6 > 128 {
                    problems.add(
                        path,
                        "asks for more bits than an address has",
                        "write at most 32 for `ipv4` and 128 for `ipv6`",
                    );
                }
                KeyPart::Network(*prefixes)
            }
            source::KeyPart::ApiKey => KeyPart::ApiKey,
            source::KeyPart::Subject => KeyPart::Subject,
            source::KeyPart::Client => KeyPart::Client,
            source::KeyPart::Claim(path) => KeyPart::Claim(path.names().to_vec()),
            source::KeyPart::Operation => KeyPart::Operation,
            source::KeyPart::Cel(text) => {
                let checked = self.prepared.get(text)?.clone();
                let variables = checked.variables().collect();
                rule::untold(&variables, self.source, &format!("{path}.cel"), problems);
                KeyPart::Expression {
                    text: text.clone(),
                    checked,
                }
            }
        })
    }
}

/// The claims, by their first names, that limits ask about. `role_claim` is the one
/// that roles are read from.
pub(in crate::policy::compile) fn claims(
    quotas: &Quotas,
    role_claim: Option<&String>,
) -> BTreeSet<String> {
    let limits = quotas.plans.iter().flat_map(|plan| &plan.limits);
    let mut claims = BTreeSet::new();
    for part in limits.flat_map(|limit| &limit.key) {
        match part {
            KeyPart::Claim(path) => claims.extend(path.first().cloned()),
            KeyPart::Expression { checked, .. } => {
                claims.extend(rule::claims_of(checked, role_claim));
            }
            _ => {}
        }
    }
    if quotas.plans.iter().any(|plan| !plan.tiers.is_empty()) {
        claims.extend(quotas.tier.first().cloned());
    }
    claims
}

/// Before authentication nobody knows who calls.
pub(super) fn knows_no_caller(plan: &Plan, problems: &mut Problems) {
    let path = format!("policy.quotas.plans.{}", plan.name);
    if !plan.tiers.is_empty() {
        problems.add(
            format!("{path}.tiers"),
            "cannot be told apart before authentication",
            "leave them out of the plan `before_authentication`",
        );
    }
    for limit in &plan.limits {
        let path = format!("{path}.limits.{}", limit.name);
        let known = |part: &KeyPart| match part {
            KeyPart::Network(_) | KeyPart::Operation => true,
            KeyPart::Expression { checked, .. } => !checked.variables().any(tells_of_caller),
            _ => false,
        };
        if !limit.key.iter().all(known) {
            problems.add(
                format!("{path}.key"),
                "asks who calls, and before authentication nobody knows",
                "count by `address`, `network`, `operation`, or a `cel` over the request alone",
            );
        }
    }
}

/// What one client can have of addresses.
const ONE_CLIENT: Prefixes = Prefixes { ipv4: 32, ipv6: 64 };

const BUILD_IT: &str = "write it with `portcullis build`";

#[cfg(test)]
mod tests {
    use crate::policy::compile::tests::sample;
    use crate::policy::plugin::load;
    use crate::policy::source::Environment;
    use serde_json::{Value, json};

    /// A configuration that counts by an expression, prepared by hand.
    fn configured() -> Value {
        let mut document = sample();
        let text = "claims.a + caller.subject";
        document["policy"]["quotas"]["plans"]["slow"]["limits"]["rate"]["key"] =
            json!(["operation", { "cel": text }]);
        document["keys"] = json!({ text: [
            ["variable", "claims"], ["select", 0, "a"], ["variable", "caller.subject"], ["add", 1, 2],
        ] });
        document
    }

    fn complaints(change: impl FnOnce(&mut Value)) -> Vec<String> {
        let mut document = configured();
        change(&mut document);
        let found = load(document.to_string().as_bytes(), Environment::Elsewhere).err();
        let said = |problem: crate::policy::problem::Problem| {
            format!("{}: {}", problem.path, problem.message)
        };
        found.into_iter().flatten().map(said).collect()
    }

    #[test]
    fn a_key_keeps_the_claims_that_it_asks_for() {
        let text = configured().to_string();
        let policy = load(text.as_bytes(), Environment::Elsewhere).unwrap();
        assert!(policy.kept_claims.contains("a") && policy.kept_claims.contains("sub"));
        assert_eq!(policy.quotas.plans[0].limits[0].key.len(), 2);
    }

    #[test]
    fn what_was_not_prepared_from_the_text_is_refused() {
        assert_eq!(
            complaints(|d| d["keys"] = json!({})),
            ["keys: `claims.a + caller.subject` is missing"]
        );
        assert_eq!(
            complaints(|d| d["keys"]["1"] = json!([["int", 1]])),
            ["keys: `1` is no key of the policy"]
        );
        for variable in ["planet", "time.hour", "risk"] {
            assert_eq!(
                complaints(
                    |d| d["keys"]["claims.a + caller.subject"][2] = json!(["variable", variable])
                ),
                [format!(
                    "keys: asks for `{variable}`, which this filter does not know"
                )]
                .into_iter()
                .chain((variable == "risk").then(|| {
                    "policy.quotas.plans.slow.limits.rate.key[1].cel: asks for `risk`, which \
                     nothing tells"
                        .to_owned()
                }))
                .collect::<Vec<_>>()
            );
        }
        assert_eq!(
            complaints(
                |d| d["keys"]["claims.a + caller.subject"][2] = json!(["variable", "country"])
            ),
            [
                "policy.quotas.plans.slow.limits.rate.key[1].cel: asks for `country`, which \
                 nothing tells"
            ]
        );
    }

    #[test]
    fn before_authentication_nobody_is_known() {
        let path = "policy.quotas.plans.slow.limits.rate.key: asks who calls, and before \
                    authentication nobody knows";
        assert_eq!(
            complaints(|d| d["policy"]["quotas"]["before_authentication"] = "slow".into()),
            [path]
        );
        let limited = |key: Value, keys: Value| {
            complaints(|d| {
                let quotas = &mut d["policy"]["quotas"];
                quotas["before_authentication"] = "slow".into();
                quotas["plans"]["slow"]["limits"]["rate"]["key"] = key;
                d["keys"] = keys;
            })
        };
        let text = "request.method";
        assert_eq!(
            limited(
                json!(["address", "operation", { "cel": text }]),
                json!({ text: [["variable", text]] })
            ),
            [""; 0]
        );
        for part in ["api_key", "subject", "client"] {
            assert_eq!(limited(json!(part), json!({})), [path], "{part}");
        }
        assert_eq!(limited(json!({ "claim": "a" }), json!({})), [path]);
        for variable in ["caller.kind", "key.id", "certificate.name"] {
            let keys = json!({ variable: [["variable", variable]] });
            assert_eq!(limited(json!({ "cel": variable }), keys), [path]);
        }
    }
}
