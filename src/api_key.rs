//! API keys: found by their hash, and never kept themselves.
//!
//! A key that `portcullis key new` makes holds 256 random bits, so its plain
//! SHA-256 is as hard to turn back as the key is to guess. A slow password hash
//! would add nothing to that, and would let every stranger spend the gateway's
//! time with wrong keys.
//!
//! The presented key is hashed before anything is compared. Its owner cannot
//! choose what the hash looks like, and to learn the first bytes of a stored hash
//! helps nobody to find the key, so the look-up may take its time by those bytes.
//! The whole hash is then compared in constant time. A key with a wrong secret, a
//! key with an unknown id and a text that is no key at all go the same way.

mod generated;

use std::collections::HashMap;
use std::fmt;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

pub use generated::{Name, RANDOM_BYTES, id_of, render};

use crate::hex::{Hex, parse_sha256};
use crate::time::Time;

/// The SHA-256 of an API key, all that is kept of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hash([u8; 32]);

impl Hash {
    /// Of a key as a client presents it.
    pub fn of(key: &[u8]) -> Hash {
        Hash(Sha256::digest(key).into())
    }

    /// Reads 64 hex digits.
    pub fn parse(text: &str) -> Option<Hash> {
        parse_sha256(text).map(Hash)
    }

    /// Which bucket of an index it lies in.
    fn bucket(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hex(&self.0).fmt(f)
    }
}

/// The hash is no secret, but nobody needs it whole in a log.
impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, ..] = self.0;
        write!(f, "Hash({}..)", Hex(&[a, b, c, d]))
    }
}

/// One secret of a key, and when it is good. A key that is being changed for a new
/// one has two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Secret {
    /// The hash of the whole key.
    pub hash: Hash,
    /// It is good from here on.
    pub not_before: Option<Time>,
    /// It is good until just before this.
    pub expires: Option<Time>,
}

/// Why a presented key is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// No key has this hash, and none has the id that it names.
    Unknown,
    /// It names the id of a key and is not that key: a typing error, a secret that is
    /// gone, or an attack on this key.
    WrongSecret,
    /// It is a key before its time.
    NotYetValid,
    /// It is a key after its time.
    Expired,
    /// It is a good key, and may not be used from where it was.
    Elsewhere,
}

impl Fault {
    /// A stable name for the audit log.
    pub fn code(self) -> &'static str {
        match self {
            Fault::Unknown => "api_key_unknown",
            Fault::WrongSecret => "api_key_wrong",
            Fault::NotYetValid => "api_key_not_yet_valid",
            Fault::Expired => "api_key_expired",
            Fault::Elsewhere => "api_key_elsewhere",
        }
    }
}

/// What is wrong with a presented key, and the place of the key that it is or names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// What is wrong.
    pub fault: Fault,
    /// The place, as it was added.
    pub place: Option<usize>,
}

/// The keys that one scheme accepts.
#[derive(Debug, Default)]
pub struct Keys {
    /// By the first bytes of their hashes.
    secrets: HashMap<u64, Vec<(Secret, usize)>>,
    /// The places of the keys by their ids, to say whose secret was wrong.
    ids: HashMap<String, usize>,
}

impl Keys {
    /// Adds the key that lies at `place`.
    ///
    /// # Errors
    /// The place of the key that has this id or one of these hashes already;
    /// then nothing was added.
    pub fn add(&mut self, id: &str, secrets: &[Secret], place: usize) -> Result<(), usize> {
        if let Some(other) = self.ids.get(id) {
            return Err(*other);
        }
        if let Some((_, other)) = secrets.iter().find_map(|secret| self.secret(&secret.hash)) {
            return Err(*other);
        }
        self.ids.insert(id.to_owned(), place);
        for secret in secrets {
            let bucket = self.secrets.entry(secret.hash.bucket()).or_default();
            bucket.push((*secret, place));
        }
        Ok(())
    }

    /// The place of the key that was presented.
    ///
    /// # Errors
    /// Why it is refused, and which key that concerns.
    pub fn find(&self, presented: &[u8], now: Time) -> Result<usize, Refused> {
        let Some((secret, place)) = self.secret(&Hash::of(presented)) else {
            let named = std::str::from_utf8(presented).ok().and_then(id_of);
            let place = named.and_then(|id| self.ids.get(id)).copied();
            let fault = place.map_or(Fault::Unknown, |_| Fault::WrongSecret);
            return Err(Refused { fault, place });
        };
        let refused = |fault| {
            Err(Refused {
                fault,
                place: Some(*place),
            })
        };
        if secret.not_before.is_some_and(|start| now < start) {
            return refused(Fault::NotYetValid);
        }
        if secret.expires.is_some_and(|end| now >= end) {
            return refused(Fault::Expired);
        }
        Ok(*place)
    }

