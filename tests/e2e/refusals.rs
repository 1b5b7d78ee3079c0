//! What a refused client is told: RFC 9457 problems and RFC 6750 challenges.

use hyper::Method;

use crate::harness::{Answer, Ask, raw, run};
use crate::shop::shop;

#[test]
fn without_a_token_the_challenge_has_no_error_code() {
    run(async {
        let shop = shop().await;
        for ask in [Ask::get("/v1/orders"), Ask::get("/v1/orders").http2()] {
            let answer = shop.gateway.ask(ask).await;
            assert_refused(&answer, 401);
            let challenge = answer.header("www-authenticate").unwrap();
            assert!(challenge.starts_with("Bearer"), "{challenge}");
            assert!(!challenge.contains("error"), "{challenge}");
            assert!(!shop.upstream.saw(&answer.id));
        }
    });
}

#[test]
fn another_scope_is_not_enough() {
    run(async {
        let shop = shop().await;
        let token = shop.idp.token("warehouse", "orders:read", "ES256").await;
        let answer = shop
            .gateway
            .ask(Ask::post("/v1/orders").bearer(&token).body("{}"))
            .await;
        assert_refused(&answer, 403);
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(challenge.starts_with("Bearer "), "{challenge}");
        assert!(
            challenge.contains(r#"error="insufficient_scope""#),
            "{challenge}"
        );
        assert!(challenge.contains(r#"scope="orders:write""#), "{challenge}");
        assert!(!shop.upstream.saw(&answer.id));
    });
}

#[test]
fn what_is_not_declared_is_not_there() {
    run(async {
        let shop = shop().await;
        let token = shop
            .idp
            .token("storefront", "orders:read orders:write", "ES256")
            .await;
        for path in [
            "/",
            "/orders",
            "/v1",
            "/v1/orders/",
            "/v1/orders/o-1/lines",
            "/v1/Orders",
            "/v1/status/x",
        ] {
            let answer = shop.gateway.ask(Ask::get(path).bearer(&token)).await;
            assert_refused(&answer, 404);
            assert!(!shop.upstream.saw(&answer.id), "{path}");
        }
        let answer = shop
            .gateway
            .ask(Ask::new(Method::DELETE, "/v1/orders").bearer(&token))
            .await;
        assert_refused(&answer, 405);
        let mut allowed: Vec<_> = answer.header("allow").unwrap().split(", ").collect();
        allowed.sort_unstable();
        assert_eq!(allowed, ["GET", "POST"]);
        assert!(!shop.upstream.saw(&answer.id));
    });
}

#[test]
fn a_public_operation_needs_no_token() {
    run(async {
        let shop = shop().await;
        let answer = shop.gateway.ask(Ask::get("/v1/status")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    });
}

#[test]
fn two_credentials_are_none() {
    run(async {
        let shop = shop().await;
        let token = shop.idp.token("storefront", "orders:read", "ES256").await;
        let request = format!(
            "GET /v1/orders HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
             authorization: Bearer {token}\r\nauthorization: Bearer {token}\r\n\r\n"
        );
        let answer = raw::exchange(shop.gateway.address(), request.as_bytes()).await;
        assert_eq!(raw::status(&answer), 400, "{answer}");
    });
}

fn assert_refused(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(
        answer.header("content-type"),
        Some("application/problem+json")
    );
    let problem = answer.json();
    assert_eq!(problem["status"], status);
    for member in ["type", "title"] {
        assert!(
            problem[member]
                .as_str()
                .is_some_and(|text| !text.is_empty()),
            "{member} in {problem}"
        );
    }
}
