//! Who gets in, and what the upstream learns of them.

use serde_json::json;

use crate::harness::{Ask, Idp, now, run};
use crate::shop::shop;

#[test]
fn a_token_of_each_algorithm_lets_its_client_in() {
    run(async {
        let shop = shop().await;
        for alg in ["RS256", "ES256", "EdDSA"] {
            let token = shop
                .idp
                .token("storefront", "orders:read orders:write", alg)
                .await;
            let ask = Ask::get("/v1/orders?status=open").bearer(&token);
            // The second time the token comes from the cache: nothing may differ.
            for ask in [
                ask.clone().again(),
                ask.clone().again(),
                ask.again().http2(),
            ] {
                let answer = shop.gateway.ask(ask).await;
                assert_eq!(answer.status, 200, "{alg}: {}", answer.text());
                let received = shop.upstream.received(&answer.id).await;
                assert_eq!(received.target, "/v1/orders?status=open");
                assert_eq!(received.header("x-portcullis-subject"), Some("storefront"));
                assert_eq!(received.header("x-portcullis-client"), Some("storefront"));
                assert_eq!(
                    received.header("x-portcullis-scopes"),
                    Some("orders:read orders:write")
                );
                assert_eq!(
                    received.header("x-portcullis-operation"),
                    Some("listOrders")
                );
            }
        }
    });
}

#[test]
fn what_a_client_says_of_its_identity_goes_no_further() {
    run(async {
        let shop = shop().await;
        let lies = |ask: Ask| {
            ask.header("x-portcullis-subject", "root")
                .header("x-portcullis-subject", "admin")
                .header("x_portcullis_subject", "root")
                .header("x-portcullis_client", "root")
                .header("x-portcullis-scopes", "everything")
                .header("x-portcullis-made-up", "root")
        };
        let known = shop.gateway.ask(lies(shop.order().await)).await;
        let received = shop.upstream.received(&known.id).await;
        assert_eq!(received.header("x-portcullis-subject"), Some("storefront"));
        assert_eq!(received.header("x-portcullis-client"), Some("storefront"));
        let anyone = shop.gateway.ask(lies(Ask::get("/v1/status"))).await;
        let public = shop.upstream.received(&anyone.id).await;
        for received in [received, public] {
            for value in received.headers.values() {
                assert!(
                    !["root", "admin", "everything"]
                        .map(str::as_bytes)
                        .contains(&value.as_bytes()),
                    "{received:?}"
                );
            }
        }
    });
}

#[test]
fn a_claim_cannot_write_headers_for_the_upstream() {
    run(async {
        let shop = shop().await;
        let mut claims = good_claims();
        claims["sub"] = json!("ada\r\nx-injected: yes");
        let token = shop.idp.mint("RS256", json!({}), claims).await;
        let answer = shop
            .gateway
            .ask(Ask::get("/v1/orders").bearer(&token))
            .await;
        if answer.status == 200 {
            let received = shop.upstream.received(&answer.id).await;
            assert!(!received.headers.contains_key("x-injected"), "{received:?}");
        } else {
            assert_eq!(answer.status, 401, "{}", answer.text());
        }
    });
}

#[test]
fn a_token_that_cannot_be_believed_is_refused() {
    run(async {
        let shop = shop().await;
        let with = |name: &str, value: serde_json::Value| {
            let mut claims = good_claims();
            claims[name] = value;
            claims
        };
        let mut endless = good_claims();
        endless.as_object_mut().unwrap().remove("exp");
        let mint = |claims| shop.idp.mint("RS256", json!({}), claims);
        let good = shop.idp.token("storefront", "orders:read", "RS256").await;
        let (head, rest) = good.split_once('.').unwrap();
        let (payload, _) = rest.split_once('.').unwrap();
        let cases = [
            ("expired", mint(with("exp", json!(now() - 3_600))).await),
            (
                "not yet valid",
                mint(with("nbf", json!(now() + 3_600))).await,
            ),
            (
                "of another issuer",
                mint(with("iss", json!("https://evil.example"))).await,
            ),
            ("without expiry", mint(endless).await),
            (
                "for another API",
                shop.idp
                    .token_for(
                        "https://elsewhere.example.test",
                        "storefront",
                        "orders:read",
                    )
                    .await,
            ),
            (
                "of another type",
                shop.idp
                    .mint("RS256", json!({ "typ": "JWT" }), good_claims())
                    .await,
            ),
            (
                "with a critical extension",
                shop.idp
                    .mint(
                        "RS256",
                        json!({ "crit": ["b64"], "b64": true }),
                        good_claims(),
                    )
                    .await,
            ),
            (
                "signed by someone else",
                shop.idp.forge("RS256", good_claims()).await,
            ),
            (
                "signed by someone else",
                shop.idp.forge("ES256", good_claims()).await,
            ),
            (
                "signed by someone else",
                shop.idp.forge("EdDSA", good_claims()).await,
            ),
            // {"alg":"none","typ":"at+jwt"}
            (
                "unsigned",
                format!("eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.{payload}."),
            ),
            ("with its signature cut off", format!("{head}.{payload}.")),
            ("no token at all", "abc".to_owned()),
        ];
        for (what, token) in cases {
            let answer = shop
                .gateway
                .ask(Ask::get("/v1/orders").bearer(&token))
                .await;
            assert_eq!(answer.status, 401, "{what}: {}", answer.text());
            let challenge = answer.header("www-authenticate").unwrap();
            assert!(challenge.starts_with("Bearer "), "{what}: {challenge}");
            assert!(
                challenge.contains(r#"error="invalid_token""#),
                "{what}: {challenge}"
            );
            assert!(!shop.upstream.saw(&answer.id), "{what}");
        }
        // The same claims, honestly signed, are let in: the refusals above have one reason each.
        let honest = shop.idp.mint("RS256", json!({}), good_claims()).await;
        let answer = shop
            .gateway
            .ask(Ask::get("/v1/orders").bearer(&honest))
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    });
}

fn good_claims() -> serde_json::Value {
    json!({
        "iss": Idp::ISSUER,
        "aud": "https://shop.example.test",
        "sub": "storefront",
        "client_id": "storefront",
        "scope": "orders:read",
        "jti": "e2e",
        "iat": now(),
        "exp": now() + 300,
    })
}
