//! The quota stage against a sequential token bucket.

use std::cell::{Cell, LazyCell, RefCell};
use std::collections::{HashMap, HashSet};

use portcullis::denial::Denial;
use portcullis::policy::source::{Mode, QuotaKey};
use portcullis::policy::{Access, Plan, Policy};
use portcullis::stage::authn::{Authenticated, Caller, Waited, authenticate};
use portcullis::stage::quota;
use portcullis::store::{Conflict, MemoryStore, Store, Version};
use portcullis::time::Time;
use portcullis::trail::Trail;
use proptest::prelude::*;

use crate::bucket::Bucket;
use crate::shop::{Parts, now, policy, screened};

thread_local! {
    static POLICY: LazyCell<Policy> = LazyCell::new(|| policy(|_| {}));
}

/// From a billion a second to one a day, and bursts that fill in a century at most.
fn plans() -> impl Strategy<Value = Plan> {
    let interval = prop_oneof![
        1u64..1_000,
        1_000_000u64..2_000_000_000,
        1u64..86_400_000_000_000
    ];
    (interval, 1u64..20).prop_map(|(interval_ns, burst)| Plan {
        name: "p".into(),
        interval_ns,
        burst,
        key: QuotaKey::Address,
    })
}

/// Pauses in hundredths of an interval: mostly about one, at times many.
fn pauses() -> impl Strategy<Value = Vec<u64>> {
    prop::collection::vec(
        prop_oneof![4 => 0u64..150, 1 => Just(100), 1 => 0u64..3_000],
        1..60,
    )
}

fn after(start: u64, plan: &Plan, hundredths: u64) -> u64 {
    start + u64::try_from(u128::from(plan.interval_ns) * u128::from(hundredths) / 100).unwrap()
}

/// One request of the client at this address: what is left, or the refusal.
fn spend(
    plan: &Plan,
    client: u16,
    policy: &Policy,
    store: &dyn Store,
    at: u64,
) -> Result<u64, Denial> {
    let address = format!("10.0.{}.{}", client / 256, client % 256);
    let screened = screened(b"/v1/status", &address, policy).unwrap();
    let mut trail = Trail::default();
    let at = Time::from_nanos(at);
    quota::spend(
        plan,
        &screened,
        &nobody(policy),
        policy,
        store,
        at,
        &mut trail,
    )?;
    let note = trail.findings().last().unwrap().note.clone();
    let left = note.split(' ').nth(2).unwrap().parse();
    Ok(left.unwrap_or_else(|_| panic!("no number in {note:?}")))
}

/// The caller of a public operation.
fn nobody(policy: &Policy) -> Caller {
    let public = Access {
        public: true,
        ..Access::default()
    };
    let parts = Parts::new(policy);
    let store = MemoryStore::default();
    let world = parts.world(policy, &store, now());
    let screened = screened(b"/v1/status", "192.0.2.1", policy).unwrap();
    match authenticate(
        &screened,
        &public,
        &world,
        Waited::default(),
        &mut Trail::default(),
    ) {
        Ok(Authenticated::Known(caller)) => caller,
        other => panic!("{other:?}"),
    }
}

