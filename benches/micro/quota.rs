//! Limits: what each algorithm costs by itself, and what finding and writing the slot in
//! which it counts costs beside it.

use std::hint::black_box;
use std::rc::Rc;
use std::time::Duration;

use portcullis::quota::table::{Change, Contended, Owner, Size, Table};
use portcullis::quota::{Algorithm, Bucket, InFlight, State, Taken, Window};
use portcullis::store::MemoryStore;
use portcullis::time::Time;

use super::Result;

/// Prints lines for the algorithms, and for a table that is empty, used and full.
pub(crate) fn lines(mut line: impl FnMut(&str, &mut dyn FnMut())) -> Result<()> {
    let bucket = Algorithm::TokenBucket(Bucket {
        interval_ns: 50_000_000,
        burst: 40,
    });
    let window = Algorithm::SlidingWindow(Window {
        length_ns: HOUR_NS,
        quota: 5_000,
    });
    let concurrency = Algorithm::Concurrency(InFlight {
        most: 10,
        longest_ns: 60_000_000_000,
    });
    for (name, algorithm) in [
        ("token bucket", bucket),
        ("sliding window", window),
        ("concurrency", concurrency),
    ] {
        let taken = |state: &State, cost| algorithm.take(black_box(state), cost, NOW);
        let Taken::Yes { state, .. } = taken(&State::default(), 1) else {
            return Err(format!("a new {name} refuses").into());
        };
        line(&format!("{name}, take"), &mut || {
            let _ = black_box(taken(&state, 1));
        });
        line(&format!("{name}, refuse"), &mut || {
            let _ = black_box(taken(&state, 1_000_000));
        });
    }
    table(&bucket, &mut line)
}

fn table(bucket: &Algorithm, line: &mut impl FnMut(&str, &mut dyn FnMut())) -> Result<()> {
    let limit = Rc::from("standard/burst");
    let owner = |key: u64| Owner::new(&limit, &[b"client", &key.to_le_bytes()], &[7; 32]);
    line("quota, who is counted", &mut || {
        drop(black_box(owner(black_box(1))));
    });
    // Each time costs next to nothing, so that the bucket never refuses.
    let take =
        |table: &Table<'_>, owner: &Owner, now: Time| -> std::result::Result<(), Contended> {
            table.update(owner, now, |state| match bucket.take(state, 1, now) {
                Taken::Yes { state, .. } => Change::Write(state, ()),
                Taken::No { .. } => Change::Keep(()),
            })
        };
    let written = |taken| match taken {
        Ok(()) => Ok(()),
        Err(Contended) => Err("a table of one thread is contended"),
    };
    let store = MemoryStore::default();
    let used = Table::new(&store, SIZE);
    written(take(&used, &owner(1), NOW))?;
    let (known, mut now) = (owner(1), NOW);
    line("quota, take from a known slot", &mut || {
        now = now + Duration::from_millis(50);
        let _ = black_box(take(&used, &known, now));
    });
    line("quota, look at a known slot", &mut || {
        black_box(used.read(&known, now));
    });
    let mut key = 1;
    line("quota, take for a new key", &mut || {
        key += 1;
        // A filling later all slots are idle, so there is always one to take over.
        now = now + Duration::from_secs(3);
        let _ = black_box(take(&used, &owner(key), now));
    });
    let (store, size) = (MemoryStore::default(), Size { slots: 64, ..SIZE });
    let full = Table::new(&store, size);
    for key in 0..10_000 {
        written(take(&full, &owner(key), NOW))?;
    }
    let stranger = owner(10_001);
    line("quota, look when all are busy", &mut || {
        black_box(full.read(&stranger, NOW));
    });
    Ok(())
}

const NOW: Time = Time::from_nanos(1_795_305_600_000_000_000);
const HOUR_NS: u64 = 3_600_000_000_000;
const SIZE: Size = Size {
    slots: 65_536,
    horizon_ns: 2 * HOUR_NS,
};
