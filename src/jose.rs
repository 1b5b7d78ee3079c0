//! Signatures, key sets and tokens: the mechanism, without any policy.
//!
//! A bearer token arrives as text that anyone can write. Here it becomes
//! [`Claims`] that somebody signed, by one way only: [`Unverified::parse`], then
//! [`Unverified::verify`] against a [`KeySet`] (or, for the few issuers that have
//! nothing better, [`Unverified::verify_mac`] against a [`SharedSecret`]), then
//! [`Claims::check`] against what the caller expects. Each step returns a type that only it can make, so a claim
//! cannot be read before its signature was checked.
//!
//! RFCs 7515, 7517, 7518, 7519, 8037, 8725, 9068 and 9864 rule.

mod algorithm;
mod base64url;
mod claims;
mod confirmation;
mod der;
pub mod discovery;
mod error;
pub mod host_call;
mod jwk;
mod key;
mod key_set;
mod proof;
mod pure_rust;
mod secret;
mod signer;
mod thumbprint;
mod token;

pub use algorithm::{Algorithm, SignedBy, UnknownAlgorithm};
pub use claims::{Claims, Expect};
pub use confirmation::Confirmation;
pub use error::TokenError;
pub use key::Key;
pub use key_set::{Ignored, KeySet, KeySetProblem};
pub use proof::{ExpectProof, Proof, ProofError};
pub use pure_rust::PureRust;
pub use secret::{HmacAlgorithm, SecretProblem, SharedSecret};
pub use signer::SigningKey;
pub use token::{MAX_TOKEN_BYTES, Unverified};

/// What a verifier found out about one signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Verification {
    /// The holder of the private key signed exactly this message.
    Valid,
    /// They did not, or the signature is malformed.
    Invalid,
    /// This verifier cannot tell: it does not know the algorithm, or not for such a key.
    Unsupported,
}

/// Something that can check a signature: pure Rust, or the host's BoringSSL.
///
/// Implementations must answer `Invalid` rather than panic for any message and
/// signature, whose lengths and contents are the client's choice.
pub trait Signatures {
    /// Whether `signature` is `key`'s over `message` by `algorithm`.
    ///
    /// `signature` is in the form that JWS gives it (RFC 7518 §3.4: `r || s` for
    /// ECDSA). The caller has made sure that `key` [accepts](Key::accepts) `algorithm`.
    fn verify(
        &self,
        key: &Key,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Verification;
}
