//! Tokens that say nothing by themselves: the real provider is asked about them.

use std::time::Duration;

use tokio::task::JoinSet;

use crate::harness::{Answer, Ask, Idp, Mode, PATIENCE, eventually, run};
use crate::shop::Shop;

#[test]
fn an_active_token_lets_its_client_in_as_a_signed_one_does() {
    run(async {
        let shop = start("introspected", 2, CLIENT, "").await;
        let token = shop.idp.opaque_token("support", "orders:read").await;
        for _ in 0..10 {
            let answer = orders(&shop, &token).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            let received = shop.upstream.received(&answer.id).await;
            assert_eq!(received.header("x-portcullis-client"), Some("support"));
            assert_eq!(received.header("x-portcullis-scopes"), Some("orders:read"));
            let record = shop.gateway.audit(&answer.id).await;
            assert_eq!(
                (&record["issuer"], &record["client"]),
                (&"idp".into(), &"support".into())
            );
        }
        // Each worker has asked once at most.
        assert!((1..=2).contains(&shop.idp.introspections().await));

        let lesser = shop.idp.opaque_token("warehouse", "orders:read").await;
        let ask = Ask::post("/v1/orders").bearer(&lesser).body("{}");
        let answer = shop.gateway.ask(ask).await;
        assert_eq!(answer.status, 403, "{}", answer.text());
        assert!(!shop.upstream.saw(&answer.id));

        // What is signed is checked here, and nobody asked.
        let asked = shop.idp.introspections().await;
        let signed = shop.idp.token("storefront", "orders:read", "ES256").await;
        assert_eq!(orders(&shop, &signed).await.status, 200);
        assert_eq!(shop.idp.introspections().await, asked);
    });
}

