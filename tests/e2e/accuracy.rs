//! Limits against the clock: what is admitted is the burst and what time brings, for one
//! client and for many, and the memory of counting is what the command says.
//!
//! A few runs are part of every test run; `scripts/quota-accuracy` makes all of them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::harness::{Ask, Gateway, Pace, Sample, Setup, Upstream, run, run_within};

const OPENAPI: &str = r#"
openapi: 3.1.0
info: { title: Tides, version: 1.0.0 }
servers: [{ url: /v1 }]
paths:
  /tides:
    get:
      operationId: listTides
      security: []
      responses: { "200": { description: Tides. } }
  /charts:
    get:
      operationId: listCharts
      security: [{ partner: [] }]
      responses: { "200": { description: Charts. } }
components:
  securitySchemes:
    partner: { type: apiKey, in: header, name: X-Api-Key }
"#;

/// A limit for each client, and who comes.
struct Crowd {
    clients: u32,
    /// What comes back to a client each second; [`OVER`] times as many questions are sent.
    rate: f64,
    burst: f64,
    /// The limit as it is written.
    limit: &'static str,
    /// How long they come, in seconds.
    seconds: u64,
}

const ONE: Crowd = Crowd {
    clients: 1,
    rate: 200.0,
    burst: 100.0,
    limit: "requests: 200, per: 1s, burst: 100",
    seconds: 10,
};
const HUNDRED: Crowd = Crowd {
    clients: 100,
    rate: 0.5,
    burst: 2.0,
    limit: "requests: 30, per: 60s, burst: 2",
    seconds: 10,
};
const TEN_THOUSAND: Crowd = Crowd {
    clients: 10_000,
    rate: 1.0 / 30.0,
    burst: 1.0,
    limit: "requests: 2, per: 60s, burst: 1",
    // Each must come back for what it has regained, and a test's machine is no more than
    // one machine.
    seconds: 40,
};

/// Whether HTTP/2 is spoken.
const PROTOCOLS: [(bool, &str); 2] = [(false, "HTTP/1"), (true, "HTTP/2")];

/// How many times its rate a client asks. No whole number: questions that come at the
/// very moment in which a unit comes back would be decided by chance.
const OVER: f64 = 3.5;

/// One run, and what came of it.
async fn measure(crowd: &Crowd, workers: u32, (http2, protocol): (bool, &str)) {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(Setup {
        policy: Some(policy("", crowd.limit)),
        openapi: OPENAPI,
        workers,
        ..Setup::bare("accuracy", upstream.address, upstream.address)
    })
    .await;
    // Every client asks at even distances, one after the other in a fixed order.
    let rate = (OVER * crowd.rate * f64::from(crowd.clients)) as u32;
    let clients = crowd.clients;
    let pace = Pace {
        connections: 32,
        http2,
        rate,
        duration: Duration::from_secs(crowd.seconds),
    };
    let samples = pace
        .run(gateway.address(), move |number| {
            let client = number % clients;
            let ask = Ask::get("/v1/tides").header("x-client", format!("c-{client}"));
            (client, ask.anonymous())
        })
        .await;
    let mut by_client: BTreeMap<u32, Vec<Sample<u32>>> = BTreeMap::new();
    for sample in samples {
        assert!([200, 429].contains(&sample.status), "{}", sample.status);
        by_client.entry(sample.about).or_default().push(sample);
    }
    let (mut asked, mut admitted, mut expected) = (0, 0, 0);
    let mut above = Vec::new();
    for samples in by_client.values_mut() {
        let passed = samples.iter().filter(|sample| sample.status == 200).count();
        let most = most(crowd, samples);
        if passed > most {
            above.push(story(samples));
        }
        asked += samples.len();
        admitted += passed;
        expected += due(crowd, samples);
    }
    let off = (admitted as f64 - expected as f64) / expected as f64 * 100.0;
    println!(
        "| {workers} | {protocol} | {clients} | {asked} | {expected} | {admitted} | {off:+.2} % |"
    );
    let most = above.len();
    assert!(above.is_empty(), "{most} clients got too much: {above:#?}");
    assert!(asked > 2 * expected, "too little load to prove anything");
    assert!(off.abs() <= 1.0, "{off:+.2} % off");
}

/// Who it was, and when its questions were sent and answered, in seconds since the first.
fn story(samples: &[Sample<u32>]) -> String {
    let first = samples.iter().map(|sample| sample.sent).min().unwrap();
    let since = |at: Instant| (at - first).as_secs_f64();
    let questions = samples.iter().map(|sample| {
        let (sent, answered) = (since(sample.sent), since(sample.answered));
        format!("{sent:.4}-{answered:.4}: {}", sample.status)
    });
    let questions: Vec<_> = questions.collect();
    format!("client {}: {}", samples[0].about, questions.join(", "))
}

/// What a client can have been admitted at the very most: its burst and what came back
/// between its first question and its last answer.
fn most(crowd: &Crowd, samples: &[Sample<u32>]) -> usize {
    let first = samples.iter().map(|sample| sample.sent).min().unwrap();
    let last = samples.iter().map(|sample| sample.answered).max().unwrap();
    (crowd.burst + crowd.rate * (last - first).as_secs_f64()) as usize
}

