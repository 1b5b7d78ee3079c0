//! Who may call: `security` and the schemes it names.
//!
//! OpenAPI takes an absent `security` for "anybody". Silence is too easily an
//! oversight, so here it is a problem, and `security: []` says public.

use super::place::{Document, Place};
use crate::policy::api::{Requirement, SchemeUse};
use crate::policy::problem::Problems;
use std::collections::BTreeMap;

/// The document's schemes, and what holds where an operation says nothing.
pub(super) struct Security<'a> {
    schemes: BTreeMap<&'a str, Credential>,
    default: Option<Vec<Requirement>>,
    /// Nothing in the document asks for anything, which was reported once.
    silent: bool,
}

impl<'a> Security<'a> {
    pub(super) fn new(root: &Place<'a>, problems: &mut Problems) -> Self {
        let mut security = Self {
            schemes: schemes(root, problems),
            default: None,
            silent: false,
        };
        match root.get("security") {
            Some(written) => security.default = Some(security.read(&written, problems)),
            None => security.silent = !any_operation_asks(root),
        }
        if security.silent {
            problems.add(
                "openapi.security",
                "nothing in the document says who may call it",
                "write `security` at the root or at each operation, `security: []` for public",
            );
        }
        security
    }

    /// The requirements of one operation, any of which suffices.
    pub(super) fn of(&self, operation: &Place<'a>, problems: &mut Problems) -> Vec<Requirement> {
        if let Some(written) = operation.get("security") {
            return self.read(&written, problems);
        }
        if self.default.is_none() && !self.silent {
            problems.add(
                operation.at("security"),
                "nothing says who may call this operation",
                "write `security` here or at the root, `security: []` for public",
            );
        }
        self.default.clone().unwrap_or_default()
    }

    fn read(&self, written: &Place<'a>, problems: &mut Problems) -> Vec<Requirement> {
        if !written.value.is_array() {
            problems.add(
                &written.path,
                "is not a list",
                "write a list of requirements such as `- oauth: [orders:read]`",
            );
        }
        let mut requirements: Vec<Requirement> = written
            .elements()
            .map(|requirement| self.requirement(&requirement, problems))
            .collect();
        if requirements.is_empty() {
            requirements.push(Requirement::default());
        }
        requirements
    }

    fn requirement(&self, written: &Place<'a>, problems: &mut Problems) -> Requirement {
        // Anything but an object would otherwise pass for `{}`, which is public.
        if !written.value.is_object() {
            problems.add(
                &written.path,
                "is not an object",
                "write the scheme and its scopes such as `oauth: [orders:read]`",
            );
        }
        let mut requirement = Requirement::default();
        for (scheme, scopes) in written.members() {
            match self.schemes.get(scheme) {
                None => problems.add(
                    &scopes.path,
                    format!("`{scheme}` is not a security scheme"),
                    "declare it under `components.securitySchemes`",
                ),
                Some(Credential::Other) => problems.add(
                    &scopes.path,
                    format!("`{scheme}` asks for a credential that the gateway does not verify"),
                    "ask for a bearer token: `oauth2`, `openIdConnect`, or `http` with `bearer`",
                ),
                Some(Credential::BearerToken) => {}
            }
            let read: Option<Vec<String>> = scopes.value.as_array().and_then(|scopes| {
                let scopes = scopes.iter().map(|scope| scope.as_str().map(str::to_owned));
                scopes.collect()
            });
            if read.is_none() {
                problems.add(
                    &scopes.path,
                    "the scopes are not a list of strings",
                    "write `[]` where none is needed",
                );
            }
            requirement.schemes.push(SchemeUse {
                scheme: scheme.to_owned(),
                scopes: read.unwrap_or_default(),
            });
        }
        requirement
    }
}

fn schemes<'a>(root: &Place<'a>, problems: &mut Problems) -> BTreeMap<&'a str, Credential> {
    let mut schemes = BTreeMap::new();
    let components = root.get("components");
    let Some(declared) = components.and_then(|c| c.get("securitySchemes")) else {
        return schemes;
    };
    for (name, scheme) in declared.members() {
        schemes.insert(name, Credential::Other);
        let Some(scheme) = Document::new(root.value).follow(scheme, problems) else {
            continue;
        };
        let text = |member| scheme.get(member).and_then(|place| place.value.as_str());
        let kind = text("type");
        let bearer = || text("scheme").is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer"));
        if matches!(kind, Some("oauth2" | "openIdConnect")) || (kind == Some("http") && bearer()) {
            schemes.insert(name, Credential::BearerToken);
        }
        if !kind.is_some_and(|kind| KINDS.contains(&kind)) {
            problems.add(
                scheme.at("type"),
                format!("`{name}` is of no known type of security scheme"),
                format!("write one of `{}`", KINDS.join("`, `")),
            );
        }
    }
    schemes
}

fn any_operation_asks(root: &Place<'_>) -> bool {
    let Some(paths) = root.get("paths") else {
        return true;
    };
    let mut nothing = Problems::default();
    let mut declared = false;
    for (_, item) in paths.members() {
        let target = Document::new(root.value).follow(item.clone(), &mut nothing);
        for item in [Some(item), target].into_iter().flatten() {
            for (method, operation) in item.members() {
                if super::operation::METHODS.contains(&method) {
                    declared = true;
                    if operation.get("security").is_some() {
                        return true;
                    }
                }
            }
        }
    }
    !declared
}

/// What a security scheme asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Credential {
    /// A token in `Authorization: Bearer` (RFC 6750 §2.1).
    BearerToken,
    /// Something else: an API key, a certificate, a password.
    Other,
}

/// OpenAPI 3.1 §4.8.27.
const KINDS: [&str; 5] = ["apiKey", "http", "mutualTLS", "oauth2", "openIdConnect"];
