//! Whose tokens are believed, and the keys that check them.

use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::introspection;
use crate::jose::{Algorithm, HmacAlgorithm, KeySet, SecretProblem, SharedSecret, discovery};
use crate::policy::address::Address;
use crate::policy::problem::Problems;
use crate::policy::source::{
    self, Convention, Discovery, Encoding, Environment, Keys, Resolved, SharedSecrets,
};
use crate::policy::{Issuer, IssuerKeys, KeysPlace, RemoteSource};

pub(super) fn issuer(
    written: &source::Issuer,
    path: &str,
    environment: Environment<'_>,
    problems: &mut Problems,
) -> Option<Issuer> {
    let accepted = algorithms(written, &format!("{path}.algorithms"), problems);
    if written.profile.is_some() && written.token_types.is_some() {
        problems.add(
            format!("{path}.token_types"),
            "stands beside `profile`, which says what `typ` must be",
            "leave one of the two",
        );
    }
    let introspection = written.introspection.as_ref().map(|written| {
        let path = format!("{path}.introspection");
        introspection::introspection(written, &path, environment, problems)
    });
    let keys = match &written.keys {
        Some(source) => keys(
            source,
            written,
            &accepted,
            &format!("{path}.keys"),
            environment,
            problems,
        )?,
        None if introspection.is_some() => IssuerKeys::None,
        None => {
            problems.add(
                format!("{path}.keys"),
                "is missing, and so is `introspection`",
                "say where the keys are that check its tokens, or where it answers for them",
            );
            return None;
        }
    };
    Some(Issuer {
        name: written.name.clone(),
        issuer: written.issuer.clone(),
        audiences: written.audiences.clone(),
        algorithms: accepted.public,
        token_types: written.accepted_types(),
        required_claims: written.required_claims(),
        skew: written.clock_skew.duration(),
        max_age: written.max_age.map(source::Span::duration),
        max_token_bytes: usize::try_from(written.max_token_bytes).unwrap_or(usize::MAX),
        sender_constraint: written.sender_constraint,
        keys,
        introspection: introspection.flatten(),
    })
}

/// The algorithms of an issuer, by what checks them.
#[derive(Default)]
struct Accepted {
    public: Vec<Algorithm>,
    secret: Option<HmacAlgorithm>,
}

/// An issuer has public keys or a secret, and algorithms of that kind alone
/// (RFC 8725 §3.1).
fn algorithms(written: &source::Issuer, path: &str, problems: &mut Problems) -> Accepted {
    let mut accepted = Accepted::default();
    let shared = matches!(written.keys, Some(Keys::Secret(_)));
    for (index, name) in written.algorithms.iter().enumerate() {
        let path = format!("{path}[{index}]");
        match (name.parse(), HmacAlgorithm::named(name), shared) {
            (Ok(algorithm), _, false) => accepted.public.push(algorithm),
            (_, Some(algorithm), true) if accepted.secret.is_none() => {
                accepted.secret = Some(algorithm);
            }
            (_, Some(_), true) => problems.add(
                path,
                "is a second algorithm for one secret",
                "leave one: a secret is for one algorithm, as RFC 8725 §3.1 says",
            ),
            (Ok(_), _, true) => problems.add(
                path,
                format!("`{name}` needs public keys, and `keys` names a secret"),
                "write `algorithms: [HS256]`, or name the issuer's public keys",
            ),
            (_, Some(_), false) => problems.add(
                path,
                format!("`{name}` needs a secret, and `keys` names public keys"),
                "use ES256 or another algorithm with a public key, or name the secret under `keys.secret`",
            ),
            (Err(_), None, _) => problems.add(
                path,
                format!("`{name}` is not a signature algorithm with a public key"),
                "use RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512 or EdDSA",
            ),
        }
    }
    accepted
}

fn keys(
    keys: &Keys,
    written: &source::Issuer,
    accepted: &Accepted,
    path: &str,
    environment: Environment<'_>,
    problems: &mut Problems,
) -> Option<IssuerKeys> {
    match keys {
        Keys::Inline(document) => inline(document, path, problems),
        Keys::Remote(remote) => {
            let path = format!("{path}.remote.uri");
            let hint = "write it like `https://id.example.com/jwks`";
            Some(IssuerKeys::Remote(Box::new(RemoteSource {
                place: KeysPlace::Known(address(&remote.uri, &path, hint, problems)?),
                keys: remote.clone(),
            })))
        }
        Keys::Discovery(discovery) => {
            discovered(written, discovery, &format!("{path}.discovery"), problems)
        }
        Keys::Secret(secret) => {
            let path = format!("{path}.secret.values");
            secrets(secret, accepted.secret?, &path, environment, problems)
        }
        Keys::File(name) => {
            problems.add(
                format!("{path}.file"),
                format!("the filter cannot read `{name}`"),
                "run `portcullis build`, which puts the file inline",
            );
            None
        }
    }
}

