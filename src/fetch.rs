//! When a document that lies elsewhere is fetched, and by which worker.
//!
//! All workers share one record a document. Whoever wins the compare-and-swap on it
//! fetches, the others read what it brought. A record that says "begun" for longer
//! than a fetch may take belongs to a worker that is gone, and can be taken over.

use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::store::{Store, Version};
use crate::time::Time;

/// Where a document lies and how often it is fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// What kind of document, such as `jwks`: a part of its name in the store.
    pub kind: &'static str,
    /// The Envoy cluster to ask.
    pub cluster: String,
    /// Its address.
    pub uri: String,
    /// How old it may be before it is fetched again.
    pub refresh: Duration,
    /// How long one fetch may take.
    pub timeout: Duration,
    /// The least time between two fetches that are asked for out of turn.
    pub cooldown: Duration,
}

/// Why a worker would like the document fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// It is missing, or due by age.
    Routine,
    /// It lacks something that a request asks for, such as an unknown key.
    OutOfTurn,
}

/// What all workers know about one document.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Record {
    /// Names the content of the document; 0: there is none yet.
    pub version: u64,
    /// When the fetch began that last brought or confirmed the document.
    pub fetched: Time,
    /// When the last fetch began.
    pub begun: Time,
    /// When the last fetch ended; before `begun` while one is under way.
    pub ended: Time,
    /// When a fetch was last begun out of turn.
    pub sought: Time,
    /// How many fetches failed in a row.
    pub failures: u32,
}

/// The shared record of one document, and the document.
#[derive(Debug, Clone)]
pub struct SharedDocument {
    record_key: String,
    document_key: String,
    schedule: Schedule,
}

impl SharedDocument {
    /// The place is named by the address and cluster, so that a policy with
    /// another source never reads this document.
    pub fn new(schedule: Schedule) -> Self {
        let digest = Sha256::digest(format!("{}\0{}", schedule.cluster, schedule.uri));
        let name: String = digest
            .iter()
            .take(16)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        SharedDocument {
            record_key: format!("portcullis/{}/{name}/record", schedule.kind),
            document_key: format!("portcullis/{}/{name}/document", schedule.kind),
            schedule,
        }
    }

    /// Where it lies and how often it is fetched.
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// What all workers know.
    pub fn record(&self, store: &dyn Store) -> Record {
        self.read(store).0
    }

    /// The document, as it was fetched.
    pub fn document(&self, store: &dyn Store) -> Option<Vec<u8>> {
        store.read(&self.document_key).map(|(document, _)| document)
    }

    /// Whether a fetch is under way.
    pub fn under_way(&self, record: &Record, now: Time) -> bool {
        record.begun > record.ended && now < record.begun + self.schedule.timeout + GRACE
    }

    /// Takes the fetch upon this worker, if one is due and no other has it.
    pub fn lease(&self, store: &dyn Store, wish: Wish, now: Time) -> bool {
        let (record, version) = self.read(store);
        let sought = if wish == Wish::OutOfTurn {
            now
        } else {
            record.sought
        };
        let begun = Record {
            begun: now,
            sought,
            ..record
        };
        self.due(&record, wish, now)
            && store
                .compare_and_swap(&self.record_key, &begun.encode(), version)
                .is_ok()
    }

    /// The fetch brought a good document.
    pub fn succeeded(&self, store: &dyn Store, document: &[u8], now: Time) -> u64 {
        let digest = Sha256::digest(document);
        // Never 0, which means that there is none.
        let version = read_u64(&digest, 0) | 1;
        let (_, previous) = store.read(&self.document_key).unzip();
        // A conflict means that a worker which took over was faster: its document is as good.
        let _ = store.compare_and_swap(&self.document_key, document, previous);
        self.update(store, |record| Record {
            version,
            fetched: record.begun,
            ended: now,
            failures: 0,
            ..record
        });
        version
    }

    /// The fetch failed, or brought nothing usable.
    pub fn failed(&self, store: &dyn Store, now: Time) {
        self.update(store, |record| Record {
            ended: now,
            failures: record.failures.saturating_add(1),
            ..record
        });
    }

    /// Whether a fetch may begin now.
    pub fn due(&self, record: &Record, wish: Wish, now: Time) -> bool {
        if self.under_way(record, now) {
            return false;
        }
        let rested = now >= record.ended + backoff(record.failures);
        match wish {
            Wish::Routine => {
                rested && (record.version == 0 || now >= record.fetched + self.schedule.refresh)
            }
            Wish::OutOfTurn => rested && now >= record.sought + self.schedule.cooldown,
        }
    }