#[test]
fn a_token_that_its_server_does_not_vouch_for_is_refused() {
    run(async {
        let shop = start("not-vouched-for", 2, CLIENT, "").await;
        let elsewhere = "https://elsewhere.example.test/opaque";
        let elsewhere = shop
            .idp
            .token_for(elsewhere, "storefront", "orders:read")
            .await;
        let expired = shop.idp.opaque_token("storefront", "orders:read").await;
        shop.idp.expire(&expired).await;
        let revoked = shop.idp.opaque_token("storefront", "orders:read").await;
        shop.idp.revoke("storefront", &revoked).await;
        for (token, reason) in [
            (elsewhere.as_str(), "audience_unexpected"),
            (&expired, "token_inactive"),
            (&revoked, "token_inactive"),
            ("made-up", "token_inactive"),
        ] {
            let answer = orders(&shop, token).await;
            assert_eq!(answer.status, 401, "{reason}: {}", answer.text());
            let challenge = answer.header("www-authenticate").unwrap();
            assert!(
                challenge.contains(r#"error="invalid_token""#),
                "{challenge}"
            );
            assert!(!shop.upstream.saw(&answer.id));
            assert_eq!(shop.gateway.audit(&answer.id).await["reason"], reason);
        }
        // A made-up token does not buy a question each time.
        let asked = shop.idp.introspections().await;
        for _ in 0..20 {
            assert_eq!(orders(&shop, "made-up").await.status, 401);
        }
        assert!(shop.idp.introspections().await <= asked + 1);
        let everything = shop.gateway.everything_written();
        assert!(!everything.contains(&revoked) && !everything.contains("gateway-secret"));
    });
}

#[test]
fn a_revocation_is_noticed_within_the_time_of_the_cache() {
    run(async {
        let shop = start("revoked-midway", 2, CLIENT, "max_cache: 2s").await;
        let token = shop.idp.opaque_token("storefront", "orders:read").await;
        for _ in 0..10 {
            assert_eq!(orders(&shop, &token).await.status, 200);
        }
        shop.idp.revoke("storefront", &token).await;
        let revoked = std::time::Instant::now();
        let noticed = eventually("the revocation is noticed", || async {
            let asked = revoked.elapsed();
            for _ in 0..8 {
                if orders(&shop, &token).await.status != 401 {
                    return None;
                }
            }
            Some(asked)
        })
        .await;
        // Two seconds by the policy, one for a busy machine.
        assert!(noticed < Duration::from_secs(3), "{noticed:?}");
        println!("noticed by both workers after {noticed:?} at most");
    });
}

#[test]
fn a_crowd_with_one_token_asks_once_a_worker() {
    run(async {
        let shop = start("crowd", 2, CLIENT, "timeout: 20s").await;
        let token = shop.idp.opaque_token("storefront", "orders:read").await;
        shop.idp.enter(Mode::Hang).await;
        let mut crowd = JoinSet::new();
        for _ in 0..50 {
            let ask = Ask::get("/v1/orders").bearer(&token);
            crowd.spawn(ask.send(shop.gateway.address()));
        }
        eventually("fifty requests are held", || async {
            let active = shop.gateway.stat("http.door.downstream_rq_active").await;
            (active == 50).then_some(())
        })
        .await;
        shop.idp.await_introspections(1).await;
        shop.idp.enter(Mode::Up).await;
        while let Some(answer) = crowd.join_next().await {
            let answer = answer.unwrap();
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
        let asked = shop.idp.introspections().await;
        assert!((1..=2).contains(&asked), "{asked}");
    });
}

#[test]
fn a_server_that_does_not_answer_costs_time_and_opens_nothing() {
    run(async {
        let shop = start("no-answer", 2, CLIENT, "timeout: 1s").await;
        let known = shop.idp.opaque_token("storefront", "orders:read").await;
        let unknown = shop.idp.opaque_token("storefront", "orders:read").await;
        for _ in 0..20 {
            assert_eq!(orders(&shop, &known).await.status, 200);
        }
        for mode in [Mode::Refuse, Mode::Hang, Mode::Fail] {
            shop.idp.enter(mode).await;
            let bounded = PATIENCE.min(Duration::from_secs(10));
            let answer = tokio::time::timeout(bounded, orders(&shop, &unknown))
                .await
                .expect("a bounded wait");
            assert_eq!(answer.status, 503, "{mode:?}: {}", answer.text());
            assert!(answer.header("retry-after").is_some());
            assert!(!shop.upstream.saw(&answer.id));
            let reason = &shop.gateway.audit(&answer.id).await["reason"];
            assert_eq!(reason, "introspection_unavailable", "{mode:?}");
            // What was said before still holds.
            assert_eq!(orders(&shop, &known).await.status, 200, "{mode:?}");
        }
        shop.idp.enter(Mode::Up).await;
        eventually("the server's return is noticed", || async {
            (orders(&shop, &unknown).await.status == 200).then_some(())
        })
        .await;
    });
}

#[test]
fn a_known_token_serves_on_where_the_policy_says_so() {
    run(async {
        let shop = start("serve-stale", 1, CLIENT, "max_cache: 1s, serve_stale: 300s").await;
        let token = shop.idp.opaque_token("storefront", "orders:read").await;
        assert_eq!(orders(&shop, &token).await.status, 200);
        shop.idp.enter(Mode::Fail).await;
        let note = "token introspected before, and the server does not answer";
        eventually("the answer is stale and serves", || async {
            let answer = orders(&shop, &token).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            let record = shop.gateway.audit(&answer.id).await;
            record.to_string().contains(note).then_some(())
        })
        .await;
    });
}

#[test]
fn the_gateway_authenticates_as_the_server_wants_it() {
    run(async {
        let odd = r#"{ id: "gateway:odd", secret: { inline: 'a secret: 100% + "odd"' } }"#;
        let post = "{ id: gateway-post, secret: { inline: gateway-post-secret }, auth: post }";
        let wrong = "{ id: gateway, secret: { inline: wrong } }";
        for (client, status) in [(odd, 200), (post, 200), (wrong, 503)] {
            let shop = start("client-authentication", 1, client, "").await;
            let token = shop.idp.opaque_token("storefront", "orders:read").await;
            let answer = orders(&shop, &token).await;
            assert_eq!(answer.status, status, "{client}: {}", answer.text());
        }
    });
}

async fn orders(shop: &Shop, token: &str) -> Answer {
    shop.gateway.ask(Ask::get("/v1/orders").bearer(token)).await
}

/// The shop, whose provider is asked about what it did not sign.
async fn start(name: &'static str, workers: u32, client: &str, more: &str) -> Shop {
    let idp = Idp::start().await;
    let uri = idp.introspection_uri();
    let comma = if more.is_empty() { "" } else { ", " };
    let introspection = format!(
        "    introspection: {{ uri: \"{uri}\", cluster: idp, client: {client}{comma}{more} }}\n"
    );
    Shop::start_with(name, workers, idp, |policy| {
        policy.replacen("    keys:\n", &format!("{introspection}    keys:\n"), 1)
    })
    .await
}

const CLIENT: &str = "{ id: gateway, secret: { inline: gateway-secret } }";
