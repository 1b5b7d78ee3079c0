//! The quota stage against a plain second reading of what limits are.

mod model;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use portcullis::denial::Denial;
use portcullis::engine::{Ended, Event, Flow, Step};
use portcullis::policy::Policy;
use portcullis::policy::quota::{Cost, KeyPart, Limit, Over};
use portcullis::policy::source::Prefixes;
use portcullis::quota::{Algorithm, Bucket, InFlight, State, Taken, Window};
use portcullis::store::{Conflict, MemoryStore, Store, Version};
use portcullis::time::Time;
use portcullis::trail::Trail;
use proptest::prelude::*;
use serde_json::json;

use crate::shop::{self, Parts};
use model::Kind;

/// A limit, and what it is in the model.
fn limit(place: usize, kind: &Kind, cost: u64, observes: bool) -> Limit {
    let name: Rc<str> = format!("l{place}").into();
    Limit {
        full_name: format!("p/{name}").into(),
        name,
        algorithm: match *kind {
            Kind::Bucket { interval, burst } => Algorithm::TokenBucket(Bucket {
                interval_ns: interval,
                burst,
            }),
            Kind::Window { length, quota } => Algorithm::SlidingWindow(Window {
                length_ns: length,
                quota,
            }),
            Kind::InFlight { most } => Algorithm::Concurrency(InFlight {
                most,
                // Longer than any test: what is forgotten has a test of its own.
                longest_ns: 10_000_000 * SECOND,
            }),
        },
        key: vec![KeyPart::Network(Prefixes { ipv4: 32, ipv6: 64 })],
        cost: Cost::Fixed(cost),
        over: match observes {
            true => Over::Observe,
            false => Over::Deny,
        },
        shared: None,
        adaptive: None,
    }
}

/// The clients, the gateway's workers and what they share.
struct Gateway<'a> {
    policy: &'a Policy,
    parts: Parts,
    store: &'a dyn Store,
}

impl<'a> Gateway<'a> {
    fn new(policy: &'a Policy, store: &'a dyn Store) -> Self {
        Gateway {
            policy,
            parts: Parts::new(policy),
            store,
        }
    }

    /// A request of a client: its trail if it passes.
    fn ask(&self, client: u16, now: u64) -> Result<Trail, Denial> {
        let address = format!("10.0.{}.{}", client / 256, client % 256);
        let head = shop::head("GET", b"/v1/status", Some(&address));
        let world = self
            .parts
            .world(self.policy, self.store, Time::from_nanos(now));
        let mut trail = Trail::default();
        match Flow::Start
            .step(Event::RequestHead(head), &world, &mut trail)
            .1
        {
            Step::Continue(_) => Ok(trail),
            Step::Reply(denial) => Err(denial),
            other => panic!("{other:?}"),
        }
    }

    fn end(&self, mut trail: Trail, now: u64) {
        let now = Time::from_nanos(now);
        let world = self.parts.world(self.policy, self.store, now);
        let ended = Event::Ended(Ended::default());
        let _ = Flow::Passing.step(ended, &world, &mut trail);
    }
}

/// A store in which writes are lost to others a number of times before one succeeds.
struct Rough {
    inner: MemoryStore,
    losses: u32,
    lost: Cell<u32>,
}

impl Rough {
    fn new(losses: u32) -> Self {
        Rough {
            inner: MemoryStore::default(),
            losses,
            lost: Cell::new(0),
        }
    }
}

impl Store for Rough {
    fn read(&self, key: &str) -> Option<(Vec<u8>, Version)> {
        self.inner.read(key)
    }

    fn compare_and_swap(
        &self,
        key: &str,
        value: &[u8],
        expected: Option<Version>,
    ) -> Result<(), Conflict> {
        if self.lost.get() < self.losses {
            self.lost.set(self.lost.get() + 1);
            return Err(Conflict);
        }
        self.lost.set(0);
        self.inner.compare_and_swap(key, value, expected)
    }
}

thread_local! {
    /// Its default plan is exchanged for others.
    static POLICY: RefCell<Policy> = RefCell::new(shop::policy(|policy| {
        policy["quotas"]["default"] = "p".into();
        policy["quotas"]["plans"]["p"] =
            json!({ "limits": { "l": { "requests": 1, "per": "1s" } } });
    }));
}

/// Runs with these limits in the place of the default plan's.
fn with<T>(limits: Vec<Limit>, slots: u32, run: impl FnOnce(&Policy) -> T) -> T {
    POLICY.with(|policy| {
        {
            let quotas = &mut policy.borrow_mut().quotas;
            quotas.size.slots = slots;
            quotas.size.horizon_ns = limits
                .iter()
                .map(|limit| limit.algorithm.horizon_ns())
                .max()
                .unwrap_or_default();
            let place = quotas.default.unwrap();
            quotas.plans[place].limits = limits;
        }
        run(&policy.borrow())
    })
}

