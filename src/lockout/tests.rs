//! Tests of the lockout, and the plain model that it must agree with.

use super::*;
use crate::store::{Conflict, MemoryStore};

const SECRET: [u8; 32] = [7; 32];

/// Three failures are free and forgotten within 30 s; then 1, 2, 4 s; then 60 s.
fn limits() -> Limits {
    Limits {
        failures: 3,
        window: Duration::from_secs(30),
        delay: Duration::from_secs(1),
        ban_after: 6,
        ban: Duration::from_secs(60),
    }
}

fn at(seconds: u64) -> Time {
    Time::from_millis(1_000_000 + seconds * 1_000)
}

fn subject(name: &str) -> Subject {
    Subject::new(Kind::Key, name.as_bytes(), "", &SECRET)
}

fn fails(times: u32, name: &str, store: &MemoryStore, seconds: u64) -> Standing {
    (0..times).fold(Standing::default(), |_, _| {
        fail(&subject(name), &limits(), store, at(seconds))
    })
}

fn stands(name: &str, store: &MemoryStore, seconds: u64) -> (u32, u64) {
    let standing = standing(&subject(name), &limits(), store, at(seconds));
    (standing.failures, standing.wait.as_secs())
}

#[test]
fn a_few_failures_cost_nothing_and_each_further_one_doubles_the_wait() {
    let store = MemoryStore::default();
    assert_eq!(stands("a", &store, 0), (0, 0));
    assert!(!fails(3, "a", &store, 0).is_locked());
    assert_eq!(stands("a", &store, 0), (3, 0));
    let waits: Vec<u64> = [1, 2, 4]
        .into_iter()
        .scan(0, |now, expected| {
            let standing = fails(1, "a", &store, *now);
            assert!(standing.is_locked());
            *now += expected;
            Some(standing.wait.as_secs())
        })
        .collect();
    assert_eq!(waits, [1, 2, 4]);
    assert_eq!(fails(1, "a", &store, 7).wait, Duration::from_secs(60));
    assert_eq!(stands("a", &store, 66), (7, 1));
    assert_eq!(stands("a", &store, 67), (7, 0));
}

#[test]
fn who_fails_right_after_a_ban_is_banned_again() {
    let store = MemoryStore::default();
    fails(7, "a", &store, 0);
    let free_again = 60;
    assert_eq!(stands("a", &store, free_again).1, 0);
    assert_eq!(
        fails(1, "a", &store, free_again).wait,
        Duration::from_secs(60)
    );
}

#[test]
fn failures_are_forgotten_one_by_one_once_the_wait_is_over() {
    let store = MemoryStore::default();
    fails(4, "a", &store, 0);
    assert_eq!(stands("a", &store, 1), (4, 0));
    assert_eq!(stands("a", &store, 10), (4, 0));
    assert_eq!(stands("a", &store, 11), (3, 0));
    assert_eq!(stands("a", &store, 31), (1, 0));
    assert_eq!(stands("a", &store, 41), (0, 0));
}

#[test]
fn what_fails_at_the_tolerated_rate_never_waits() {
    let store = MemoryStore::default();
    for tenth in 0..100 {
        assert!(!fails(1, "a", &store, tenth * 10).is_locked());
    }
}

#[test]
fn a_success_forgets_the_subject_alone() {
    let store = MemoryStore::default();
    fails(3, "a", &store, 0);
    fails(3, "b", &store, 0);
    forgive(&subject("a"), &limits(), &store, at(0));
    forgive(&subject("stranger"), &limits(), &store, at(0));
    assert_eq!(stands("a", &store, 0), (0, 0));
    assert_eq!(stands("b", &store, 0), (3, 0));
}

#[test]
fn a_clock_that_goes_backwards_makes_nobody_wait_longer_than_a_ban() {
    let store = MemoryStore::default();
    fails(7, "a", &store, 100_000);
    assert_eq!(stands("a", &store, 0), (7, 60));
    assert_eq!(stands("a", &store, 60), (7, 0));
}