fn inline(
    document: &serde_json::Map<String, Value>,
    path: &str,
    problems: &mut Problems,
) -> Option<IssuerKeys> {
    match KeySet::from_json(&Value::Object(document.clone())) {
        Ok(keys) => Some(IssuerKeys::Fixed(Rc::new(keys))),
        Err(found) => {
            for problem in found {
                let dot = if problem.at.is_empty() { "" } else { "." };
                problems.add(
                    format!("{path}.inline{dot}{}", problem.at),
                    problem.message,
                    problem.hint,
                );
            }
            None
        }
    }
}

fn discovered(
    written: &source::Issuer,
    discovery: &Discovery,
    path: &str,
    problems: &mut Problems,
) -> Option<IssuerKeys> {
    let uri = match (&discovery.uri, discovery.metadata) {
        (Some(uri), _) => Some(uri.clone()),
        (None, Convention::Openid) => discovery::openid_configuration(&written.issuer),
        (None, Convention::Oauth) => discovery::oauth_authorization_server(&written.issuer),
    };
    let path = format!("{path}.uri");
    let hint = "write it like `https://id.example.com/.well-known/openid-configuration`; by \
                default it follows from `issuer`, if that is an address";
    let uri = uri.unwrap_or_default();
    Some(IssuerKeys::Remote(Box::new(RemoteSource {
        place: KeysPlace::Discovered {
            address: address(&uri, &path, hint, problems)?,
            schedule: discovery.schedule(&uri),
        },
        keys: discovery.keys(),
    })))
}

fn address(uri: &str, path: &str, hint: &str, problems: &mut Problems) -> Option<Address> {
    let address = Address::parse(uri);
    if address.is_none() {
        problems.add(path, "is not an `http://` or `https://` address", hint);
    }
    address
}

fn secrets(
    written: &SharedSecrets,
    algorithm: HmacAlgorithm,
    path: &str,
    environment: Environment<'_>,
    problems: &mut Problems,
) -> Option<IssuerKeys> {
    let mut secrets = Vec::new();
    for (index, value) in written.values.iter().enumerate() {
        let path = format!("{path}[{index}]");
        let text = match value.resolve(environment, &path, problems)? {
            Resolved::Known(text) => text,
            Resolved::Elsewhere => continue,
        };
        let bytes = match written.encoding {
            Encoding::Text => Some(text.into_bytes()),
            Encoding::Base64url => URL_SAFE_NO_PAD.decode(text).ok(),
        };
        let Some(bytes) = bytes else {
            problems.add(
                path,
                "is not base64url without padding",
                "encode it as RFC 7518 §6.4.1 says, or leave out `encoding: base64url`",
            );
            continue;
        };
        match SharedSecret::new(None, algorithm, bytes) {
            Ok(secret) => secrets.push(secret),
            Err(problem) => problems.add(path, problem.to_string(), mend(problem)),
        }
    }
    Some(IssuerKeys::Secrets(secrets))
}

