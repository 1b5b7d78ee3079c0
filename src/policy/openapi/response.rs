//! Declared responses: which have a JSON body, and what speaks about it.

use super::Compiler;
use super::mask::StateId;
use super::place::Place;
use crate::policy::problem::Problems;

impl<'a> Compiler<'a, '_> {
    /// The statuses with a JSON body, each with its place. Several JSON media types of
    /// one status share a mask that hides what any of them classifies.
    pub(super) fn responses(
        &mut self,
        operation: &Place<'a>,
        problems: &mut Problems,
    ) -> Vec<(String, Option<StateId>)> {
        let Some(responses) = operation.get("responses") else {
            return Vec::new();
        };
        if !responses.value.is_object() {
            problems.add(
                &responses.path,
                "is not an object",
                "write responses by status",
            );
        }
        let mut bodies = Vec::new();
        for (status, response) in responses.members() {
            if status.starts_with("x-") {
                continue;
            }
            if !is_status(status) {
                problems.add(
                    &response.path,
                    format!("`{status}` is not a status"),
                    "write a status such as `200`, a range such as `2XX`, or `default`",
                );
                continue;
            }
            let Some(response) = self.document.follow(response, problems) else {
                continue;
            };
            if !response.value.is_object() {
                problems.add(&response.path, "is not an object", "write a response");
                continue;
            }
            self.headers(&response, problems);
            if let Some(state) = self.content(&response, problems) {
                bodies.push((status.to_owned(), state));
            }
        }
        bodies
    }

    /// The place of a response's JSON body; none without one.
    fn content(
        &mut self,
        response: &Place<'a>,
        problems: &mut Problems,
    ) -> Option<Option<StateId>> {
        let content = response.get("content")?;
        let mut schemas = Vec::new();
        let mut json = false;
        for (media_type, media) in content.members() {
            let schema = media.get("schema");
            if may_be_json(media_type) {
                json = true;
                schemas.extend(schema);
            } else if let Some(schema) = schema {
                let path = schema.path.clone();
                let what = format!("a body of `{media_type}`");
                self.never_classified(schema, path, what, problems);
            }
        }
        json.then(|| self.masks.root(schemas, problems))
    }

    fn headers(&mut self, response: &Place<'a>, problems: &mut Problems) {
        let Some(headers) = response.get("headers") else {
            return;
        };
        for (name, header) in headers.members() {
            let header = self.document.follow(header, problems);
            if let Some(schema) = header.and_then(|header| header.get("schema")) {
                let path = schema.path.clone();
                self.never_classified(schema, path, format!("the header `{name}`"), problems);
            }
        }
    }

    /// Remembers a place in which nothing may be classified, to be judged when every
    /// schema is known.
    fn never_classified(
        &mut self,
        schema: Place<'a>,
        path: String,
        what: String,
        problems: &mut Problems,
    ) {
        if let Some(state) = self.masks.root(vec![schema], problems) {
            self.unmaskable.push((state, path, what));
        }
    }
}

/// `200`, `2XX` or `default` (OpenAPI 3.1 §4.8.16).
fn is_status(status: &str) -> bool {
    match status.as_bytes() {
        [b'1'..=b'5', b'X' | b'x', b'X' | b'x'] => true,
        [b'1'..=b'5', tens, ones] => tens.is_ascii_digit() && ones.is_ascii_digit(),
        _ => status == "default",
    }
}

/// Whether a body of this media type, or of one that this range holds, is JSON
/// (RFC 6839 §3.1 for the suffix).
pub(super) fn may_be_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    let essence = essence.to_ascii_lowercase();
    essence.ends_with("+json")
        || ["application/json", "text/json", "application/*", "*/*"].contains(&essence.as_str())
}
