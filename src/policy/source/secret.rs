//! Secrets that a policy needs: named rather than written, where that is possible.

use std::fmt;

use serde::{Deserialize, Serialize};

#[cfg(not(target_family = "wasm"))]
use schemars::JsonSchema;

use crate::policy::problem::Problems;

/// A secret, and where it is.
///
/// `file` and `inline` put it into the plugin configuration, which is then as secret
/// as it is. `env` keeps it out.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Secret {
    /// A variable in the `vm_config.environment_variables` of Envoy's plugin.
    Env(String),
    /// A file, relative to the policy; `build` puts its content inline.
    File(String),
    /// The secret itself.
    Inline(String),
}

/// What is known of a secret.
#[derive(Clone, PartialEq, Eq)]
pub enum Resolved {
    /// The secret.
    Known(String),
    /// It is in the environment of a filter, and this is the command.
    Elsewhere,
}

/// Where the variables are that a policy names.
#[derive(Clone, Copy)]
pub enum Environment<'a> {
    /// Here: this is the filter.
    Here(&'a dyn Fn(&str) -> Option<String>),
    /// In a filter that may run later: this is the command.
    Elsewhere,
}

impl Secret {
    /// The secret, or a problem at `path`.
    pub fn resolve(
        &self,
        environment: Environment<'_>,
        path: &str,
        problems: &mut Problems,
    ) -> Option<Resolved> {
        let (message, hint) = match (self, environment) {
            (Secret::Inline(secret), _) => return Some(Resolved::Known(secret.clone())),
            (Secret::Env(_), Environment::Elsewhere) => return Some(Resolved::Elsewhere),
            (Secret::Env(name), Environment::Here(variable)) => match variable(name) {
                Some(secret) => return Some(Resolved::Known(secret)),
                None => (
                    format!("the variable `{name}` is not set"),
                    "set it in the `vm_config.environment_variables` of Envoy's plugin",
                ),
            },
            (Secret::File(name), _) => (
                format!("the filter cannot read `{name}`"),
                "run `portcullis build`, which puts the file inline",
            ),
        };
        problems.add(path, message, hint);
        None
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl fmt::Debug for Resolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolved")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_where_it_says_and_never_shown() {
        let mut problems = Problems::default();
        let variables = |name: &str| (name == "KEY").then(|| "s3cret".to_string());
        let here = Environment::Here(&variables);
        let known = Some(Resolved::Known("s3cret".into()));
        let inline = Secret::Inline("s3cret".into());
        let env = Secret::Env("KEY".into());
        assert!(inline.resolve(Environment::Elsewhere, "p", &mut problems) == known);
        assert!(env.resolve(here, "p", &mut problems) == known);
        let elsewhere = env.resolve(Environment::Elsewhere, "p", &mut problems);
        assert!(elsewhere == Some(Resolved::Elsewhere) && problems.is_empty());
        assert!(!format!("{inline:?} {known:?}").contains("s3cret"));
        for lost in [Secret::Env("NONE".into()), Secret::File("f".into())] {
            assert!(lost.resolve(here, "p", &mut problems).is_none());
        }
        assert_eq!(problems.into_result(()).unwrap_err().len(), 2);
    }
}
