//! Rules: what the command prepared, beside the text that it was prepared from.

use std::collections::{BTreeMap, BTreeSet};

use super::known_names;
use crate::calendar::Zone;
use crate::policy::problem::Problems;
use crate::policy::rule::{PreparedRule, RISK, Rule, Rules, Verdict, declarations};
use crate::policy::source::{self, Source};
use crate::rule::Expression;

/// The rules of the policy.
pub(super) fn rules(
    source: &Source,
    mut prepared: BTreeMap<String, PreparedRule>,
    problems: &mut Problems,
) -> Rules {
    let mut all = Vec::new();
    for (name, written) in &source.rules {
        let path = format!("policy.rules.{name}");
        let made = prepared.remove(name);
        all.extend(rule(name, written, made, source, &path, problems));
    }
    for name in prepared.keys() {
        let path = format!("rules.{name}");
        problems.add(path, "is not a rule of the policy", BUILD_IT);
    }
    let headers = source.rule_headers.clone();
    for (field, name) in [("country", &headers.country), ("device", &headers.device)] {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name
            .as_ref()
            .is_some_and(|name| name.is_empty() || !name.bytes().all(plain))
        {
            problems.add(
                format!("policy.rule_headers.{field}"),
                "is not a header name in lower case",
                "use letters, digits and `-`",
            );
        }
    }
    Rules { all, headers }
}

/// The places of the rules that an operation is subject to: those that the policy
/// asks of every operation, and its own.
pub(super) fn asked(
    own: &[String],
    source: &Source,
    path: &str,
    problems: &mut Problems,
) -> Vec<usize> {
    let mut places = Vec::new();
    let place = |name: &String| source.rules.keys().position(|other| other == name);
    places.extend(source.default_rules.iter().filter_map(place));
    for name in own {
        match place(name) {
            Some(place) if places.contains(&place) => {}
            Some(place) => places.push(place),
            None => unknown(name, source, format!("{path}.rules"), problems),
        }
    }
    places
}

/// Looks at the names of the rules that the policy asks of every operation.
pub(super) fn check_defaults(source: &Source, problems: &mut Problems) {
    for (index, name) in source.default_rules.iter().enumerate() {
        if !source.rules.contains_key(name) {
            unknown(
                name,
                source,
                format!("policy.default_rules[{index}]"),
                problems,
            );
        }
    }
}

/// The claims, by their first names, that rules ask about.
pub(super) fn claims(rules: &Rules, role_claim: Option<&String>) -> BTreeSet<String> {
    let conditions = rules.all.iter().map(|rule| &rule.condition);
    conditions
        .flat_map(|condition| claims_of(condition, role_claim))
        .collect()
}

/// The claims, by their first names, that an expression asks about.
pub(super) fn claims_of(expression: &Expression, role_claim: Option<&String>) -> BTreeSet<String> {
    let named = expression.members_of("claims").map(String::from);
    let mut claims: BTreeSet<String> = named.collect();
    for variable in expression.variables() {
        match variable {
            "caller.subject" => claims.extend(["sub".to_owned()]),
            "caller.roles" => {
                claims.extend(role_claim.cloned().into_iter().chain(["roles".into()]))
            }
            _ => {}
        }
    }
    claims
}

/// Notes every variable that the rest of the policy gives no source for.
pub(super) fn untold(
    variables: &BTreeSet<&str>,
    source: &Source,
    path: &str,
    problems: &mut Problems,
) {
    let needs = [
        (
            "country",
            source.rule_headers.country.is_some(),
            "name the header in `rule_headers.country`",
        ),
        (
            "device",
            source.rule_headers.device.is_some(),
            "name the header in `rule_headers.device`",
        ),
        (
            RISK,
            source.anomaly.is_some(),
            "give the policy a model under `anomaly`",
        ),
    ];
    for (variable, there, hint) in needs {
        if variables.contains(variable) && !there {
            let message = format!("asks for `{variable}`, which nothing tells");
            problems.add(path, message, hint);
        }
    }
}

/// What a prepared rule was prepared from.
pub(in crate::policy) fn written(rule: &source::Rule) -> String {
    let zone = rule.time_zone.as_deref().unwrap_or("UTC");
    let text = rule.condition().map_or("", |(_, text)| text);
    format!("{zone}: {text}")
}

