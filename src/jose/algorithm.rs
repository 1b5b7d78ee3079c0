//! The signature algorithms that a token may name.
//!
//! Only asymmetric ones are an [`Algorithm`]. `none` cannot be spelt at all and the
//! HMAC family not in this type, so the two classic confusions (no signature, and a
//! public key taken for a shared secret) have nothing to confuse (RFC 8725 §2.1).

use std::fmt;
use std::str::FromStr;

use super::HmacAlgorithm;

/// An asymmetric JWS algorithm (RFC 7518 §3.1, RFC 8037 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256, the salt as long as the hash.
    Ps256,
    /// RSASSA-PSS with SHA-384, the salt as long as the hash.
    Ps384,
    /// RSASSA-PSS with SHA-512, the salt as long as the hash.
    Ps512,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// ECDSA on P-521 with SHA-512.
    Es512,
    /// Ed25519, whether a token says `EdDSA` or, by RFC 9864 §2.2, `Ed25519`.
    EdDsa,
}

impl Algorithm {
    /// Every algorithm, for help texts and defaults.
    pub const ALL: [Algorithm; 10] = [
        Algorithm::Rs256,
        Algorithm::Rs384,
        Algorithm::Rs512,
        Algorithm::Ps256,
        Algorithm::Ps384,
        Algorithm::Ps512,
        Algorithm::Es256,
        Algorithm::Es384,
        Algorithm::Es512,
        Algorithm::EdDsa,
    ];

    /// The name in the IANA registry of JSON Web Signature algorithms.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Rs256 => "RS256",
            Algorithm::Rs384 => "RS384",
            Algorithm::Rs512 => "RS512",
            Algorithm::Ps256 => "PS256",
            Algorithm::Ps384 => "PS384",
            Algorithm::Ps512 => "PS512",
            Algorithm::Es256 => "ES256",
            Algorithm::Es384 => "ES384",
            Algorithm::Es512 => "ES512",
            Algorithm::EdDsa => "EdDSA",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// By what a token says it was signed: its `alg`, before anyone looks for a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignedBy {
    /// By a private key, so that a public one checks it.
    KeyPair(Algorithm),
    /// By a secret that whoever checks it has as well.
    Secret(HmacAlgorithm),
}

impl SignedBy {
    /// What `alg` names, if it is known here (RFC 7515 §4.1.1).
    pub(super) fn named(name: &str) -> Option<Self> {
        let hmac = || HmacAlgorithm::named(name).map(SignedBy::Secret);
        name.parse().map(SignedBy::KeyPair).ok().or_else(hmac)
    }
}

/// The name is not that of an [`Algorithm`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownAlgorithm;

impl fmt::Display for UnknownAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a signature algorithm that is known here; known are")?;
        for (index, algorithm) in Algorithm::ALL.into_iter().enumerate() {
            let separator = if index == 0 { " " } else { ", " };
            write!(f, "{separator}`{algorithm}`")?;
        }
        Ok(())
    }
}

impl std::error::Error for UnknownAlgorithm {}

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    /// Names are case-sensitive (RFC 7515 §4.1.1): `None` is not `none`, and neither is here.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        if name == "Ed25519" {
            return Ok(Algorithm::EdDsa);
        }
        Algorithm::ALL
            .into_iter()
            .find(|algorithm| algorithm.name() == name)
            .ok_or(UnknownAlgorithm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back_as_itself() {
        for algorithm in Algorithm::ALL {
            assert_eq!(algorithm.name().parse(), Ok(algorithm));
        }
        assert_eq!("Ed25519".parse(), Ok(Algorithm::EdDsa));
    }

    #[test]
    fn no_signature_and_shared_secrets_are_not_algorithms() {
        for name in [
            "none", "None", "nOnE", "NONE", "", "HS256", "HS384", "HS512", "rs256", "RS256 ",
            "ES521", "ES256K", "RS1", "Ed448", "dir",
        ] {
            assert_eq!(name.parse::<Algorithm>(), Err(UnknownAlgorithm), "{name}");
        }
    }
}
