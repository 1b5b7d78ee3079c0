//! The examples of RFC 7520 and RFC 8037: published keys, published signatures.
//!
//! Their payloads are prose and not claims, so they meet the verifiers and not the
//! token parser.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis::jose::{Algorithm, HmacAlgorithm, KeySet, SharedSecret, Verification};
use serde_json::{Value, json};

/// Examples that are not ours to verify, and why.
const SKIPS: [(&str, &str); 4] = [
    (
        "jws/4_5.signature_with_detached_content.json",
        "its payload is not in the token",
    ),
    (
        "jws/4_6.protecting_specific_header_fields.json",
        "not the compact serialization",
    ),
    (
        "jws/4_7.protecting_content_only.json",
        "not the compact serialization",
    ),
    (
        "jws/4_8.multiple_signatures.json",
        "not the compact serialization",
    ),
];

#[test]
fn signatures_of_the_cookbook() {
    let Some(suite) = crate::suite("jose-cookbook") else {
        return;
    };
    let mut files: Vec<_> = std::fs::read_dir(suite.join("jws"))
        .unwrap()
        .map(|entry| format!("jws/{}", entry.unwrap().file_name().display()))
        .collect();
    files.push("curve25519/jws.json".to_owned());
    let mut verified = 0;
    for file in &files {
        let skip = SKIPS.iter().find(|(name, _)| name == file);
        match (example(&suite.join(file)), skip) {
            (Ok(()), None) => verified += 1,
            (Ok(()), Some(_)) => panic!("{file} passes: take it off the list of skips"),
            (Err(_), Some((_, reason))) => println!("skipped {file}: {reason}"),
            (Err(error), None) => panic!("{file}: {error}"),
        }
    }
    println!("{verified} of {} examples verified", files.len());
    assert!(verified >= 3);
}

#[test]
fn keys_of_the_cookbook() {
    let Some(suite) = crate::suite("jose-cookbook") else {
        return;
    };
    for (file, usable) in [
        ("3_3.rsa_public_key.json", true),
        ("3_1.ec_public_key.json", true),
        ("3_2.ec_private_key.json", false),
        ("3_4.rsa_private_key.json", false),
        ("3_5.symmetric_key_mac_computation.json", false),
        ("3_6.symmetric_key_encryption.json", false),
    ] {
        let key = read(&suite.join("jwk").join(file));
        let set = KeySet::from_json(&json!({ "keys": [key] }));
        assert_eq!(set.is_ok(), usable, "{file}: {set:?}");
    }
}

fn example(path: &Path) -> Result<(), String> {
    let example = read(path);
    let algorithm = example["input"]["alg"]
        .as_str()
        .ok_or("several algorithms")?;
    let token = example["output"]["compact"].as_str().ok_or("not compact")?;
    let (message, signature) = token.rsplit_once('.').ok_or("no signature")?;
    let signature = URL_SAFE_NO_PAD
        .decode(signature)
        .map_err(|_| "not base64url")?;
    if let Some(algorithm) = HmacAlgorithm::named(algorithm) {
        let secret = example["input"]["key"]["k"].as_str().ok_or("no secret")?;
        let secret = URL_SAFE_NO_PAD
            .decode(secret)
            .map_err(|_| "not base64url")?;
        let secret = SharedSecret::new(None, algorithm, secret).map_err(|e| e.to_string())?;
        return match (
            secret.made(message.as_bytes(), &signature),
            secret.made(b"another message", &signature),
        ) {
            (true, false) => Ok(()),
            other => Err(format!("HMAC: {other:?}")),
        };
    }
    let algorithm: Algorithm = algorithm.parse().map_err(|_| "unknown algorithm")?;
    let mut key = example["input"]["key"].clone();
    for secret in ["d", "p", "q", "dp", "dq", "qi"] {
        key.as_object_mut().ok_or("no key")?.remove(secret);
    }
    let keys =
        KeySet::from_json(&json!({ "keys": [key] })).map_err(|error| format!("{error:?}"))?;
    let key = keys
        .candidates(None, algorithm)
        .next()
        .ok_or("no candidate")?;
    for (verifier, signatures) in super::verifiers() {
        let verdict = signatures.verify(key, algorithm, message.as_bytes(), &signature);
        if verdict != Verification::Valid {
            return Err(format!("{verifier}: {verdict:?}"));
        }
        let verdict = signatures.verify(key, algorithm, b"another message", &signature);
        if verdict != Verification::Invalid {
            return Err(format!("{verifier}, another message: {verdict:?}"));
        }
    }
    Ok(())
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}
