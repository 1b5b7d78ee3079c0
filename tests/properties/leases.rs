//! Several gateways, one service and a network that loses and delays: what leases
//! promise holds for every order of events.
//!
//! The service is as the reference one is: it counts in windows of the clock, and
//! counts what it refuses, too. It writes down how much it gave in each window.

use std::collections::BTreeMap;

use portcullis::quota::State;
use portcullis::ratelimit::lease::{Spending, give_back, receive, refused, spend};
use portcullis::time::Time;
use proptest::collection::vec;
use proptest::prelude::*;

/// What comes to pass, in milliseconds.
#[derive(Debug, Clone)]
struct Call {
    /// After the one before.
    after: u64,
    gateway: usize,
    cost: u64,
    /// Until the service has the question, and until the gateway has the answer.
    there: u64,
    back: u64,
    lost: Lost,
    /// The request is refused by another limit, and what it paid goes back.
    regretted: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Lost {
    Nothing,
    Question,
    Answer,
}

fn calls(lossless: bool) -> impl Strategy<Value = Vec<Call>> {
    let lost = match lossless {
        true => Just(Lost::Nothing).boxed(),
        false => prop_oneof![
            6 => Just(Lost::Nothing),
            1 => Just(Lost::Question),
            1 => Just(Lost::Answer),
        ]
        .boxed(),
    };
    let regretted = match lossless {
        true => Just(false).boxed(),
        false => prop::bool::weighted(0.1).boxed(),
    };
    let call = (
        0..40_u64,
        0..GATEWAYS,
        prop_oneof![4 => Just(1_u64), 1 => 1..4_u64],
        0..SLOWEST_MS / 2,
        0..SLOWEST_MS / 2,
        lost,
        regretted,
    );
    let call = call.prop_map(
        |(after, gateway, cost, there, back, lost, regretted)| Call {
            after,
            gateway,
            cost,
            there,
            back,
            lost,
            regretted,
        },
    );
    vec(call, 1..400)
}

/// A question on its way, or its answer.
#[derive(Debug)]
struct Asked {
    gateway: usize,
    units: u64,
    /// What the waiting request costs; nobody waits for a refill.
    cost: u64,
    /// The end of the window in which it was asked.
    until: u64,
    call: Call,
    /// What the service said: whether it gave them, and what is left.
    said: Option<(bool, u64)>,
}

#[derive(Default)]
struct World {
    hands: Vec<State>,
    /// What the service counted and what it gave, by window.
    counted: BTreeMap<u64, u64>,
    given: BTreeMap<u64, u64>,
    /// Units that passed, by the millisecond.
    passed: BTreeMap<u64, u64>,
    under_way: BTreeMap<(u64, usize), Asked>,
    sent: usize,
}

impl World {
    fn run(calls: &[Call]) -> World {
        let mut world = World {
            hands: vec![State::default(); GATEWAYS],
            ..World::default()
        };
        let mut now = 0;
        for call in calls {
            now += call.after;
            world.settle(now);
            world.request(call, now);
        }
        world.settle(u64::MAX);
        world
    }

    fn request(&mut self, call: &Call, now: u64) {
        let at = Time::from_millis(now);
        match spend(&self.hands[call.gateway], call.cost, BATCH, at) {
            Spending::Paid { state, refill, .. } => {
                self.hands[call.gateway] = state;
                if let Some(units) = refill {
                    self.ask(call, units, 0, now);
                }
                match call.regretted {
                    true => self.hands[call.gateway] = give_back(&state, call.cost, at),
                    false => *self.passed.entry(now).or_default() += call.cost,
                }
            }
            Spending::Over { reset_ns } => {
                assert_eq!(reset_ns, (end(now) - now) * 1_000_000);
            }
            Spending::Ask { state, units } => {
                self.hands[call.gateway] = state;
                self.ask(call, units, call.cost, now);
            }
        }
    }

    fn ask(&mut self, call: &Call, units: u64, cost: u64, now: u64) {
        self.sent += 1;
        let asked = Asked {
            gateway: call.gateway,
            units,
            cost,
            until: end(now),
            call: call.clone(),
            said: None,
        };
        if call.lost != Lost::Question {
            self.under_way.insert((now + call.there, self.sent), asked);
        }
    }

