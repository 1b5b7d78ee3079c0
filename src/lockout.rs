//! How often someone failed to prove who he is, and how long he must wait for it.
//!
//! Guessing is slow when each wrong guess makes the next one wait longer. A few
//! failures cost nothing; each one beyond them doubles the wait, and too many end in a
//! ban of fixed length. Attempts during a wait are not looked at and not counted, so a
//! client that keeps knocking makes nothing worse, for itself or for others behind the
//! same address. Failures are forgotten one by one, at the rate that is tolerated.
//!
//! All of that is a count and a time for each subject: until when to wait, or since
//! when the count decays. Shared data can neither delete nor list, so the subjects
//! live in a fixed number of sets with room for eight each, which is one read for each
//! question, and [`MOST_BYTES`] of memory at most. Where a set is full, whoever failed
//! least is forgotten first: a flood of strangers does not lift a ban. Who shares a set
//! with whom hangs on a secret, so nobody can aim.

use std::net::IpAddr;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::network::Network;
use crate::store::{Store, Version};
use crate::time::Time;

/// How much failing is borne.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Failures that cost nothing; as many are forgotten in each window. At least one.
    pub failures: u32,
    /// How long it takes to forget them.
    pub window: Duration,
    /// The wait after the first failure too many. It doubles with each further one.
    pub delay: Duration,
    /// Failures after which waits end and a ban follows; not below `failures`.
    pub ban_after: u32,
    /// How long a ban, and thereby the longest wait, lasts.
    pub ban: Duration,
}

impl Limits {
    fn wait(&self, count: u32) -> u64 {
        let ban = nanos(self.ban);
        if count > self.ban_after {
            return ban;
        }
        match count.checked_sub(self.failures) {
            None | Some(0) => 0,
            Some(excess) => 1_u64
                .checked_shl(excess - 1)
                .and_then(|factor| nanos(self.delay).checked_mul(factor))
                .map_or(ban, |wait| wait.min(ban)),
        }
    }

    /// How long it takes to forget one failure.
    fn interval(&self) -> u64 {
        (nanos(self.window) / u64::from(self.failures.max(1))).max(1)
    }
}

/// What failures are counted against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Where attempts come from.
    Address,
    /// The identifier of an API key.
    Key,
    /// Whoever a genuine token names.
    Account,
}

impl Kind {
    /// Its name in the audit.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Address => "address",
            Kind::Key => "key",
            Kind::Account => "account",
        }
    }
}

/// Someone whose failures are counted, by a digest: names are not stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    tag: [u8; 16],
    home: u64,
}

impl Subject {
    /// Of that name among its kind. `secret` is what all workers share and nobody
    /// else knows. Another `epoch` makes other subjects of all, who have not failed.
    pub fn new(kind: Kind, name: &[u8], epoch: &str, secret: &[u8; 32]) -> Self {
        let mut hash = Sha256::new();
        hash.update(secret);
        for part in [kind.name().as_bytes(), epoch.as_bytes(), name] {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            hash.update(part);
        }
        let digest: [u8; 32] = hash.finalize().into();
        let (tag, rest) = digest.split_at(16);
        Subject {
            tag: array(tag),
            home: u64::from_le_bytes(array(rest.get(..8).unwrap_or_default())),
        }
    }

    /// An address; of IPv6 the /64 around it, since whoever has one address of those
    /// has them all.
    pub fn address(address: IpAddr, epoch: &str, secret: &[u8; 32]) -> Self {
        let block = Network::around(address, 64).to_string();
        Subject::new(Kind::Address, block.as_bytes(), epoch, secret)
    }

    fn key(&self) -> String {
        format!("portcullis/lockout/{}", self.home % SETS)
    }
}

/// How someone stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// Failures that are not forgotten.
    pub failures: u32,
    /// How long no attempt is looked at; nothing, if the next one will be.
    pub wait: Duration,
}

impl Standing {
    /// Whether attempts are not looked at.
    pub fn is_locked(&self) -> bool {
        self.wait > Duration::ZERO
    }
}

/// How the subject stands. Asked before an attempt is looked at.
pub fn standing(subject: &Subject, limits: &Limits, store: &dyn Store, now: Time) -> Standing {
    let set = Set::read(subject, store);
    let Some(kept) = set.find(subject) else {
        return Standing::default();
    };
    let entry = kept.at(limits, now);
    if entry.from < kept.from {
        // The clock went backwards. Without this the wait would last until it has
        // caught up. If another worker writes first, it has done the same.
        let _ = set.replace(subject, Some(entry), limits, store, now);
    }
    entry.standing(now)
}

/// Counts a failure, and says how the subject stands after it.
pub fn fail(subject: &Subject, limits: &Limits, store: &dyn Store, now: Time) -> Standing {
    let mut standing = Standing::default();
    for _ in 0..MOST_TRIES {
        let set = Set::read(subject, store);
        let entry = set
            .find(subject)
            .map_or_else(Entry::default, |entry| entry.at(limits, now))
            .failed(limits, now);
        standing = entry.standing(now);
        if set
            .replace(subject, Some(entry), limits, store, now)
            .is_ok()
        {
            break;
        }
    }
    // Otherwise others were faster each time, and failing as well: what they count
    // makes up for what is lost here.
    standing
}

