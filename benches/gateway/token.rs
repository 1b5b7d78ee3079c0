//! Tokens for the bench: one RS256 key, made anew for each run, and what it signs.
//!
//! A cold row needs a token that no cache has seen, for every request. Signing costs
//! more than the request it is for, so the tokens are minted before the clock runs.

use std::thread;

use jwt_simple::prelude::{Claims, Duration, RS256KeyPair, RSAKeyPairLike};
use serde::Serialize;

use crate::Result;

/// The issuer that every configuration under test trusts (`policy.yaml` says the same).
pub(crate) const ISSUER: &str = "https://id.example.test";
/// The audience that every configuration under test is.
pub(crate) const AUDIENCE: &str = "https://api.example.test";

/// An authorization server of one key.
pub(crate) struct Issuer {
    key: RS256KeyPair,
}

impl Issuer {
    /// Makes a key of 2048 bits, the smallest that RFC 7518 §3.3 allows and the size
    /// most issuers use.
    pub(crate) fn new() -> Result<Self> {
        let key = RS256KeyPair::generate(2048).map_err(|e| format!("no RSA key: {e}"))?;
        Ok(Self {
            key: key.with_key_id("bench"),
        })
    }

    /// The public half as a JWK Set (RFC 7517 §5).
    pub(crate) fn jwks(&self) -> Result<String> {
        let mut jwk: serde_json::Value = serde_json::from_str(&self.key.public_key().to_jwk())?;
        if let Some(fields) = jwk.as_object_mut() {
            fields.insert("kid".into(), "bench".into());
            fields.insert("alg".into(), "RS256".into());
            fields.insert("use".into(), "sig".into());
        }
        Ok(serde_json::json!({ "keys": [jwk] }).to_string())
    }

    /// Signs `count` access tokens on every core there is, numbered from `first` on:
    /// no two numbers make the same token (`jti`).
    ///
    /// They stay good for a day, longer than any run, so that no verifier can refuse
    /// one for its age.
    pub(crate) fn mint(&self, first: usize, count: usize) -> Result<Vec<String>> {
        let workers = thread::available_parallelism().map_or(1, usize::from);
        let minted = thread::scope(|scope| {
            let shares: Vec<_> = (0..workers)
                .map(|worker| {
                    scope.spawn(move || {
                        (first + worker..first + count)
                            .step_by(workers)
                            .map(|serial| self.sign(serial))
                            .collect::<Result<Vec<String>>>()
                    })
                })
                .collect();
            shares
                .into_iter()
                .map(|share| share.join().map_err(|_| "a minting thread died")?)
                .collect::<Result<Vec<Vec<String>>>>()
        })?;
        Ok(minted.concat())
    }

    fn sign(&self, serial: usize) -> Result<String> {
        let claims = Claims::with_custom_claims(
            Access {
                scope: "orders:read customers:read",
                client_id: "bench-client",
            },
            Duration::from_days(1),
        )
        .with_issuer(ISSUER)
        .with_audience(AUDIENCE)
        .with_subject("bench-subject")
        .with_jwt_id(format!("{serial:032x}"));
        Ok(self
            .key
            .sign(claims)
            .map_err(|e| format!("token {serial} cannot be signed: {e}"))?)
    }
}

/// The claims beyond RFC 7519 that an access token carries (RFC 9068 §2.2).
#[derive(Serialize, serde::Deserialize)]
struct Access {
    scope: &'static str,
    client_id: &'static str,
}