    fn read(&self, store: &dyn Store) -> (Record, Option<Version>) {
        match store.read(&self.record_key) {
            Some((value, version)) => (Record::decode(&value), Some(version)),
            None => (Record::default(), None),
        }
    }

    fn update(&self, store: &dyn Store, change: impl Fn(Record) -> Record) {
        for _ in 0..MOST_TRIES {
            let (record, version) = self.read(store);
            if store
                .compare_and_swap(&self.record_key, &change(record).encode(), version)
                .is_ok()
            {
                return;
            }
        }
    }
}

impl Record {
    fn encode(&self) -> Vec<u8> {
        let times = [self.fetched, self.begun, self.ended, self.sought].map(Time::nanos);
        let numbers = [self.version, u64::from(self.failures)]
            .into_iter()
            .chain(times);
        numbers.flat_map(u64::to_le_bytes).collect()
    }

    fn decode(value: &[u8]) -> Record {
        Record {
            version: read_u64(value, 0),
            failures: u32::try_from(read_u64(value, 1)).unwrap_or(u32::MAX),
            fetched: Time::from_nanos(read_u64(value, 2)),
            begun: Time::from_nanos(read_u64(value, 3)),
            ended: Time::from_nanos(read_u64(value, 4)),
            sought: Time::from_nanos(read_u64(value, 5)),
        }
    }
}

/// Half a second, doubled with every failure, at most ten seconds.
fn backoff(failures: u32) -> Duration {
    match failures {
        0 => Duration::ZERO,
        failures => {
            Duration::from_millis(500 << failures.min(6).saturating_sub(1)).min(LONGEST_BACKOFF)
        }
    }
}

fn read_u64(bytes: &[u8], index: usize) -> u64 {
    bytes
        .get(index * 8..index * 8 + 8)
        .and_then(|eight| eight.try_into().ok())
        .map_or(0, u64::from_le_bytes)
}

/// How much longer than its time-out a fetch may seem to take.
const GRACE: Duration = Duration::from_secs(1);
const LONGEST_BACKOFF: Duration = Duration::from_secs(10);
const MOST_TRIES: u32 = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MemoryStore;

    fn shared() -> SharedDocument {
        SharedDocument::new(Schedule {
            kind: "jwks",
            cluster: "id".into(),
            uri: "https://id.example/jwks".into(),
            refresh: Duration::from_secs(300),
            timeout: Duration::from_secs(2),
            cooldown: Duration::from_secs(10),
        })
    }

    fn at(seconds: u64) -> Time {
        Time::from_millis(1_000_000_000 + seconds * 1_000)
    }

    #[test]
    fn one_worker_fetches_and_the_others_wait() {
        let (shared, store) = (shared(), MemoryStore::default());
        assert!(shared.lease(&store, Wish::Routine, at(0)));
        assert!(!shared.lease(&store, Wish::Routine, at(0)));
        assert!(!shared.lease(&store, Wish::OutOfTurn, at(1)));
        let version = shared.succeeded(&store, b"{}", at(1));
        assert_eq!(shared.record(&store).version, version);
        assert_eq!(shared.document(&store).unwrap(), b"{}");
        assert!(!shared.lease(&store, Wish::Routine, at(299)));
        assert!(shared.lease(&store, Wish::Routine, at(301)));
    }

    #[test]
    fn a_worker_that_vanished_is_replaced() {
        let (shared, store) = (shared(), MemoryStore::default());
        assert!(shared.lease(&store, Wish::Routine, at(0)));
        assert!(!shared.lease(&store, Wish::Routine, at(2)));
        assert!(shared.lease(&store, Wish::Routine, at(4)));
    }

    #[test]
    fn wishes_out_of_turn_cannot_buy_more_than_one_fetch_a_cooldown() {
        let (shared, store) = (shared(), MemoryStore::default());
        assert!(shared.lease(&store, Wish::Routine, at(0)));
        shared.succeeded(&store, b"{}", at(0));
        assert!(shared.lease(&store, Wish::OutOfTurn, at(1)));
        shared.succeeded(&store, b"{}", at(1));
        assert!(!shared.lease(&store, Wish::OutOfTurn, at(10)));
        assert!(shared.lease(&store, Wish::OutOfTurn, at(11)));
    }

    #[test]
    fn failures_slow_the_attempts_down() {
        let (shared, store) = (shared(), MemoryStore::default());
        for (begin, end) in [(0, 0), (1, 1), (2, 2)] {
            assert!(shared.lease(&store, Wish::Routine, at(begin)), "{begin}");
            shared.failed(&store, at(end));
        }
        assert!(!shared.lease(&store, Wish::Routine, at(3)));
        assert!(shared.lease(&store, Wish::Routine, at(4)));
        assert_eq!(backoff(40), LONGEST_BACKOFF);
    }
}
