//! Tokens under a secret that issuer and gateway share (HS256, HS384, HS512).
//!
//! Whoever can check such a token can make one, so nobody should want this but for an
//! issuer that knows no better. It is kept apart from public keys by type: a
//! [`KeySet`](super::KeySet) is no [`SharedSecret`] and an [`HmacAlgorithm`] no
//! [`Algorithm`](super::Algorithm), so that a public key can never be taken for a
//! secret, which is the oldest attack on JWT there is (RFC 8725 §2.1, §3.1).

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Sha256, Sha384, Sha512};

/// A JWS algorithm with a shared secret (RFC 7518 §3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HmacAlgorithm {
    /// HMAC with SHA-256.
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
}

impl HmacAlgorithm {
    /// Every algorithm, for help texts.
    pub const ALL: [HmacAlgorithm; 3] = [
        HmacAlgorithm::Hs256,
        HmacAlgorithm::Hs384,
        HmacAlgorithm::Hs512,
    ];

    /// The name in the IANA registry of JSON Web Signature algorithms.
    pub fn name(self) -> &'static str {
        match self {
            HmacAlgorithm::Hs256 => "HS256",
            HmacAlgorithm::Hs384 => "HS384",
            HmacAlgorithm::Hs512 => "HS512",
        }
    }

    /// The algorithm of that name, which is case-sensitive (RFC 7515 §4.1.1).
    pub fn named(name: &str) -> Option<Self> {
        HmacAlgorithm::ALL
            .into_iter()
            .find(|algorithm| algorithm.name() == name)
    }

    /// The fewest bytes of a secret: as many as the hash has (RFC 7518 §3.2).
    pub fn least_bytes(self) -> usize {
        match self {
            HmacAlgorithm::Hs256 => 32,
            HmacAlgorithm::Hs384 => 48,
            HmacAlgorithm::Hs512 => 64,
        }
    }
}

impl fmt::Display for HmacAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A secret that was checked: long enough, and not a public key by mistake. It is for
/// one algorithm alone (RFC 8725 §3.1), and `Debug` shows nothing of it.
#[derive(Clone)]
pub struct SharedSecret {
    id: Option<String>,
    algorithm: HmacAlgorithm,
    secret: Vec<u8>,
}

/// Why bytes cannot be a shared secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretProblem {
    /// It has fewer bytes than the hash of the algorithm, so it can be guessed sooner
    /// than the hash (RFC 7518 §3.2).
    TooShort {
        /// How many it has.
        bytes: usize,
        /// How many it needs.
        least: usize,
    },
    /// It is a key in PEM or a JSON Web Key: somebody took the issuer's public key,
    /// with which everybody could then sign.
    LooksLikeKey,
}

impl fmt::Display for SecretProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SecretProblem::TooShort { bytes, least } => {
                write!(
                    f,
                    "the secret has {bytes} bytes, and needs at least {least}"
                )
            }
            SecretProblem::LooksLikeKey => {
                f.write_str("the secret is a key in PEM or JSON, and may be known to everybody")
            }
        }
    }
}

impl std::error::Error for SecretProblem {}

impl SharedSecret {
    /// A secret for `algorithm`; with an `id`, for tokens of that `kid` or of none.
    ///
    /// # Errors
    /// The secret is too short, or is no secret.
    pub fn new(
        id: Option<String>,
        algorithm: HmacAlgorithm,
        secret: Vec<u8>,
    ) -> Result<Self, SecretProblem> {
        let least = algorithm.least_bytes();
        if secret.len() < least {
            let bytes = secret.len();
            return Err(SecretProblem::TooShort { bytes, least });
        }
        if looks_like_key(&secret) {
            return Err(SecretProblem::LooksLikeKey);
        }
        Ok(SharedSecret {
            id,
            algorithm,
            secret,
        })
    }

    /// The one algorithm that it is for.
    pub fn algorithm(&self) -> HmacAlgorithm {
        self.algorithm
    }

    /// Whether a token that names `kid`, or no key, may mean this secret. A secret
    /// without a name is meant by every token: it was configured, not published.
    pub(super) fn answers_to(&self, kid: Option<&str>) -> bool {
        match (&self.id, kid) {
            (Some(id), Some(kid)) => id == kid,
            _ => true,
        }
    }

    /// Whether `tag` is the secret's over `message`, in time that does not depend on
    /// where they differ.
    pub fn made(&self, message: &[u8], tag: &[u8]) -> bool {
        macro_rules! check {
            ($hash:ty) => {
                Hmac::<$hash>::new_from_slice(&self.secret)
                    .is_ok_and(|mac| mac.chain_update(message).verify_slice(tag).is_ok())
            };
        }
        match self.algorithm {
            HmacAlgorithm::Hs256 => check!(Sha256),
            HmacAlgorithm::Hs384 => check!(Sha384),
            HmacAlgorithm::Hs512 => check!(Sha512),
        }
    }
}

