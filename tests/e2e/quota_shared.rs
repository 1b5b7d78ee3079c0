//! Limits that two gateways share, by way of a real rate limit service and its Redis.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::OnceCell;

use crate::harness::{
    Ask, Condition, Gateway, Pace, RateLimit, Setup, Upstream, eventually, run,
    service_configuration,
};

#[test]
fn a_strict_limit_is_one_limit_for_all_gateways() {
    run(async {
        let flood = pair().await.flood("/strict").await;
        println!("{flood:?}");
        // Every hit is counted before it passes, so there is not one too many.
        assert!(flood.allowed <= LIMIT * WINDOWS, "{flood:?}");
        let withheld = LIMIT * WINDOWS - flood.allowed;
        assert!(withheld * 100 <= LIMIT * WINDOWS, "{flood:?}");
    });
}

#[test]
fn a_leased_limit_withholds_no_more_than_its_leases() {
    run(async {
        let flood = pair().await.flood("/leased").await;
        println!("{flood:?}");
        // What was in hand at a window's end is lost, or spent a little late.
        let in_hand = GATEWAYS * BATCH * WINDOWS;
        let off = flood.allowed.abs_diff(LIMIT * WINDOWS);
        assert!(off <= in_hand, "{flood:?}");
    });
}

#[test]
fn without_the_service_each_limit_fails_as_it_says_and_recovers_by_itself() {
    run(async {
        let pair = Pair::start("shared-failures", SHORT).await;
        let traffic = pair.traffic();
        let outages = async {
            let service = &pair.service;
            pair.counts().await;
            service.kill_redis();
            pair.fails().await;
            pair.falls_to_its_share().await;
            service.start_redis().await;
            pair.counts().await;
            service.kill_service();
            pair.fails().await;
            service.start_service().await;
            pair.counts().await;
            service
                .wire
                .turn(Condition::Slow(Duration::from_millis(50)));
            pair.counts().await;
            service.wire.turn(Condition::Slow(Duration::from_secs(1)));
            pair.fails().await;
            service.wire.turn(Condition::Stalled);
            pair.fails().await;
            service.wire.turn(Condition::Good);
            pair.counts().await;
        };
        // An exchange without an answer would end the test.
        let (answers, ()) = tokio::join!(traffic, outages);
        for (path, status) in answers {
            match path {
                OPEN => assert_eq!(status, 200),
                _ => assert!([200, 503].contains(&status), "{path}: {status}"),
            }
        }
    });
}

#[test]
fn a_cluster_without_an_endpoint_is_a_service_that_does_not_answer() {
    run(async {
        let upstream = Upstream::start().await;
        let policy = policy(LONG);
        let gateway = gateway("shared-nobody", &policy, &upstream, None).await;
        fails(&gateway).await;
        falls_to_its_share(&gateway).await;
    });
}

/// The two that are asked for too much, and lose nothing but requests.
async fn pair() -> &'static Pair {
    static PAIR: OnceCell<Pair> = OnceCell::const_new();
    PAIR.get_or_init(|| Pair::start("shared", LONG)).await
}

/// Two gateways under one policy, with one service behind them.
struct Pair {
    gateways: [Gateway; 2],
    service: RateLimit,
    _upstream: Upstream,
}

impl Pair {
    async fn start(name: &'static str, timeout: &str) -> Self {
        let policy = policy(timeout);
        let upstream = Upstream::start().await;
        let limits = service_configuration(name, &policy, OPENAPI);
        let service = RateLimit::start(name, &limits).await;
        let (one, two) = tokio::join!(
            gateway(name, &policy, &upstream, Some(&service)),
            gateway(name, &policy, &upstream, Some(&service)),
        );
        Self {
            gateways: [one, two],
            service,
            _upstream: upstream,
        }
    }

    /// Asks both at once for three times what the limit allows, for as long as some of
    /// the service's windows, which are the seconds of the clock. What is answered after
    /// them does not count.
    async fn flood(&self, path: &'static str) -> Flood {
        let pace = Pace {
            connections: 12,
            http2: false,
            rate: u32::try_from(3 * LIMIT / GATEWAYS).unwrap(),
            duration: Duration::from_secs(WINDOWS),
        };
        let ask = move |_| ((), Ask::get(path).anonymous());
        let [one, two] = &self.gateways;
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let begin = Duration::from_nanos(1_000_000_000 - u64::from(since_1970.subsec_nanos()));
        let end = Instant::now() + begin + pace.duration;
        tokio::time::sleep(begin).await;
        let (mut samples, others) =
            tokio::join!(pace.run(one.address(), ask), pace.run(two.address(), ask));
        samples.extend(others);
        assert!(samples.iter().all(|it| [200, 429].contains(&it.status)));
        samples.retain(|sample| sample.answered < end);
        Flood {
            answered: samples.len(),
            allowed: samples.iter().filter(|it| it.status == 200).count() as u64,
        }
    }

