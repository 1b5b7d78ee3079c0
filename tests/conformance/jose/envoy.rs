//! The tokens and key sets of the library inside Envoy's own `jwt_authn`.
//!
//! Where that library and ours differ, ours is the stricter, and the table says why.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis::jose::{
    Algorithm, Claims, HmacAlgorithm, Key, KeySet, MAX_TOKEN_BYTES, PureRust, SharedSecret,
    Signatures, TokenError, Unverified, Verification,
};
use serde_json::{Value, json};

use super::verify;

/// Cases that Envoy's library accepts and ours does not, and why.
const SKIPS: &[(&str, &str)] = &[
    ("VerifyPKCSTestRs256.OKPem", PEM),
    ("VerifyPKCSTestES384.OKPem", PEM),
    ("VerifyPKCSTestES512.OKPem", PEM),
    ("VerifyPKCSTestES384.ES384CurveUnspecifiedOK", PEM),
    ("VerifyPEMTestOKP.VerifyOK", PEM),
    ("VerifyPKCSTestRs384.OKPem", PEM),
    ("VerifyPKCSTestRs512.OKPem", PEM),
    ("goodPEMRSA", PEM),
    ("goodPEMEC", PEM),
    ("goodPEMEd25519", PEM),
    ("CreateFromPemPopulatesExpectedFields", PEM),
    ("addKeyFromPemSuccess", PEM),
    ("addKeyFromPemError", PEM),
    (
        "VerifyX509Test.NoKidToken",
        "keys come as a JWK Set, not as a map of certificates",
    ),
    ("GoodOKP", POINT),
    ("JwksIgnoreUnsupportedKey", POINT),
    ("JwksIgnoreUnsupportedKeyInMiddle", POINT),
    ("JwksECMissingBothAlgCrvES256", CURVE),
    ("JwksECUnspecifiedCrv", CURVE),
    ("JwkECMissingCrv", CURVE),
];

const PEM: &str = "keys come as a JWK Set, not as PEM";
const CURVE: &str = "`crv` is missing, which RFC 7518 §6.2.1.1 demands";
const POINT: &str = "its Ed25519 key is 32 bytes that are no point, so it could never verify";

#[test]
fn tokens() {
    let Some(suite) = crate::suite("jose-envoy-jwt_verify_lib") else {
        return;
    };
    let vectors = std::fs::read(suite.join("token_vectors.json")).unwrap();
    let vectors: Vec<Value> = serde_json::from_slice(&vectors).unwrap();
    let mut tally = Tally::default();
    for vector in &vectors {
        let id = vector["id"].as_str().unwrap();
        if vector["usable_as_is"] != true {
            tally.incomplete += 1;
            continue;
        }
        let token = vector["token"].as_str().unwrap();
        let outcome = if vector["stage"] == "parse" {
            verify(token, &any_keys(), &Believes).map_err(|error| error.to_string())
        } else {
            Trusted::read(vector["jwks"].as_str().unwrap()).and_then(|trusted| {
                let claims = trusted.verify(token);
                if claims.is_ok() && vector["also_all_1bit_signature_flips_must_fail"] == true {
                    flip_every_bit_of_the_signature(token, &trusted);
                }
                claims.map_err(|error| error.to_string())
            })
        };
        tally.count(id, vector["expected"] == "Ok", outcome.map(drop));
    }
    tally.close("tokens", vectors.len());
}

#[test]
fn key_sets() {
    let Some(suite) = crate::suite("jose-envoy-jwt_verify_lib") else {
        return;
    };
    let cases: Value =
        serde_json::from_slice(&std::fs::read(suite.join("cases.json")).unwrap()).unwrap();
    let cases = cases["cases"].as_array().unwrap();
    let cases: Vec<_> = cases
        .iter()
        .filter(|case| case["file"] == "test/jwks_test.cc")
        .collect();
    let mut tally = Tally::default();
    for case in &cases {
        let text = ["jwks_text", "BadPublicKeyRSA", "pem_text"]
            .iter()
            .find_map(|name| case["locals"][name]["value"].as_str());
        let Some(text) = text else {
            tally.incomplete += 1;
            continue;
        };
        let set = KeySet::parse(text.as_bytes());
        let outcome = set.map(drop).map_err(|problems| format!("{problems:?}"));
        let id = case["test"].as_str().unwrap();
        tally.count(id, case["expectations"][0][1] == "Ok", outcome);
    }
    tally.close("key sets", cases.len());
}