impl fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedSecret")
            .field("id", &self.id)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

/// What openssl, and what a key set, would write.
fn looks_like_key(secret: &[u8]) -> bool {
    let text = secret.trim_ascii_start();
    let jwk = || {
        serde_json::from_slice::<serde_json::Map<_, serde_json::Value>>(text)
            .is_ok_and(|members| members.contains_key("kty") || members.contains_key("keys"))
    };
    text.starts_with(b"-----BEGIN ") || jwk()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(algorithm: HmacAlgorithm, bytes: &[u8]) -> Result<SharedSecret, SecretProblem> {
        SharedSecret::new(None, algorithm, bytes.to_vec())
    }

    #[test]
    fn tags_are_those_of_rfc_4231() {
        // Test case 7: a key and data that are longer than a block.
        let data = b"This is a test using a larger than block-size key and a larger than \
                     block-size data. The key needs to be hashed before being used by the \
                     HMAC algorithm.";
        for (algorithm, expected) in [
            (
                HmacAlgorithm::Hs256,
                "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
            ),
            (
                HmacAlgorithm::Hs384,
                "6617178e941f020d351e2f254e8fd32c602420feb0b8fb9adccebb82461e99c5a678cc31e799176d3860e6110c46523e",
            ),
            (
                HmacAlgorithm::Hs512,
                "e37b6a775dc87dbaa4dfa9f96e5e3ffddebd71f8867289865df5a32d20cdc944b6022cac3c4982b10d5eeb55c3e4de15134676fb6de0446065c97440fa8c6a58",
            ),
        ] {
            let tag: Vec<u8> = (0..expected.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(&expected[at..at + 2], 16).unwrap())
                .collect();
            let secret = secret(algorithm, &[0xaa; 131]).unwrap();
            assert!(secret.made(data, &tag), "{algorithm}");
            assert!(!secret.made(&data[1..], &tag), "{algorithm}");
            assert!(!secret.made(data, &tag[..tag.len() - 1]), "{algorithm}");
            assert!(
                !secret.made(data, &[&tag[..], &[0]].concat()),
                "{algorithm}"
            );
            assert!(!secret.made(data, &[]), "{algorithm}");
            for bit in 0..tag.len() * 8 {
                let mut tag = tag.clone();
                tag[bit / 8] ^= 1 << (bit % 8);
                assert!(!secret.made(data, &tag), "{algorithm}, bit {bit}");
            }
        }
    }

    #[test]
    fn a_secret_is_as_long_as_the_hash() {
        for algorithm in HmacAlgorithm::ALL {
            let least = algorithm.least_bytes();
            assert!(secret(algorithm, &vec![7; least]).is_ok());
            let short = secret(algorithm, &vec![7; least - 1]).unwrap_err();
            assert_eq!(
                short,
                SecretProblem::TooShort {
                    bytes: least - 1,
                    least
                }
            );
        }
    }

    #[test]
    fn a_public_key_is_no_secret() {
        for text in [
            "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQ",
            "\n-----BEGIN CERTIFICATE-----\nMIIBhTCCASugAwIBAgIQ",
            r#"{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQ","e":"AQAB"}"#,
            r#"{"keys":[{"kty":"RSA","n":"0vx7agoebGcQSuuP","e":"AQAB"}]}"#,
        ] {
            let refusal = secret(HmacAlgorithm::Hs256, text.as_bytes()).unwrap_err();
            assert_eq!(refusal, SecretProblem::LooksLikeKey, "{text}");
        }
        assert!(
            secret(
                HmacAlgorithm::Hs256,
                br#"{"a":"rather odd, but nobody's key"}"#
            )
            .is_ok()
        );
    }

    #[test]
    fn debug_shows_nothing_of_it() {
        let shown = secret(
            HmacAlgorithm::Hs256,
            b"correct horse battery staple, and more",
        )
        .unwrap();
        let shown = format!("{shown:?}");
        assert!(
            shown.contains("Hs256") && !shown.contains("horse") && !shown.contains("99"),
            "{shown}"
        );
    }

    #[test]
    fn names_are_exact() {
        for algorithm in HmacAlgorithm::ALL {
            assert_eq!(HmacAlgorithm::named(algorithm.name()), Some(algorithm));
        }
        for name in ["hs256", "HS256 ", "HS1", "HS512/256", "RS256", "none", ""] {
            assert_eq!(HmacAlgorithm::named(name), None, "{name}");
        }
    }

    #[test]
    fn a_name_tells_two_secrets_apart() {
        let named = SharedSecret::new(Some("a".into()), HmacAlgorithm::Hs256, vec![7; 32]).unwrap();
        assert!(named.answers_to(Some("a")) && named.answers_to(None));
        assert!(!named.answers_to(Some("b")));
        assert!(
            secret(HmacAlgorithm::Hs256, &[7; 32])
                .unwrap()
                .answers_to(Some("b"))
        );
    }
}
