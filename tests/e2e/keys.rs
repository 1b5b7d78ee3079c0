//! The issuer's keys over time: fetched once for all workers, rotated, out of reach.

use std::time::Duration;

use serde_json::json;

use crate::harness::{Ask, Idp, Mode, PATIENCE, Reply, eventually, now, run};
use crate::shop::{KEY_TIMES, Shop};

#[test]
fn one_fetch_serves_all_workers() {
    run(async {
        let shop = Shop::start("one-fetch", 4, |policy| policy).await;
        for _ in 0..40 {
            let answer = shop.gateway.ask(shop.order().await).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
        assert_eq!(shop.idp.fetches().await, 1);
    });
}

#[test]
fn an_unknown_key_is_looked_up_and_made_up_ones_are_not_for_long() {
    run(async {
        let shop = Shop::start("rotation", 2, |policy| policy).await;
        let before = token(&shop.idp).await;
        assert_eq!(status(&shop, &before).await, 200);
        shop.idp.rotate().await;
        let after = token(&shop.idp).await;
        assert_eq!(status(&shop, &after).await, 200);
        assert_eq!(status(&shop, &before).await, 200);
        assert_eq!(shop.idp.fetches().await, 2);

        for made_up in 0..40 {
            let header = json!({ "kid": format!("made-up-{made_up}") });
            let token = shop.idp.mint("RS256", header, claims()).await;
            assert_eq!(status(&shop, &token).await, 401);
        }
        // The cool-down is a minute, so the flood caused no fetch at all or one.
        let fetches = shop.idp.fetches().await;
        assert!((2..=3).contains(&fetches), "{fetches}");
        assert_eq!(status(&shop, &after).await, 200);
    });
}

#[test]
fn a_retired_key_is_forgotten_with_the_tokens_it_signed() {
    run(async {
        let shop = Shop::start("retired", 2, |policy| {
            policy.replace(KEY_TIMES, "refresh: 1s, cooldown: 1s")
        })
        .await;
        let old = token(&shop.idp).await;
        assert_eq!(status(&shop, &old).await, 200);
        shop.idp.rotate().await;
        shop.idp.retire().await;
        eventually("the retired key's token is refused", || async {
            (status(&shop, &old).await == 401).then_some(())
        })
        .await;
    });
}

#[test]
fn stale_keys_serve_within_their_limit_while_the_issuer_is_down() {
    run(async {
        let shop = Shop::start("stale", 2, |policy| {
            policy.replace(KEY_TIMES, "refresh: 1s, max_stale: 8s, cooldown: 1s")
        })
        .await;
        let early = token(&shop.idp).await;
        assert_eq!(status(&shop, &early).await, 200);
        shop.idp.enter(Mode::Fail).await;
        let fetches = shop.idp.fetches().await;
        shop.idp.await_fetches(fetches + 2).await;
        // A token that no cache knows, under keys that should have been refreshed.
        let fresh = shop.idp.mint("ES256", json!({}), claims()).await;
        assert_eq!(status(&shop, &fresh).await, 200);

        eventually("keys become too stale", || async {
            (status(&shop, &early).await == 503).then_some(())
        })
        .await;
        let answer = shop
            .gateway
            .ask(Ask::get("/v1/orders").bearer(&fresh))
            .await;
        assert_eq!(answer.status, 503);
        assert_eq!(
            shop.gateway.audit(&answer.id).await["reason"],
            "keys_unavailable"
        );

        shop.idp.enter(Mode::Up).await;
        eventually("the issuer's return is noticed", || async {
            (status(&shop, &early).await == 200).then_some(())
        })
        .await;
    });
}

#[test]
fn an_issuer_that_comes_late_is_found_without_a_restart() {
    run(async {
        let idp = Idp::start().await;
        idp.enter(Mode::Refuse).await;
        let shop = Shop::start_with("late", 2, idp, |policy| {
            policy.replace(KEY_TIMES, "timeout: 1s, cooldown: 1s, on_missing: refuse")
        })
        .await;
        let token = shop.idp.mint("EdDSA", json!({}), claims()).await;
        let answer = shop
            .gateway
            .ask(Ask::get("/v1/orders").bearer(&token))
            .await;
        assert_eq!(answer.status, 503, "{}", answer.text());
        assert!(answer.header("retry-after").is_some());
        assert!(!shop.upstream.saw(&answer.id));
        // What needs no keys is served meanwhile.
        let answer = shop.gateway.ask(Ask::get("/v1/status")).await;
        assert_eq!(answer.status, 200);

        shop.idp.enter(Mode::Up).await;
        eventually("the issuer's keys are found", || async {
            (status(&shop, &token).await == 200).then_some(())
        })
        .await;
    });
}

#[test]
fn a_held_request_goes_out_whole_once_there_are_keys_and_not_before() {
    run(async {
        for (with_trailers, http2) in [(false, false), (true, false), (false, true), (true, true)] {
            let idp = Idp::start().await;
            idp.enter(Mode::Hang).await;
            let shop = Shop::start_with("held", 2, idp, |policy| {
                policy.replace("timeout: 5s", "timeout: 60s")
            })
            .await;
            let token = shop.idp.mint("RS256", json!({}), claims()).await;
            let body = "x".repeat(20_000);
            let mut ask = Ask::post("/v1/orders")
                .bearer(&token)
                .chunked(&[&body, "end"]);
            if with_trailers {
                ask = ask.trailer("x-sum", "1");
            }
            if http2 {
                ask = ask.http2();
            }
            shop.upstream.script(&ask.id, Reply::json("{}").status(201));
            let id = ask.id.clone();
            let meanwhile = async {
                eventually("the whole request is in Envoy", || async {
                    let bytes = "http.door.downstream_cx_rx_bytes_total";
                    (shop.gateway.stat(bytes).await > 20_000).then_some(())
                })
                .await;
                shop.idp.await_fetches(1).await;
                assert!(!shop.upstream.saw(&id), "released undecided");
                shop.idp.enter(Mode::Up).await;
            };
            let (answer, ()) = tokio::join!(shop.gateway.ask(ask), meanwhile);
            assert_eq!(answer.status, 201, "{}", answer.text());
            let received = shop.upstream.received(&id).await;
            assert_eq!(received.body.len(), body.len() + 3);
            assert_eq!(received.trailers.contains_key("x-sum"), with_trailers);
            assert_eq!(received.header("x-portcullis-client"), Some("storefront"));
        }
    });
}

#[test]
fn a_held_request_that_is_refused_never_reaches_the_upstream() {
    run(async {
        let idp = Idp::start().await;
        idp.enter(Mode::Hang).await;
        let shop = Shop::start_with("held-refused", 2, idp, |policy| {
            policy.replace("timeout: 5s", "timeout: 60s")
        })
        .await;
        let forged = shop.idp.forge("RS256", claims()).await;
        let ask = Ask::post("/v1/orders")
            .bearer(&forged)
            .chunked(&["{", "}"])
            .trailer("x-sum", "1");
        let id = ask.id.clone();
        let meanwhile = async {
            shop.idp.await_fetches(1).await;
            shop.idp.enter(Mode::Up).await;
        };
        let (answer, ()) = tokio::join!(shop.gateway.ask(ask), meanwhile);
        assert_eq!(answer.status, 401, "{}", answer.text());
        assert!(!shop.upstream.saw(&id));
    });
}

#[test]
fn a_client_that_leaves_while_held_harms_nobody() {
    run(async {
        let idp = Idp::start().await;
        idp.enter(Mode::Hang).await;
        let shop = Shop::start_with("left", 1, idp, |policy| {
            policy.replace("timeout: 5s", "timeout: 60s")
        })
        .await;
        let token = shop.idp.mint("RS256", json!({}), claims()).await;
        let leaving = Ask::get("/v1/orders").bearer(&token);
        let left = leaving.id.clone();
        let leave = tokio::spawn(leaving.send(shop.gateway.address()));
        let active = || shop.gateway.stat("http.door.downstream_rq_active");
        eventually("the request is held", || async {
            (active().await == 1).then_some(())
        })
        .await;
        shop.idp.await_fetches(1).await;
        leave.abort();
        eventually("the client is gone", || async {
            (active().await == 0).then_some(())
        })
        .await;
        shop.idp.enter(Mode::Up).await;
        assert_eq!(status(&shop, &token).await, 200);
        assert!(!shop.upstream.saw(&left));
        shop.gateway.audit(&left).await;
    });
}

#[test]
fn a_held_request_is_refused_when_the_fetch_takes_too_long() {
    run(async {
        let idp = Idp::start().await;
        idp.enter(Mode::Hang).await;
        let shop = Shop::start_with("too-long", 2, idp, |policy| {
            policy.replace("timeout: 5s", "timeout: 1s")
        })
        .await;
        let token = shop.idp.mint("RS256", json!({}), claims()).await;
        let ask = Ask::get("/v1/orders").bearer(&token);
        let answer =
            tokio::time::timeout(PATIENCE.min(Duration::from_secs(20)), shop.gateway.ask(ask))
                .await
                .expect("a bounded wait");
        assert_eq!(answer.status, 503, "{}", answer.text());
        assert!(!shop.upstream.saw(&answer.id));
    });
}

async fn status(shop: &Shop, token: &str) -> u16 {
    shop.gateway
        .ask(Ask::get("/v1/orders").bearer(token))
        .await
        .status
}

async fn token(idp: &Idp) -> String {
    idp.token("storefront", "orders:read", "ES256").await
}

fn claims() -> serde_json::Value {
    json!({
        "iss": Idp::ISSUER,
        "aud": "https://shop.example.test",
        "sub": "storefront",
        "client_id": "storefront",
        "scope": "orders:read orders:write",
        "jti": "e2e",
        "iat": now(),
        "exp": now() + 300,
    })
}
