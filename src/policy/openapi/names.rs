//! Lists of names that the policy defines: `x-roles`, any of which suffices, and
//! `x-rules`, all of which count.

use super::place::Place;
use crate::policy::problem::Problems;

/// The roles of which the caller must have one.
pub(super) fn roles(operation: &Place<'_>, problems: &mut Problems) -> Vec<String> {
    const HINT: &str = "write the roles, any of which suffices: `x-roles: [admin, auditor]`";
    names(
        operation,
        "x-roles",
        "is not a list of roles",
        HINT,
        problems,
    )
}

/// The rules that must all let a request pass.
pub(super) fn rules(operation: &Place<'_>, problems: &mut Problems) -> Vec<String> {
    const HINT: &str =
        "write names of `rules` in the policy, all of which count: `x-rules: [office_hours]`";
    names(
        operation,
        "x-rules",
        "is not a list of rules",
        HINT,
        problems,
    )
}

fn names(
    operation: &Place<'_>,
    keyword: &str,
    message: &str,
    hint: &str,
    problems: &mut Problems,
) -> Vec<String> {
    let Some(written) = operation.get(keyword) else {
        return Vec::new();
    };
    let names = written.value.as_array().into_iter().flatten();
    let names: Vec<String> = names
        .filter_map(|name| name.as_str())
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    if names.is_empty() || written.value.as_array().map(Vec::len) != Some(names.len()) {
        problems.add(written.path, message, hint);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_list_of_names() {
        for (written, good) in [
            (json!(["a", "b"]), true),
            (json!([]), false),
            (json!("a"), false),
            (json!(["a", 1]), false),
            (json!([""]), false),
        ] {
            let mut problems = Problems::default();
            let document = json!({ "x-rules": written });
            rules(&Place::root(&document), &mut problems);
            assert_eq!(problems.is_empty(), good, "{document}");
        }
    }
}