#[derive(Default)]
struct Tally {
    passed: usize,
    skipped: usize,
    incomplete: usize,
    wrong: Vec<String>,
}

impl Tally {
    fn count(&mut self, id: &str, good: bool, outcome: Result<(), String>) {
        let skip = SKIPS.iter().find(|(name, _)| *name == id);
        match (outcome, good, skip) {
            (Ok(()), true, None) | (Err(_), false, _) => self.passed += 1,
            (Err(_), true, Some((_, reason))) => {
                println!("skipped {id}: {reason}");
                self.skipped += 1;
            }
            (Ok(()), true, Some(_)) => self.wrong.push(format!("{id} passes: not a skip")),
            (Ok(()), false, _) => self.wrong.push(format!("{id} was accepted")),
            (Err(error), true, None) => self.wrong.push(format!("{id}: {error}")),
        }
    }

    fn close(self, what: &str, all: usize) {
        println!(
            "{what}: {} passed, {} skipped, {} not whole in the suite, of {all}",
            self.passed, self.skipped, self.incomplete
        );
        assert!(
            self.passed > 0 && self.wrong.is_empty(),
            "{:#?}",
            self.wrong
        );
    }
}

/// What a vector trusts. Its sets hold public keys or shared secrets, and ours is a
/// set for the former alone: secrets are configured one by one.
enum Trusted {
    Keys(KeySet),
    Secrets(Vec<SharedSecret>),
}

impl Trusted {
    fn read(jwks: &str) -> Result<Self, String> {
        // The suite's sets of secrets end in a comma, which is no JSON.
        let mended = jwks
            .split_whitespace()
            .collect::<String>()
            .replace(",]", "]");
        let set: Value = serde_json::from_str(&mended).unwrap_or_default();
        let keys = set["keys"].as_array().map_or(&[][..], Vec::as_slice);
        if !keys.is_empty() && keys.iter().all(|key| key["kty"] == "oct") {
            return Ok(Self::Secrets(keys.iter().map(secret).collect()));
        }
        KeySet::parse(jwks.as_bytes())
            .map(Self::Keys)
            .map_err(|problems| problems.iter().map(|p| format!("{p} ")).collect())
    }

    fn verify(&self, token: &str) -> Result<Claims, TokenError> {
        match self {
            Self::Keys(keys) => verify(token, keys, &PureRust),
            Self::Secrets(secrets) => {
                Unverified::parse(token, MAX_TOKEN_BYTES)?.verify_mac(secrets)
            }
        }
    }
}

fn secret(key: &Value) -> SharedSecret {
    let algorithm = HmacAlgorithm::named(key["alg"].as_str().unwrap()).unwrap();
    let secret = URL_SAFE_NO_PAD.decode(key["k"].as_str().unwrap()).unwrap();
    SharedSecret::new(key["kid"].as_str().map(String::from), algorithm, secret).unwrap()
}

fn flip_every_bit_of_the_signature(token: &str, trusted: &Trusted) {
    let (input, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    for bit in 0..signature.len() * 8 {
        let mut signature = signature.clone();
        signature[bit / 8] ^= 1 << (bit % 8);
        let token = format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature));
        assert!(trusted.verify(&token).is_err(), "bit {bit}");
    }
}

/// For cases about what comes before a signature: every signature is good.
struct Believes;

impl Signatures for Believes {
    fn verify(&self, _: &Key, _: Algorithm, _: &[u8], _: &[u8]) -> Verification {
        Verification::Valid
    }
}

fn any_keys() -> KeySet {
    let modulus = URL_SAFE_NO_PAD.encode([0xff; 256]);
    KeySet::from_json(&json!({ "keys": [{ "kty": "RSA", "n": modulus, "e": "AQAB" }] })).unwrap()
}