fn rule(
    name: &str,
    written_rule: &source::Rule,
    prepared: Option<PreparedRule>,
    source: &Source,
    path: &str,
    problems: &mut Problems,
) -> Option<Rule> {
    let Some((field, text)) = written_rule.condition() else {
        problems.add(
            path,
            "does not have exactly one condition",
            "write either `allow_if` or `deny_if`",
        );
        return None;
    };
    let below = format!("rules.{name}");
    let Some(prepared) = prepared else {
        problems.add(below, "is missing", BUILD_IT);
        return None;
    };
    if prepared.of != written(written_rule) {
        problems.add(&below, "was made from another text", BUILD_IT);
    }
    let known = declarations();
    let variables: BTreeSet<&str> = prepared.condition.variables().collect();
    for variable in variables.iter().filter(|name| known.of(name).is_none()) {
        let message = format!("asks for `{variable}`, which this filter does not know");
        problems.add(&below, message, BUILD_IT);
    }
    untold(&variables, source, &format!("{path}.{field}"), problems);
    let Some(zone) = Zone::parse(&prepared.zone) else {
        problems.add(&below, "has a time zone that cannot be read", BUILD_IT);
        return None;
    };
    Some(Rule {
        name: name.into(),
        verdict: match field {
            "allow_if" => Verdict::AllowIf,
            _ => Verdict::DenyIf,
        },
        text: text.into(),
        asks_for_risk: variables.contains(RISK),
        condition: prepared.condition,
        zone,
    })
}

fn unknown(name: &str, source: &Source, path: String, problems: &mut Problems) {
    let names: Vec<String> = source.rules.keys().cloned().collect();
    problems.add(
        path,
        format!("`{name}` is not one of the rules"),
        known_names(&names),
    );
}

const BUILD_IT: &str = "write it with `portcullis build`";

#[cfg(test)]
mod tests {
    use crate::policy::compile::tests::sample;
    use crate::policy::plugin::load;
    use crate::policy::source::Environment;
    use serde_json::{Value, json};

    /// A configuration with one rule, prepared by hand.
    fn configured() -> Value {
        let mut document = sample();
        document["policy"]["rules"] =
            json!({ "r": { "allow_if": "claims.a && caller.subject == 'x'" } });
        document["policy"]["default_rules"] = json!(["r"]);
        document["rules"] = json!({ "r": {
            "of": "UTC: claims.a && caller.subject == 'x'", "zone": "UTC0",
            "condition": [["variable", "claims"], ["select", 0, "a"], ["variable", "caller.subject"],
                ["string", "x"], ["equal", 2, 3], ["and", 1, 4]],
        }});
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
    fn a_rule_keeps_the_claims_that_it_asks_for() {
        let text = configured().to_string();
        let policy = load(text.as_bytes(), Environment::Elsewhere).unwrap();
        assert!(policy.kept_claims.contains("a") && policy.kept_claims.contains("sub"));
        assert_eq!(policy.operations[0].rules, [0]);
    }

    #[test]
    fn what_was_not_prepared_from_the_text_is_refused() {
        assert_eq!(
            complaints(|d| d["policy"]["rules"]["r"]["allow_if"] = "true".into()),
            ["rules.r: was made from another text"]
        );
        assert_eq!(
            complaints(|d| d["rules"] = json!({})),
            ["rules.r: is missing"]
        );
        assert_eq!(
            complaints(|d| d["rules"]["s"] = d["rules"]["r"].clone()),
            ["rules.s: is not a rule of the policy"]
        );
        assert_eq!(
            complaints(|d| d["rules"]["r"]["zone"] = "Mars".into()),
            ["rules.r: has a time zone that cannot be read"]
        );
        assert_eq!(
            complaints(|d| d["rules"]["r"]["condition"][0] = json!(["variable", "planet"])),
            ["rules.r: asks for `planet`, which this filter does not know"]
        );
        let circle = complaints(|d| d["rules"]["r"]["condition"][1] = json!(["select", 5, "a"]));
        assert!(circle[0].contains("not before it"), "{circle:?}");
    }

    #[test]
    fn names_and_needs_are_looked_at() {
        assert_eq!(
            complaints(|d| d["policy"]["default_rules"] = json!(["r", "s"])),
            ["policy.default_rules[1]: `s` is not one of the rules"]
        );
        assert_eq!(
            complaints(|d| d["api"]["operations"][1]["rules"] = json!(["r", "s"])),
            ["api.operations[1].rules: `s` is not one of the rules"]
        );
        assert_eq!(
            complaints(|d| d["policy"]["rules"]["r"]["deny_if"] = "true".into()),
            ["policy.rules.r: does not have exactly one condition"]
        );
        for variable in ["country", "device", "risk"] {
            assert_eq!(
                complaints(|d| d["rules"]["r"]["condition"][2] = json!(["variable", variable])),
                [format!(
                    "policy.rules.r.allow_if: asks for `{variable}`, which nothing tells"
                )]
            );
        }
        assert_eq!(
            complaints(|d| d["policy"]["rule_headers"] = json!({ "country": "X Country" })),
            ["policy.rule_headers.country: is not a header name in lower case"]
        );
    }
}
