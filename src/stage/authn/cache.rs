//! Tokens that were verified before, by their digest.
//!
//! Verifying a signature costs more than all other stages together, and a client
//! sends one token many times. The memory is bounded: two generations, of which
//! the older is dropped when the younger is full. An entry is worth nothing after
//! the token's `exp`, nor after the issuer's keys have changed.

use std::collections::HashMap;
use std::rc::Rc;

use super::Identity;
use super::keys::KeyRing;
use crate::stage::hand_over::assertion::Assertions;
use crate::time::Time;

/// A verified token.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What it says.
    pub identity: Rc<Identity>,
    /// Its issuer's place in the policy.
    pub issuer: usize,
    /// The version of the key set that verified it.
    pub key_version: u64,
    /// `exp`, or when the token becomes too old if that comes first.
    pub expires: Time,
}

/// Verified tokens by the SHA-256 of their compact form.
#[derive(Debug, Default)]
pub struct TokenCache {
    young: HashMap<[u8; 32], Entry>,
    old: HashMap<[u8; 32], Entry>,
    /// What was said of their bearers to the upstream.
    pub(in crate::stage) assertions: Assertions,
}

impl TokenCache {
    /// The identity, if the token was verified before, has not expired, and its
    /// issuer's keys are still those that verified it.
    pub fn find(&mut self, digest: &[u8; 32], keys: &KeyRing, now: Time) -> Option<Rc<Identity>> {
        if let Some(entry) = self.young.get(digest) {
            return entry.is_good(keys, now).then(|| Rc::clone(&entry.identity));
        }
        let entry = self
            .old
            .remove(digest)
            .filter(|entry| entry.is_good(keys, now))?;
        let identity = Rc::clone(&entry.identity);
        self.insert(*digest, entry);
        Some(identity)
    }

    /// Remembers a verified token.
    pub fn insert(&mut self, digest: [u8; 32], entry: Entry) {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(digest, entry);
    }
}

impl Entry {
    fn is_good(&self, keys: &KeyRing, now: Time) -> bool {
        keys.serves(self.issuer, self.key_version, now) && now < self.expires
    }
}

/// Tokens a generation; an entry takes about half a kilobyte.
const GENERATION: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::KeySet;
    use crate::policy::compile::tests::{compiled, key, sample_with_remote_keys};

    fn ring(version: u64) -> KeyRing {
        let mut ring = KeyRing::new(&compiled(&sample_with_remote_keys()));
        let keys = KeySet::from_json(&serde_json::json!({ "keys": [key()] })).unwrap();
        ring.adopt(0, keys, version, at(1_000));
        ring
    }

    fn at(seconds: u64) -> Time {
        Time::from_millis(seconds.saturating_mul(1_000))
    }

    fn digest(number: usize) -> [u8; 32] {
        let mut digest = [0; 32];
        digest[..4].copy_from_slice(&u32::try_from(number).unwrap().to_le_bytes());
        digest
    }

    fn entry(expires: u64) -> Entry {
        let identity = Identity {
            kind: super::super::Kind::Token,
            issuer: Some(0),
            source: "id".into(),
            client: None,
            pseudonym: "p".into(),
            scopes: Vec::new(),
            clearance: 0,
            claims: serde_json::Map::new(),
            headers: Vec::new(),
            confirmation: crate::jose::Confirmation::default(),
            marks: crate::revocation::Marks::default(),
        };
        Entry {
            identity: Rc::new(identity),
            issuer: 0,
            key_version: 1,
            expires: at(expires),
        }
    }

    #[test]
    fn a_token_is_forgotten_with_its_expiry() {
        let (mut cache, ring) = (TokenCache::default(), ring(1));
        cache.insert(digest(1), entry(1_100));
        assert!(cache.find(&digest(1), &ring, at(1_099)).is_some());
        assert!(cache.find(&digest(1), &ring, at(1_100)).is_none());
        assert!(cache.find(&digest(2), &ring, at(1_000)).is_none());
    }

    #[test]
    fn a_token_is_worth_nothing_under_other_keys_or_none() {
        let mut cache = TokenCache::default();
        cache.insert(digest(1), entry(u64::MAX));
        assert!(cache.find(&digest(1), &ring(1), at(1_000)).is_some());
        assert!(cache.find(&digest(1), &ring(2), at(1_000)).is_none());
        assert!(
            cache
                .find(&digest(1), &ring(1), at(1_000 + 3_601))
                .is_none()
        );
    }

    #[test]
    fn what_is_used_outlives_a_generation_and_memory_is_bounded() {
        let (mut cache, ring) = (TokenCache::default(), ring(1));
        cache.insert(digest(0), entry(u64::MAX));
        cache.insert(digest(1), entry(u64::MAX));
        for number in 2..5 * GENERATION {
            cache.insert(digest(number), entry(u64::MAX));
            assert!(cache.young.len() + cache.old.len() <= 2 * GENERATION);
            // Used now and then, it moves to the younger generation in time.
            if number % 1_000 == 0 {
                assert!(
                    cache.find(&digest(0), &ring, at(1_000)).is_some(),
                    "{number}"
                );
            }
        }
        assert!(cache.find(&digest(1), &ring, at(1_000)).is_none());
    }
}
