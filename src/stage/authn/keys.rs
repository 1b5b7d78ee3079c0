//! The key sets that one worker holds, and how long they may serve.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use super::sought::Sought;
use crate::jose::KeySet;
use crate::policy::{IssuerKeys, Policy};
use crate::time::Time;

/// One slot an issuer, in the policy's order.
#[derive(Debug)]
pub struct KeyRing(Vec<Slot>);

#[derive(Debug)]
enum Slot {
    /// The issuer signs nothing.
    None,
    /// From the configuration: always usable.
    Fixed(Rc<KeySet>),
    /// There are no public keys: issuer and gateway share a secret.
    Shared,
    /// Fetched: usable until `max_stale` after it was last confirmed.
    Fetched {
        held: Option<Held>,
        max_stale: Duration,
        sought: RefCell<Sought>,
    },
}

#[derive(Debug)]
struct Held {
    keys: Rc<KeySet>,
    version: u64,
    fetched: Time,
}

impl KeyRing {
    /// Configured keys are there at once, remote ones are still to come.
    pub fn new(policy: &Policy) -> Self {
        let slot = |keys: &IssuerKeys| match keys {
            IssuerKeys::Fixed(keys) => Slot::Fixed(Rc::clone(keys)),
            IssuerKeys::Secrets(_) => Slot::Shared,
            IssuerKeys::None => Slot::None,
            IssuerKeys::Remote(remote) => Slot::Fetched {
                held: None,
                max_stale: remote.keys.max_stale.duration(),
                sought: RefCell::default(),
            },
        };
        KeyRing(
            policy
                .issuers
                .iter()
                .map(|issuer| slot(&issuer.keys))
                .collect(),
        )
    }

    /// The issuer's keys and their version, unless there are none or they are too old.
    pub fn usable(&self, issuer: usize, now: Time) -> Option<(&KeySet, u64)> {
        match self.0.get(issuer)? {
            Slot::None | Slot::Shared => None,
            Slot::Fixed(keys) => Some((keys, CONFIGURED)),
            Slot::Fetched {
                held, max_stale, ..
            } => held
                .as_ref()
                .filter(|held| now.since(held.fetched) <= *max_stale)
                .map(|held| (held.keys.as_ref(), held.version)),
        }
    }

    /// Whether what was verified by this version of the issuer's keys is still so.
    pub fn serves(&self, issuer: usize, version: u64, now: Time) -> bool {
        match self.0.get(issuer) {
            Some(Slot::Shared) => version == CONFIGURED,
            _ => self
                .usable(issuer, now)
                .is_some_and(|(_, usable)| usable == version),
        }
    }

    /// Whether asking the issuer could bring a key of this id, which those that are held
    /// do not have: they can change, and it was not asked for in vain before.
    pub fn may_appear(&self, issuer: usize, kid: Option<&str>, now: Time) -> bool {
        match self.0.get(issuer) {
            Some(Slot::Fetched {
                held: Some(held),
                sought,
                ..
            }) => sought.borrow_mut().may_appear(kid, held.fetched, now),
            _ => false,
        }
    }

    /// The version of the keys that are held, whether they may still serve or not.
    pub fn version(&self, issuer: usize) -> Option<u64> {
        match self.0.get(issuer)? {
            Slot::None => None,
            Slot::Fixed(_) | Slot::Shared => Some(CONFIGURED),
            Slot::Fetched { held, .. } => held.as_ref().map(|held| held.version),
        }
    }

    /// Takes keys that were fetched at `fetched`.
    pub fn adopt(&mut self, issuer: usize, keys: KeySet, version: u64, fetched: Time) {
        if let Some(Slot::Fetched { held, .. }) = self.0.get_mut(issuer) {
            *held = Some(Held {
                keys: Rc::new(keys),
                version,
                fetched,
            });
        }
    }

    /// The issuer still published the same keys at `fetched`.
    pub fn confirm(&mut self, issuer: usize, fetched: Time) {
        if let Some(Slot::Fetched {
            held: Some(held), ..
        }) = self.0.get_mut(issuer)
        {
            held.fetched = fetched;
        }
    }
}

/// The version of keys and secrets that are in the configuration.
pub const CONFIGURED: u64 = 0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::compile::tests::{compiled, key, sample, sample_with_remote_keys};

    fn keys() -> KeySet {
        KeySet::from_json(&serde_json::json!({ "keys": [key()] })).unwrap()
    }

    fn at(seconds: u64) -> Time {
        Time::from_millis(seconds * 1_000)
    }

    fn version(ring: &KeyRing, now: Time) -> Option<u64> {
        ring.usable(0, now).map(|(_, version)| version)
    }

    #[test]
    fn fetched_keys_serve_until_they_are_too_stale() {
        let mut ring = KeyRing::new(&compiled(&sample_with_remote_keys()));
        assert_eq!((version(&ring, at(0)), ring.version(0)), (None, None));
        // There is nothing yet that could be confirmed.
        ring.confirm(0, at(50));
        assert_eq!(version(&ring, at(50)), None);
        ring.adopt(0, keys(), 7, at(100));
        assert_eq!(version(&ring, at(3_700)), Some(7));
        assert_eq!(version(&ring, at(3_701)), None);
        assert_eq!(ring.version(0), Some(7));
        ring.confirm(0, at(200));
        assert_eq!(version(&ring, at(3_701)), Some(7));
        // Set back, the clock makes nothing stale.
        assert_eq!(version(&ring, at(0)), Some(7));
    }

    #[test]
    fn keys_of_the_configuration_always_serve_and_are_never_replaced() {
        let mut ring = KeyRing::new(&compiled(&sample()));
        ring.adopt(0, keys(), 7, at(100));
        assert_eq!(version(&ring, at(u64::from(u32::MAX))), Some(0));
        assert!(ring.usable(1, at(0)).is_none());
    }
}
