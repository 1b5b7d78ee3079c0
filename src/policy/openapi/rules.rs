//! `x-rules`: the rules of the policy that an operation is subject to.

use super::place::Place;
use crate::policy::problem::Problems;

/// The names of the rules, all of which must let a request pass.
pub(super) fn of(operation: &Place<'_>, problems: &mut Problems) -> Vec<String> {
    let Some(written) = operation.get("x-rules") else {
        return Vec::new();
    };
    let names = written.value.as_array().into_iter().flatten();
    let names: Vec<String> = names
        .filter_map(|name| name.as_str())
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    if names.is_empty() || written.value.as_array().map(Vec::len) != Some(names.len()) {
        problems.add(
            written.path,
            "is not a list of rules",
            "write names of `rules` in the policy, all of which count: `x-rules: [office_hours]`",
        );
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
            of(&Place::root(&document), &mut problems);
            assert_eq!(problems.is_empty(), good, "{document}");
        }
    }
}
