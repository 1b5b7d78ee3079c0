//! Our own table of tokens, by both verifiers.

use std::time::Duration;

use portcullis::jose::{
    Algorithm, Expect, HmacAlgorithm, KeySet, MAX_TOKEN_BYTES, SharedSecret, Signatures,
    TokenError, Unverified,
};
use portcullis::time::Time;
use serde_json::Value;

use super::vectors::{AUDIENCE, TYPE, issuers, vectors};

/// Whom the vectors trust.
struct Trust(Vec<(String, Vec<Algorithm>, Proof)>);

enum Proof {
    Keys(KeySet),
    Secrets(Vec<SharedSecret>),
}

impl Trust {
    fn new() -> Self {
        let read = |issuer: &Value| {
            let names: Vec<&str> = issuer["algorithms"]
                .as_array()
                .unwrap()
                .iter()
                .filter_map(Value::as_str)
                .collect();
            let secret = |value: &Value| {
                let algorithm = HmacAlgorithm::named(names[0]).unwrap();
                let secret = value["inline"].as_str().unwrap();
                SharedSecret::new(None, algorithm, secret.into()).unwrap()
            };
            let proof = match issuer["keys"]["secret"]["values"].as_array() {
                Some(values) => Proof::Secrets(values.iter().map(secret).collect()),
                None => Proof::Keys(KeySet::from_json(&issuer["keys"]["inline"]).unwrap()),
            };
            let algorithms = names.iter().filter_map(|name| name.parse().ok()).collect();
            (
                issuer["issuer"].as_str().unwrap().to_owned(),
                algorithms,
                proof,
            )
        };
        Trust(issuers().iter().map(read).collect())
    }

    /// In the order in which the gateway asks: the issuer, its keys, its expectations.
    fn judge(&self, token: &str, signatures: &dyn Signatures) -> Result<(), TokenError> {
        let token = Unverified::parse(token, MAX_TOKEN_BYTES)?;
        let (issuer, algorithms, proof) = self
            .0
            .iter()
            .find(|(issuer, ..)| Some(issuer.as_str()) == token.issuer())
            .ok_or(TokenError::IssuerUnexpected)?;
        let claims = match proof {
            Proof::Keys(keys) => token.verify(keys, signatures, algorithms)?,
            Proof::Secrets(secrets) => token.verify_mac(secrets)?,
        };
        claims.check(&Expect {
            issuer,
            audiences: &[AUDIENCE.to_owned()],
            now: Time::from_millis(NOW * 1_000),
            skew: Duration::ZERO,
            types: &[TYPE.to_owned()],
            max_age: None,
            required: &[],
        })
    }
}

#[test]
fn every_token_meets_its_fate() {
    let trust = Trust::new();
    let vectors = vectors(NOW);
    let mut wrong = Vec::new();
    for (verifier, signatures) in super::verifiers() {
        for vector in &vectors {
            let fate = trust
                .judge(&vector.token, signatures)
                .map_err(TokenError::code);
            if fate != vector.fate {
                wrong.push((verifier, vector.name, fate, vector.fate));
            }
        }
    }
    println!("{} tokens by each verifier", vectors.len());
    let names: std::collections::BTreeSet<_> = vectors.iter().map(|vector| vector.name).collect();
    assert_eq!(names.len(), vectors.len(), "a name stands twice");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_bit_of_a_token_counts() {
    let trust = Trust::new();
    let vectors = vectors(NOW);
    let honest = &vectors
        .iter()
        .find(|vector| vector.name == "EdDSA")
        .unwrap()
        .token;
    assert_eq!(trust.judge(honest, &portcullis::jose::PureRust), Ok(()));
    for index in 0..honest.len() {
        for bit in 0..8 {
            let mut bytes = honest.clone().into_bytes();
            bytes[index] ^= 1 << bit;
            if let Ok(token) = String::from_utf8(bytes) {
                let fate = trust.judge(&token, &portcullis::jose::PureRust);
                assert!(fate.is_err(), "byte {index}, bit {bit}");
            }
        }
    }
}

#[test]
fn a_prefix_of_a_token_is_none() {
    let trust = Trust::new();
    let honest = &vectors(NOW)[0].token;
    for length in 0..honest.len() {
        let fate = trust.judge(&honest[..length], &portcullis::jose::PureRust);
        assert!(fate.is_err(), "{length} bytes");
    }
}

/// When the tokens are judged, in seconds since 1970.
const NOW: u64 = 1_800_000_000;
