//! Who may call: the gateway decides as the plainest reading of OpenAPI would.
//!
//! Random requirements over tokens of two issuers, API keys of two sets and client
//! certificates, and random credentials that are good, bad or absent. The reference
//! below knows nothing of the gateway's stages: it is the sentence "any of these, all
//! of each" written down once more.

use std::collections::BTreeMap;

use portcullis::certificate::PeerCertificate;
use portcullis::engine::{Event, Flow, Step};
use portcullis::policy::Policy;
use portcullis::policy::plugin::{FORMAT, load};
use portcullis::policy::source::Environment;
use portcullis::store::MemoryStore;
use portcullis::trail::Trail;
use proptest::prelude::*;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::shop::{Parts, head, now};
use crate::token::{Token, published};

/// What satisfies each scheme of the document: issuers, or sets of keys in a header.
const SCHEMES: [(&str, Kind); 6] = [
    ("staff", Kind::Token(&[0])),
    ("guests", Kind::Token(&[1])),
    ("anybody", Kind::Token(&[0, 1])),
    ("partner", Kind::Key("x-key", &["partners"])),
    ("till", Kind::Key("x-till", &["tills", "partners"])),
    ("mesh", Kind::Certificate),
];

#[derive(Clone, Copy)]
enum Kind {
    Token(&'static [usize]),
    Key(&'static str, &'static [&'static str]),
    Certificate,
}

/// What a request brings. Keys are named by their sets.
#[derive(Debug, Clone)]
struct Credentials {
    token: Option<(usize, bool, Vec<&'static str>)>,
    keys: BTreeMap<&'static str, &'static str>,
    certificate: Option<bool>,
}

type Requirements = Vec<Vec<(usize, Vec<&'static str>)>>;

/// The status that the request must get.
fn reference(requirements: &Requirements, brought: &Credentials) -> u16 {
    let optional = requirements.iter().any(Vec::is_empty);
    let asked = |scheme: usize| requirements.iter().flatten().any(|(one, _)| *one == scheme);
    let mut held: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
    // Whatever is sent for a scheme that is asked for must be good for one of them.
    let mut bad = false;
    if let Some((issuer, good, scopes)) = &brought.token {
        let mut wanted = false;
        let mut accepted = false;
        for (scheme, (_, kind)) in SCHEMES.iter().enumerate() {
            if let (Kind::Token(issuers), true) = (kind, asked(scheme)) {
                wanted = true;
                if *good && issuers.contains(issuer) {
                    accepted = true;
                    held.insert(scheme, scopes.clone());
                }
            }
        }
        bad |= wanted && !accepted;
    }
    for (header, set) in &brought.keys {
        for (scheme, (_, kind)) in SCHEMES.iter().enumerate() {
            if let (Kind::Key(name, sets), true) = (kind, asked(scheme))
                && name == header
            {
                bad |= !sets.contains(set);
                held.insert(scheme, KEY_SCOPES.to_vec());
            }
        }
    }
    if brought.certificate == Some(true) {
        held.insert(5, MESH_SCOPES.to_vec());
    }
    if bad {
        return 401;
    }
    let satisfied = |requirement: &&Vec<(usize, Vec<&str>)>| {
        !requirement.is_empty()
            && requirement
                .iter()
                .all(|(scheme, _)| held.contains_key(scheme))
    };
    let met = |requirement: &Vec<(usize, Vec<&str>)>| {
        requirement.iter().all(|(scheme, scopes)| {
            held.get(scheme)
                .is_some_and(|held| scopes.iter().all(|scope| held.contains(scope)))
        })
    };
    if optional || requirements.iter().any(met) {
        200
    } else if requirements.iter().any(|one| satisfied(&one)) {
        403
    } else {
        401
    }
}

fn policy(requirements: &Requirements) -> Policy {
    let credential = |kind: &Kind| match kind {
        Kind::Token(_) => json!("token"),
        Kind::Key(name, _) => json!({ "api_key": { "in": "header", "name": name } }),
        Kind::Certificate => json!("certificate"),
    };
    let declared = SCHEMES.iter();
    let declared =
        declared.map(|(name, kind)| json!({ "name": name, "credential": credential(kind) }));
    let security = requirements.iter().map(|requirement| {
        let uses = requirement.iter();
        let uses =
            uses.map(|(scheme, scopes)| json!({ "scheme": SCHEMES[*scheme].0, "scopes": scopes }));
        uses.collect::<Vec<Value>>()
    });
    let issuer = |name: &str, key: &str| {
        json!({
            "name": name, "issuer": format!("https://{name}.example"),
            "audiences": ["https://shop.example"], "token_types": ["at+jwt"],
            "keys": { "inline": published(&[key.to_owned()]) },
        })
    };
    let key = |set: &str| {
        let hash: String = Sha256::digest(set)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        json!([{ "id": set, "scopes": KEY_SCOPES, "secrets": [{ "sha256": hash }] }])
    };
    let plugin = json!({
        "format": FORMAT,
        "policy": {
            "openapi": "openapi.yaml",
            "issuers": [issuer("staff", "ec"), issuer("guests", "ed")],
            "schemes": {
                "staff": { "issuers": ["staff"] },
                "guests": { "issuers": ["guests"] },
                "partner": { "api_keys": ["partners"] },
                "till": { "api_keys": ["tills", "partners"] },
            },
            "api_keys": { "partners": key("partners"), "tills": key("tills"), "others": key("others") },
            "certificates": [{ "name": "mesh", "match": { "dns": "mesh.example" }, "scopes": MESH_SCOPES }],
        },
        "api": {
            "title": "Anything",
            "schemes": declared.collect::<Vec<Value>>(),
            "operations": [{
                "id": "ask", "method": "GET", "path": "/ask",
                "security": security.collect::<Vec<_>>(),
            }],
        },
    });
    load(plugin.to_string().as_bytes(), Environment::Elsewhere)
        .unwrap_or_else(|problems| panic!("{problems:#?}"))
}

/// What the gateway makes of it.
fn decided(policy: &Policy, brought: &Credentials) -> u16 {
    let mut request = head("GET", b"/ask", Some("192.0.2.1"));
    let mut fields: Vec<(String, Vec<u8>)> = request
        .headers
        .iter()
        .map(|(name, value)| (name.to_owned(), value.to_vec()))
        .collect();
    if let Some((issuer, good, scopes)) = &brought.token {
        let (name, key) = [("staff", "ec"), ("guests", "ed")][*issuer];
        let mut description = json!({
            "key": key,
            "claims": { "iss": format!("https://{name}.example"), "scope": scopes.join(" ") },
        });
        if !good {
            description["forged"] = json!({ "scope": "a b c" });
        }
        let token: Token = serde_json::from_value(description).unwrap();
        let value = format!("Bearer {}", token.mint("web", now().seconds()));
        fields.push(("authorization".into(), value.into_bytes()));
    }
    for (header, set) in &brought.keys {
        fields.push(((*header).to_owned(), set.as_bytes().to_vec()));
    }
    request.headers = portcullis::request::Headers::new(fields);
    request.certificate = brought.certificate.map(|known| PeerCertificate {
        dns: vec![
            if known {
                "mesh.example"
            } else {
                "other.example"
            }
            .to_owned(),
        ],
        digest: [0; 32],
        subject: None,
        uris: Vec::new(),
    });
    let (store, parts) = (MemoryStore::default(), Parts::new(policy));
    let world = parts.world(policy, &store, now());
    let event = Event::RequestHead(request);
    match Flow::Start.step(event, &world, &mut Trail::default()).1 {
        Step::Continue(_) => 200,
        Step::Reply(denial) => denial.status(),
        other => panic!("{other:?} decides nothing"),
    }
}

fn scopes() -> impl Strategy<Value = Vec<&'static str>> {
    prop::sample::subsequence(vec!["a", "b", "c"], 0..3)
}

fn requirements() -> impl Strategy<Value = Requirements> {
    let demand = (0..SCHEMES.len(), scopes());
    let requirement = prop::collection::vec(demand, 0..4).prop_map(|mut demands| {
        demands.sort();
        demands.dedup_by_key(|(scheme, _)| *scheme);
        demands
    });
    prop::collection::vec(requirement, 1..4)
}

fn credentials() -> impl Strategy<Value = Credentials> {
    let token = prop::option::of((0..2_usize, prop::bool::weighted(0.85), scopes()));
    let set = || {
        prop::option::of(prop::sample::select(vec![
            "partners", "tills", "others", "nobody",
        ]))
    };
    let certificate = prop::option::of(any::<bool>());
    (token, set(), set(), certificate).prop_map(|(token, key, till, certificate)| Credentials {
        token,
        keys: [("x-key", key), ("x-till", till)]
            .into_iter()
            .filter_map(|(header, set)| Some((header, set?)))
            .collect(),
        certificate,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_of_these_and_all_of_each(
        requirements in requirements(),
        brought in prop::collection::vec(credentials(), 8),
    ) {
        let policy = policy(&requirements);
        for brought in brought {
            prop_assert_eq!(
                decided(&policy, &brought),
                reference(&requirements, &brought),
                "{:?} with {:?}", requirements, brought
            );
        }
    }
}

/// What a good key may do.
const KEY_SCOPES: [&str; 2] = ["a", "b"];

/// What the mesh's certificate may do.
const MESH_SCOPES: [&str; 1] = ["c"];