fn kinds() -> impl Strategy<Value = Kind> {
    let interval = prop_oneof![
        1_000_000u64..2 * SECOND,
        SECOND..60 * SECOND,
        1u64..1_000_000
    ];
    let length = prop_oneof![SECOND..120 * SECOND, 1_000u64..SECOND];
    prop_oneof![
        (interval, 1u64..12).prop_map(|(interval, burst)| Kind::Bucket { interval, burst }),
        (length, 1u64..12).prop_map(|(length, quota)| Kind::Window { length, quota }),
        (1u64..6).prop_map(|most| Kind::InFlight { most }),
    ]
}

/// One to three limits, with what a request costs and whether they only observe.
fn plans() -> impl Strategy<Value = Vec<(Kind, u64, bool)>> {
    let observes = prop_oneof![4 => Just(false), 1 => Just(true)];
    prop::collection::vec((kinds(), 1u64..4, observes), 1..4)
}

#[derive(Debug, Clone)]
enum Happening {
    /// A client asks, so many thousandths of the plan's pace after what was before.
    Ask(u16, u64),
    /// The client's oldest request that is under way is over.
    End(u16),
}

fn happenings(clients: u16) -> impl Strategy<Value = Vec<Happening>> {
    let pause = prop_oneof![4 => 0u64..1_500, 1 => Just(1_000), 1 => 0u64..30_000];
    prop::collection::vec(
        prop_oneof![
            4 => (0..clients, pause).prop_map(|(client, pause)| Happening::Ask(client, pause)),
            1 => (0..clients).prop_map(Happening::End),
        ],
        1..80,
    )
}

/// The time in which something changes, for pauses to be near it.
fn pace(plan: &[(Kind, u64, bool)]) -> u64 {
    let paces = plan.iter().map(|(kind, _, _)| match kind {
        Kind::Bucket { interval, .. } => *interval,
        Kind::Window { length, quota } => length / quota,
        Kind::InFlight { .. } => SECOND,
    });
    paces.min().unwrap_or(SECOND)
}

/// Compares the stage with the model.
fn agree(
    plan: &[(Kind, u64, bool)],
    happenings: &[Happening],
    slots: u32,
    store: &dyn Store,
) -> Result<(), TestCaseError> {
    let limits = plan.iter().enumerate();
    let limits = limits.map(|(place, (kind, cost, observes))| limit(place, kind, *cost, *observes));
    let fresh: Vec<model::Limit> = plan
        .iter()
        .map(|(kind, cost, observes)| model::Limit::new(kind.clone(), *cost, *observes))
        .collect();
    with(limits.collect(), slots, |policy| {
        let gateway = Gateway::new(policy, store);
        let mut models: HashMap<u16, model::Plan> = HashMap::new();
        let mut under_way: HashMap<u16, Vec<Trail>> = HashMap::new();
        let mut now = shop::now().nanos();
        for happening in happenings {
            match happening {
                Happening::Ask(client, pause) => {
                    now += (u128::from(pace(plan)) * u128::from(*pause) / 1_000) as u64;
                    let model = models
                        .entry(*client)
                        .or_insert_with(|| model::Plan(fresh.clone()));
                    let refusing = model.ask(now);
                    match gateway.ask(*client, now) {
                        Ok(trail) => {
                            prop_assert_eq!(refusing, Vec::<usize>::new());
                            under_way.entry(*client).or_default().push(trail);
                        }
                        Err(denial) => refused(&denial, &refusing, model, now)?,
                    }
                }
                Happening::End(client) => {
                    if let Some(trails) = under_way.get_mut(client)
                        && !trails.is_empty()
                    {
                        gateway.end(trails.remove(0), now);
                        models.get_mut(client).unwrap().end();
                    }
                }
            }
        }
        Ok(())
    })
}