fn seconds(wait_ns: u64) -> u64 {
    wait_ns.div_ceil(1_000_000_000).max(1)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn one_client_gets_what_a_token_bucket_gives(plan in plans(), pauses in pauses()) {
        POLICY.with(|policy| {
            let store = MemoryStore::default();
            let mut at = now().nanos();
            let mut bucket = Bucket::full(plan.interval_ns, plan.burst, at);
            for pause in pauses {
                at = after(at, &plan, pause);
                let wanted = bucket.take(at).map_err(|wait| Denial::QuotaExceeded {
                    retry_after_seconds: seconds(wait),
                });
                prop_assert_eq!(spend(&plan, 1, policy, &store, at), wanted);
            }
            Ok(())
        })?;
    }

    #[test]
    fn many_clients_in_enough_slots_do_not_disturb_each_other(
        plan in plans(),
        requests in prop::collection::vec((0u16..6, 0u64..100), 1..80),
    ) {
        POLICY.with(|policy| {
            let store = MemoryStore::default();
            let mut at = now().nanos();
            let mut buckets: HashMap<u16, Bucket> = HashMap::new();
            for (client, pause) in requests {
                at = after(at, &plan, pause);
                let bucket = buckets
                    .entry(client)
                    .or_insert_with(|| Bucket::full(plan.interval_ns, plan.burst, at));
                let got = spend(&plan, client, policy, &store, at);
                prop_assert_eq!(got.ok(), bucket.take(at).ok());
            }
            Ok(())
        })?;
    }

    #[test]
    fn too_few_slots_cost_nobody_and_forgive_at_most_a_burst_each_time(
        plan in plans(),
        slots in 1u32..6,
        requests in prop::collection::vec((0u16..12, 0u64..60), 1..150),
    ) {
        let mut policy = policy(|_| {});
        policy.slots = slots;
        let store = Watched::default();
        let (begin, mut at) = (now().nanos(), now().nanos());
        let mut admitted: HashMap<u16, u64> = HashMap::new();
        let mut buckets: HashMap<u16, Bucket> = HashMap::new();
        for (client, pause) in requests {
            at = after(at, &plan, pause);
            store.client.set(client);
            store.now.set(at);
            let bucket = buckets
                .entry(client)
                .or_insert_with(|| Bucket::full(plan.interval_ns, plan.burst, at));
            match spend(&plan, client, &policy, &store, at) {
                Ok(_) => {
                    *admitted.entry(client).or_default() += 1;
                    // What was forgiven stays owed here, so that this bucket is never the fuller.
                    bucket.owe(at);
                }
                // Another client's requests never take from this one's bucket.
                Err(denial) => prop_assert!(bucket.take(at).is_err(), "{denial:?}"),
            }
        }
        prop_assert!(store.keys.borrow().len() <= slots as usize);
        for (client, count) in admitted {
            let forgiven = store.forgiven.borrow().get(&client).copied().unwrap_or_default();
            let most = plan.burst * (1 + forgiven) + (at - begin) / plan.interval_ns;
            prop_assert!(count <= most, "{client}: {count} > {most}");
        }
    }

    #[test]
    fn retry_after_keeps_its_word_whatever_the_clock_did(
        plan in plans(),
        jumps in prop::collection::vec((-3_000i64..3_000, 0u16..4), 1..60),
    ) {
        POLICY.with(|policy| {
            let store = MemoryStore::default();
            let mut at = now().nanos();
            for (hundredths, repeats) in jumps {
                let length = after(0, &plan, hundredths.unsigned_abs());
                at = if hundredths < 0 { at.saturating_sub(length) } else { at + length };
                for _ in 0..=repeats {
                    let Err(denial) = spend(&plan, 1, policy, &store, at) else {
                        continue;
                    };
                    let Denial::QuotaExceeded { retry_after_seconds } = denial else {
                        panic!("{denial:?}");
                    };
                    prop_assert!(retry_after_seconds <= seconds(plan.interval_ns));
                    at += retry_after_seconds * 1_000_000_000;
                    prop_assert!(spend(&plan, 1, policy, &store, at).is_ok());
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn a_clock_that_jumps_gives_no_more_than_a_burst_each_time(
        plan in plans(),
        runs in prop::collection::vec((0u64..10_000, pauses()), 1..6),
    ) {
        POLICY.with(|policy| {
            let store = MemoryStore::default();
            let start = now().nanos();
            for (back, pauses) in runs {
                let begin = start - after(0, &plan, back).min(start);
                let mut at = begin;
                let mut admitted = 0;
                for pause in pauses {
                    at = after(at, &plan, pause);
                    admitted += u64::from(spend(&plan, 1, policy, &store, at).is_ok());
                }
                prop_assert!(admitted <= plan.burst + (at - begin) / plan.interval_ns);
            }
            Ok(())
        })?;
    }

    #[test]
    fn conflicts_change_nothing_while_one_write_succeeds(
        plan in plans(),
        requests in prop::collection::vec((0u64..150, 0u32..128), 1..12),
    ) {
        POLICY.with(|policy| {
            let (calm, rough) = (MemoryStore::default(), Rough::default());
            let mut at = now().nanos();
            for (pause, conflicts) in requests {
                at = after(at, &plan, pause);
                rough.conflicts.set(conflicts);
                let wanted = spend(&plan, 1, policy, &calm, at);
                prop_assert_eq!(spend(&plan, 1, policy, &rough, at), wanted);
            }
            Ok(())
        })?;
    }

    #[test]
    fn workers_that_write_in_between_are_all_counted(plan in plans(), others in 0u64..40) {
        POLICY.with(|policy| {
            let store = Raced {
                values: MemoryStore::default(),
                others: Cell::new(others),
                admitted: Cell::new(0),
                race: &|values| spend(&plan, 1, policy, values, now().nanos()).is_ok(),
            };
            let own = u64::from(spend(&plan, 1, policy, &store, now().nanos()).is_ok());
            // An empty bucket ends the race early: then all of the burst is gone.
            let raced = others - store.others.get();
            prop_assert_eq!(own + store.admitted.get(), plan.burst.min(raced + 1));
            Ok(())
        })?;
    }
}

#[test]
fn what_is_never_written_is_not_counted_and_not_admitted() {
    let mut policy = policy(|_| {});
    let plan = Plan {
        name: "p".into(),
        interval_ns: 1_000,
        burst: 10,
        key: QuotaKey::Address,
    };
    let store = Rough::default();
    store.conflicts.set(u32::MAX);
    let got = spend(&plan, 1, &policy, &store, now().nanos());
    assert_eq!(got, Err(Denial::QuotaUncounted));
    let tried = u32::MAX - store.conflicts.get();
    assert!((2..10_000).contains(&tried), "tried {tried} times");

    policy.stages.quota = Mode::Observe;
    let screened = screened(b"/v1/status", "192.0.2.1", &policy).unwrap();
    let mut trail = Trail::default();
    let spent = quota::spend(
        &plan,
        &screened,
        &nobody(&policy),
        &policy,
        &store,
        now(),
        &mut trail,
    );
    assert_eq!(spent, Ok(()));
    assert_eq!(trail.findings()[0].note, "quota_uncounted");
}

/// Notes whose bucket was forgotten before it was full again.
#[derive(Default)]
struct Watched {
    values: MemoryStore,
    keys: RefCell<HashSet<String>>,
    client: Cell<u16>,
    now: Cell<u64>,
    owners: RefCell<HashMap<Vec<u8>, u16>>,
    forgiven: RefCell<HashMap<u16, u64>>,
}

impl Store for Watched {
    fn read(&self, key: &str) -> Option<(Vec<u8>, Version)> {
        self.values.read(key)
    }

    fn compare_and_swap(
        &self,
        key: &str,
        value: &[u8],
        expected: Option<Version>,
    ) -> Result<(), Conflict> {
        let old = self.read(key);
        self.values.compare_and_swap(key, value, expected)?;
        self.keys.borrow_mut().insert(key.to_owned());
        let tag = value[..16].to_vec();
        if let Some((old, _)) = old.filter(|(old, _)| old[..16] != tag) {
            let full_at = u64::from_le_bytes(old[16..].try_into().unwrap());
            if full_at > self.now.get() {
                let loser = self.owners.borrow()[&old[..16]];
                *self.forgiven.borrow_mut().entry(loser).or_default() += 1;
            }
        }
        self.owners.borrow_mut().insert(tag, self.client.get());
        Ok(())
    }
}

/// A store where others write first, so many times.
#[derive(Default)]
struct Rough {
    values: MemoryStore,
    conflicts: Cell<u32>,
}

impl Store for Rough {
    fn read(&self, key: &str) -> Option<(Vec<u8>, Version)> {
        self.values.read(key)
    }

    fn compare_and_swap(
        &self,
        key: &str,
        value: &[u8],
        expected: Option<Version>,
    ) -> Result<(), Conflict> {
        if self.conflicts.get() > 0 {
            self.conflicts.set(self.conflicts.get() - 1);
            return Err(Conflict);
        }
        self.values.compare_and_swap(key, value, expected)
    }
}

/// A store where another worker spends from the same bucket before each write.
struct Raced<'a> {
    values: MemoryStore,
    others: Cell<u64>,
    admitted: Cell<u64>,
    race: &'a dyn Fn(&MemoryStore) -> bool,
}

impl Store for Raced<'_> {
    fn read(&self, key: &str) -> Option<(Vec<u8>, Version)> {
        self.values.read(key)
    }

    fn compare_and_swap(
        &self,
        key: &str,
        value: &[u8],
        expected: Option<Version>,
    ) -> Result<(), Conflict> {
        if self.others.get() > 0 {
            self.others.set(self.others.get() - 1);
            self.admitted
                .set(self.admitted.get() + u64::from((self.race)(&self.values)));
        }
        self.values.compare_and_swap(key, value, expected)
    }
}
