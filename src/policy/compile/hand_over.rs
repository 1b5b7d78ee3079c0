//! What the upstream gets: its headers, and the keys of the gateway's assertion.

use super::identity;
use crate::jose::SigningKey;
use crate::policy::problem::Problems;
use crate::policy::source::{self, Environment, Resolved, Secret, Source, TokenHandOver};
use crate::policy::{Assertion, HandOver};

pub(super) fn hand_over(
    source: &Source,
    environment: Environment<'_>,
    problems: &mut Problems,
) -> HandOver {
    let Some(written) = &source.hand_over else {
        return HandOver::default();
    };
    if written.token == TokenHandOver::Replace && written.assertion.is_none() {
        problems.add(
            "policy.hand_over.token",
            "replaces the token by nothing",
            "add `policy.hand_over.assertion`, or write `remove`",
        );
    }
    let assertion = written
        .assertion
        .as_ref()
        .map(|assertion| read(assertion, written.token, source, environment, problems));
    HandOver {
        token: written.token,
        assertion,
    }
}

/// The keys of the assertion: the first signs, and the others are published as well,
/// so that those who verify know a key before it signs, and after. Those that are in
/// the environment of another process are left out.
pub fn keys(
    written: &source::Assertion,
    environment: Environment<'_>,
    problems: &mut Problems,
) -> Vec<Option<SigningKey>> {
    let mut keys: Vec<Option<SigningKey>> = Vec::new();
    for (index, secret) in written.keys.iter().enumerate() {
        let path = format!("{PATH}.keys[{index}]");
        let text = match secret.resolve(environment, &path, problems) {
            Some(Resolved::Known(text)) => text,
            Some(Resolved::Elsewhere) => {
                keys.push(None);
                continue;
            }
            None => continue,
        };
        match SigningKey::parse(&text) {
            Ok(key) if keys.iter().flatten().any(|other| other.id() == key.id()) => problems.add(
                path,
                format!("another key is called `{}` as well", key.id()),
                "give each key a `kid` of its own",
            ),
            Ok(key) => keys.push(Some(key)),
            Err(problem) => {
                let place = match (secret, problem.at.as_str()) {
                    (Secret::Env(_), _) | (_, "") => path,
                    (_, at) => format!("{path}.{at}"),
                };
                problems.add(place, problem.message, problem.hint);
            }
        }
    }
    keys
}

fn read(
    written: &source::Assertion,
    token: TokenHandOver,
    source: &Source,
    environment: Environment<'_>,
    problems: &mut Problems,
) -> Assertion {
    let default = (token != TokenHandOver::Replace).then(|| DEFAULT_HEADER.to_string());
    let header = written.header.clone().or(default);
    if let Some(name) = &header {
        let path = format!("{PATH}.header");
        identity::check_name(name, &path, problems);
        if source.identity_headers.contains_key(name) {
            problems.add(
                path,
                format!("`{name}` tells the upstream something else already"),
                "choose another name, or remove it from `policy.identity_headers`",
            );
        }
    }
    let seconds = written.lifetime.seconds();
    if !LIFETIMES.contains(&seconds) {
        problems.add(
            format!("{PATH}.lifetime"),
            format!("{} is out of range", written.lifetime),
            "write a time from `2s` to `1h`; an assertion is made anew for each need",
        );
    }
    for (index, name) in written.claims.iter().enumerate() {
        if OWN_CLAIMS.contains(&name.as_str()) {
            problems.add(
                format!("{PATH}.claims[{index}]"),
                format!("`{name}` is a claim that the gateway makes itself"),
                "remove it",
            );
        }
    }
    let mut keys = keys(written, environment, problems).into_iter();
    Assertion {
        header,
        issuer: written.issuer.clone(),
        audiences: written.audiences.clone(),
        lifetime_seconds: seconds,
        key: keys.next().flatten(),
        binds_request: written.bind,
        claims: written.claims.clone(),
    }
}

const PATH: &str = "policy.hand_over.assertion";
const DEFAULT_HEADER: &str = "x-portcullis-assertion";

