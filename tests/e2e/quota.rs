//! A quota that all workers share.

use std::time::Duration;

use crate::harness::{Ask, Load, run};
use crate::shop::{REPORTS_PLAN, Shop, shop};

#[test]
fn a_client_that_outruns_its_quota_is_told_when_to_return() {
    run(async {
        let shop = shop().await;
        let reports = |client: &'static str| async move {
            let token = shop.idp.token(client, "orders:read", "ES256").await;
            shop.gateway
                .ask(Ask::get("/v1/reports").bearer(&token))
                .await
        };
        for _ in 0..3 {
            let answer = reports("crowd-1").await;
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
        let answer = reports("crowd-1").await;
        assert_eq!(answer.status, 429, "{}", answer.text());
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json")
        );
        let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=60).contains(&seconds), "{seconds}");
        assert!(!shop.upstream.saw(&answer.id));
        // Another token of the same client is the same client; another client is not.
        assert_eq!(reports("crowd-1").await.status, 429);
        assert_eq!(reports("crowd-2").await.status, 200);
    });
}

#[test]
fn a_client_gets_its_burst_and_its_rate_and_no_more() {
    const BURST: f64 = 100.0;
    const RATE: f64 = 50.0;
    run(async {
        let shop = Shop::start("exact", 4, |policy| {
            policy.replace(
                REPORTS_PLAN,
                "{ limits: { burst: { requests: 50, per: 1s, burst: 100, key: client } } }",
            )
        })
        .await;
        let token = shop.idp.token("crowd-0", "orders:read", "ES256").await;
        // The keys are fetched and every worker is up before the bucket is touched.
        assert_eq!(
            shop.gateway
                .ask(Ask::get("/v1/orders").bearer(&token))
                .await
                .status,
            200
        );
        let load = Load {
            connections: 16,
            duration: Duration::from_secs(10),
        };
        let ask = Ask::get("/v1/reports").bearer(&token).anonymous();
        let tally = load.run(shop.gateway.address(), &ask).await;
        let allowed = tally.statuses.get(&200).copied().unwrap_or_default() as f64;
        let expected = BURST + RATE * tally.elapsed.as_secs_f64();
        let off = (allowed - expected) / expected;
        println!(
            "{allowed} of {expected:.1} allowed ({:+.2} %), {:?}",
            off * 100.0,
            tally.statuses
        );
        assert!(
            off.abs() <= 0.02,
            "{allowed} allowed, {expected:.1} expected"
        );
        assert!(
            tally
                .statuses
                .keys()
                .all(|status| [200, 429].contains(status)),
            "{:?}",
            tally.statuses
        );
        let asked: u64 = tally.statuses.values().sum();
        assert!(
            asked as f64 > 2.0 * expected,
            "too little load to prove anything: {asked}"
        );
    });
}
