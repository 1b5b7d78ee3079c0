//! Tokens for the bench: a key for each algorithm, made anew for each run, and what
//! it signs.
//!
//! A cold row needs a token that no cache has seen, for every request. Signing costs
//! more than the request it is for, so the tokens are minted before the clock runs.

use std::thread;

use jwt_simple::prelude::*;

use crate::Result;

/// The issuer that every configuration under test trusts (`policy.yaml` says the same).
pub(crate) const ISSUER: &str = "https://id.example.test";
/// The audience that every configuration under test is.
pub(crate) const AUDIENCE: &str = "https://api.example.test";

/// What the signatures are made by. RSA keys have 2048 bits, the least that RFC 7518
/// §3.3 allows and the size that most issuers use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Rs256,
    Ps256,
    Es256,
    EdDsa,
}

impl Algorithm {
    /// Its name in a token's header (RFC 7518 §3.1, RFC 8037 §3.1).
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }
}

/// An authorization server with one key for each algorithm.
pub(crate) struct Issuer {
    rs256: RS256KeyPair,
    ps256: PS256KeyPair,
    es256: ES256KeyPair,
    eddsa: Ed25519KeyPair,
}

impl Issuer {
    /// Makes the keys.
    pub(crate) fn new() -> Result<Self> {
        let fault = |e| format!("no RSA key: {e}");
        Ok(Self {
            rs256: RS256KeyPair::generate(2048)
                .map_err(fault)?
                .with_key_id(KEY),
            ps256: PS256KeyPair::generate(2048)
                .map_err(fault)?
                .with_key_id(KEY),
            es256: ES256KeyPair::generate().with_key_id(KEY),
            eddsa: Ed25519KeyPair::generate().with_key_id(KEY),
        })
    }

    /// The public half of one key as a JWK Set (RFC 7517 §5).
    pub(crate) fn jwks(&self, algorithm: Algorithm) -> Result<String> {
        let jwk = match algorithm {
            Algorithm::Rs256 => self.rs256.public_key().to_jwk(),
            Algorithm::Ps256 => self.ps256.public_key().to_jwk(),
            Algorithm::Es256 => self.es256.public_key().to_jwk(),
            Algorithm::EdDsa => self.eddsa.public_key().to_jwk(),
        };
        let mut jwk: serde_json::Value = serde_json::from_str(&jwk)?;
        if let Some(fields) = jwk.as_object_mut() {
            fields.insert("kid".into(), KEY.into());
            fields.insert("alg".into(), algorithm.name().into());
            fields.insert("use".into(), "sig".into());
        }
        Ok(serde_json::json!({ "keys": [jwk] }).to_string())
    }

    /// The access token of the rows that send the same again and again: number 0.
    pub(crate) fn token(&self, algorithm: Algorithm) -> Result<String> {
        self.sign(algorithm, 0)
    }

    /// Signs `count` access tokens on every core there is, numbered from `first` on:
    /// no two numbers make the same token (`jti`).
    ///
    /// They stay good for a day, longer than any run, so that no verifier can refuse
    /// one for its age.
    pub(crate) fn mint(
        &self,
        algorithm: Algorithm,
        first: usize,
        count: usize,
    ) -> Result<Vec<String>> {
        let workers = thread::available_parallelism().map_or(1, usize::from);
        let minted = thread::scope(|scope| {
            let shares: Vec<_> = (0..workers)
                .map(|worker| {
                    scope.spawn(move || {
                        (first + worker..first + count)
                            .step_by(workers)
                            .map(|serial| self.sign(algorithm, serial))
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

    fn sign(&self, algorithm: Algorithm, serial: usize) -> Result<String> {
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
        let signed = match algorithm {
            Algorithm::Rs256 => self.rs256.sign(claims),
            Algorithm::Ps256 => self.ps256.sign(claims),
            Algorithm::Es256 => self.es256.sign(claims),
            Algorithm::EdDsa => self.eddsa.sign(claims),
        };
        Ok(signed.map_err(|e| format!("token {serial} cannot be signed: {e}"))?)
    }
}

/// The claims beyond RFC 7519 that an access token carries (RFC 9068 §2.2).
#[derive(serde::Serialize, serde::Deserialize)]
struct Access {
    scope: &'static str,
    client_id: &'static str,
}

const KEY: &str = "bench";
