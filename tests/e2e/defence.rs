//! Limits that tighten by themselves, for all workers at once.

use std::time::Duration;

use serde_json::Value;

use crate::harness::{Ask, Gate, Reply, eventually, run};
use crate::shop::{REPORTS_PLAN, Shop};

#[test]
fn a_limit_gives_way_to_an_upstream_that_fails_and_recovers_with_it() {
    run(async {
        let shop = Shop::start("gives-way", 2, |policy| {
            policy.replace(
                REPORTS_PLAN,
                "{ limits: { burst: { requests: 1000, per: 1s, adaptive: { bad: 0.5, window: 200ms, at_least: 3, floor: 0.5, recover: 600ms } } } }",
            )
        })
        .await;
        let token = shop.idp.token("crowd-1", "orders:read", "ES256").await;
        let report = async |status: u16| {
            let ask = Ask::get("/v1/reports").bearer(&token);
            shop.upstream
                .script(&ask.id, Reply::json("{}").status(status));
            let answer = shop.gateway.ask(ask).await;
            assert_eq!(answer.status, status, "{}", answer.text());
            shop.gateway.audit(&answer.id).await
        };
        let tightened = eventually("the limit gives way", || async {
            let record = report(503).await;
            (quota(&record) == 500).then_some(record)
        })
        .await;
        assert_eq!(tightened["quota"]["limits"][0]["tightened_to"], 50);
        eventually("the limit is whole again", || async {
            (quota(&report(200).await) == 1_000).then_some(())
        })
        .await;
    });
}

#[test]
fn a_limit_gives_way_to_an_upstream_that_is_slow() {
    run(async {
        let shop = Shop::start("slow", 2, |policy| {
            policy.replace(
                REPORTS_PLAN,
                "{ limits: { parallel: { algorithm: concurrency, requests: 100, adaptive: { bad: 0.5, slower_than: 100ms, window: 1s, at_least: 1, recover: 1h } } } }",
            )
        })
        .await;
        let token = shop.idp.token("crowd-2", "orders:read", "ES256").await;
        let report = async |wait: Duration| {
            let ask = Ask::get("/v1/reports").bearer(&token);
            let gate = Gate::shut();
            shop.upstream
                .script(&ask.id, Reply::json("{}").behind(&gate));
            let id = ask.id.clone();
            let opened = async {
                shop.upstream.received(&id).await;
                tokio::time::sleep(wait).await;
                gate.open();
            };
            let (answer, ()) = tokio::join!(shop.gateway.ask(ask), opened);
            assert_eq!(answer.status, 200, "{}", answer.text());
            shop.gateway.audit(&answer.id).await
        };
        let record = eventually("the limit gives way", || async {
            let record = report(Duration::from_millis(150)).await;
            (quota(&record) == 50).then_some(record)
        })
        .await;
        assert_eq!(record["quota"]["limits"][0]["tightened_to"], 50);
    });
}

#[test]
fn failed_log_ins_cost_their_address_a_part_of_its_limits_and_nobody_else() {
    run(async {
        let shop = Shop::start("suspect", 4, |policy| {
            let quotas = "quotas:
  before_authentication: gate
  suspicion: { after: 2, per: 24h, floor: 0.5 }
  plans:
    gate: { limits: { all: { requests: 400, per: 1h, key: address } } }
";
            let policy = policy.replace("quotas:\n  plans:\n", quotas);
            format!("{policy}networks: {{ trusted_proxies: [127.0.0.0/8] }}\n")
        })
        .await;
        let good = shop.idp.token("storefront", "orders:read", "ES256").await;
        let (body, signature) = good.rsplit_once('.').unwrap();
        let other = if signature.starts_with('A') { 'B' } else { 'A' };
        let forged = format!("{body}.{other}{}", &signature[1..]);
        let ask = async |token: &str, address: &str| {
            let ask = Ask::get("/v1/orders/o-1").bearer(token);
            let ask = ask.header("x-forwarded-for", address);
            let answer = shop.gateway.ask(ask).await;
            (answer.status, shop.gateway.audit(&answer.id).await)
        };
        let mut last = Value::Null;
        for _ in 0..4 {
            let (status, record) = ask(&forged, "192.0.2.1").await;
            assert_eq!(status, 401, "{record}");
            last = record;
        }
        assert!(
            notes(&last).contains("the limits of the address tighten to 50 %"),
            "{last}"
        );
        let (status, record) = ask(&good, "192.0.2.1").await;
        assert_eq!((status, quota(&record)), (200, 200), "{record}");
        // Whom the forged token names calls from elsewhere as before.
        let (status, record) = ask(&good, "192.0.2.2").await;
        assert_eq!((status, quota(&record)), (200, 400), "{record}");
    });
}

/// What the first limit that was asked holds.
fn quota(record: &Value) -> u64 {
    record["quota"]["limits"][0]["quota"]
        .as_u64()
        .unwrap_or_else(|| panic!("no limit was asked: {record}"))
}

fn notes(record: &Value) -> String {
    record["stages"].to_string()
}
