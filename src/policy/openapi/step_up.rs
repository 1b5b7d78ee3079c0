//! `x-step-up`: how well and how lately the caller must have logged in (RFC 9470).

use super::place::Place;
use crate::policy::api::StepUp;
use crate::policy::problem::Problems;
use crate::policy::source::Span;

/// What an operation asks for, if it asks for anything.
pub(super) fn of(operation: &Place<'_>, problems: &mut Problems) -> Option<StepUp> {
    let written = operation.get("x-step-up")?;
    let mut step_up = StepUp::default();
    let mut good = written.value.is_object();
    for (name, member) in written.members() {
        match name {
            "acr_values" => {
                let values = member.value.as_array().into_iter().flatten();
                step_up.acr_values = values
                    .filter_map(|value| value.as_str())
                    .filter(|value| is_word(value))
                    .map(String::from)
                    .collect();
                good &= member.value.as_array().map(Vec::len) == Some(step_up.acr_values.len());
            }
            "max_age" => {
                step_up.max_age_seconds = member
                    .value
                    .as_str()
                    .and_then(Span::parse)
                    .map(Span::seconds);
                good &= step_up.max_age_seconds.is_some();
            }
            _ => good = false,
        }
    }
    if !good || step_up == StepUp::default() {
        problems.add(
            written.path,
            "does not say how the caller must have logged in",
            "write `x-step-up: { acr_values: [phr], max_age: 5m }`, or one of the two",
        );
    }
    Some(step_up)
}

/// A challenge lists the values with spaces between and quotes around them.
fn is_word(value: &str) -> bool {
    !value.is_empty()
        && value
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(written: Value) -> (Option<StepUp>, bool) {
        let mut problems = Problems::default();
        let document = json!({ "x-step-up": written });
        let found = of(&Place::root(&document), &mut problems);
        (found, problems.is_empty())
    }

    #[test]
    fn either_or_both() {
        let (found, good) = read(json!({ "acr_values": ["phr", "a:b"], "max_age": "5m" }));
        let expected = StepUp {
            acr_values: vec!["phr".into(), "a:b".into()],
            max_age_seconds: Some(300),
        };
        assert_eq!((found, good), (Some(expected), true));
        assert!(read(json!({ "max_age": "1s" })).1);
    }

    #[test]
    fn anything_else_is_a_problem() {
        for written in [
            json!({}),
            json!("phr"),
            json!({ "acr_values": "phr" }),
            json!({ "acr_values": ["a b"] }),
            json!({ "max_age": 300 }),
            json!({ "max_age": "5m", "acr": ["x"] }),
        ] {
            assert!(!read(written.clone()).1, "{written}");
        }
    }
}