/// The right limits refuse, and who waits as told is not refused by them.
fn refused(
    denial: &Denial,
    refusing: &[usize],
    model: &model::Plan,
    now: u64,
) -> Result<(), TestCaseError> {
    let Denial::QuotaExceeded {
        limits,
        retry_after_seconds,
    } = denial
    else {
        return Err(TestCaseError::fail(format!("{denial:?}")));
    };
    let names: Vec<String> = refusing.iter().map(|place| format!("l{place}")).collect();
    let told: Vec<String> = limits.iter().map(ToString::to_string).collect();
    prop_assert_eq!(told, names);
    if let Some(seconds) = retry_after_seconds {
        let by_time = |place: &usize| !matches!(model.0[*place].kind, Kind::InFlight { .. });
        prop_assert!(refusing.iter().all(by_time));
        prop_assert!(model.refusing(now + seconds * SECOND).is_empty());
        if *seconds > 1 {
            let early = model.refusing(now + (seconds - 1) * SECOND);
            prop_assert!(!early.is_empty(), "{seconds} s is too long");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_admits_what_the_model_admits(plan in plans(), happenings in happenings(3)) {
        agree(&plan, &happenings, 65_536, &MemoryStore::default())?;
    }

    /// Eight clients with three limits have 24 keys; of the eight slots that a key may
    /// have, those of others can hold all but one only when there are few slots.
    #[test]
    fn clients_that_share_slots_do_not_disturb_each_other(
        kind in kinds(), cost in 1u64..3, happenings in happenings(8),
    ) {
        agree(&[(kind, cost, false)], &happenings, 64, &MemoryStore::default())?;
    }

    #[test]
    fn lost_races_change_nothing(
        plan in plans(), happenings in happenings(2), losses in 1u32..100,
    ) {
        agree(&plan, &happenings, 65_536, &Rough::new(losses))?;
    }

    /// Whatever the clock does, nobody waits longer than the limit takes to be new and the
    /// window that lies ahead since the clock went back, and nobody waits in vain.
    #[test]
    fn a_clock_that_jumps_locks_nobody_out(
        kind in kinds(), jumps in prop::collection::vec(-200_000i64..200_000, 1..40),
    ) {
        with(vec![limit(0, &kind, 1, false)], 64, |policy| {
            let store = MemoryStore::default();
            let gateway = Gateway::new(policy, &store);
            let mut now = shop::now().nanos();
            for jump in jumps {
                now = now.saturating_add_signed(jump * 1_000_000);
                match gateway.ask(1, now) {
                    Ok(trail) => gateway.end(trail, now),
                    Err(Denial::QuotaExceeded { retry_after_seconds: Some(seconds), .. }) => {
                        let horizon = (policy.quotas.size.horizon_ns / 2 * 3).div_ceil(SECOND);
                        prop_assert!(seconds <= horizon + 1, "{seconds} of {horizon}");
                        now += seconds * SECOND;
                        let again = gateway.ask(1, now);
                        prop_assert!(again.is_ok(), "{:?}", again.err());
                        gateway.end(again.unwrap(), now);
                    }
                    Err(other) => return Err(TestCaseError::fail(format!("{other:?}"))),
                }
            }
            Ok(())
        })?;
    }

    /// Times, costs and what a slot holds may be anything.
    #[test]
    fn nothing_overflows(
        kind in kinds(), cost in any::<u32>(), now in any::<u64>(), back in any::<u64>(),
        idle_at in any::<u64>(), words in any::<[u64; 2]>(),
    ) {
        let algorithm = limit(0, &kind, 1, false).algorithm;
        let state = State { idle_at, words };
        let (now, back) = (Time::from_nanos(now), Time::from_nanos(back));
        let taken = algorithm.take(&state, cost.into(), now);
        if let Taken::Yes { state, standing } = taken {
            prop_assert!(standing.left <= standing.quota);
            let _ = algorithm.give_back(&state, cost.into(), back);
        }
        let _ = algorithm.give_back(&state, cost.into(), now);
        prop_assert!(algorithm.standing(&state, back).left <= algorithm.standing(&state, back).quota);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    /// However many keys there are: each slot counts for one key at a time, and those
    /// that find none share one more.
    #[test]
    fn a_crowd_gets_no_more_than_the_table_holds(
        burst in 1u64..5, rounds in 1usize..6, clients in 100u16..400,
    ) {
        let kind = Kind::Bucket { interval: 3_600 * SECOND, burst };
        with(vec![limit(0, &kind, 1, false)], 64, |policy| {
            let store = MemoryStore::default();
            let gateway = Gateway::new(policy, &store);
            let now = shop::now().nanos();
            let mut admitted: HashMap<u16, u64> = HashMap::new();
            for _ in 0..rounds {
                for client in 0..clients {
                    if gateway.ask(client, now).is_ok() {
                        *admitted.entry(client).or_default() += 1;
                    }
                }
            }
            let most = admitted.values().copied().max().unwrap_or_default();
            prop_assert!(most <= burst, "{most}");
            prop_assert!(admitted.values().sum::<u64>() <= 65 * burst);
            // The first found a place, and what comes later does not take it away.
            let first = admitted.get(&0).copied().unwrap_or_default();
            prop_assert_eq!(first, burst.min(rounds as u64));
            Ok(())
        })?;
    }
}

/// Who is never the first to write has to be told so in the end.
#[test]
fn what_cannot_be_counted_is_refused() {
    let kind = Kind::Bucket {
        interval: SECOND,
        burst: 5,
    };
    with(vec![limit(0, &kind, 1, false)], 64, |policy| {
        let store = Rough::new(u32::MAX);
        let gateway = Gateway::new(policy, &store);
        let answer = gateway.ask(1, shop::now().nanos());
        assert_eq!(answer.err(), Some(Denial::QuotaUncounted));
    });
}

const SECOND: u64 = 1_000_000_000;
