//! `x-claim`: a value of the request must be one that the caller's token names.
//!
//! Which object a request is about stands in a parameter or in the body, and the
//! document says where. Beside it stands the claim that must hold it, so that asking
//! for somebody else's object is refused before the upstream hears of it (OWASP API
//! Security Top 10, API1:2023).

use std::collections::BTreeSet;

use serde_json::Value;

use super::place::{Document, Place};
use super::response::may_be_json;
use crate::policy::api::{BodyClaim, BodyStep, ClaimRule};
use crate::policy::problem::Problems;

/// The keyword.
const KEYWORD: &str = "x-claim";

/// Reads `x-claim` where it has an effect, and remembers where that was.
pub(super) struct Claims<'a> {
    document: Document<'a>,
    used: BTreeSet<String>,
}

impl<'a> Claims<'a> {
    pub(super) fn new(document: Document<'a>) -> Self {
        Claims {
            document,
            used: BTreeSet::new(),
        }
    }

    /// The rule that stands at a parameter or a schema, if one does.
    pub(super) fn at(&mut self, place: &Place<'a>, problems: &mut Problems) -> Option<ClaimRule> {
        let written = place.get(KEYWORD)?;
        self.used.insert(written.path.clone());
        let rule = rule(&written);
        if rule.is_none() {
            problems.add(
                written.path,
                "does not name a claim",
                "write `x-claim: sub`, or an object with `claim`, `unless_scopes` and `if_absent`",
            );
        }
        rule
    }

    /// The rules for the fields of a request body.
    pub(super) fn of_body(
        &mut self,
        operation: &Place<'a>,
        problems: &mut Problems,
    ) -> Vec<BodyClaim> {
        let body = operation.get("requestBody");
        let Some(body) = body.and_then(|body| self.document.follow(body, problems)) else {
            return Vec::new();
        };
        let Some(content) = body.get("content") else {
            return Vec::new();
        };
        let mut walk = Walk {
            claims: self,
            steps: Vec::new(),
            inside: Vec::new(),
            circles: BTreeSet::new(),
            found: Vec::new(),
        };
        for (kind, media) in content.members() {
            if let Some(schema) = media.get("schema").filter(|_| may_be_json(kind)) {
                walk.schema(schema, problems);
            }
        }
        walk.finish(problems)
    }

    /// Reports every `x-claim` that nothing reads.
    pub(super) fn report_unused(&self, root: &Place<'a>, problems: &mut Problems) {
        self.search(root, problems);
    }

    /// The recursion is as deep as the document, which its reader bounds.
    fn search(&self, place: &Place<'a>, problems: &mut Problems) {
        for element in place.elements() {
            self.search(&element, problems);
        }
        for (name, member) in place.members() {
            if matches!(name, "example" | "examples" | "default" | "const" | "enum") {
                continue;
            }
            if name == KEYWORD && !self.used.contains(&member.path) {
                problems.add(
                    &member.path,
                    "has no effect here",
                    "put it at a parameter in path, query or header, or at a property of a JSON request body",
                );
            }
            self.search(&member, problems);
        }
    }
}

/// A walk through the schema of one body.
struct Walk<'w, 'a> {
    claims: &'w mut Claims<'a>,
    steps: Vec<BodyStep>,
    /// The schemas that the walk is in, by their paths.
    inside: Vec<String>,
    /// The schemas that contain themselves.
    circles: BTreeSet<String>,
    /// Each rule with the schemas around it.
    found: Vec<(BodyClaim, Vec<String>, String)>,
}

impl<'a> Walk<'_, 'a> {
    fn schema(&mut self, schema: Place<'a>, problems: &mut Problems) {
        let beside = schema.clone();
        let Some(schema) = self.claims.document.follow(schema, problems) else {
            return;
        };
        if self.inside.contains(&schema.path) {
            self.circles.insert(schema.path);
            return;
        }
        self.inside.push(schema.path.clone());
        // OpenAPI 3.1 lets keywords stand beside a reference.
        if beside.path != schema.path {
            self.rule_at(&beside, problems);
        }
        self.rule_at(&schema, problems);
        for keyword in ["allOf", "oneOf", "anyOf"] {
            for branch in schema.get(keyword).iter().flat_map(Place::elements) {
                self.schema(branch, problems);
            }
        }
        for (name, property) in schema.get("properties").iter().flat_map(Place::members) {
            self.below(BodyStep::Member(name.to_owned()), property, problems);
        }
        if let Some(items) = schema.get("items") {
            self.below(BodyStep::Elements, items, problems);
        }
        self.inside.pop();
    }

    fn rule_at(&mut self, place: &Place<'a>, problems: &mut Problems) {
        let Some(rule) = self.claims.at(place, problems) else {
            return;
        };
        let path = self.steps.clone();
        let claim = BodyClaim { path, rule };
        if !self.found.iter().any(|(other, ..)| *other == claim) {
            let written = place.at(KEYWORD);
            self.found.push((claim, self.inside.clone(), written));
        }
    }

    fn below(&mut self, step: BodyStep, schema: Place<'a>, problems: &mut Problems) {
        self.steps.push(step);
        self.schema(schema, problems);
        self.steps.pop();
    }

    fn finish(self, problems: &mut Problems) -> Vec<BodyClaim> {
        let mut claims = Vec::new();
        for (claim, around, path) in self.found {
            if around.iter().any(|schema| self.circles.contains(schema)) {
                problems.add(
                    path,
                    "stands in a schema that contains itself, where it would not hold at every depth",
                    "give the outermost object a schema of its own",
                );
            }
            claims.push(claim);
        }
        claims
    }
}

