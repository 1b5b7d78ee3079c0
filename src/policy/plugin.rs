//! The one JSON document that Envoy carries to the filter.
//!
//! `portcullis build` writes it: the policy as it was written, with files put
//! inline, the compiled API and the model. The filter believes nothing in it
//! unread: structure and meaning are checked again, with the same words.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::api::Api;
use super::problem::{Problem, Problems};
use super::rule::PreparedRule;
use super::source::{Environment, Source};
use super::{Policy, compile, structure};
use crate::rule::Expression;

/// Plugin configuration, as written.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plugin {
    /// [`FORMAT`].
    pub format: String,
    /// The policy, without references to files.
    pub policy: Source,
    /// The compiled API.
    pub api: Api,
    /// The rules of the policy, read and checked.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rules: BTreeMap<String, PreparedRule>,
    /// The expressions by which limits count, read and checked, by their texts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub keys: BTreeMap<String, Expression>,
    /// The model file's content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Value>,
}

/// Reads and compiles a plugin configuration. Secrets that it only names are in
/// the `environment`.
///
/// # Errors
/// Every problem that was found. When the structure is wrong, the meaning is not
/// looked at.
pub fn load(configuration: &[u8], environment: Environment<'_>) -> Result<Policy, Vec<Problem>> {
    let mut problems = Problems::default();
    let document: Map<String, Value> = match serde_json::from_slice(configuration) {
        Ok(document) => document,
        Err(error) => {
            return Err(vec![Problem {
                path: "plugin".into(),
                message: format!("is not a JSON object: {error}"),
                hint: BUILD_IT.into(),
            }]);
        }
    };
    if document.get("format").and_then(Value::as_str) != Some(FORMAT) {
        problems.add("format", format!("is not `{FORMAT}`"), BUILD_IT);
    }
    match document.get("policy") {
        Some(policy) => structure::check(policy, "policy", &mut problems),
        None => problems.add("policy", "is missing", BUILD_IT),
    }
    problems.into_result(())?;
    let plugin: Plugin = serde_json::from_value(Value::Object(document)).map_err(|error| {
        vec![Problem {
            path: "plugin".into(),
            message: error.to_string(),
            hint: BUILD_IT.into(),
        }]
    })?;
    compile::compile(plugin, fingerprint(configuration), environment)
}

/// The first 16 hex digits of the SHA-256.
pub fn fingerprint(configuration: &[u8]) -> String {
    Sha256::digest(configuration)
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The version of this format.
pub const FORMAT: &str = "portcullis-plugin/1";

const BUILD_IT: &str = "write it with `portcullis build`";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::compile::tests::sample;
    use serde_json::json;

    fn complaints(document: &str) -> Vec<String> {
        let problems = load(document.as_bytes(), Environment::Elsewhere).unwrap_err();
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_build_did_not_write_is_refused_with_the_way_to_write_it() {
        for (document, path) in [
            ("", "plugin: "),
            ("[]", "plugin: "),
            ("{\"format\":", "plugin: "),
            ("openapi: openapi.yaml", "plugin: "),
        ] {
            let found = complaints(document);
            assert!(
                found[0].starts_with(path) && found[0].ends_with(BUILD_IT),
                "{found:?}"
            );
        }
        let mut old = sample();
        old["format"] = "portcullis-plugin/0".into();
        assert!(complaints(&old.to_string())[0].starts_with("format: "));
        let found = complaints("{}");
        assert_eq!(found.len(), 2, "{found:?}");
    }

    #[test]
    fn a_member_that_the_filter_would_ignore_is_refused() {
        let mut outside = sample();
        outside["stages"] = json!({ "hygiene": "observe" });
        assert!(complaints(&outside.to_string())[0].contains("`stages`"));
        let mut inside = sample();
        inside["api"]["operations"][0]["public"] = true.into();
        assert!(complaints(&inside.to_string())[0].contains("`public`"));
        let mut policy = sample();
        policy["policy"]["stage"] = json!({});
        assert!(complaints(&policy.to_string())[0].starts_with("policy.stage: "));
    }

    #[test]
    fn the_fingerprint_is_the_beginning_of_the_digest() {
        // FIPS 180-4's example.
        assert_eq!(fingerprint(b"abc"), "ba7816bf8f01cfea");
        let text = sample().to_string();
        assert_eq!(
            load(text.as_bytes(), Environment::Elsewhere)
                .unwrap()
                .fingerprint,
            fingerprint(text.as_bytes())
        );
    }
}
