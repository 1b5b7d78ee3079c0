//! Where limits are counted: a fixed number of slots that all workers share.
//!
//! Shared data can neither delete nor list, so a client must not be able to make it
//! grow. A key has eight slots in which it may be counted. It takes over one that is
//! idle, never one that is busy; a key that finds none is counted in its limit's
//! *crowd*, one more slot that all of them share. So no owner of a slot loses what is
//! counted of it, and whoever brings many keys shares one quota for all that find no
//! place. Who leaves the crowd for a slot that has become idle begins anew there.

use std::rc::Rc;

use super::{SKEW_NS, State};
use crate::keyed;
use crate::store::{Store, Version};
use crate::time::Time;

/// The slots.
#[derive(Clone, Copy)]
pub struct Table<'a> {
    store: &'a dyn Store,
    size: Size,
}

/// How many slots there are, and how long one may be busy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Slots beside the crowds.
    pub slots: u32,
    /// No state lasts longer than this, in nanoseconds. One that seems to is a relic of
    /// a clock that went back.
    pub horizon_ns: u64,
}

impl Size {
    /// The shared memory that the slots take once all of them have been used, in bytes:
    /// what Envoy keeps of each, which is more than what we write into it.
    pub fn bytes(&self) -> u64 {
        u64::from(self.slots) * SLOT_MEMORY
    }
}

/// Who is counted, by which limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    limit: Rc<str>,
    /// Names the owner.
    tag: [u8; 16],
    /// Chooses the slot.
    home: u64,
}

impl Owner {
    /// The owner that these parts name. Nobody who does not know the secret can find
    /// keys that share slots with another's.
    pub fn new(limit: &Rc<str>, parts: &[&[u8]], secret: &[u8; 32]) -> Owner {
        let mut named = vec![limit.as_bytes()];
        named.extend(parts);
        let digest = keyed::hash(secret, "quota", &named);
        let (tag, rest) = digest.split_at(16);
        Owner {
            limit: Rc::clone(limit),
            tag: array(tag),
            home: u64::from_le_bytes(array(rest.get(..8).unwrap_or_default())),
        }
    }
}

impl Owner {
    /// A state as it is if it bears this owner's mark, and a new one otherwise: in a
    /// crowd it is somebody else's. For what nobody may share, since it accuses.
    pub fn own(&self, state: State) -> State {
        match state.words == self.words() {
            true => state,
            false => State::default(),
        }
    }

    /// A state that bears this owner's mark in place of words.
    pub fn mark(&self, state: State) -> State {
        State {
            words: self.words(),
            ..state
        }
    }

    fn words(&self) -> [u64; 2] {
        let (first, second) = self.tag.split_at(8);
        [first, second].map(|half| u64::from_le_bytes(array(half)))
    }

    /// Where it is looked for. Every owner has steps of its own length: in slots that lie
    /// side by side the busy ones form runs, and many an owner finds no place in a table
    /// that is all but empty.
    fn place(&self, probe: u64) -> u64 {
        let step = (self.home >> 32) | 1;
        (self.home & u64::from(u32::MAX)) + probe * step
    }

    /// Another owner, for what else is counted of the same key.
    pub fn aside(&self) -> Owner {
        Owner {
            limit: Rc::clone(&self.limit),
            tag: self.tag.map(|byte| !byte),
            home: !self.home,
        }
    }
}

/// What is to be done with a slot.
#[derive(Debug)]
pub enum Change<T> {
    /// It stays as it is.
    Keep(T),
    /// This is to be kept.
    Write(State, T),
}

/// Other workers wrote first, too often in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contended;

impl<'a> Table<'a> {
    /// The slots in a store.
    pub fn new(store: &'a dyn Store, size: Size) -> Self {
        Table { store, size }
    }

    /// Changes what is kept of an owner. `change` may be asked more than once.
    ///
    /// # Errors
    /// [`Contended`]; nothing was written then.
    pub fn update<T>(
        &self,
        owner: &Owner,
        now: Time,
        mut change: impl FnMut(&State) -> Change<T>,
    ) -> Result<T, Contended> {
        for _ in 0..MOST_TRIES {
            let slot = self.find(owner, now);
            match change(&slot.state) {
                Change::Keep(answer) => return Ok(answer),
                Change::Write(state, answer) => {
                    let value = encode(&owner.tag, &state);
                    let written = self.store.compare_and_swap(&slot.key, &value, slot.version);
                    if written.is_ok() {
                        return Ok(answer);
                    }
                }
            }
        }
        Err(Contended)
    }

    /// What is kept of an owner.
    pub fn read(&self, owner: &Owner, now: Time) -> State {
        self.find(owner, now).state
    }

    /// The owner's slot, or one that it may take over: the first that is idle or was
    /// never used. They are used in the order in which they are looked at, so nothing
    /// of the owner's can lie behind one that was never used.
    fn find(&self, owner: &Owner, now: Time) -> Slot {
        let mut free: Option<Slot> = None;
        for probe in 0..PROBES {
            let index = owner.place(probe) % u64::from(self.size.slots.max(1));
            let key = format!("{PREFIX}{index}");
            let Some((value, version)) = self.store.read(&key) else {
                return free.unwrap_or(Slot::new(key, None));
            };
            let (tag, state) = decode(&value);
            if tag == owner.tag {
                return Slot {
                    key,
                    version: Some(version),
                    state,
                };
            }
            if free.is_none() && self.is_idle(&state, now) {
                free = Some(Slot::new(key, Some(version)));
            }
        }
        free.unwrap_or_else(|| self.crowd(owner))
    }