#[test]
fn a_flood_of_strangers_does_not_lift_a_ban() {
    let store = MemoryStore::default();
    let banned = Subject {
        tag: [1; 16],
        home: 5,
    };
    for _ in 0..7 {
        fail(&banned, &limits(), &store, at(0));
    }
    for stranger in 0..100_u32 {
        let mut tag = [2; 16];
        tag[..4].copy_from_slice(&stranger.to_le_bytes());
        fail(&Subject { tag, home: 5 }, &limits(), &store, at(1));
    }
    assert!(standing(&banned, &limits(), &store, at(2)).is_locked());
    let (value, _) = store.read(&banned.key()).unwrap();
    assert_eq!(value.len(), WAYS * ENTRY_BYTES);
}

#[test]
fn who_has_no_failures_left_makes_room_first() {
    let store = MemoryStore::default();
    let of = |tag: u8| Subject {
        tag: [tag; 16],
        home: 5,
    };
    for _ in 0..7 {
        fail(&of(0), &limits(), &store, at(0));
    }
    for tag in 1..8 {
        fail(&of(tag), &limits(), &store, at(1_000));
    }
    fail(&of(8), &limits(), &store, at(1_000));
    assert_eq!(standing(&of(0), &limits(), &store, at(1_000)).failures, 0);
    for tag in 1..=8 {
        assert_eq!(standing(&of(tag), &limits(), &store, at(1_000)).failures, 1);
    }
}

#[test]
fn subjects_are_told_apart() {
    let one = Subject::new(Kind::Key, b"a", "", &SECRET);
    for other in [
        Subject::new(Kind::Account, b"a", "", &SECRET),
        Subject::new(Kind::Key, b"b", "", &SECRET),
        Subject::new(Kind::Key, b"a", "2", &SECRET),
        Subject::new(Kind::Key, b"a", "", &[8; 32]),
        Subject::new(Kind::Key, b"", "a", &SECRET),
    ] {
        assert_ne!(one.tag, other.tag);
    }
    let address = |text: &str| Subject::address(text.parse().unwrap(), "", &SECRET);
    assert_eq!(address("2001:db8::1"), address("2001:db8::ffff:1"));
    assert_ne!(address("2001:db8::1"), address("2001:db8:0:1::1"));
    assert_eq!(address("192.0.2.1"), address("::ffff:192.0.2.1"));
    assert_ne!(address("192.0.2.1"), address("192.0.2.2"));
}

/// Another worker always writes first.
struct Contended(MemoryStore);

impl Store for Contended {
    fn read(&self, key: &str) -> Option<(Vec<u8>, Version)> {
        self.0.read(key)
    }

    fn compare_and_swap(&self, _: &str, _: &[u8], _: Option<Version>) -> Result<(), Conflict> {
        Err(Conflict)
    }
}

#[test]
fn contention_ends() {
    let store = Contended(MemoryStore::default());
    fails(3, "a", &store.0, 0);
    assert_eq!(
        fail(&subject("a"), &limits(), &store, at(0)).wait,
        Duration::from_secs(1)
    );
    forgive(&subject("a"), &limits(), &store, at(0));
    assert_eq!(stands("a", &store.0, 0), (3, 0));
}

#[test]
fn waits_end_where_their_numbers_do() {
    let limits = Limits {
        failures: 1,
        window: Duration::MAX,
        delay: Duration::from_secs(1),
        ban_after: u32::MAX,
        ban: Duration::MAX,
    };
    let store = MemoryStore::default();
    for _ in 0..200 {
        fail(&subject("a"), &limits, &store, at(0));
    }
    let standing = standing(&subject("a"), &limits, &store, at(0));
    assert_eq!(standing.failures, 200);
    assert!(standing.is_locked());
}