/// In seconds. One that is used again has at least half of its life before it.
const LIFETIMES: std::ops::RangeInclusive<u64> = 2..=3_600;

/// What an assertion says in the gateway's own words.
const OWN_CLAIMS: [&str; 12] = [
    "iss",
    "aud",
    "sub",
    "iat",
    "nbf",
    "exp",
    "jti",
    "client_id",
    "scope",
    "req",
    "credential",
    "source",
];

#[cfg(test)]
mod tests {
    use crate::policy::compile::tests::{compiled, complaints, sample};
    use serde_json::{Value, json};

    fn private_key() -> Value {
        // RFC 8037 appendix A.1.
        json!({
            "kty": "OKP", "crv": "Ed25519", "kid": "a",
            "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        })
    }

    fn assertion() -> Value {
        json!({
            "issuer": "https://gate.example", "audiences": ["orders"],
            "keys": [{ "inline": private_key().to_string() }],
        })
    }

    fn with(assertion: Value, token: &str) -> impl FnOnce(&mut Value) {
        let token = token.to_owned();
        move |document: &mut Value| {
            document["policy"]["hand_over"] = json!({ "token": token, "assertion": assertion });
        }
    }

    fn compile(token: &str, change: impl FnOnce(&mut Value)) -> crate::policy::HandOver {
        let mut document = sample();
        let mut assertion = assertion();
        change(&mut assertion);
        with(assertion, token)(&mut document);
        compiled(&document).hand_over
    }

    #[test]
    fn an_assertion_has_a_header_unless_it_replaces_the_token() {
        let header = |hand_over: crate::policy::HandOver| hand_over.assertion.unwrap().header;
        let kept = compile("keep", |_| {});
        assert_eq!(header(kept).as_deref(), Some("x-portcullis-assertion"));
        assert_eq!(header(compile("replace", |_| {})), None);
        let both = compile("replace", |written| written["header"] = json!("x-gate"));
        assert_eq!(header(both).as_deref(), Some("x-gate"));
    }

    #[test]
    fn the_first_key_signs() {
        let hand_over = compile("keep", |written| {
            let mut next = private_key();
            next["kid"] = json!("b");
            let keys = written["keys"].as_array_mut().unwrap();
            keys.push(json!({ "inline": next.to_string() }));
        });
        assert_eq!(hand_over.assertion.unwrap().key.unwrap().id(), "a");
        let elsewhere = compile("keep", |written| {
            written["keys"] = json!([{ "env": "GATE_KEY" }]);
        });
        assert!(elsewhere.assertion.unwrap().key.is_none());
    }

    #[test]
    fn what_cannot_be_handed_over_is_a_problem() {
        let changed = |name: &str, value: Value| {
            let mut assertion = assertion();
            assertion[name] = value;
            assertion
        };
        let key = json!({ "inline": private_key().to_string() });
        let mut public = private_key();
        public.as_object_mut().unwrap().remove("d");
        for (assertion, place) in [
            (changed("header", json!("authorization")), "header"),
            (changed("header", json!("x-portcullis-subject")), "header"),
            (changed("header", json!("X Y")), "header"),
            (changed("lifetime", json!("1s")), "lifetime"),
            (changed("lifetime", json!("61m")), "lifetime"),
            (changed("claims", json!(["org", "sub"])), "claims[1]"),
            (changed("keys", json!([key, key])), "keys[1]"),
            (
                changed("keys", json!([{ "inline": public.to_string() }])),
                "keys[0].d",
            ),
            (changed("keys", json!([{ "file": "key.json" }])), "keys[0]"),
        ] {
            let found = complaints(with(assertion.clone(), "keep"));
            let place = format!("policy.hand_over.assertion.{place}");
            assert_eq!(found, [place], "{assertion}");
        }
        let found = complaints(|document| {
            document["policy"]["hand_over"] = json!({ "token": "replace" });
        });
        assert_eq!(found, ["policy.hand_over.token"]);
    }
}
