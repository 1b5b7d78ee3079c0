//! Who may call: `security` and the schemes it names.
//!
//! OpenAPI takes an absent `security` for "anybody". Silence is too easily an
//! oversight, so here it is a problem, and `security: []` says public.

use super::place::{Document, Place};
use crate::policy::api::{Credential, Location, Operation, Requirement, Scheme, SchemeUse};
use crate::policy::problem::Problems;
use std::collections::{BTreeMap, BTreeSet};

/// The document's schemes, and what holds where an operation says nothing.
pub(super) struct Security<'a> {
    /// `None`: a scheme that the gateway has no way to verify.
    schemes: BTreeMap<&'a str, Option<Credential>>,
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

    /// The schemes that these operations ask for.
    pub(super) fn used(&self, operations: &[Operation]) -> Vec<Scheme> {
        let requirements = operations.iter().flat_map(|operation| &operation.security);
        let used: BTreeSet<&str> = requirements
            .flat_map(|requirement| &requirement.schemes)
            .map(|used| used.scheme.as_str())
            .collect();
        let known = |(name, credential): (&&str, &Option<Credential>)| {
            let credential = credential.clone().filter(|_| used.contains(name))?;
            Some(Scheme {
                name: (*name).to_owned(),
                credential,
            })
        };
        self.schemes.iter().filter_map(known).collect()
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
                Some(None) => problems.add(
                    &scopes.path,
                    format!("`{scheme}` asks for a credential that the gateway does not verify"),
                    "use `oauth2`, `openIdConnect`, `http` with `bearer`, `apiKey` or `mutualTLS`",
                ),
                Some(Some(_)) => {}
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

fn schemes<'a>(root: &Place<'a>, problems: &mut Problems) -> BTreeMap<&'a str, Option<Credential>> {
    let mut schemes = BTreeMap::new();
    let components = root.get("components");
    let Some(declared) = components.and_then(|c| c.get("securitySchemes")) else {
        return schemes;
    };
    for (name, scheme) in declared.members() {
        let scheme = Document::new(root.value).follow(scheme, problems);
        let credential = scheme.and_then(|scheme| credential(name, &scheme, problems));
        schemes.insert(name, credential);
    }
    schemes
}

fn credential(name: &str, scheme: &Place<'_>, problems: &mut Problems) -> Option<Credential> {
    let text = |member| scheme.get(member).and_then(|place| place.value.as_str());
    match text("type") {
        Some("oauth2" | "openIdConnect") => Some(Credential::Token),
        Some("http") => text("scheme")
            .is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer"))
            .then_some(Credential::Token),
        Some("mutualTLS") => Some(Credential::Certificate),
        Some("apiKey") => {
            let location = match text("in") {
                Some("header") => Some(Location::Header),
                Some("query") => Some(Location::Query),
                Some("cookie") => Some(Location::Cookie),
                _ => None,
            };
            let parameter = text("name").filter(|name| !name.is_empty());
            let (Some(location), Some(parameter)) = (location, parameter) else {
                problems.add(
                    &scheme.path,
                    format!("`{name}` does not say where its key travels"),
                    "write `in: header` and the header's `name`",
                );
                return None;
            };
            Some(Credential::ApiKey {
                location,
                name: match location {
                    Location::Header => parameter.to_ascii_lowercase(),
                    _ => parameter.to_owned(),
                },
            })
        }
        _ => {
            problems.add(
                scheme.at("type"),
                format!("`{name}` is of no known type of security scheme"),
                format!("write one of `{}`", KINDS.join("`, `")),
            );
            None
        }
    }
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

/// OpenAPI 3.1 §4.8.27.
const KINDS: [&str; 5] = ["apiKey", "http", "mutualTLS", "oauth2", "openIdConnect"];
