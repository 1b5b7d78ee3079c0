//! Whether the objects that a request names are the caller's (OWASP API1:2023).
//!
//! What the document marks with `x-claim` must be a value that the claim holds:
//! equal to it, or one of its elements. A value that is absent, of another shape or
//! not readable is no value that the claim holds.

use std::borrow::Cow;

use serde_json::Value;

use crate::denial::Denial;
use crate::policy::api::{BodyStep, ClaimRule, Location};
use crate::policy::route::PathParameters;
use crate::policy::{Operation, Policy};
use crate::request::{Headers, is_json};
use crate::stage::authn::Caller;
use crate::stage::hygiene::Screened;
use crate::strict_json;
use crate::trail::{Stage, Trail};

/// Holds the parameters in path, query and headers against the caller's claims.
///
/// # Errors
/// [`Denial::ObjectForbidden`] when one is not the caller's.
pub(super) fn parameters(
    operation: &Operation,
    screened: &Screened,
    path: &PathParameters<'_>,
    caller: &Caller,
    policy: &Policy,
    trail: &mut Trail,
) -> Result<(), Denial> {
    let mut asked = false;
    for parameter in &operation.parameters {
        let Some(rule) = &parameter.claim else {
            continue;
        };
        asked = true;
        let name = parameter.name.as_str();
        let values: Vec<Cow<'_, [u8]>> = match parameter.location {
            Location::Path => path.value(name).into_iter().collect(),
            Location::Query => screened
                .query()
                .filter(|(other, _)| other.as_ref() == name.as_bytes())
                .map(|(_, value)| value)
                .collect(),
            Location::Header => header(&screened.head().headers, name),
            Location::Cookie => Vec::new(),
        };
        let held = Held::by(caller, rule);
        let good = match values.as_slice() {
            [] => rule.if_absent_allow || held.exempt,
            values => values.iter().all(|value| held.holds(value)),
        };
        if !good {
            let denial = Denial::ObjectForbidden;
            trail.object(Stage::Authorization, policy.stages.authorization, denial)?;
        }
    }
    if asked {
        trail.pass(Stage::Authorization, "asks for the caller's own");
    }
    Ok(())
}

/// Holds the fields of the request body against the caller's claims.
///
/// # Errors
/// [`Denial::ObjectForbidden`] when one is not the caller's, [`Denial::BodyUnreadable`]
/// when the body is not JSON that can be read in one way only.
pub(in crate::stage) fn body(
    operation: &Operation,
    headers: &Headers,
    body: &[u8],
    caller: &Caller,
    policy: &Policy,
    trail: &mut Trail,
) -> Result<(), Denial> {
    let mode = policy.stages.authorization;
    let exempt = |rule| Held::by(caller, rule).exempt;
    if operation
        .body_claims
        .iter()
        .all(|claim| exempt(&claim.rule))
    {
        trail.pass(Stage::Authorization, "may ask for anybody's");
        return Ok(());
    }
    let Some(document) = read(headers, body) else {
        return trail.object(Stage::Authorization, mode, Denial::BodyUnreadable);
    };
    for claim in &operation.body_claims {
        let held = Held::by(caller, &claim.rule);
        if !held.exempt && !held.holds_at(document.as_ref(), &claim.path) {
            trail.object(Stage::Authorization, mode, Denial::ObjectForbidden)?;
        }
    }
    trail.pass(Stage::Authorization, "writes to the caller's own");
    Ok(())
}

/// The body, if it can be read in one way only; `Some(None)`: there is none.
fn read(headers: &Headers, body: &[u8]) -> Option<Option<Value>> {
    let coded = headers
        .first("content-encoding")
        .is_some_and(|coding| !coding.eq_ignore_ascii_case(b"identity"));
    if body.is_empty() {
        return Some(None);
    }
    let json = headers.first("content-type").is_some_and(is_json);
    (json && !coded)
        .then(|| strict_json::value(body).ok())
        .flatten()
        .map(Some)
}

/// A list in a header is a list.
fn header<'a>(headers: &'a Headers, name: &str) -> Vec<Cow<'a, [u8]>> {
    headers
        .all(name)
        .flat_map(|value| value.split(|byte| *byte == b','))
        .map(|value| Cow::Borrowed(value.trim_ascii()))
        .collect()
}

