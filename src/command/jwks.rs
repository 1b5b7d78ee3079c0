//! `portcullis jwks`: the public keys of the gateway's assertions.
//!
//! Services verify what the gateway asserts with these. Envoy serves them as a fixed
//! answer, so they are there whenever the gateway is.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value, json};

use super::assemble::assemble;
use super::report;
use crate::policy::compile::hand_over::keys;
use crate::policy::plugin::Plugin;
use crate::policy::problem::{Problem, Problems};
use crate::policy::source::Environment;

/// Print the public keys of the gateway's assertions, as a JWK Set (RFC 7517).
///
/// These are the keys of the policy's `hand_over.assertion`, the one that signs first.
/// A key that the policy names by `env` must be in the environment of this command.
/// Let Envoy serve the set as a `direct_response`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  portcullis jwks policy.yaml > gateway-jwks.json")]
pub struct Jwks {
    /// The policy, or a configuration that was built from one.
    policy: PathBuf,
}

/// Runs the command.
pub fn run(args: &Jwks) -> ExitCode {
    match public_keys(&args.policy) {
        Ok(Some(set)) => {
            println!("{set:#}");
            ExitCode::SUCCESS
        }
        Ok(None) => report::bad_input(
            "the policy has no keys of the gateway's; write them under `hand_over.assertion`",
        ),
        Err(problems) => report::refused(&args.policy, &problems, false),
    }
}

fn public_keys(policy: &Path) -> Result<Option<Value>, Vec<Problem>> {
    let assembled = assemble(policy)?;
    // It was read before, so nothing can be wrong with it.
    let plugin: Option<Plugin> = serde_json::from_str(&assembled.configuration).ok();
    let hand_over = plugin.and_then(|plugin| plugin.policy.hand_over);
    let Some(assertion) = hand_over.and_then(|hand_over| hand_over.assertion) else {
        return Ok(None);
    };
    let mut problems = Problems::default();
    let variable = |name: &str| std::env::var(name).ok();
    let keys = keys(&assertion, Environment::Here(&variable), &mut problems);
    let keys = problems.into_result(keys)?;
    let public: Vec<Value> = keys.iter().flatten().map(|key| key.public_jwk()).collect();
    Ok(Some(json!({ "keys": public })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::KeySet;
    use std::fs;

    fn jwks(keys: &str) -> Result<Option<Value>, Vec<Problem>> {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write(
            "openapi.yaml",
            "openapi: 3.1.0\ninfo: { title: t, version: v }\nsecurity: []\npaths: {}\n",
        );
        // RFC 8037 appendix A.1.
        let key = json!({
            "kty": "OKP", "crv": "Ed25519", "kid": "now",
            "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        });
        write("now.json", &key.to_string());
        write("next.json", &key.to_string().replace("now", "next"));
        write("policy.yaml", &format!("openapi: openapi.yaml\n{keys}"));
        public_keys(&folder.path().join("policy.yaml"))
    }

    #[test]
    fn every_key_is_published_and_no_secret() {
        let keys = "hand_over: { assertion: { issuer: i, audiences: [a], \
                    keys: [{ file: now.json }, { file: next.json }] } }";
        let set = jwks(keys).unwrap().unwrap();
        // A set with a private key in it would be refused.
        let read = KeySet::from_json(&set).unwrap();
        let ids: Vec<_> = read.keys().iter().map(|key| key.id().unwrap()).collect();
        assert_eq!(ids, ["now", "next"]);
    }

    #[test]
    fn a_key_that_is_not_here_is_a_problem() {
        let keys = "hand_over: { assertion: { issuer: i, audiences: [a], \
                    keys: [{ env: PORTCULLIS_TEST_IS_NOT_SET }] } }";
        let found = jwks(keys).unwrap_err();
        assert_eq!(found[0].path, "policy.hand_over.assertion.keys[0]");
        assert_eq!(jwks(""), Ok(None));
    }
}
