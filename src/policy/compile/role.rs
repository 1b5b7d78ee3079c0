//! Roles: implications followed to their end, and circles found.

use std::collections::{BTreeMap, BTreeSet};

use crate::policy::Roles;
use crate::policy::problem::Problems;
use crate::policy::source::{self, Source};

/// The roles of the policy.
pub(super) fn roles(source: &Source, problems: &mut Problems) -> Roles {
    let written = &source.roles;
    let claim = written.claim.names().to_vec();
    if claim.is_empty() || claim.iter().any(String::is_empty) {
        problems.add(
            "policy.roles.claim",
            "names no claim",
            "name the claim that holds a token's roles, such as `roles` or `[realm_access, roles]`",
        );
    }
    Roles {
        claim,
        map: (!written.map.is_empty()).then(|| written.map.clone()),
        implied: implied(written, problems),
    }
}

/// The roles that an operation asks for, any of which suffices.
pub(super) fn asked(
    names: Vec<String>,
    roles: &Roles,
    path: &str,
    problems: &mut Problems,
) -> Vec<String> {
    for name in names.iter().filter(|name| !roles.knows(name)) {
        problems.add(
            format!("{path}.roles"),
            format!("nobody can have the role `{name}`"),
            "name it in `policy.roles`, under `map` or `inherit`, or mend the name",
        );
    }
    names
}

fn implied(written: &source::Roles, problems: &mut Problems) -> BTreeMap<String, BTreeSet<String>> {
    let mut all = BTreeMap::new();
    for role in written.inherit.keys() {
        let mut found = BTreeSet::new();
        let mut open = vec![role];
        while let Some(next) = open.pop() {
            if found.insert(next.clone()) {
                open.extend(written.inherit.get(next).into_iter().flatten());
            }
        }
        let back = |inner: &String| {
            let further = written.inherit.get(inner);
            further.is_some_and(|further| further.contains(role))
        };
        if found.iter().any(back) {
            problems.add(
                format!("policy.roles.inherit.{role}"),
                "implies itself",
                "take one of the implications out of the circle",
            );
        }
        all.insert(role.clone(), found);
    }
    all
}

#[cfg(test)]
mod tests {
    use crate::policy::compile::tests::{compiled, sample};
    use crate::policy::plugin::load;
    use crate::policy::source::Environment;
    use serde_json::{Value, json};

    fn roles_of(written: Value, claim: Value) -> String {
        let mut document = sample();
        document["policy"]["roles"] = written;
        let roles = compiled(&document).roles.of(&claim);
        roles.into_iter().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_role_brings_what_it_implies() {
        let inherit = json!({ "inherit": { "admin": ["editor"], "editor": ["viewer", "writer"] } });
        assert_eq!(
            roles_of(inherit.clone(), json!(["admin"])),
            "admin editor viewer writer"
        );
        assert_eq!(
            roles_of(inherit.clone(), json!("editor other")),
            "editor other viewer writer"
        );
        assert_eq!(roles_of(inherit, json!({ "admin": true })), "");
        let map = json!({ "map": { "g-1": "editor" }, "inherit": { "editor": ["viewer"] } });
        assert_eq!(
            roles_of(map, json!(["g-1", "editor", "g-2"])),
            "editor viewer"
        );
    }

    #[test]
    fn circles_and_roles_that_nobody_can_have_are_problems() {
        let complaints = |roles: Value, asked: Value| {
            let mut document = sample();
            document["policy"]["roles"] = roles;
            document["api"]["operations"][1]["roles"] = asked;
            let found = load(document.to_string().as_bytes(), Environment::Elsewhere).err();
            let paths = found.into_iter().flatten().map(|problem| problem.path);
            paths.collect::<Vec<_>>().join(" ")
        };
        let circle = json!({ "inherit": { "a": ["b"], "b": ["c"], "c": ["a"], "d": ["a"] } });
        assert_eq!(
            complaints(circle, json!([])),
            "policy.roles.inherit.a policy.roles.inherit.b policy.roles.inherit.c"
        );
        let map = json!({ "map": { "x": "editor" }, "inherit": { "editor": ["viewer"] } });
        assert_eq!(complaints(map.clone(), json!(["viewer", "editor"])), "");
        assert_eq!(complaints(map, json!(["admin"])), "api.operations[1].roles");
        assert_eq!(complaints(json!({}), json!(["anything"])), "");
        assert_eq!(
            complaints(json!({ "claim": [] }), json!([])),
            "policy.roles.claim"
        );
    }
}