#[test]
fn a_value_that_is_not_ours_is_nobody() {
    let store = MemoryStore::default();
    store
        .compare_and_swap(&subject("a").key(), b"rubbish", None)
        .unwrap();
    assert_eq!(stands("a", &store, 0), (0, 0));
    assert_eq!(fails(1, "a", &store, 0).failures, 1);
}

#[cfg(not(target_family = "wasm"))]
mod properties {
    use super::*;
    use proptest::prelude::*;

    /// One subject, simulated nanosecond by nanosecond.
    #[derive(Debug, Default)]
    struct Model {
        failures: u32,
        wait: u64,
        idle: u64,
    }

    impl Model {
        fn pass(&mut self, limits: &Limits, nanos: u64) {
            for _ in 0..nanos {
                if self.wait > 0 {
                    self.wait -= 1;
                    continue;
                }
                if self.failures > 0 {
                    self.idle += 1;
                }
                if self.idle == super::nanos(limits.window) / u64::from(limits.failures) {
                    self.failures -= 1;
                    self.idle = 0;
                }
            }
        }

        fn fail(&mut self, limits: &Limits) {
            self.failures = (self.failures + 1).min(limits.ban_after + 1);
            let ban = super::nanos(limits.ban);
            let wait = if self.failures > limits.ban_after {
                ban
            } else if self.failures > limits.failures {
                let mut wait = super::nanos(limits.delay);
                for _ in limits.failures + 1..self.failures {
                    wait *= 2;
                }
                wait.min(ban)
            } else {
                0
            };
            if wait > 0 {
                self.wait = self.wait.max(wait);
                self.idle = 0;
            }
        }
    }

    #[derive(Debug, Clone, Copy)]
    enum Act {
        Pass(u64),
        Fail(usize),
        Succeed(usize),
        Look(usize),
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            (0u64..80).prop_map(Act::Pass),
            (0usize..4).prop_map(Act::Fail),
            (0usize..4).prop_map(Act::Fail),
            (0usize..4).prop_map(Act::Succeed),
            (0usize..4).prop_map(Act::Look),
        ]
    }

    fn some_limits() -> impl Strategy<Value = Limits> {
        (1u32..4, 1u64..40, 1u64..9, 0u32..6, 0u64..100).prop_map(
            |(failures, interval, delay, further, ban)| Limits {
                failures,
                window: Duration::from_nanos(interval * u64::from(failures)),
                delay: Duration::from_nanos(delay),
                ban_after: failures + further,
                ban: Duration::from_nanos(delay + ban),
            },
        )
    }

    proptest! {
        #[test]
        fn it_agrees_with_the_model(
            limits in some_limits(),
            acts in prop::collection::vec(act(), 0..120),
        ) {
            let store = MemoryStore::default();
            let mut now = 1_000_000;
            let mut models: [Model; 4] = Default::default();
            // All in one set, so that they could disturb each other.
            let subjects: Vec<Subject> = (0..4)
                .map(|tag| Subject { tag: [tag; 16], home: 9 })
                .collect();
            for act in acts {
                let time = Time::from_nanos(now);
                let (index, found) = match act {
                    Act::Pass(nanos) => {
                        now += nanos;
                        for model in &mut models {
                            model.pass(&limits, nanos);
                        }
                        continue;
                    }
                    Act::Fail(index) => {
                        models[index].fail(&limits);
                        (index, fail(&subjects[index], &limits, &store, time))
                    }
                    Act::Succeed(index) => {
                        models[index] = Model::default();
                        forgive(&subjects[index], &limits, &store, time);
                        (index, standing(&subjects[index], &limits, &store, time))
                    }
                    Act::Look(index) => {
                        (index, standing(&subjects[index], &limits, &store, time))
                    }
                };
                let model = &models[index];
                prop_assert_eq!(
                    (found.failures, found.wait),
                    (model.failures, Duration::from_nanos(model.wait))
                );
            }
        }
    }
}