fn rule(written: &Place<'_>) -> Option<ClaimRule> {
    let plain = |claim| ClaimRule {
        claim,
        unless_scopes: Vec::new(),
        if_absent_allow: false,
    };
    let Value::Object(members) = written.value else {
        return path(written.value).map(plain);
    };
    let known = ["claim", "unless_scopes", "if_absent"];
    if members.keys().any(|name| !known.contains(&name.as_str())) {
        return None;
    }
    let unless_scopes = match members.get("unless_scopes") {
        None => Vec::new(),
        Some(scopes) => texts(scopes)?,
    };
    let if_absent_allow = match members.get("if_absent").map(Value::as_str) {
        None | Some(Some("deny")) => false,
        Some(Some("allow")) => true,
        Some(_) => return None,
    };
    Some(ClaimRule {
        unless_scopes,
        if_absent_allow,
        ..plain(path(members.get("claim")?)?)
    })
}

/// A claim's name, or the names that lead to a nested one.
fn path(value: &Value) -> Option<Vec<String>> {
    let path = match value {
        Value::String(name) => vec![name.clone()],
        names => texts(names)?,
    };
    let good = !path.is_empty() && path.iter().all(|name| !name.is_empty());
    good.then_some(path)
}

fn texts(value: &Value) -> Option<Vec<String>> {
    let texts = value.as_array()?.iter();
    texts.map(|text| text.as_str().map(String::from)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(document: &Value) -> (Vec<BodyClaim>, Vec<String>) {
        let root = Place::root(document);
        let mut problems = Problems::default();
        let mut claims = Claims::new(Document::new(document));
        let found = claims.of_body(&root.get("post").unwrap(), &mut problems);
        claims.report_unused(&root, &mut problems);
        let told = problems.into_result(()).err().unwrap_or_default();
        (found, told.iter().map(|one| one.path.clone()).collect())
    }

    fn body(schema: Value) -> Value {
        json!({ "requestBody": { "content": { "application/json": { "schema": schema } } } })
    }

    #[test]
    fn finds_the_fields_wherever_they_stand() {
        let document = json!({
            "post": body(json!({ "allOf": [{ "$ref": "#/Order" }] })),
            "Order": { "properties": {
                "customer": { "x-claim": { "claim": ["crm", "id"], "unless_scopes": ["desk"], "if_absent": "allow" } },
                "lines": { "items": { "properties": { "account": { "$ref": "#/Account" } } } },
            } },
            "Account": { "type": "string", "x-claim": "accounts" },
        });
        let (found, problems) = read(&document);
        assert_eq!(problems, Vec::<String>::new());
        let said = serde_json::to_value(found).unwrap();
        assert_eq!(
            said,
            json!([
                { "path": [{ "member": "customer" }],
                  "rule": { "claim": ["crm", "id"], "unless_scopes": ["desk"], "if_absent_allow": true } },
                { "path": [{ "member": "lines" }, "elements", { "member": "account" }],
                  "rule": { "claim": ["accounts"] } },
            ])
        );
    }

    #[test]
    fn what_would_not_hold_is_a_problem() {
        for (schema, at) in [
            (json!({ "x-claim": 3 }), "x-claim"),
            (json!({ "x-claim": "" }), "x-claim"),
            (
                json!({ "x-claim": { "claim": "a", "unles": [] } }),
                "x-claim",
            ),
            (
                json!({ "additionalProperties": { "x-claim": "a" } }),
                "additionalProperties.x-claim",
            ),
        ] {
            let (_, problems) = read(&json!({ "post": body(schema) }));
            let expected = format!("openapi.post.requestBody.content.application/json.schema.{at}");
            assert_eq!(problems, [expected]);
        }
        let circle = json!({
            "post": body(json!({ "$ref": "#/Note" })),
            "Note": { "properties": {
                "author": { "x-claim": "sub" },
                "replies": { "items": { "$ref": "#/Note" } },
            } },
        });
        assert_eq!(read(&circle).1, ["openapi.Note.properties.author.x-claim"]);
    }
}
