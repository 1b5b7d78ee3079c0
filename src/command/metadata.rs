//! `portcullis metadata`: what a client may know of the API before it has a token.
//!
//! A challenge names this document (`resource_metadata`), and from it a client
//! learns which issuer to ask for which scopes (RFC 9728). Envoy serves it as a
//! fixed answer.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::assemble::assemble;
use super::report;
use crate::policy::{Policy, Proof};

/// Print the API's OAuth 2.0 Protected Resource Metadata (RFC 9728).
///
/// The policy's `resource_metadata` says where clients find it, and that address
/// says which resource it is about. Let Envoy serve it as a `direct_response`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  portcullis metadata policy.yaml > oauth-protected-resource.json"
)]
pub struct Metadata {
    /// The policy, or a configuration that was built from one.
    policy: PathBuf,
    /// The resource's identifier. Default: the one that belongs to `resource_metadata`.
    #[arg(long, value_name = "URL")]
    resource: Option<String>,
}

/// Runs the command.
pub fn run(args: &Metadata) -> ExitCode {
    let policy = match assemble(&args.policy) {
        Ok(assembled) => assembled.policy,
        Err(problems) => return report::refused(&args.policy, &problems, false),
    };
    let address = policy.resource_metadata.as_deref();
    let resource = args.resource.clone().or_else(|| resource_of(address?));
    match resource {
        Some(resource) => {
            println!("{:#}", document(&policy, &resource));
            ExitCode::SUCCESS
        }
        None => report::bad_input(&format!(
            "nothing says which resource it is; give `--resource`, or write `resource_metadata: https://api.example.com{WELL_KNOWN}` in the policy"
        )),
    }
}

/// The resource whose metadata are at this address (RFC 9728 §3.1).
fn resource_of(address: &str) -> Option<String> {
    let (origin, path) = address.split_once(WELL_KNOWN)?;
    let own = path.is_empty() || path.starts_with('/');
    (own && !origin.is_empty()).then(|| format!("{origin}{path}"))
}

/// The members of RFC 9728 §2 that follow from the policy.
fn document(policy: &Policy, resource: &str) -> Value {
    let mut issuers = BTreeSet::new();
    let mut scopes = BTreeSet::new();
    for operation in &policy.operations {
        for demand in operation.access.alternatives.iter().flatten() {
            let scheme = policy.schemes.get(demand.scheme);
            if let Some(Proof::Token { issuers: accepted }) = scheme.map(|scheme| &scheme.proof) {
                let known = accepted
                    .iter()
                    .filter_map(|place| policy.issuers.get(*place));
                issuers.extend(known.map(|issuer| issuer.issuer.as_str()));
                scopes.extend(demand.scopes.iter().map(String::as_str));
            }
        }
    }
    let mut document = json!({
        "resource": resource,
        "authorization_servers": issuers,
        "scopes_supported": scopes,
        "bearer_methods_supported": ["header"],
    });
    if let (Some(dpop), Some(members)) = (&policy.dpop, document.as_object_mut()) {
        let names: Vec<&str> = dpop.algorithms.iter().map(|one| one.name()).collect();
        members.insert("dpop_signing_alg_values_supported".into(), json!(names));
    }
    document
}

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::compile::tests::{compiled, sample};

    #[test]
    fn an_address_belongs_to_a_resource() {
        let of = |path: &str| resource_of(&format!("https://api.example{path}"));
        assert_eq!(of(WELL_KNOWN).as_deref(), Some("https://api.example"));
        assert_eq!(
            of(&format!("{WELL_KNOWN}/v1")).as_deref(),
            Some("https://api.example/v1")
        );
        assert_eq!(of("/metadata"), None);
        assert_eq!(of(&format!("{WELL_KNOWN}s")), None);
    }

    #[test]
    fn it_names_the_issuers_and_scopes_of_the_operations() {
        assert_eq!(
            document(&compiled(&sample()), "https://api.example"),
            json!({
                "resource": "https://api.example",
                "authorization_servers": ["https://id.example"],
                "scopes_supported": ["a", "b"],
                "bearer_methods_supported": ["header"],
            })
        );
    }
}
