//! Key ids that an issuer was asked for and does not publish.
//!
//! A token with an unknown `kid` may herald new keys, so it causes a fetch out of turn,
//! and of those there is one in a while. Tokens of a retired key come again and again:
//! if each could spend that fetch, none would be left when new keys do appear. So an id
//! that a fetch did not bring is not asked for again; the routine refresh would bring it.

use std::collections::HashMap;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::time::Time;

/// The ids that tokens of one issuer named and its keys did not, in two generations.
#[derive(Debug, Default)]
pub(super) struct Sought {
    young: HashMap<u64, Time>,
    old: HashMap<u64, Time>,
}

impl Sought {
    /// Whether a fetch could bring a key of this id: unless one has begun since the id
    /// was first asked for. The keys that are held are those of `asked`, when the fetch
    /// began that last brought or confirmed them.
    pub(super) fn may_appear(&mut self, kid: Option<&str>, asked: Time, now: Time) -> bool {
        let digest = Sha256::digest(kid.unwrap_or_default());
        let name = digest
            .first_chunk()
            .map_or(0, |eight| u64::from_le_bytes(*eight));
        let first = self.young.get(&name).or_else(|| self.old.get(&name));
        match first {
            Some(first) if now.since(*first) < FORGOTTEN_AFTER => asked <= *first,
            _ => {
                if self.young.len() >= GENERATION {
                    self.old = std::mem::take(&mut self.young);
                }
                self.young.insert(name, now);
                true
            }
        }
    }
}

/// How long an id counts as not there, so that one that was guessed before it was
/// published is not refused for ever.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(300);

/// Ids a generation.
const GENERATION: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from_millis(seconds * 1_000)
    }

    #[test]
    fn an_id_that_a_fetch_did_not_bring_is_not_asked_for_again() {
        let mut sought = Sought::default();
        assert!(sought.may_appear(Some("a"), at(90), at(100)));
        // No fetch has begun since.
        assert!(sought.may_appear(Some("a"), at(90), at(101)));
        assert!(!sought.may_appear(Some("a"), at(102), at(103)));
        assert!(sought.may_appear(Some("b"), at(102), at(103)));
        assert!(sought.may_appear(None, at(102), at(103)));
    }

    #[test]
    fn it_is_asked_for_again_after_a_while() {
        let mut sought = Sought::default();
        assert!(sought.may_appear(Some("a"), at(0), at(100)));
        assert!(!sought.may_appear(Some("a"), at(200), at(399)));
        assert!(sought.may_appear(Some("a"), at(200), at(400)));
        assert!(!sought.may_appear(Some("a"), at(401), at(402)));
    }

    #[test]
    fn made_up_ids_take_no_more_than_their_room() {
        let mut sought = Sought::default();
        for number in 0..5 * GENERATION {
            sought.may_appear(Some(&number.to_string()), at(0), at(1));
            assert!(sought.young.len() + sought.old.len() <= 2 * GENERATION);
        }
    }
}
