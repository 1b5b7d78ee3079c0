//! Our own table of tokens, by both verifiers.

use std::time::Duration;

use portcullis::jose::{Expect, KeySet, Signatures, TokenError};
use portcullis::time::Time;

use super::vectors::{AUDIENCE, ISSUER, TYPE, keys, vectors};

fn judge(token: &str, keys: &KeySet, signatures: &dyn Signatures) -> Result<(), TokenError> {
    super::verify(token, keys, signatures)?.check(&Expect {
        issuer: ISSUER,
        audiences: &[AUDIENCE.to_owned()],
        now: Time::from_millis(NOW * 1_000),
        skew: Duration::ZERO,
        types: &[TYPE.to_owned()],
        max_age: None,
        required: &[],
    })
}

#[test]
fn every_token_meets_its_fate() {
    let keys = KeySet::from_json(&keys()).unwrap();
    let vectors = vectors(NOW);
    let mut wrong = Vec::new();
    for (verifier, signatures) in super::verifiers() {
        for vector in &vectors {
            let fate = judge(&vector.token, &keys, signatures).map_err(TokenError::code);
            if fate != vector.fate {
                wrong.push((verifier, vector.name, fate, vector.fate));
            }
        }
    }
    println!("{} tokens by each verifier", vectors.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_bit_of_a_token_counts() {
    let keys = KeySet::from_json(&keys()).unwrap();
    let vectors = vectors(NOW);
    let honest = &vectors
        .iter()
        .find(|vector| vector.name == "EdDSA")
        .unwrap()
        .token;
    assert_eq!(judge(honest, &keys, &portcullis::jose::PureRust), Ok(()));
    for index in 0..honest.len() {
        for bit in 0..8 {
            let mut bytes = honest.clone().into_bytes();
            bytes[index] ^= 1 << bit;
            if let Ok(token) = String::from_utf8(bytes) {
                let fate = judge(&token, &keys, &portcullis::jose::PureRust);
                assert!(fate.is_err(), "byte {index}, bit {bit}");
            }
        }
    }
}

#[test]
fn a_prefix_of_a_token_is_none() {
    let keys = KeySet::from_json(&keys()).unwrap();
    let honest = &vectors(NOW)[0].token;
    for length in 0..honest.len() {
        let fate = judge(&honest[..length], &keys, &portcullis::jose::PureRust);
        assert!(fate.is_err(), "{length} bytes");
    }
}

/// When the tokens are judged, in seconds since 1970.
const NOW: u64 = 1_800_000_000;