/// Forgets the subject's failures, after it has proved who it is.
pub fn forgive(subject: &Subject, limits: &Limits, store: &dyn Store, now: Time) {
    for _ in 0..MOST_TRIES {
        let set = Set::read(subject, store);
        if set.find(subject).is_none() || set.replace(subject, None, limits, store, now).is_ok() {
            return;
        }
    }
}

/// The failures of one subject. `from` is when its wait ends or, once that is over,
/// the time from which failures are forgotten.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Entry {
    count: u32,
    from: u64,
}

impl Entry {
    /// What is left of it now.
    fn at(self, limits: &Limits, now: Time) -> Entry {
        let latest = now.nanos().saturating_add(nanos(limits.ban));
        let from = self.from.min(latest);
        let Some(idle) = now.nanos().checked_sub(from) else {
            return Entry { from, ..self };
        };
        let forgotten = idle / limits.interval();
        let count = u64::from(self.count).saturating_sub(forgotten);
        match u32::try_from(count) {
            Ok(0) | Err(_) => Entry::default(),
            Ok(count) => Entry {
                count,
                from: from.saturating_add(forgotten.saturating_mul(limits.interval())),
            },
        }
    }

    /// What it is after one more failure; it must be as it is now.
    fn failed(self, limits: &Limits, now: Time) -> Entry {
        // A count that went on would be forgotten too late.
        let count = self
            .count
            .saturating_add(1)
            .min(limits.ban_after.saturating_add(1));
        let wait = limits.wait(count);
        let from = match (wait, self.count) {
            (0, 0) => now.nanos(),
            (0, _) => self.from,
            (wait, _) => self.from.max(now.nanos().saturating_add(wait)),
        };
        Entry { count, from }
    }

    fn standing(self, now: Time) -> Standing {
        Standing {
            failures: self.count,
            wait: Time::from_nanos(self.from).since(now),
        }
    }
}

/// The subjects that share one value of the store.
struct Set {
    entries: Vec<([u8; 16], Entry)>,
    version: Option<Version>,
}

impl Set {
    fn read(subject: &Subject, store: &dyn Store) -> Set {
        let (value, version) = match store.read(&subject.key()) {
            None => (Vec::new(), None),
            Some((value, version)) => (value, Some(version)),
        };
        let entries = value.chunks_exact(ENTRY_BYTES).map(decode).collect();
        Set { entries, version }
    }

    fn find(&self, subject: &Subject) -> Option<Entry> {
        self.entries
            .iter()
            .find(|(tag, _)| *tag == subject.tag)
            .map(|(_, entry)| *entry)
    }

    /// Writes the set with this in place of what it held of the subject. Whoever has
    /// no failures left makes room; if that is not enough, whoever has the fewest.
    fn replace(
        &self,
        subject: &Subject,
        new: Option<Entry>,
        limits: &Limits,
        store: &dyn Store,
        now: Time,
    ) -> Result<(), crate::store::Conflict> {
        let mut others: Vec<([u8; 16], Entry)> = self
            .entries
            .iter()
            .filter(|(tag, entry)| *tag != subject.tag && entry.at(limits, now).count > 0)
            .copied()
            .collect();
        let room = WAYS - usize::from(new.is_some());
        others.sort_by_key(|(_, entry)| std::cmp::Reverse((entry.count, entry.from)));
        others.truncate(room);
        let mut value = Vec::with_capacity(WAYS * ENTRY_BYTES);
        for (tag, entry) in new
            .map(|entry| (subject.tag, entry))
            .into_iter()
            .chain(others)
        {
            value.extend_from_slice(&tag);
            value.extend_from_slice(&entry.count.to_le_bytes());
            value.extend_from_slice(&entry.from.to_le_bytes());
        }
        store.compare_and_swap(&subject.key(), &value, self.version)
    }
}

fn decode(bytes: &[u8]) -> ([u8; 16], Entry) {
    let part = |from: usize, to: usize| bytes.get(from..to).unwrap_or_default();
    let entry = Entry {
        count: u32::from_le_bytes(array(part(16, 20))),
        from: u64::from_le_bytes(array(part(20, ENTRY_BYTES))),
    };
    (array(part(0, 16)), entry)
}

fn nanos(length: Duration) -> u64 {
    u64::try_from(length.as_nanos()).unwrap_or(u64::MAX)
}

/// The bytes, if there are as many as asked for; zeros otherwise.
fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().unwrap_or([0; N])
}

/// What the failures of all take in shared data at most, without what the host needs
/// for its table: 16,384 subjects.
pub const MOST_BYTES: u64 = SETS * (WAYS * ENTRY_BYTES) as u64;

/// Values in the store.
const SETS: u64 = 2_048;

/// Subjects in each of them.
const WAYS: usize = 8;

/// A tag, a count and a time.
const ENTRY_BYTES: usize = 16 + 4 + 8;

/// Writes tried before a failure goes uncounted.
const MOST_TRIES: u32 = 32;

#[cfg(test)]
mod tests;
