//! Paths and the operations on them.

use super::claim::Claims;
use super::place::Place;
use super::security::Security;
use super::{Compiler, extension, names, parameter, quota, server, step_up};
use crate::policy::api::{Operation, Scheme};
use crate::policy::problem::Problems;
use crate::policy::route::template::{Segment, Template};
use std::collections::HashMap;

/// The walk over `paths`.
pub(super) struct Paths<'c, 'a, 'o> {
    compiler: &'c mut Compiler<'a, 'o>,
    root: Place<'a>,
    security: Security<'a>,
    claims: Claims<'a>,
    base_path: String,
    /// The first path of each shape and method. Names of parameters tell no requests
    /// apart, but methods do, and large documents rely on it.
    answered: HashMap<(Vec<Segment>, String), String>,
}

impl<'c, 'a, 'o> Paths<'c, 'a, 'o> {
    pub(super) fn new(
        compiler: &'c mut Compiler<'a, 'o>,
        root: &Place<'a>,
        problems: &mut Problems,
    ) -> Self {
        let given = compiler.options.base_path.as_deref().map(server::normal);
        let base_path = given.or_else(|| server::base_path(root, problems));
        let claims = Claims::new(compiler.document);
        Self {
            compiler,
            root: root.clone(),
            security: Security::new(root, problems),
            claims,
            base_path: base_path.unwrap_or_default(),
            answered: HashMap::new(),
        }
    }

    /// Every operation, and the security schemes that they use; the compiler keeps
    /// the bodies of each operation, in the same order.
    pub(super) fn operations(mut self, problems: &mut Problems) -> (Vec<Operation>, Vec<Scheme>) {
        let operations = self.walk(problems);
        let schemes = self.security.used(&operations);
        self.claims.report_unused(&self.root, problems);
        (operations, schemes)
    }

    fn walk(&mut self, problems: &mut Problems) -> Vec<Operation> {
        let mut operations = Vec::new();
        let Some(paths) = self.root.get("paths") else {
            // OpenAPI 3.1 §4.8.1 asks for one of the three.
            if self
                .root
                .get("webhooks")
                .or(self.root.get("components"))
                .is_none()
            {
                problems.add(
                    "openapi.paths",
                    "is missing",
                    "declare the paths that clients may call",
                );
            }
            return operations;
        };
        if !paths.value.is_object() {
            problems.add(
                "openapi.paths",
                "is not an object",
                "write path items by path",
            );
        }
        for (path, item) in paths.members() {
            if path.starts_with("x-") {
                continue;
            }
            self.item(path, &item, &mut operations, problems);
        }
        operations
    }

    /// One path item and, if it refers to another, that one: both count, since
    /// OpenAPI 3.1 §4.8.9 lets fields stand beside the reference.
    fn item(
        &mut self,
        path: &str,
        item: &Place<'a>,
        operations: &mut Vec<Operation>,
        problems: &mut Problems,
    ) {
        let referred = match item.reference() {
            Some(_) => self.compiler.document.follow(item.clone(), problems),
            None => None,
        };
        for item in std::iter::once(item.clone()).chain(referred) {
            if !item.value.is_object() {
                problems.add(&item.path, "is not an object", "write operations by method");
            }
            for (field, member) in item.members() {
                if METHODS.contains(&field) {
                    let read = self.operation(path, &item, field, &member, problems);
                    operations.extend(read);
                } else if !FIELDS.contains(&field) && !field.starts_with("x-") {
                    problems.add(
                        &member.path,
                        format!("`{field}` is not a method"),
                        format!("write one of `{}`", METHODS.join("`, `")),
                    );
                }
            }
        }
    }

    fn operation(
        &mut self,
        path: &str,
        item: &Place<'a>,
        method: &str,
        place: &Place<'a>,
        problems: &mut Problems,
    ) -> Option<Operation> {
        if !place.value.is_object() {
            problems.add(&place.path, "is not an object", "write an operation");
            return None;
        }
        let full = format!("{}{path}", self.base_path_of(item, place, problems));
        let method = method.to_ascii_uppercase();
        let document = self.compiler.document;
        let parameters = parameter::merged(document, &mut self.claims, item, place, problems);
        if let Some(template) = self.template(path, &full, &method, problems) {
            parameter::check_template(&template.names, &parameters, place, problems);
        }
        let security = self.security.of(place, problems);
        let networks = extension::networks(place, self.compiler.options, problems);
        let hours = extension::hours(place, self.compiler.options, problems);
        let quota = quota::of(place, self.compiler.options.quota_plans, problems);
        let roles = names::roles(place, problems);
        let rules = names::rules(place, problems);
        let body_claims = self.claims.of_body(place, problems);
        let step_up = step_up::of(place, problems);
        let bodies = self.compiler.responses(place, problems);
        self.compiler.bodies.push(bodies);
        Some(Operation {
            id: id(place, problems).unwrap_or_else(|| format!("{method} {path}")),
            method,
            path: full,
            security,
            parameters,
            responses: Vec::new(),
            roles,
            rules,
            body_claims,
            step_up,
            networks,
            hours,
            quota,
        })
    }

    /// Servers of an operation and of a path item stand in for those of the root
    /// (OpenAPI 3.1 §4.8.10), unless the policy says where the API lives.
    fn base_path_of(
        &self,
        item: &Place<'a>,
        operation: &Place<'a>,
        problems: &mut Problems,
    ) -> String {
        if self.compiler.options.base_path.is_some() {
            return self.base_path.clone();
        }
        server::base_path(operation, problems)
            .or_else(|| server::base_path(item, problems))
            .unwrap_or_else(|| self.base_path.clone())
    }

    /// The template, if it can be read. Another that matches the same requests is a
    /// problem: nothing would say which of them is meant.
    fn template(
        &mut self,
        path: &str,
        full: &str,
        method: &str,
        problems: &mut Problems,
    ) -> Option<Template> {
        let place = format!("openapi.paths.{path}");
        // Behind a base path, one without a slash would pass for the end of a segment.
        let text = if path.starts_with('/') { full } else { path };
        let template = match Template::parse(text) {
            Ok(template) => template,
            Err(flaw) => {
                problems.add(place, flaw.message, flaw.hint);
                return None;
            }
        };
        let key = (template.segments.clone(), method.to_owned());
        if let Some(first) = self.answered.insert(key, path.to_owned()) {
            problems.add(
                place,
                format!("`{method}` matches the same requests as `{first}`"),
                "make one operation of the two",
            );
        }
        Some(template)
    }
}

fn id(operation: &Place<'_>, problems: &mut Problems) -> Option<String> {
    let written = operation.get("operationId")?;
    let id = written.value.as_str().filter(|id| !id.is_empty());
    if id.is_none() {
        problems.add(
            written.path,
            "is not a string with something in it",
            "name the operation or drop the field",
        );
    }
    id.map(str::to_owned)
}

/// The methods that a path item may declare (OpenAPI 3.1 §4.8.9.1).
pub(super) const METHODS: [&str; 8] = [
    "get", "put", "post", "delete", "options", "head", "patch", "trace",
];

/// What else a path item may hold.
const FIELDS: [&str; 5] = ["$ref", "summary", "description", "servers", "parameters"];
