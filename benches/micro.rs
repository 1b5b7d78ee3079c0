//! What the pure parts cost natively, in nanoseconds a call.
//!
//! Inside Envoy the same code runs in V8 and is slower; the whole gate is timed there
//! by the bench `gateway`. These figures show which part grew when that one did.
//! Run it with `cargo bench --bench micro`.

#[path = "gateway/clock.rs"]
mod clock;
#[path = "micro/exchange.rs"]
mod exchange;
#[path = "micro/places.rs"]
mod places;
#[path = "micro/quota.rs"]
mod quota;
#[path = "micro/rule.rs"]
mod rule;

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Duration;

use jwt_simple::prelude::{
    Claims, ECDSAP256KeyPairLike, ECDSAP384KeyPairLike, ES256KeyPair, ES384KeyPair, Ed25519KeyPair,
    EdDSAKeyPairLike, RS256KeyPair, RSAKeyPairLike,
};
use portcullis::api_key::{Hash, Keys, Secret};
use portcullis::jose::{Algorithm, KeySet, MAX_TOKEN_BYTES, PureRust, Unverified};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    // `cargo test --all-targets` runs benches too, and must not run this one.
    if !std::env::args().any(|argument| argument == "--bench") {
        println!("not run: `cargo bench --bench micro` does");
        return ExitCode::SUCCESS;
    }
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("bench: {e}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    println!(
        "{:<32} {:>12} {:>12}",
        "native, one thread", "median ns", "least ns"
    );
    api_keys()?;
    for signed in tokens()? {
        let Signed {
            algorithm,
            token,
            jwks,
        } = &signed;
        let keys = KeySet::parse(jwks.as_bytes()).map_err(|problems| format!("{problems:?}"))?;
        let verify = || {
            Unverified::parse(token, MAX_TOKEN_BYTES)
                .and_then(|token| token.verify(&keys, &PureRust, &[*algorithm]))
        };
        let name = algorithm.name();
        verify().map_err(|e| format!("the {name} token is refused: {}", e.code()))?;
        line(&format!("token, parse and verify {name}"), || {
            drop(black_box(verify()))
        });
        if *algorithm == Algorithm::Rs256 {
            line("token, parse", || {
                drop(black_box(Unverified::parse(
                    black_box(token),
                    MAX_TOKEN_BYTES,
                )));
            });
            line("key set of one, parse", || {
                drop(black_box(KeySet::parse(black_box(jwks.as_bytes()))));
            });
            large_set(jwks)?;
            exchange::lines(token, jwks, |name, call| line(name, call))?;
        }
    }
    places::lines(|name, call| line(name, call))?;
    quota::lines(|name, call| line(name, call))?;
    rule::lines(|name, call| line(name, call))
}

/// A set as large as one may be, and a look-up in it.
fn large_set(jwks: &str) -> Result<()> {
    let one: serde_json::Value = serde_json::from_str(jwks)?;
    let one = one
        .pointer("/keys/0")
        .and_then(serde_json::Value::as_object);
    let one = one.ok_or("the key set has no key")?;
    let keys: Vec<_> = (0..512)
        .map(|number| {
            let mut key = one.clone();
            let kid = format!("https://issuer.example/keys/{number:05}");
            key.insert("kid".into(), kid.into());
            key
        })
        .collect();
    let text = serde_json::json!({ "keys": keys }).to_string();
    let set = KeySet::parse(text.as_bytes()).map_err(|problems| format!("{problems:?}"))?;
    let find = |kid: &str| {
        set.candidates(Some(black_box(kid)), Algorithm::Rs256)
            .count()
    };
    line("key set of 512, parse", || {
        drop(black_box(KeySet::parse(black_box(text.as_bytes()))));
    });
    line("key set of 512, the last kid", || {
        black_box(find("https://issuer.example/keys/00511"));
    });
    line("key set of 512, no such kid", || {
        black_box(find("https://issuer.example/keys/99999"));
    });
    Ok(())
}

/// One key among many, the same with a wrong secret, and a text that is no key.
fn api_keys() -> Result<()> {
    let mut keys = Keys::default();
    for place in 0..API_KEYS {
        let secret = Secret {
            hash: Hash::of(format!("pk_partner-{place}_secret").as_bytes()),
            not_before: None,
            expires: None,
        };
        keys.add(&format!("partner-{place}"), &[secret], place)
            .map_err(|other| format!("key {place} is key {other}"))?;
    }
    let now = portcullis::time::Time::default();
    for (name, key) in [
        ("API key of 10,000, good", "pk_partner-7_secret"),
        ("API key of 10,000, wrong", "pk_partner-7_secrets"),
        ("API key of 10,000, unknown", "sesame"),
    ] {
        line(name, || {
            let _ = black_box(keys.find(black_box(key.as_bytes()), now));
        });
    }
    Ok(())
}

/// What the bench's API asks for.
#[derive(serde::Serialize)]
struct Scope {
    scope: &'static str,
}

/// A token and the key set that it was signed from.
struct Signed {
    algorithm: Algorithm,
    token: String,
    jwks: String,
}

impl Signed {
    fn new(algorithm: Algorithm, token: String, jwk: &str) -> Self {
        let jwks = format!("{{\"keys\":[{jwk}]}}");
        Self {
            algorithm,
            token,
            jwks,
        }
    }
}

fn tokens() -> Result<Vec<Signed>> {
    let claims = || {
        let day = jwt_simple::prelude::Duration::from_days(1);
        Claims::with_custom_claims(
            Scope {
                scope: "orders:read",
            },
            day,
        )
        .with_issuer("https://id.example.test")
        .with_audience("https://api.example.test")
        .with_subject("bench-subject")
    };
    let rsa = RS256KeyPair::generate(2048)?;
    let (p256, p384, ed) = (
        ES256KeyPair::generate(),
        ES384KeyPair::generate(),
        Ed25519KeyPair::generate(),
    );
    Ok(vec![
        Signed::new(
            Algorithm::Rs256,
            rsa.sign(claims())?,
            &rsa.public_key().to_jwk(),
        ),
        Signed::new(
            Algorithm::Es256,
            p256.sign(claims())?,
            &p256.public_key().to_jwk(),
        ),
        Signed::new(
            Algorithm::Es384,
            p384.sign(claims())?,
            &p384.public_key().to_jwk(),
        ),
        Signed::new(
            Algorithm::EdDsa,
            ed.sign(claims())?,
            &ed.public_key().to_jwk(),
        ),
    ])
}

/// Times `call` in batches of about 5 ms, long enough for the clock's grain, and
/// prints the median and the least of them.
fn line(name: &str, mut call: impl FnMut()) {
    let mut batch = |calls: u32| {
        let start = clock::now();
        for _ in 0..calls {
            call();
        }
        start.elapsed()
    };
    let mut calls = 1;
    while batch(calls) < Duration::from_millis(5) {
        calls *= 2;
    }
    let mut times: Vec<f64> = (0..BATCHES)
        .map(|_| batch(calls).as_secs_f64() * 1e9 / f64::from(calls))
        .collect();
    times.sort_by(f64::total_cmp);
    let median = times.get(BATCHES / 2).copied().unwrap_or_default();
    let least = times.first().copied().unwrap_or_default();
    println!("{name:<32} {median:>12.0} {least:>12.0}");
}

const BATCHES: usize = 41;

const API_KEYS: usize = 10_000;