/// What the caller's claims hold for one rule.
struct Held<'a> {
    texts: Vec<Cow<'a, str>>,
    exempt: bool,
    if_absent_allow: bool,
}

impl<'a> Held<'a> {
    /// The first of the caller's credentials that has the claim speaks.
    fn by(caller: &'a Caller, rule: &ClaimRule) -> Self {
        let texts = caller
            .identities()
            .find_map(|identity| identity.claim(&rule.claim))
            .map_or_else(Vec::new, texts);
        let exempt = caller.identities().any(|identity| {
            let has = |scope| identity.scopes.contains(scope);
            rule.unless_scopes.iter().any(has)
        });
        Held {
            texts,
            exempt,
            if_absent_allow: rule.if_absent_allow,
        }
    }

    fn holds(&self, value: &[u8]) -> bool {
        self.exempt || self.texts.iter().any(|text| text.as_bytes() == value)
    }

    /// Whether all values at a place of the body are held.
    fn holds_at(&self, value: Option<&Value>, path: &[BodyStep]) -> bool {
        let absent = self.if_absent_allow;
        match (value, path) {
            (None | Some(Value::Null), _) => absent,
            (Some(Value::Object(members)), [BodyStep::Member(name), rest @ ..]) => {
                self.holds_at(members.get(name), rest)
            }
            (Some(Value::Array(elements)), [BodyStep::Elements, rest @ ..]) => match rest {
                _ if elements.is_empty() => absent,
                rest => elements
                    .iter()
                    .all(|element| self.holds_at(Some(element), rest)),
            },
            (Some(Value::Array(elements)), []) => {
                let good =
                    |element: &Value| text(element).is_some_and(|text| self.holds(text.as_bytes()));
                (absent || !elements.is_empty()) && elements.iter().all(good)
            }
            (Some(value), []) => text(value).is_some_and(|text| self.holds(text.as_bytes())),
            // Another shape than the document declares: what the upstream would read
            // there nobody knows.
            (Some(_), _) => false,
        }
    }
}

fn texts(claim: &Value) -> Vec<Cow<'_, str>> {
    match claim {
        Value::Array(elements) => elements.iter().filter_map(text).collect(),
        one => text(one).into_iter().collect(),
    }
}

fn text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn held(claim: &Value, if_absent_allow: bool) -> Held<'_> {
        Held {
            texts: texts(claim),
            exempt: false,
            if_absent_allow,
        }
    }

    #[test]
    fn a_field_is_held_or_it_is_not() {
        let path = [
            BodyStep::Member("lines".into()),
            BodyStep::Elements,
            BodyStep::Member("account".into()),
        ];
        let claim = json!(["a", 7]);
        for (body, strict, lenient) in [
            (
                json!({ "lines": [{ "account": "a" }, { "account": 7 }] }),
                true,
                true,
            ),
            (
                json!({ "lines": [{ "account": "a" }, { "account": "b" }] }),
                false,
                false,
            ),
            (json!({ "lines": [{ "account": "a" }, {}] }), false, true),
            (json!({ "lines": [{ "account": null }] }), false, true),
            (json!({ "lines": [] }), false, true),
            (json!({}), false, true),
            (json!({ "lines": { "account": "a" } }), false, false),
            (
                json!({ "lines": [{ "account": { "account": "a" } }] }),
                false,
                false,
            ),
            (json!({ "lines": [{ "account": true }] }), false, false),
            (json!({ "lines": [{ "account": ["a", "7"] }] }), true, true),
            (
                json!({ "lines": [{ "account": ["a", "b"] }] }),
                false,
                false,
            ),
            (json!([{ "lines": [{ "account": "a" }] }]), false, false),
        ] {
            let says = |lenient| held(&claim, lenient).holds_at(Some(&body), &path);
            assert_eq!((says(false), says(true)), (strict, lenient), "{body}");
        }
    }

    #[test]
    fn a_claim_holds_its_text_or_its_elements() {
        assert!(held(&json!("42"), false).holds(b"42"));
        assert!(held(&json!(42), false).holds(b"42"));
        assert!(!held(&json!("4 2"), false).holds(b"4"));
        assert!(!held(&json!({ "a": "42" }), false).holds(b"42"));
        assert!(!held(&json!(null), false).holds(b""));
    }
}
