//! Lists of networks, countries and programs.

use super::known_names;
use crate::network::NetworkSet;
use crate::pattern::Pattern;
use crate::policy::api;
use crate::policy::network::{Agents, Countries, Networks, Territory};
use crate::policy::problem::Problems;
use crate::policy::source::{self, NetworkList};

pub(super) fn networks(written: &source::Networks, problems: &mut Problems) -> Networks {
    let lists: Vec<(String, NetworkSet)> = written
        .lists
        .iter()
        .map(|(name, list)| {
            let path = format!("policy.networks.lists.{name}");
            (name.clone(), entries(list, &path, problems))
        })
        .collect();
    let mut places = |names: &[String], field: &str| {
        let path = format!("policy.networks.{field}");
        places(names, &lists, &path, problems)
    };
    let everywhere = Territory {
        allow: written.allow.as_ref().map(|names| places(names, "allow")),
        deny: places(&written.deny, "deny"),
    };
    Networks {
        trusted: set(
            &written.trusted_proxies,
            "policy.networks.trusted_proxies",
            problems,
        ),
        everywhere,
        countries: written
            .countries
            .as_ref()
            .map(|countries| self::countries(countries, problems)),
        agents: written
            .user_agents
            .as_ref()
            .map(|agents| self::agents(agents, problems)),
        lists,
    }
}

/// Where an operation may be called from. What it allows itself stands in place of
/// what the policy allows; what either denies is denied.
pub(super) fn territory(
    written: Option<&api::Territory>,
    networks: &Networks,
    path: &str,
    problems: &mut Problems,
) -> Territory {
    let mut territory = networks.everywhere.clone();
    let Some(written) = written else {
        return territory;
    };
    let path = format!("{path}.networks");
    if let Some(names) = &written.allow {
        territory.allow = Some(places(
            names,
            &networks.lists,
            &format!("{path}.allow"),
            problems,
        ));
    }
    for place in places(
        &written.deny,
        &networks.lists,
        &format!("{path}.deny"),
        problems,
    ) {
        if !territory.deny.contains(&place) {
            territory.deny.push(place);
        }
    }
    territory
}

/// A set of networks, each problem at its index.
pub(super) fn set(entries: &[String], path: &str, problems: &mut Problems) -> NetworkSet {
    match NetworkSet::parse(entries) {
        Ok(set) => set,
        Err(errors) => {
            for (index, error) in errors {
                let text = entries.get(index).map_or("", String::as_str);
                problems.add(
                    format!("{path}[{index}]"),
                    format!("`{text}` {}", error.message()),
                    error.hint(),
                );
            }
            NetworkSet::default()
        }
    }
}

fn entries(list: &NetworkList, path: &str, problems: &mut Problems) -> NetworkSet {
    match list {
        NetworkList::Inline(entries) => set(entries, &format!("{path}.inline"), problems),
        NetworkList::File(_) => {
            problems.add(
                format!("{path}.file"),
                "names a file, and Envoy's plugin has none",
                "run `portcullis build`, which puts the networks inline",
            );
            NetworkSet::default()
        }
    }
}

fn places(
    names: &[String],
    lists: &[(String, NetworkSet)],
    path: &str,
    problems: &mut Problems,
) -> Vec<usize> {
    let mut places = Vec::new();
    for (index, name) in names.iter().enumerate() {
        match lists.iter().position(|(known, _)| known == name) {
            Some(place) => places.push(place),
            None => {
                let known: Vec<String> = lists.iter().map(|(name, _)| name.clone()).collect();
                problems.add(
                    format!("{path}[{index}]"),
                    format!("`{name}` is not one of the lists of networks"),
                    known_names(&known),
                );
            }
        }
    }
    places
}

fn countries(written: &source::Countries, problems: &mut Problems) -> Countries {
    let path = "policy.networks.countries";
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !written.header.bytes().all(plain) {
        problems.add(
            format!("{path}.header"),
            "is not a header name in lower case",
            "use letters, digits and `-`",
        );
    }
    if written.allow.is_none() && written.deny.is_empty() {
        problems.add(
            path,
            "neither allows nor denies a country",
            "add `allow` or `deny`",
        );
    }
    let mut codes = |codes: &[String], field: &str| {
        for (index, code) in codes.iter().enumerate() {
            if code.len() != 2 || !code.bytes().all(|byte| byte.is_ascii_uppercase()) {
                problems.add(
                    format!("{path}.{field}[{index}]"),
                    format!("`{code}` is not the code of a country"),
                    "write two letters of ISO 3166-1 in upper case, such as `DE`",
                );
            }
        }
        codes.to_vec()
    };
    Countries {
        header: written.header.clone(),
        allow: written.allow.as_ref().map(|allow| codes(allow, "allow")),
        deny: codes(&written.deny, "deny"),
    }
}

