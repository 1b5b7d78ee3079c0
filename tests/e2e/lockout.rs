//! Failures to authenticate, counted by all workers as one.

use std::time::Duration;

use crate::harness::{Ask, Update, eventually, run};
use crate::shop::{Shop, policy};

/// Three failures are free; the fourth costs ten minutes.
const STRICT: &str = "networks: { trusted_proxies: [127.0.0.0/8] }
lockout:
  by_address: { failures: 3, window: 30m, delay: 10m, ban_after: 3, ban: 10m }
";

/// The same for as long as a test can wait.
const BRIEF: &str = "networks: { trusted_proxies: [127.0.0.0/8] }
lockout:
  by_address: { failures: 3, window: 30m, delay: 500ms, ban_after: 3, ban: 500ms }
";

#[test]
fn a_ban_holds_in_every_worker_and_for_nobody_else() {
    run(async {
        let shop = Shop::start("banned", 4, |policy| format!("{policy}{STRICT}")).await;
        let (good, forged) = tokens(&shop).await;
        let ask = async |token: &str, address: &str| {
            let ask = Ask::get("/v1/orders/o-1").bearer(token);
            shop.gateway
                .ask(ask.header("x-forwarded-for", address))
                .await
        };
        // Each over a connection of its own, and so through one worker or another.
        let mut statuses = Vec::new();
        for _ in 0..20 {
            statuses.push(ask(&forged, "192.0.2.1").await.status);
        }
        let (looked_at, locked) = statuses.split_at(4);
        assert_eq!(looked_at, [401; 4]);
        assert_eq!(locked, [429; 16]);
        for _ in 0..20 {
            let answer = ask(&good, "192.0.2.1").await;
            assert_eq!(answer.status, 429, "{}", answer.text());
            let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
            assert!((1..=600).contains(&seconds), "{seconds}");
            assert_eq!(answer.header("www-authenticate"), None);
            assert!(!shop.upstream.saw(&answer.id));
        }
        let answer = ask(&good, "192.0.2.1").await;
        let record = shop.gateway.audit(&answer.id).await;
        assert_eq!(record["reason"], "locked_out");
        assert_eq!(record["address"], "192.0.2.1");
        assert_eq!(ask(&good, "192.0.2.2").await.status, 200);
        // What is open to everybody stays open.
        let open = Ask::get("/v1/status").header("x-forwarded-for", "192.0.2.1");
        assert_eq!(shop.gateway.ask(open).await.status, 200);
    });
}

#[test]
fn a_ban_is_lifted_by_its_end_by_a_pardon_and_by_a_new_epoch() {
    run(async {
        let shop = Shop::start("lifted", 2, |policy| format!("{policy}{BRIEF}")).await;
        let (good, forged) = tokens(&shop).await;
        let ask = async |token: &str| {
            let ask = Ask::get("/v1/orders/o-1").bearer(token);
            let ask = ask.header("x-forwarded-for", "192.0.2.1");
            shop.gateway.ask(ask).await.status
        };
        let free = async || {
            eventually("the new policy is in force", || async {
                (ask(&good).await == 200).then_some(())
            })
            .await;
        };
        for _ in 0..4 {
            assert_eq!(ask(&forged).await, 401);
        }
        eventually("the ban ends", || async {
            (ask(&good).await == 200).then_some(())
        })
        .await;

        let push = async |lockout: &str| {
            let policy = format!("{}{lockout}", policy(&shop.idp));
            let configuration = shop.gateway.compile(&policy).unwrap();
            assert_eq!(shop.gateway.push(&configuration).await, Update::Accepted);
        };
        push(STRICT).await;
        eventually("a ban that lasts", || async {
            (ask(&forged).await == 429).then_some(())
        })
        .await;
        tokio::time::sleep(Duration::from_millis(600)).await;
        assert_eq!(ask(&good).await, 429, "the old policy decides still");
        push(&format!("{STRICT}  pardon: {{ networks: [192.0.2.1] }}\n")).await;
        free().await;
        push(STRICT).await;
        eventually("the pardon ends", || async {
            (ask(&good).await == 429).then_some(())
        })
        .await;
        push(&format!("{STRICT}  epoch: after the incident\n")).await;
        free().await;
    });
}

/// One that is good, and one whose signature is not.
async fn tokens(shop: &Shop) -> (String, String) {
    let good = shop.idp.token("storefront", "orders:read", "ES256").await;
    let (body, signature) = good.rsplit_once('.').unwrap();
    let other = if signature.starts_with('A') { 'B' } else { 'A' };
    let forged = format!("{body}.{other}{}", &signature[1..]);
    (good, forged)
}
