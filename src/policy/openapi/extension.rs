//! Extensions of an operation that say where and when it may be called.

use super::Options;
use super::place::Place;
use crate::policy::api::Territory;
use crate::policy::problem::Problems;

/// `x-networks`: lists of networks of the policy, allowed and denied.
pub(super) fn networks(
    operation: &Place<'_>,
    options: &Options<'_>,
    problems: &mut Problems,
) -> Option<Territory> {
    let written = operation.get("x-networks")?;
    if !written.value.is_object() {
        problems.add(&written.path, "is not an object", HINT);
        return None;
    }
    let mut territory = Territory::default();
    for (name, member) in written.members() {
        match name {
            "allow" => territory.allow = Some(names(&member, options.networks, problems)),
            "deny" => territory.deny = names(&member, options.networks, problems),
            _ => problems.add(&member.path, "is not a known field", HINT),
        }
    }
    Some(territory)
}

/// `x-hours`: hours of the policy.
pub(super) fn hours(
    operation: &Place<'_>,
    options: &Options<'_>,
    problems: &mut Problems,
) -> Option<String> {
    let written = operation.get("x-hours")?;
    let known = options.hours;
    let name = written
        .value
        .as_str()
        .filter(|name| known.iter().any(|one| one == name));
    if name.is_none() {
        problems.add(
            written.path,
            format!("{} is not the name of hours", written.value),
            match known {
                [] => "declare them in the policy under `hours`".to_owned(),
                known => format!("write one of `{}`", known.join("`, `")),
            },
        );
    }
    name.map(str::to_owned)
}

fn names(list: &Place<'_>, known: &[String], problems: &mut Problems) -> Vec<String> {
    if list.value.as_array().is_none_or(Vec::is_empty) {
        problems.add(&list.path, "is not a list with something in it", HINT);
    }
    let mut names = Vec::new();
    for element in list.elements() {
        match element
            .value
            .as_str()
            .filter(|name| known.iter().any(|one| one == name))
        {
            Some(name) => names.push(name.to_owned()),
            None => problems.add(
                element.path,
                format!("{} is not a list of networks", element.value),
                match known {
                    [] => "declare it in the policy under `networks.lists`".to_owned(),
                    known => format!("write one of `{}`", known.join("`, `")),
                },
            ),
        }
    }
    names
}

const HINT: &str = "write `allow`, `deny` or both, each with names of `networks.lists`";

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(value: Value) -> (Option<Territory>, Vec<String>) {
        let known = ["office".to_owned(), "abusers".to_owned()];
        let options = Options {
            networks: &known,
            ..Options::default()
        };
        let operation = json!({ "x-networks": value });
        let mut problems = Problems::default();
        let territory = networks(&Place::root(&operation), &options, &mut problems);
        let problems = problems.into_result(()).err().unwrap_or_default();
        (
            territory,
            problems.into_iter().map(|problem| problem.path).collect(),
        )
    }

    #[test]
    fn lists_are_taken_by_their_names() {
        let (territory, problems) = read(json!({ "allow": ["office"], "deny": ["abusers"] }));
        assert_eq!(
            territory,
            Some(Territory {
                allow: Some(vec!["office".into()]),
                deny: vec!["abusers".into()],
            })
        );
        assert!(problems.is_empty(), "{problems:?}");
        let (territory, _) = read(json!({ "deny": ["abusers"] }));
        assert_eq!(territory.unwrap().allow, None);
    }

    #[test]
    fn hours_are_taken_by_their_name() {
        let known = ["business".to_owned()];
        let options = Options {
            hours: &known,
            ..Options::default()
        };
        let read = |value: Value| {
            let operation = json!({ "x-hours": value });
            let mut problems = Problems::default();
            let name = hours(&Place::root(&operation), &options, &mut problems);
            (name, problems.is_empty())
        };
        assert_eq!(read(json!("business")), (Some("business".into()), true));
        assert_eq!(read(json!("night")), (None, false));
        assert_eq!(read(json!(["business"])), (None, false));
    }

    #[test]
    fn what_is_no_such_list_is_a_problem_where_it_stands() {
        for (value, path) in [
            (json!("office"), "openapi.x-networks"),
            (json!({ "allow": [] }), "openapi.x-networks.allow"),
            (json!({ "allow": "office" }), "openapi.x-networks.allow"),
            (json!({ "allow": ["moon"] }), "openapi.x-networks.allow[0]"),
            (json!({ "deny": [7] }), "openapi.x-networks.deny[0]"),
            (json!({ "only": ["office"] }), "openapi.x-networks.only"),
        ] {
            assert_eq!(read(value).1, [path]);
        }
    }
}
