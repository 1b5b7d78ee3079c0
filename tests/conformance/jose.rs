//! Signatures, key sets and tokens.

mod attacks;
mod cookbook;
mod envoy;
mod host;
mod vectors;
mod wycheproof;

use portcullis::jose::{Algorithm, Claims, KeySet, Signatures, TokenError, Unverified};

/// Both ways to check a signature, by name.
fn verifiers() -> [(&'static str, &'static dyn Signatures); 2] {
    [
        ("pure Rust", &portcullis::jose::PureRust),
        ("host call", &host::FakeHost),
    ]
}

/// Parses and verifies a token whose claims are not the point.
fn verify(token: &str, keys: &KeySet, signatures: &dyn Signatures) -> Result<Claims, TokenError> {
    let token = Unverified::parse(token, portcullis::jose::MAX_TOKEN_BYTES)?;
    token.verify(keys, signatures, &Algorithm::ALL)
}