/// How many of a client's questions find a token, if each is decided halfway between its
/// being sent and its answer.
fn due(crowd: &Crowd, samples: &mut [Sample<u32>]) -> usize {
    let decided = |sample: &Sample<u32>| sample.sent + (sample.answered - sample.sent) / 2;
    samples.sort_by_key(decided);
    let (mut level, mut at): (f64, Option<Instant>) = (crowd.burst, None);
    let mut due = 0;
    for now in samples.iter().map(decided) {
        let passed = at.map_or(0.0, |at| (now - at).as_secs_f64());
        level = (level + passed * crowd.rate).min(crowd.burst);
        at = Some(now);
        if level >= 1.0 {
            level -= 1.0;
            due += 1;
        }
    }
    due
}

/// All runs with so many clients.
fn all(crowd: &Crowd) {
    run_within(LONG, async {
        for workers in [1, 2, 4] {
            for protocol in PROTOCOLS {
                measure(crowd, workers, protocol).await;
            }
        }
    });
}

#[test]
fn a_hundred_clients_get_what_is_theirs() {
    run(measure(&HUNDRED, 2, PROTOCOLS[1]));
}

#[test]
#[ignore = "a minute; scripts/quota-accuracy runs it"]
fn one_client_everywhere() {
    all(&ONE);
}

#[test]
#[ignore = "a minute; scripts/quota-accuracy runs it"]
fn a_hundred_clients_everywhere() {
    all(&HUNDRED);
}

#[test]
#[ignore = "a minute; scripts/quota-accuracy runs it"]
fn ten_thousand_clients_everywhere() {
    all(&TEN_THOUSAND);
}

/// So many keys, each once and each counted for an hour, against a table of so many
/// slots. Nobody has an API key, so what the limit lets through is refused behind it, and
/// no request goes further.
async fn flood(slots: u32, keys: u32) {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(Setup {
        policy: Some(policy(
            &format!("before_authentication: p, slots: {slots}, "),
            "requests: 1, per: 1h",
        )),
        openapi: OPENAPI,
        workers: 2,
        ..Setup::bare("flood", upstream.address, upstream.address)
    })
    .await;
    // One key comes first, so that connections and buffers are there.
    send(&gateway, WARMING, |_| "early".to_owned()).await;
    let (resident, allocated) = (gateway.resident(), gateway.allocated().await);
    let alone = send(&gateway, keys, |number| format!("late-{number}")).await;
    let resident = gateway.resident().saturating_sub(resident);
    let allocated = gateway.allocated().await.saturating_sub(allocated);
    let stated = stated(&gateway.portcullis(&["check", "policy.yaml"]).unwrap());
    println!(
        "| {slots} | {keys} | {alone} | {:.1} MiB | {:.1} MiB | {:.1} MiB | {:.0} |",
        mebi(stated),
        mebi(allocated),
        mebi(resident),
        allocated as f64 / f64::from(slots),
    );
    for grown in [resident, allocated] {
        assert!(
            grown <= stated + NOISE,
            "grew by {grown} bytes, where {stated} are stated"
        );
    }
    // Whoever found a slot was counted apart, and one more was by the crowd.
    assert!(alone > slots / 10 * 9 && alone <= slots + 1, "{alone}");
}

/// So many requests, whose keys are those of their numbers; how many a limit let through.
async fn send(gateway: &Gateway, questions: u32, key: fn(u32) -> String) -> u32 {
    let mut passed = 0;
    // In portions, so that the answers of all need not be kept.
    for first in (0..questions).step_by(PORTION as usize) {
        let pace = Pace {
            connections: 32,
            http2: true,
            rate: PORTION.min(questions - first),
            duration: Duration::from_secs(1),
        };
        let samples = pace
            .run(gateway.address(), move |number| {
                let ask = Ask::get("/v1/charts").header("x-client", key(first + number));
                ((), ask.anonymous())
            })
            .await;
        for sample in samples {
            match sample.status {
                401 => passed += 1,
                status => assert_eq!(status, 429),
            }
        }
    }
    passed
}

/// The memory that `portcullis check` states, in bytes.
fn stated(check: &str) -> u64 {
    let line = check.lines().find(|line| line.contains("slots")).unwrap();
    let mebi = line.split("at most ").nth(1).unwrap();
    let mebi: f64 = mebi.split(' ').next().unwrap().parse().unwrap();
    (mebi * f64::from(1 << 20)) as u64
}

fn mebi(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

#[test]
fn many_keys_cost_no_more_memory_than_stated() {
    run(flood(4_096, 60_000));
}

#[test]
#[ignore = "minutes; scripts/quota-accuracy runs it"]
fn a_hundred_thousand_keys_in_as_many_slots() {
    run_within(LONG, flood(65_536, 150_000));
}

#[test]
#[ignore = "minutes; scripts/quota-accuracy runs it"]
fn a_million_keys_in_few_slots() {
    run_within(LONG, flood(65_536, 1_000_000));
}

/// A policy in which every client has its own count.
fn policy(more: &str, limit: &str) -> String {
    format!(
        "openapi: openapi.yaml\n\
         api_keys: {{ partners: [{{ id: till, secrets: [{{ sha256: {HASH} }}] }}] }}\n\
         quotas: {{ default: p, {more}plans: {{ p: {{ limits: {{ each: \
         {{ {limit}, key: {{ cel: \"request.headers['x-client']\" }} }} }} }} }} }}\n"
    )
}

const HASH: &str = "db8539851b985a88a95f53b3ecec0001ef24ab2ca1cb00387e7ac514a8624673";

/// What a test that does much may take.
const LONG: Duration = Duration::from_secs(1_800);

/// Requests that warm a gateway up.
const WARMING: u32 = 2_000;

/// Requests of which the answers are kept.
const PORTION: u32 = 10_000;

/// What resident memory may differ by without any slot: allocators keep what was freed.
const NOISE: u64 = 4 << 20;
