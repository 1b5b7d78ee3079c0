//! What clients are told of their limits, on the wire.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::harness::{Answer, Ask, Reply, run};
use crate::shop::{ORDER, REPORTS_PLAN, Shop};

/// One request each two seconds, and no more than two at once.
const PLAN: &str = "{ limits: { burst: { requests: 1, per: 2s, burst: 2, key: client } } }\n  \
                    default: reports\n  announce: { on: always, legacy: true }";

#[test]
fn every_answer_tells_how_its_client_stands_right_to_the_second() {
    run(async {
        let shop = Shop::start("announce", 2, |policy| policy.replace(REPORTS_PLAN, PLAN)).await;
        for (client, http2) in [("crowd-1", false), ("crowd-2", true)] {
            let token = shop.idp.token(client, "orders:read", "ES256").await;
            let ask = |path: &str| {
                let ask = Ask::get(path).bearer(&token);
                if http2 { ask.http2() } else { ask }
            };
            // Its head was held while the body was masked.
            let masked = ask("/v1/orders/o-1");
            shop.upstream.script(&masked.id, Reply::json(ORDER));
            let asked = seconds();
            let answer = shop.gateway.ask(masked).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert!(!answer.text().contains("Lovelace"), "{}", answer.text());
            tells(&answer, "\"burst\";r=1;t=2");
            assert_eq!(answer.header("x-ratelimit-limit"), Some("2"));
            assert_eq!(answer.header("x-ratelimit-remaining"), Some("1"));
            assert_eq!(answer.header("x-ratelimit-reset"), Some("2"));

            // What the upstream says of its own limits is joined.
            let plain = ask("/v1/reports");
            let reply = Reply::json("[]").header("ratelimit", "\"daily\";r=7");
            shop.upstream.script(&plain.id, reply);
            let answer = shop.gateway.ask(plain).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            let rest = answer.header("ratelimit").unwrap();
            let rest = rest.strip_prefix("\"daily\";r=7, ").unwrap();
            assert!(rest.starts_with("\"burst\";r=0;t="), "{rest}");

            let answer = shop.gateway.ask(ask("/v1/reports")).await;
            assert_eq!(answer.status, 429, "{}", answer.text());
            assert!(answer.text().contains(r#""violated-policies":["burst"]"#));
            let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
            tells(&answer, &format!("\"burst\";r=0;t={wait}"));
            // The first request was two seconds of the bucket, and nothing came in since.
            let elapsed = seconds() - asked;
            assert!(
                wait <= 2 && wait as f64 >= 2.0 - elapsed,
                "{wait} after {elapsed}"
            );
            tokio::time::sleep(Duration::from_secs(wait)).await;
            let answer = shop.gateway.ask(ask("/v1/reports")).await;
            assert_eq!(answer.status, 200, "after {wait} s: {}", answer.text());
        }
        // Who is refused before a limit was asked is told of none.
        let answer = shop.gateway.ask(Ask::get("/v1/reports")).await;
        assert_eq!((answer.status, answer.header("ratelimit")), (401, None));
    });
}

fn tells(answer: &Answer, limits: &str) {
    let policy = answer.header("ratelimit-policy");
    assert_eq!(policy, Some("\"burst\";q=2;w=4"));
    assert_eq!(answer.header("ratelimit"), Some(limits));
}

/// Since 1970.
fn seconds() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap().as_secs_f64()
}
