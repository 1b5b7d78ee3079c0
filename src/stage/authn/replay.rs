//! What was seen once and must not be seen again, in memory of a fixed size.
//!
//! A DPoP proof is good for one request (RFC 9449 §11.1), whichever worker gets it.
//! Shared data can neither delete nor list, so what was seen lies in a fixed number
//! of slots. Each holds a short list of tags with the time at which they may be
//! forgotten; the tag and the slot come from a hash under a secret, so nobody can
//! choose proofs that meet in one slot, or that pass for each other.
//!
//! A slot takes at most [`SLOT_BYTES`], so all of them take at most that many times
//! their number, and their keys and the host's own bookkeeping (about 130 bytes a
//! slot) besides. Of two things that differ, the second is taken for the first with
//! probability 2^-128 for each that its slot holds. A slot that is full of what may
//! not be forgotten yet refuses more: that fails closed, and spreads over callers by
//! chance.

use crate::keyed;
use crate::store::Store;

/// What came of remembering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remembered {
    /// It had not been seen.
    First,
    /// It had been seen.
    Again,
    /// There is no telling: the slot is full, or other workers always wrote first.
    Unknown,
}

/// Remembers `parts` until `until` (in seconds since 1970, inclusive) in one of
/// `slots` slots, unless they are remembered already.
pub(super) fn remember(
    store: &dyn Store,
    secret: &[u8; 32],
    slots: u32,
    parts: &[&[u8]],
    until: u64,
    now: u64,
) -> Remembered {
    let hash = keyed::hash(secret, PURPOSE, parts);
    let (tag, rest) = hash.split_at(TAG_BYTES);
    let home = rest
        .iter()
        .take(8)
        .fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    let key = format!("portcullis/replay/{}", home % u64::from(slots.max(1)));
    for _ in 0..MOST_TRIES {
        let (value, version) = store.read(&key).unzip();
        let seen = value.unwrap_or_default();
        let mut kept = Vec::with_capacity(seen.len() + ENTRY_BYTES);
        for entry in seen
            .chunks_exact(ENTRY_BYTES)
            .filter(|entry| expiry(entry) >= now)
        {
            if entry.starts_with(tag) {
                return Remembered::Again;
            }
            kept.extend_from_slice(entry);
        }
        if kept.len() + ENTRY_BYTES > SLOT_BYTES {
            return Remembered::Unknown;
        }
        kept.extend_from_slice(tag);
        kept.extend_from_slice(&until.to_le_bytes());
        if store.compare_and_swap(&key, &kept, version).is_ok() {
            return Remembered::First;
        }
    }
    Remembered::Unknown
}

fn expiry(entry: &[u8]) -> u64 {
    entry
        .get(TAG_BYTES..)
        .and_then(|bytes| bytes.try_into().ok())
        .map_or(0, u64::from_le_bytes)
}

const PURPOSE: &str = "replay";
const TAG_BYTES: usize = 16;
const ENTRY_BYTES: usize = TAG_BYTES + 8;

/// How long a slot can become: 32 entries.
pub(super) const SLOT_BYTES: usize = 32 * ENTRY_BYTES;

/// With so many workers at one slot in one microsecond, something else is wrong.
const MOST_TRIES: u32 = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Conflict, MemoryStore, Version};
    use std::collections::HashMap;

    const SECRET: [u8; 32] = [9; 32];

    fn see(store: &dyn Store, slots: u32, id: &str, until: u64, now: u64) -> Remembered {
        remember(store, &SECRET, slots, &[b"key", id.as_bytes()], until, now)
    }

    #[test]
    fn what_is_seen_again_in_its_time_is_known() {
        let store = MemoryStore::default();
        assert_eq!(see(&store, 8, "a", 160, 100), Remembered::First);
        assert_eq!(see(&store, 8, "a", 160, 160), Remembered::Again);
        assert_eq!(see(&store, 8, "b", 160, 160), Remembered::First);
        assert_eq!(see(&store, 8, "a", 221, 161), Remembered::First);
        let other_key = [&b"other"[..], b"a"];
        assert_eq!(
            remember(&store, &SECRET, 8, &other_key, 221, 161),
            Remembered::First
        );
    }

    #[test]
    fn a_full_slot_refuses_until_something_may_be_forgotten() {
        let store = MemoryStore::default();
        for number in 0..32 {
            assert_eq!(
                see(&store, 1, &number.to_string(), 100 + number, 50),
                Remembered::First
            );
        }
        assert_eq!(see(&store, 1, "more", 200, 100), Remembered::Unknown);
        assert_eq!(see(&store, 1, "5", 200, 100), Remembered::Again);
        assert_eq!(see(&store, 1, "more", 200, 101), Remembered::First);
        assert_eq!(see(&store, 1, "yet more", 200, 101), Remembered::Unknown);
        assert!(store.read("portcullis/replay/0").unwrap().0.len() <= SLOT_BYTES);
    }

    /// Others always write first.
    struct Contended;

    impl Store for Contended {
        fn read(&self, _: &str) -> Option<(Vec<u8>, Version)> {
            None
        }

        fn compare_and_swap(&self, _: &str, _: &[u8], _: Option<Version>) -> Result<(), Conflict> {
            Err(Conflict)
        }
    }

    #[test]
    fn a_race_that_is_never_won_fails_closed() {
        assert_eq!(see(&Contended, 8, "a", 1, 0), Remembered::Unknown);
    }

    #[test]
    fn a_value_that_is_damaged_is_no_reason_to_panic() {
        let store = MemoryStore::default();
        store
            .compare_and_swap("portcullis/replay/0", &[0xff; 31], None)
            .unwrap();
        assert_eq!(see(&store, 1, "a", 1, 0), Remembered::First);
    }

    /// A list that forgets nothing but what is over, against the slots.
    #[test]
    fn it_agrees_with_a_list_of_everything() {
        let store = MemoryStore::default();
        let mut list: HashMap<u64, u64> = HashMap::new();
        let mut random = 1_u64;
        let mut next = |below: u64| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (random >> 33) % below
        };
        let (mut now, mut again) = (1_000, 0);
        for _ in 0..20_000 {
            now += next(2);
            let (id, until) = (next(300), now + next(60));
            let known = list.get(&id).is_some_and(|until| *until >= now);
            let expected = if known {
                Remembered::Again
            } else {
                Remembered::First
            };
            if known {
                again += 1;
            } else {
                list.insert(id, until);
            }
            let got = see(&store, 64, &id.to_string(), until, now);
            assert_eq!(got, expected, "{id} at {now}");
        }
        assert!(again > 1_000, "{again}");
    }
}