    fn secret(&self, hash: &Hash) -> Option<&(Secret, usize)> {
        let bucket = self.secrets.get(&hash.bucket())?;
        bucket
            .iter()
            .find(|(secret, _)| bool::from(secret.hash.0.ct_eq(&hash.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from_millis(seconds * 1_000)
    }

    fn secret(key: &str) -> Secret {
        Secret {
            hash: Hash::of(key.as_bytes()),
            not_before: None,
            expires: None,
        }
    }

    fn keys() -> Keys {
        let mut keys = Keys::default();
        let limited = Secret {
            not_before: Some(at(100)),
            expires: Some(at(200)),
            ..secret("old")
        };
        keys.add("lines", &[secret("pk_lines_right"), limited], 7)
            .unwrap();
        keys
    }

    #[test]
    fn a_key_is_found_by_any_of_its_secrets_while_that_one_is_good() {
        let keys = keys();
        let find = |key: &str, seconds| keys.find(key.as_bytes(), at(seconds));
        let refused = |fault| {
            let place = Some(7);
            Err(Refused { fault, place })
        };
        assert_eq!(find("pk_lines_right", 0), Ok(7));
        assert_eq!(find("old", 99), refused(Fault::NotYetValid));
        assert_eq!(find("old", 100), Ok(7));
        assert_eq!(find("old", 199), Ok(7));
        assert_eq!(find("old", 200), refused(Fault::Expired));
    }

    #[test]
    fn a_wrong_secret_is_laid_to_the_key_that_it_names() {
        let keys = keys();
        let find = |key: &[u8]| {
            let refused = keys.find(key, at(150)).unwrap_err();
            (refused.fault, refused.place)
        };
        let wrong = (Fault::WrongSecret, Some(7));
        assert_eq!(find(b"pk_lines_wrong"), wrong);
        assert_eq!(find(b"pk_lines_righ"), wrong);
        for key in [&b"pk_other_right"[..], b"OLD", b"", b"pk_lines_\xff"] {
            assert_eq!(find(key), (Fault::Unknown, None), "{key:?}");
        }
    }

    #[test]
    fn hashes_that_share_their_first_bytes_are_told_apart() {
        let mut keys = keys();
        let hash = |last| {
            let mut bytes = Hash::of(b"k").0;
            bytes[31] = last;
            Hash(bytes)
        };
        let add = |keys: &mut Keys, id, last, place| {
            let secret = Secret {
                hash: hash(last),
                ..secret("")
            };
            keys.add(id, &[secret], place)
        };
        assert_eq!(add(&mut keys, "a", 1, 0), Ok(()));
        assert_eq!(add(&mut keys, "b", 2, 1), Ok(()));
        assert_eq!(keys.secret(&hash(1)).map(|(_, place)| *place), Some(0));
        assert_eq!(keys.secret(&hash(2)).map(|(_, place)| *place), Some(1));
        assert!(keys.secret(&hash(3)).is_none());
    }

    #[test]
    fn neither_an_id_nor_a_hash_may_stand_for_two_keys() {
        let mut keys = keys();
        assert_eq!(keys.add("lines", &[secret("new")], 8), Err(7));
        assert_eq!(
            keys.add("other", &[secret("new"), secret("old")], 8),
            Err(7)
        );
        assert!(keys.find(b"new", at(0)).is_err());
        assert_eq!(keys.add("other", &[secret("new")], 8), Ok(()));
        assert_eq!(keys.find(b"new", at(0)), Ok(8));
    }

    #[test]
    fn a_hash_is_written_as_sha256sum_writes_it() {
        let text = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";
        assert_eq!(Hash::of(b"foo").to_string(), text);
        assert_eq!(Hash::parse(text), Some(Hash::of(b"foo")));
        assert_eq!(Hash::parse(&text.to_uppercase()), Some(Hash::of(b"foo")));
        assert_eq!(Hash::parse(&text[2..]), None);
        assert_eq!(format!("{:?}", Hash::of(b"foo")), "Hash(2c26b46b..)");
    }
}