fn mend(problem: SecretProblem) -> &'static str {
    match problem {
        SecretProblem::TooShort { .. } => {
            "make one with `openssl rand -base64 64`, and give it to the issuer as well"
        }
        SecretProblem::LooksLikeKey => {
            "name public keys under `keys.file` or `keys.inline`, with an algorithm for them"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::compile::tests::{compiled, complaints, sample};
    use crate::policy::plugin::load;
    use serde_json::json;

    const SECRET: &str = "eW91IHNoYWxsIG5vdCBwYXNzLCB1bmxlc3MgeW91IGtub3c";

    fn with(change: &Value) -> Value {
        let mut sample = sample();
        let issuer = sample["policy"]["issuers"][0].as_object_mut().unwrap();
        issuer.extend(change.as_object().unwrap().clone());
        sample
    }

    fn refused(change: &Value) -> Vec<String> {
        complaints(|sample| *sample = with(change))
    }

    fn secret(value: &Value) -> Value {
        json!({ "algorithms": ["HS256"], "keys": { "secret": { "values": [value] } } })
    }

    #[test]
    fn an_issuer_has_public_keys_or_a_secret_and_algorithms_to_match() {
        let shared = json!({ "secret": { "values": [{ "inline": SECRET }] } });
        for (change, at) in [
            (json!({ "algorithms": ["HS256"] }), "algorithms[0]"),
            (json!({ "algorithms": ["ES256", "HS512"] }), "algorithms[1]"),
            (json!({ "algorithms": ["none"] }), "algorithms[0]"),
            (
                json!({ "algorithms": ["ES256"], "keys": shared }),
                "algorithms[0]",
            ),
            (
                json!({ "algorithms": ["HS256", "ES256"], "keys": shared }),
                "algorithms[1]",
            ),
            (
                json!({ "algorithms": ["HS256", "HS256"], "keys": shared }),
                "algorithms[1]",
            ),
        ] {
            let path = format!("policy.issuers[0].{at}");
            assert_eq!(refused(&change), [path], "{change}");
        }
        // The default algorithms are for public keys.
        assert_eq!(refused(&json!({ "keys": shared })).len(), 3);
        let issuers = compiled(&with(&secret(&json!({ "inline": SECRET })))).issuers;
        assert!(issuers[0].algorithms.is_empty());
        assert!(matches!(&issuers[0].keys, IssuerKeys::Secrets(one) if one.len() == 1));
    }

    #[test]
    fn a_secret_is_long_secret_and_written_as_it_says() {
        let at = ["policy.issuers[0].keys.secret.values[0]"];
        for value in [
            "too short",
            "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZI",
            r#"{"kty":"EC","crv":"P-256","x":"a","y":"b"}"#,
        ] {
            assert_eq!(refused(&secret(&json!({ "inline": value }))), at, "{value}");
        }
        let encoded = |text: &str| {
            let mut change = secret(&json!({ "inline": text }));
            change["keys"]["secret"]["encoding"] = "base64url".into();
            change
        };
        assert_eq!(refused(&encoded(&format!("{SECRET}="))), at);
        compiled(&with(&encoded(SECRET)));
        let problems = load(
            with(&secret(&json!({ "inline": "hunter2" })))
                .to_string()
                .as_bytes(),
            Environment::Elsewhere,
        )
        .unwrap_err();
        assert!(!problems[0].to_string().contains("hunter2"), "{problems:?}");
    }

    #[test]
    fn a_secret_of_the_environment_is_known_where_the_environment_is() {
        let document = with(&secret(&json!({ "env": "SECRET" }))).to_string();
        let count = |environment| {
            let policy = load(document.as_bytes(), environment).unwrap();
            match &policy.issuers[0].keys {
                IssuerKeys::Secrets(secrets) => secrets.len(),
                other => panic!("{other:?}"),
            }
        };
        let variables = |name: &str| (name == "SECRET").then(|| SECRET.to_owned());
        assert_eq!(count(Environment::Elsewhere), 0);
        assert_eq!(count(Environment::Here(&variables)), 1);
        let unset = load(document.as_bytes(), Environment::Here(&|_| None));
        assert!(unset.is_err());
    }

    #[test]
    fn metadata_are_where_the_convention_says() {
        let uri = |more: &Value| {
            let mut keys = json!({ "cluster": "id" });
            keys.as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
            let policy = compiled(&with(&json!({ "keys": { "discovery": keys } })));
            match &policy.issuers[0].keys {
                IssuerKeys::Remote(source) => match &source.place {
                    KeysPlace::Discovered { schedule, .. } => schedule.uri.clone(),
                    KeysPlace::Known(_) => String::new(),
                },
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(
            uri(&json!({})),
            "https://id.example/.well-known/openid-configuration"
        );
        assert_eq!(
            uri(&json!({ "metadata": "oauth" })),
            "https://id.example/.well-known/oauth-authorization-server"
        );
        assert_eq!(uri(&json!({ "uri": "http://x/y" })), "http://x/y");
        let path = ["policy.issuers[0].keys.discovery.uri"];
        let keys = json!({ "discovery": { "cluster": "id", "uri": "id.example" } });
        assert_eq!(refused(&json!({ "keys": keys })), path);
        let keys = json!({ "discovery": { "cluster": "id" } });
        assert_eq!(refused(&json!({ "keys": keys, "issuer": "urn:id" })), path);
    }

    #[test]
    fn a_profile_says_what_a_token_must_be() {
        let issuers = compiled(&with(&json!({ "profile": "at+jwt", "max_age": "1h" }))).issuers;
        assert_eq!(issuers[0].token_types, ["at+jwt"]);
        assert_eq!(
            issuers[0].required_claims,
            ["sub", "client_id", "iat", "jti"]
        );
        let both = json!({ "profile": "at+jwt", "token_types": ["JWT"] });
        assert_eq!(refused(&both), ["policy.issuers[0].token_types"]);
        let strange = json!({ "max_token_bytes": 100_000 });
        assert_eq!(refused(&strange), ["policy.issuers[0].max_token_bytes"]);
    }
}
