//! The shop of `tests/cases`, compiled once a test, and requests to it.

use std::cell::RefCell;
use std::fs;
use std::path::Path;

use portcullis::command::assemble::{assemble, read_document};
use portcullis::engine::World;
use portcullis::jose::{KeySet, PureRust};
use portcullis::policy::Policy;
use portcullis::request::{Headers, RequestHead};
use portcullis::stage::authn::cache::TokenCache;
use portcullis::stage::authn::keys::KeyRing;
use portcullis::stage::authn::opaque::Told;
use portcullis::stage::authn::revocations::Revocations;
use portcullis::stage::hygiene::{self, Screened};
use portcullis::store::Store;
use portcullis::time::Time;
use portcullis::trail::Trail;
use serde_json::{Value, json};

use crate::token::{Token, published};

/// The policy of the cases, with other members.
pub(crate) fn policy(change: impl FnOnce(&mut Value)) -> Policy {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut policy = read_document(&cases.join("policy.yaml"), "policy").unwrap();
    policy["issuers"][0]["keys"]["inline"] = published(&["ec".to_owned()]);
    change(&mut policy);
    let folder = tempfile::tempdir().unwrap();
    fs::copy(
        cases.join("openapi.yaml"),
        folder.path().join("openapi.yaml"),
    )
    .unwrap();
    let file = folder.path().join("policy.yaml");
    fs::write(&file, policy.to_string()).unwrap();
    match assemble(&file) {
        Ok(assembled) => assembled.policy,
        Err(problems) => panic!("{problems:#?}"),
    }
}

/// The same with an issuer whose keys must be fetched.
pub(crate) fn remote_policy() -> Policy {
    policy(|policy| {
        policy["issuers"][0]["keys"] =
            json!({ "remote": { "uri": "http://id.example/jwks", "cluster": "id" } });
    })
}

/// The keys that the issuer publishes.
pub(crate) fn keys() -> KeySet {
    KeySet::from_json(&published(&["ec".to_owned()])).unwrap()
}

/// A token by its description (see `tests/cases`).
pub(crate) fn token(description: Value) -> String {
    let token: Token = serde_json::from_value(description).unwrap();
    token.mint("web", now().seconds())
}

/// A request's head.
pub(crate) fn head(method: &str, path: &[u8], address: Option<&str>) -> RequestHead {
    RequestHead {
        headers: Headers::new(vec![
            (":method".into(), method.as_bytes().to_vec()),
            (":path".into(), path.to_vec()),
        ]),
        address: address.map(|text| text.parse().unwrap()),
        end_of_stream: true,
        certificate: None,
    }
}

/// What a request to this path is taken for, if it has one reading.
pub(crate) fn screened(path: &[u8], address: &str, policy: &Policy) -> Option<Screened> {
    let head = head("GET", path, Some(address));
    hygiene::screen(head, policy, &mut Trail::default()).ok()
}

/// Everything a decision may look at. The store is the caller's.
pub(crate) struct Parts {
    pub(crate) keys: KeyRing,
    tokens: RefCell<TokenCache>,
    told: RefCell<Told>,
    revocations: RefCell<Revocations>,
}

impl Parts {
    pub(crate) fn new(policy: &Policy) -> Self {
        Parts {
            keys: KeyRing::new(policy),
            tokens: RefCell::default(),
            told: RefCell::default(),
            revocations: RefCell::new(Revocations::new(policy)),
        }
    }

    pub(crate) fn world<'a>(
        &'a self,
        policy: &'a Policy,
        store: &'a dyn Store,
        now: Time,
    ) -> World<'a> {
        World {
            policy,
            keys: &self.keys,
            tokens: &self.tokens,
            told: &self.told,
            revocations: &self.revocations,
            store,
            signatures: &PureRust,
            secret: &[7; 32],
            now,
        }
    }
}

/// 2026-11-22T00:00:00Z.
pub(crate) fn now() -> Time {
    Time::from_millis(1_795_305_600_000)
}