    fn crowd(&self, owner: &Owner) -> Slot {
        let key = format!("{PREFIX}crowd/{}", owner.limit);
        match self.store.read(&key) {
            Some((value, version)) => Slot {
                key,
                version: Some(version),
                state: decode(&value).1,
            },
            None => Slot::new(key, None),
        }
    }

    fn is_idle(&self, state: &State, now: Time) -> bool {
        let latest = now.nanos().saturating_add(self.size.horizon_ns);
        state.idle_at <= now.nanos() || state.idle_at > latest.saturating_add(SKEW_NS)
    }
}

struct Slot {
    key: String,
    version: Option<Version>,
    state: State,
}

impl Slot {
    fn new(key: String, version: Option<Version>) -> Slot {
        Slot {
            key,
            version,
            state: State::default(),
        }
    }
}

fn encode(tag: &[u8; 16], state: &State) -> [u8; SLOT_BYTES] {
    let mut value = [0; SLOT_BYTES];
    let [first, second] = state.words;
    let fields = [state.idle_at, first, second];
    let (head, tail) = value.split_at_mut(tag.len());
    head.copy_from_slice(tag);
    for (place, field) in tail.chunks_exact_mut(8).zip(fields) {
        place.copy_from_slice(&field.to_le_bytes());
    }
    value
}

fn decode(value: &[u8]) -> ([u8; 16], State) {
    let (tag, rest) = value.split_at_checked(16).unwrap_or_default();
    let mut fields = rest
        .chunks_exact(8)
        .map(|bytes| u64::from_le_bytes(array(bytes)));
    let mut next = || fields.next().unwrap_or_default();
    let state = State {
        idle_at: next(),
        words: [next(), next()],
    };
    (array(tag), state)
}

/// The bytes, if there are as many as asked for; zeros otherwise.
fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().unwrap_or([0; N])
}

/// What a slot holds: a tag, a time and two words.
const SLOT_BYTES: usize = 16 + 3 * 8;

/// What a slot costs Envoy, with its name, the entry and the index: measured in Envoy
/// 1.40 by `scripts/quota-accuracy`, and rounded up.
const SLOT_MEMORY: u64 = 256;

/// Slots in which a key may be counted.
const PROBES: u64 = 8;

/// Writes tried before it is given up; other workers can interfere with each.
const MOST_TRIES: u32 = 128;

const PREFIX: &str = "portcullis/quota/";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MemoryStore;

    const SIZE: Size = Size {
        slots: 8,
        horizon_ns: 1_000,
    };

    fn owner(name: &str) -> Owner {
        Owner::new(&Rc::from("limit"), &[name.as_bytes()], &[7; 32])
    }

    /// Counts one more, in the first word, and is busy until a time.
    fn count(table: &Table<'_>, name: &str, now: u64, busy_until: u64) -> u64 {
        let counted = table.update(&owner(name), Time::from_nanos(now), |state| {
            let count = state.words[0] + 1;
            let state = State {
                idle_at: busy_until,
                words: [count, 0],
            };
            Change::Write(state, count)
        });
        counted.unwrap()
    }

    #[test]
    fn who_finds_no_place_shares_one_and_evicts_nobody() {
        let store = MemoryStore::default();
        let table = Table::new(&store, SIZE);
        for name in ["a", "b", "c", "d", "e", "f", "g", "h"] {
            assert_eq!(count(&table, name, 10, 500), 1);
        }
        assert_eq!(count(&table, "i", 10, 500), 1);
        assert_eq!(count(&table, "j", 10, 500), 2);
        assert_eq!(count(&table, "a", 10, 500), 2);
        // Idle ones are taken over, and are as new.
        assert_eq!(count(&table, "j", 500, 900), 1);
        assert_eq!(count(&table, "j", 500, 900), 2);
    }

    #[test]
    fn a_table_that_is_half_empty_has_room_for_nearly_all() {
        let store = MemoryStore::default();
        let size = Size {
            slots: 4_096,
            ..SIZE
        };
        let table = Table::new(&store, size);
        let names = (0..2_048).map(|number| number.to_string());
        let crowded = names
            .filter(|name| count(&table, name, 10, 500) > 1)
            .count();
        assert!(crowded <= 8, "{crowded} found no place");
    }

    #[test]
    fn what_bears_a_mark_is_nobody_elses_in_a_crowd() {
        let state = State {
            idle_at: 500,
            words: [0; 2],
        };
        let (one, other) = (owner("a"), owner("b"));
        let marked = one.mark(state);
        assert_eq!(one.own(marked), marked);
        assert_eq!(other.own(marked), State::default());
        assert_eq!(one.own(state), State::default());
    }

    #[test]
    fn a_slot_that_is_busy_for_too_long_is_a_relic() {
        let store = MemoryStore::default();
        let table = Table::new(&store, SIZE);
        for name in ["a", "b", "c", "d", "e", "f", "g", "h"] {
            count(&table, name, SKEW_NS, SKEW_NS + 1_011);
        }
        assert_eq!(count(&table, "i", 10, 500), 1);
        assert_eq!(count(&table, "i", 10, 500), 2);
    }

    #[test]
    fn a_worker_that_read_the_clock_earlier_evicts_nobody() {
        let store = MemoryStore::default();
        let table = Table::new(&store, SIZE);
        let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
        for name in names {
            count(&table, name, SKEW_NS, SKEW_NS + 1_000);
        }
        count(&table, "i", 10, 500);
        for name in names {
            assert_eq!(count(&table, name, SKEW_NS, SKEW_NS + 1_000), 2);
        }
    }

    #[test]
    fn what_is_kept_is_read_back() {
        let state = State {
            idle_at: 1,
            words: [u64::MAX, 3],
        };
        assert_eq!(decode(&encode(&[9; 16], &state)), ([9; 16], state));
        assert_eq!(decode(b"short"), ([0; 16], State::default()));
    }
}