    /// What both answer in a while of steady traffic, by path.
    async fn traffic(&self) -> impl Iterator<Item = (&'static str, u16)> {
        let pace = Pace {
            connections: 4,
            http2: false,
            rate: 20,
            duration: Duration::from_secs(10),
        };
        let ask = |number: u32| {
            let path = [OPEN, CLOSED][number as usize / 4 % 2];
            (path, Ask::get(path).anonymous())
        };
        let [one, two] = &self.gateways;
        let (one, two) = tokio::join!(pace.run(one.address(), ask), pace.run(two.address(), ask));
        one.into_iter()
            .chain(two)
            .map(|sample| (sample.about, sample.status))
    }

    /// Waits until both gateways count at the service.
    async fn counts(&self) {
        for gateway in &self.gateways {
            eventually("the service is asked", || async {
                (gateway.ask(Ask::get(CLOSED)).await.status == 200).then_some(())
            })
            .await;
        }
    }

    async fn fails(&self) {
        let [one, two] = &self.gateways;
        tokio::join!(fails(one), fails(two));
    }

    async fn falls_to_its_share(&self) {
        let [one, two] = &self.gateways;
        tokio::join!(falls_to_its_share(one), falls_to_its_share(two));
    }
}

/// The choices of two limits hold, and are on record.
async fn fails(gateway: &Gateway) {
    for (path, status, verdict) in [(CLOSED, 503, "failed_closed"), (OPEN, 200, "failed_open")] {
        let answer = gateway.ask(Ask::get(path)).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        let record = gateway.audit(&answer.id).await.to_string();
        assert!(record.contains(verdict), "{record}");
    }
}

/// A gateway of two has half of a limit for itself.
async fn falls_to_its_share(gateway: &Gateway) {
    for status in [200, 200, 200, 429] {
        let answer = gateway.ask(Ask::get("/local")).await;
        assert_eq!(answer.status, status, "{}", answer.text());
    }
}

async fn gateway(
    name: &'static str,
    policy: &str,
    upstream: &Upstream,
    service: Option<&RateLimit>,
) -> Gateway {
    Gateway::start(Setup {
        policy: Some(policy.to_owned()),
        openapi: OPENAPI,
        ratelimit: service.map(|service| service.wire.address),
        ..Setup::bare(name, upstream.address, upstream.address)
    })
    .await
}

/// What came of asking.
#[derive(Debug)]
#[expect(dead_code, reason = "how much was answered is shown when a test fails")]
struct Flood {
    answered: usize,
    allowed: u64,
}

fn policy(timeout: &str) -> String {
    let limit = |requests: u64, per: &str, shared: &str| {
        format!(
            "{{ limits: {{ all: {{ algorithm: fixed_window, requests: {requests}, per: {per}, \
             key: [], shared: {{ {shared} }} }} }} }}"
        )
    };
    format!(
        "openapi: openapi.yaml
quotas:
  service: {{ cluster: ratelimit, domain: counted, timeout: {timeout} }}
  plans:
    strict: {}
    leased: {}
    open: {}
    closed: {}
    local: {}
",
        limit(LIMIT, "1s", "mode: strict"),
        limit(LIMIT, "1s", &format!("mode: {{ leased: {BATCH} }}")),
        limit(100_000, "24h", "on_failure: open"),
        limit(100_000, "24h", "on_failure: closed"),
        limit(6, "24h", "on_failure: { local: 2 }"),
    )
}

const OPENAPI: &str = r#"
openapi: 3.1.0
info: { title: Counted, version: 1.0.0 }
servers: [{ url: "https://counted.example.test" }]
security: []
paths:
  /strict: { get: { operationId: strict, x-quota: strict, responses: { "200": { description: Counted. } } } }
  /leased: { get: { operationId: leased, x-quota: leased, responses: { "200": { description: Counted. } } } }
  /open: { get: { operationId: open, x-quota: open, responses: { "200": { description: Counted. } } } }
  /closed: { get: { operationId: closed, x-quota: closed, responses: { "200": { description: Counted. } } } }
  /local: { get: { operationId: local, x-quota: local, responses: { "200": { description: Counted. } } } }
"#;

const OPEN: &str = "/open";
const CLOSED: &str = "/closed";

/// Requests a second that `/strict` and `/leased` allow.
const LIMIT: u64 = 100;
const BATCH: u64 = 5;
const WINDOWS: u64 = 6;
const GATEWAYS: u64 = 2;

/// How long the service may take, where nothing should ever be late.
const LONG: &str = "5s";

/// Longer than a delay of 50 ms each way, and not so long that failing takes a while.
const SHORT: &str = "400ms";