fn agents(written: &source::UserAgents, problems: &mut Problems) -> Agents {
    let path = "policy.networks.user_agents";
    if written.deny.is_empty() && !written.require {
        problems.add(path, "asks for nothing", "add `deny`, or `require: true`");
    }
    let mut deny = Vec::new();
    for (index, text) in written.deny.iter().enumerate() {
        match Pattern::parse(text) {
            Some(pattern) => deny.push(pattern),
            None => problems.add(
                format!("{path}.deny[{index}]"),
                format!("`{text}` is no pattern"),
                "write a text with `*` at its beginning, its end or both, such as `sqlmap/*`",
            ),
        }
    }
    Agents {
        deny,
        require: written.require,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::policy::compile::tests::{compiled, sample};
    use crate::policy::network::Territory;
    use crate::policy::plugin::load;
    use crate::policy::source::Environment;

    fn with(networks: Value) -> Value {
        let mut document = sample();
        document["policy"]["networks"] = networks;
        document
    }

    #[test]
    fn an_operation_allows_in_place_of_the_policy_and_denies_beside_it() {
        let mut document = with(json!({
            "lists": { "a": { "inline": ["10.0.0.0/8"] }, "b": { "inline": ["::1"] }, "c": { "inline": [] } },
            "allow": ["a"],
            "deny": ["c"],
        }));
        document["api"]["operations"][0]["networks"] =
            json!({ "allow": ["b"], "deny": ["a", "c"] });
        let policy = compiled(&document);
        let territory = |allow, deny| Territory {
            allow: Some(allow),
            deny,
        };
        assert_eq!(policy.networks.everywhere, territory(vec![0], vec![2]));
        assert_eq!(
            policy.operations[0].territory,
            territory(vec![1], vec![2, 0])
        );
        assert_eq!(policy.operations[1].territory, policy.networks.everywhere);
        assert!(!compiled(&sample()).operations[0].territory.is_bounded());
    }

    #[test]
    fn whatever_is_wrong_is_named_where_it_stands() {
        for (networks, path) in [
            (json!({ "allow": ["a"] }), "allow[0]"),
            (json!({ "deny": ["a"] }), "deny[0]"),
            (
                json!({ "trusted_proxies": ["10.0.0.1/8"] }),
                "trusted_proxies[0]",
            ),
            (
                json!({ "lists": { "a": { "inline": ["10.0.0.0/8", "x"] } } }),
                "lists.a.inline[1]",
            ),
            (
                json!({ "lists": { "a": { "file": "a.txt" } } }),
                "lists.a.file",
            ),
            (
                json!({ "countries": { "header": "X-Country", "deny": ["DE"] } }),
                "countries.header",
            ),
            (
                json!({ "countries": { "header": "x", "allow": ["DE", "de"] } }),
                "countries.allow[1]",
            ),
            (
                json!({ "countries": { "header": "x", "deny": ["DEU"] } }),
                "countries.deny[0]",
            ),
            (json!({ "countries": { "header": "x" } }), "countries"),
            (
                json!({ "user_agents": { "deny": ["*"] } }),
                "user_agents.deny[0]",
            ),
            (json!({ "user_agents": {} }), "user_agents"),
        ] {
            let document = with(networks).to_string();
            let problems = load(document.as_bytes(), Environment::Elsewhere).unwrap_err();
            let paths: Vec<&str> = problems.iter().map(|one| one.path.as_str()).collect();
            assert_eq!(paths, [format!("policy.networks.{path}")], "{document}");
        }
        let mut document = sample();
        document["api"]["operations"][1]["networks"] = json!({ "deny": ["moon"] });
        let problems = load(document.to_string().as_bytes(), Environment::Elsewhere).unwrap_err();
        assert_eq!(problems[0].path, "api.operations[1].networks.deny[0]");
    }
}
