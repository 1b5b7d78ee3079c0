//! What an issuer's tokens must be like, in words.

use std::collections::BTreeSet;

use crate::policy::{Issuer, IssuerKeys, KeysPlace, Operation, Policy, Proof};

/// A sentence about each issuer whose tokens one of these operations takes.
pub(super) fn sentences(operations: &[&Operation], policy: &Policy) -> Vec<String> {
    let places: BTreeSet<usize> = operations
        .iter()
        .flat_map(|operation| &operation.access.schemes)
        .filter_map(|scheme| policy.schemes.get(*scheme))
        .flat_map(|scheme| match &scheme.proof {
            Proof::Token { issuers } => issuers.as_slice(),
            Proof::ApiKey { .. } | Proof::Certificate { .. } => &[],
        })
        .copied()
        .collect();
    let issuers = places.iter().filter_map(|place| policy.issuers.get(*place));
    issuers.map(sentence).collect()
}

fn sentence(issuer: &Issuer) -> String {
    let mut parts = vec![signed(issuer)];
    let quoted = |names: &[String]| {
        let names = names.iter().map(|name| format!("`{name}`")).collect();
        super::operation::one_of(names)
    };
    parts.push(format!("`typ` {}", quoted(&issuer.token_types)));
    parts.push(format!("for {}", quoted(&issuer.audiences)));
    if !issuer.required_claims.is_empty() {
        parts.push(format!("with `{}`", issuer.required_claims.join("`, `")));
    }
    if let Some(age) = issuer.max_age {
        parts.push(format!("at most {age:?} old"));
    }
    parts.push(format!("at most {} bytes long", issuer.max_token_bytes));
    format!("tokens of `{}`: {}", issuer.name, parts.join(", "))
}

fn signed(issuer: &Issuer) -> String {
    let names = issuer.algorithms.iter().map(ToString::to_string).collect();
    let algorithms = super::operation::one_of(names);
    match &issuer.keys {
        IssuerKeys::Fixed(_) => format!("signed by {algorithms} with keys of the policy"),
        IssuerKeys::Remote(remote) => match &remote.place {
            KeysPlace::Known(_) => {
                format!("signed by {algorithms} with keys of `{}`", remote.keys.uri)
            }
            KeysPlace::Discovered { schedule, .. } => {
                format!(
                    "signed by {algorithms} with keys that `{}` names",
                    schedule.uri
                )
            }
        },
        IssuerKeys::None => "signed or not, its server is asked about them".into(),
        IssuerKeys::Secrets(_) => "signed with a secret that the gateway has as well".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::compile::tests::{compiled, sample, sample_with_remote_keys};
    use serde_json::json;

    #[test]
    fn says_what_a_token_must_be_like() {
        let said = |document: &serde_json::Value| {
            let policy = compiled(document);
            let said = sentences(&[&policy.operations[0]], &policy);
            assert_eq!(said.len(), 1);
            said[0].clone()
        };
        assert_eq!(
            said(&sample()),
            "tokens of `id`: signed by RS256, ES256 or EdDSA with keys of the policy, \
             `typ` `at+jwt` or `JWT`, for `https://api.example`, at most 16384 bytes long"
        );
        assert!(said(&sample_with_remote_keys()).contains("keys of `https://id.example/jwks`"));
        let mut strict = sample();
        let issuer = &mut strict["policy"]["issuers"][0];
        issuer["profile"] = "at+jwt".into();
        issuer["max_age"] = "1h".into();
        issuer["keys"] = json!({ "discovery": { "cluster": "id" } });
        let strict = said(&strict);
        for words in [
            "keys that `https://id.example/.well-known/openid-configuration` names",
            "`typ` `at+jwt`, for",
            "with `sub`, `client_id`, `iat`, `jti`, at most 3600s old",
        ] {
            assert!(strict.contains(words), "{strict}");
        }
        let mut shared = sample();
        let issuer = &mut shared["policy"]["issuers"][0];
        issuer["algorithms"] = json!(["HS256"]);
        issuer["keys"] = json!({ "secret": { "values": [{ "env": "S" }] } });
        assert!(said(&shared).contains("signed with a secret that the gateway has as well"));
    }
}
