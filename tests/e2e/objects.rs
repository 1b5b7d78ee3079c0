//! Whose objects a request may name, in its path and in its body, and how lately its
//! caller must have logged in.

use serde_json::{Value, json};

use crate::harness::{Answer, Ask, Idp, Mode, Reply, now, run};
use crate::shop::{Shop, shop};

#[test]
fn another_customers_id_never_reaches_the_upstream() {
    run(async {
        let shop = shop().await;
        let token = token(shop, json!({ "customer": "c-1" })).await;
        let own = shop
            .gateway
            .ask(Ask::get("/v1/customers/c-1").bearer(&token))
            .await;
        assert_eq!(own.status, 200, "{}", own.text());
        let other = shop
            .gateway
            .ask(Ask::get("/v1/customers/c-2").bearer(&token))
            .await;
        refused(shop, &other, 403, "object_forbidden").await;
    });
}

#[test]
fn the_body_is_looked_at_however_it_comes() {
    run(async {
        let shop = shop().await;
        let token = token(shop, json!({ "accounts": ["a-1"] })).await;
        let ask = || {
            Ask::post("/v1/transfers")
                .header("content-type", "application/json")
                .bearer(&token)
        };
        let ways = |pieces: &[&str]| {
            let chunked = ask().chunked(pieces);
            [
                ask().body(pieces.concat()),
                chunked.clone().again(),
                chunked.clone().again().trailer("x-sum", "1"),
                chunked.clone().again().http2(),
                chunked.again().http2().trailer("x-sum", "1"),
            ]
        };
        for ask in ways(&[r#"{"fr"#, r#"om":"a-1","to":"#, r#""x"}"#]) {
            let id = ask.id.clone();
            shop.upstream.script(&id, Reply::json("{}").status(201));
            let answer = shop.gateway.ask(ask).await;
            assert_eq!(answer.status, 201, "{}", answer.text());
            let received = shop.upstream.received(&id).await;
            assert_eq!(received.body, br#"{"from":"a-1","to":"x"}"#.as_slice());
        }
        for ask in ways(&[r#"{"fr"#, r#"om":"a-2","to":"#, r#""x"}"#]) {
            let answer = shop.gateway.ask(ask).await;
            refused(shop, &answer, 403, "object_forbidden").await;
        }
        let answer = shop.gateway.ask(ask()).await;
        refused(shop, &answer, 403, "object_forbidden").await;
        let answer = shop.gateway.ask(ask().body("from=a-1")).await;
        refused(shop, &answer, 400, "body_unreadable").await;
    });
}

#[test]
fn a_body_that_came_while_keys_were_awaited_is_looked_at_all_the_same() {
    run(async {
        let idp = Idp::start().await;
        idp.enter(Mode::Hang).await;
        let shop = Shop::start_with("held-object", 1, idp, |policy| {
            policy.replace("timeout: 5s", "timeout: 60s")
        })
        .await;
        let token = token(&shop, json!({ "accounts": ["a-1"] })).await;
        let ask = |body: &str| {
            Ask::post("/v1/transfers")
                .header("content-type", "application/json")
                .bearer(&token)
                .body(body.to_owned())
        };
        let (own, other) = (ask(r#"{"from":"a-1"}"#), ask(r#"{"from":"a-2"}"#));
        shop.upstream.script(&own.id, Reply::json("{}").status(201));
        let meanwhile = async {
            shop.idp.await_fetches(1).await;
            shop.idp.enter(Mode::Up).await;
        };
        let (own, other, ()) =
            tokio::join!(shop.gateway.ask(own), shop.gateway.ask(other), meanwhile);
        assert_eq!(own.status, 201, "{}", own.text());
        assert_eq!(
            shop.upstream.received(&own.id).await.body,
            br#"{"from":"a-1"}"#.as_slice()
        );
        refused(&shop, &other, 403, "object_forbidden").await;
    });
}

#[test]
fn a_body_too_large_to_be_looked_at_goes_nowhere() {
    run(async {
        let shop = shop().await;
        let token = token(shop, json!({ "accounts": ["a-1"] })).await;
        let body = format!(r#"{{"from":"a-1","to":"{}"}}"#, "x".repeat(2 << 20));
        let ask = Ask::post("/v1/transfers")
            .header("content-type", "application/json")
            .bearer(&token)
            .body(body);
        let answer = shop.gateway.ask(ask).await;
        assert_eq!(answer.status, 413, "{}", answer.text());
        assert!(!shop.upstream.saw(&answer.id));
    });
}

#[test]
fn a_weak_or_old_log_in_is_challenged_for_another() {
    run(async {
        let shop = shop().await;
        let strong = token(shop, json!({ "acr": "phr", "auth_time": now() })).await;
        let answer = shop.gateway.ask(Ask::get("/v1/keys").bearer(&strong)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        for claims in [
            json!({ "acr": "pwd", "auth_time": now() }),
            json!({ "acr": "phr", "auth_time": now() - 3_600 }),
            json!({ "acr": "phr" }),
        ] {
            let weak = token(shop, claims).await;
            let answer = shop.gateway.ask(Ask::get("/v1/keys").bearer(&weak)).await;
            assert_eq!(
                answer.header("www-authenticate"),
                Some(
                    r#"Bearer error="insufficient_user_authentication", acr_values="phr", max_age="300""#
                )
            );
            refused(shop, &answer, 401, "step_up_needed").await;
        }
    });
}

async fn refused(shop: &Shop, answer: &Answer, status: u16, reason: &str) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(shop.gateway.audit(&answer.id).await["reason"], reason);
    assert!(!shop.upstream.saw(&answer.id), "the upstream saw it");
}

async fn token(shop: &Shop, more: Value) -> String {
    let mut claims = json!({
        "iss": Idp::ISSUER,
        "aud": "https://shop.example.test",
        "sub": "ada",
        "client_id": "storefront",
        "scope": "orders:read",
        "jti": "e2e",
        "iat": now(),
        "exp": now() + 300,
    });
    let members = claims.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    shop.idp.mint("ES256", json!({}), claims).await
}