    /// What arrives by then, arrives.
    fn settle(&mut self, until: u64) {
        while let Some(entry) = self.under_way.first_entry()
            && entry.key().0 <= until
        {
            let ((now, number), mut asked) = entry.remove_entry();
            match asked.said {
                None => {
                    let counted = self.counted.entry(now / WINDOW_MS).or_default();
                    *counted += asked.units;
                    let gives = *counted <= LIMIT;
                    if gives {
                        *self.given.entry(now / WINDOW_MS).or_default() += asked.units;
                    }
                    asked.said = Some((gives, LIMIT.saturating_sub(*counted)));
                    if asked.call.lost != Lost::Answer {
                        self.under_way
                            .insert((now + asked.call.back, number), asked);
                    }
                }
                Some((gives, left)) => self.answered(&asked, gives, left, now),
            }
        }
    }

    fn answered(&mut self, asked: &Asked, gives: bool, left: u64, now: u64) {
        let hand = &mut self.hands[asked.gateway];
        let (at, until) = (Time::from_millis(now), Time::from_millis(asked.until));
        let state = match gives {
            true => receive(hand, asked.units - asked.cost, left, until, at),
            false => refused(hand, until, at),
        };
        *hand = state.unwrap_or(*hand);
        if gives && asked.cost > 0 {
            *self.passed.entry(now).or_default() += asked.cost;
        }
    }

    fn passed(&self, from: u64, to: u64) -> u64 {
        self.passed.range(from..to).map(|(_, units)| units).sum()
    }
}

fn end(now: u64) -> u64 {
    (now / WINDOW_MS + 1) * WINDOW_MS
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    /// What passes in a window after the last answer of the one before has come was given
    /// in this window, and the service gives no more than the limit.
    #[test]
    fn gateways_together_pass_no_more_than_the_limit(calls in calls(false)) {
        let world = World::run(&calls);
        for window in 0..4 {
            let (from, to) = (window * WINDOW_MS, (window + 1) * WINDOW_MS);
            let given = world.given.get(&window).copied().unwrap_or_default();
            prop_assert!(given <= LIMIT);
            prop_assert!(world.passed(from + SLOWEST_MS, to) <= given);
        }
        let given: u64 = world.given.values().sum();
        prop_assert!(world.passed(0, u64::MAX) <= given);
    }

    /// As long as somebody asks, all but what stays in hand and one refused batch passes.
    #[test]
    fn gateways_leave_no_more_than_their_batches(calls in calls(true)) {
        let world = World::run(&calls);
        let from_first = |gateway: usize| calls.iter().any(|call| call.gateway == gateway);
        let gateways = (0..GATEWAYS).filter(|gateway| from_first(*gateway)).count() as u64;
        let last: u64 = calls.iter().map(|call| call.after).sum();
        // A window in which something was refused, and which was over before the end.
        for (window, counted) in &world.counted {
            if *counted <= LIMIT || (window + 1) * WINDOW_MS > last {
                continue;
            }
            let given = world.given.get(window).copied().unwrap_or_default();
            prop_assert!(given + BATCH > LIMIT, "{given} given");
        }
        for window in 0..4 {
            let given = world.given.get(&window).copied().unwrap_or_default();
            let passed = world.passed(window * WINDOW_MS, (window + 1) * WINDOW_MS + SLOWEST_MS);
            prop_assert!(passed + gateways * (BATCH + BATCH / 2) >= given, "{passed} of {given}");
        }
    }
}

/// However many requests come at once, a gateway asks for one batch.
#[test]
fn a_rush_takes_one_batch() {
    let call = Call {
        after: 0,
        gateway: 0,
        cost: 1,
        there: 10,
        back: 10,
        lost: Lost::Nothing,
        regretted: false,
    };
    let world = World::run(&vec![call; 30]);
    assert_eq!(world.given[&0], 29 + BATCH);
    assert_eq!(world.passed(0, u64::MAX), 30);
}

const GATEWAYS: usize = 3;
const LIMIT: u64 = 60;
const BATCH: u64 = 8;
const WINDOW_MS: u64 = 2_000;

/// A question and its answer take less than this together.
const SLOWEST_MS: u64 = 300;
