//! Where opaque tokens are asked about.

use crate::policy::address::Address;
use crate::policy::problem::Problems;
use crate::policy::source::{self, ClientAuth, Environment};
use crate::policy::{Introspection, ServerAuth};
use crate::stage::authn::Freshness;

pub(super) fn introspection(
    written: &source::Introspection,
    path: &str,
    environment: Environment<'_>,
    problems: &mut Problems,
) -> Option<Introspection> {
    let address = Address::parse(&written.uri);
    if address.is_none() {
        problems.add(
            format!("{path}.uri"),
            "is not an `http://` or `https://` address",
            "write it like `https://id.example.com/introspect`",
        );
    }
    if written.max_cache > written.serve_stale.unwrap_or(written.max_cache) {
        problems.add(
            format!("{path}.serve_stale"),
            "is shorter than `max_cache`",
            "make it longer, or leave it out",
        );
    }
    let client = &written.client;
    let secret = client
        .secret
        .resolve(environment, &format!("{path}.client.secret"), problems)?;
    if client.auth == ClientAuth::Bearer
        && let source::Resolved::Known(token) = &secret
        && !token.bytes().all(|byte| byte.is_ascii_graphic())
    {
        problems.add(
            format!("{path}.client.secret"),
            "is no access token, which is visible ASCII without spaces",
            "give the token alone, without `Bearer`",
        );
    }
    Some(Introspection {
        address: address?,
        cluster: written.cluster.clone(),
        client: ServerAuth {
            id: client.id.clone(),
            secret,
            auth: client.auth,
        },
        timeout: written.timeout.duration(),
        freshness: Freshness {
            active: written.max_cache.duration(),
            inactive: written.negative_cache.duration(),
            stale: written.serve_stale.map(source::Span::duration),
        },
        audience_optional: written.audience_optional,
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{compiled, complaints, sample};
    use crate::policy::{IssuerKeys, Policy};
    use serde_json::{Value, json};

    fn server() -> Value {
        json!({
            "uri": "https://id.example/introspect", "cluster": "id",
            "client": { "id": "gateway", "secret": { "inline": "s" } },
        })
    }

    fn with(change: impl Fn(&mut Value)) -> impl Fn(&mut Value) {
        move |document| {
            let mut server = server();
            change(&mut server);
            document["policy"]["issuers"][0]["introspection"] = server;
        }
    }

    #[test]
    fn an_issuer_that_is_asked_needs_no_keys() {
        let mut document = sample();
        with(|_| {})(&mut document);
        let issuer = |policy: &Policy| matches!(policy.issuers[0].keys, IssuerKeys::None);
        assert!(!issuer(&compiled(&document)));
        let members = document["policy"]["issuers"][0].as_object_mut().unwrap();
        members.remove("keys");
        assert!(issuer(&compiled(&document)));
    }

    #[test]
    fn an_issuer_needs_one_or_the_other() {
        let paths = complaints(|document| {
            let issuer = document["policy"]["issuers"][0].as_object_mut().unwrap();
            issuer.remove("keys");
        });
        assert_eq!(paths, ["policy.issuers[0].keys"]);
    }

    #[test]
    fn what_cannot_be_asked_is_a_problem() {
        let at = |member: &str| format!("policy.issuers[0].introspection.{member}");
        let paths = complaints(with(|server| server["uri"] = "id.example".into()));
        assert_eq!(paths, [at("uri")]);
        let paths = complaints(with(|server| server["serve_stale"] = "59s".into()));
        assert_eq!(paths, [at("serve_stale")]);
        let paths = complaints(with(|server| {
            server["client"]["auth"] = "bearer".into();
            server["client"]["secret"] = json!({ "inline": "Bearer x" });
        }));
        assert_eq!(paths, [at("client.secret")]);
        let paths = complaints(with(|server| {
            server["client"]["secret"] = json!({ "file": "secret.txt" });
        }));
        assert_eq!(paths, [at("client.secret")]);
    }

    #[test]
    fn an_opaque_token_has_one_server() {
        let paths = complaints(|document| {
            with(|_| {})(document);
            let mut other = document["policy"]["issuers"][0].clone();
            other["name"] = "other".into();
            other["issuer"] = "https://other.example".into();
            let issuers = document["policy"]["issuers"].as_array_mut().unwrap();
            issuers.push(other);
        });
        assert_eq!(paths, ["policy.schemes.oauth.issuers"]);
    }
}
