//! Classified fields of a response against the caller's clearance, in whatever form
//! the response comes.

use hyper::Method;
use serde_json::{Value, json};

use crate::harness::{Ask, Reply, run};
use crate::shop::{ORDER, Shop, shop};

#[test]
fn a_caller_sees_what_its_clearance_allows() {
    run(async {
        let shop = shop().await;
        let views = [
            ("orders:read", masked()),
            (
                "orders:read customers:personal",
                json!({
                    "id": "o-1", "total": 12.50, "note": "slow payer",
                    "customer": { "name": "Ada Lovelace", "email": "ada@private.example" },
                    "payment": { "iban": "******************2051" },
                }),
            ),
            (
                "orders:read customers:financial",
                serde_json::from_str(ORDER).unwrap(),
            ),
        ];
        for (scope, view) in views {
            let token = shop.idp.token("billing", scope, "ES256").await;
            let ask = Ask::get("/v1/orders/o-1").bearer(&token);
            shop.upstream.script(&ask.id, Reply::json(ORDER));
            let answer = shop.gateway.ask(ask).await;
            assert_eq!(answer.status, 200);
            assert_eq!(answer.json(), view, "{scope}");
        }
    });
}

#[test]
fn every_framing_of_a_response_is_masked() {
    run(async {
        let shop = shop().await;
        let (front, back) = ORDER.split_at(70);
        let framings = [
            ("content-length", Reply::json(ORDER)),
            ("chunked", Reply::json_pieces(&[front, back])),
            (
                "trailers",
                Reply::json_pieces(&[front, back]).trailer("x-sum", "1"),
            ),
            (
                "one piece and trailers",
                Reply::json_pieces(&[ORDER]).trailer("x-sum", "1"),
            ),
        ];
        for (framing, reply) in framings {
            for http2 in [false, true] {
                let ask = shop.order().await;
                let ask = if http2 { ask.http2() } else { ask };
                shop.upstream.script(&ask.id, reply.clone());
                let answer = shop.gateway.ask(ask).await;
                assert_eq!(answer.status, 200, "{framing}");
                assert_eq!(answer.json(), masked(), "{framing}, HTTP/2: {http2}");
                if let Some(length) = answer.header("content-length") {
                    assert_eq!(length, answer.body.len().to_string(), "{framing}");
                }
            }
        }
    });
}

#[test]
fn a_long_list_is_masked_and_one_too_long_is_withheld() {
    run(async {
        let shop = shop().await;
        let token = shop.idp.token("storefront", "orders:read", "ES256").await;
        let list = |count: usize| format!("[{}]", vec![ORDER; count].join(","));
        let ask = Ask::get("/v1/orders").bearer(&token);
        shop.upstream.script(&ask.id, Reply::json(list(4_000)));
        let answer = shop.gateway.ask(ask).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.json(), Value::Array(vec![masked(); 4_000]));

        // Envoy buffers 1 MiB. What no longer fits cannot be masked, hence not sent.
        let ask = Ask::get("/v1/orders").bearer(&token);
        shop.upstream.script(&ask.id, Reply::json(list(16_000)));
        let answer = shop.gateway.ask(ask).await;
        assert!(answer.status >= 500, "{}", answer.status);
        assert!(!answer.text().contains("Ada"));
    });
}

#[test]
fn a_response_that_cannot_be_masked_is_withheld() {
    run(async {
        let shop = shop().await;
        let unreadable = [
            (
                "another media type",
                Reply::json(ORDER).header("content-type", "text/plain"),
            ),
            (
                "no media type",
                Reply::json(ORDER).header("content-type", ""),
            ),
            ("half a document", Reply::json(&ORDER[..80])),
            ("two documents", Reply::json(format!("{ORDER}{ORDER}"))),
            (
                "not UTF-8",
                Reply::json([b"{\"id\":\"", &b"\xff"[..], b"\"}"].concat()),
            ),
            (
                "compressed",
                Reply::json(GZIPPED).header("content-encoding", "gzip"),
            ),
            (
                "part of a document",
                Reply::json(&ORDER[10..90])
                    .status(206)
                    .header("content-range", "bytes 10-89/200"),
            ),
        ];
        for (what, reply) in unreadable {
            let ask = shop.order().await;
            shop.upstream.script(&ask.id, reply);
            let answer = shop.gateway.ask(ask).await;
            assert_eq!(answer.status, 502, "{what}: {}", answer.text());
            assert_eq!(
                answer.header("content-type"),
                Some("application/problem+json"),
                "{what}"
            );
            assert!(answer.header("content-encoding").is_none(), "{what}");
            assert!(!answer.text().contains("Ada"), "{what}");
        }
    });
}

#[test]
fn the_upstream_is_not_asked_to_compress() {
    run(async {
        let shop = shop().await;
        let ask = shop.order().await.header("accept-encoding", "gzip, br");
        shop.upstream.script(&ask.id, Reply::json(ORDER));
        let answer = shop.gateway.ask(ask).await;
        assert_eq!((answer.status, answer.json()), (200, masked()));
        let received = shop.upstream.received(&answer.id).await;
        assert_eq!(received.header("accept-encoding"), None);
    });
}

#[test]
fn a_response_without_a_body_passes() {
    run(async {
        let shop = shop().await;
        for status in [204, 304] {
            let ask = shop.order().await;
            shop.upstream
                .script(&ask.id, Reply::json("").status(status));
            let answer = shop.gateway.ask(ask).await;
            assert_eq!((answer.status, answer.body.len()), (status, 0));
        }
        // HEAD is not declared, so it cannot be used to look around the mask.
        let token = shop.idp.token("storefront", "orders:read", "ES256").await;
        let answer = shop
            .gateway
            .ask(Ask::new(Method::HEAD, "/v1/orders").bearer(&token))
            .await;
        assert_eq!(answer.status, 405);
    });
}

#[test]
fn what_was_masked_is_in_the_record_but_not_its_value() {
    run(async {
        let shop = shop().await;
        let (answer, record) = masked_exchange(shop).await;
        assert_eq!(answer, 200);
        let hidden = record["hidden"].as_array().unwrap();
        let count = |class: &str| {
            hidden
                .iter()
                .find(|entry| entry["classification"] == class)
                .unwrap()["count"]
                .clone()
        };
        assert_eq!(
            (count("internal"), count("personal"), count("financial")),
            (json!(1), json!(2), json!(1))
        );
        assert!(!record.to_string().contains("Ada"));
    });
}

async fn masked_exchange(shop: &Shop) -> (u16, Value) {
    let ask = shop.order().await;
    shop.upstream.script(&ask.id, Reply::json(ORDER));
    let answer = shop.gateway.ask(ask).await;
    (answer.status, shop.gateway.audit(&answer.id).await)
}

/// [`ORDER`] to those without any clearance.
fn masked() -> Value {
    json!({
        "id": "o-1", "total": 12.50,
        "customer": { "name": "***", "email": "***" },
        "payment": { "iban": "******************2051" },
    })
}

/// `{"customer":{"name":"Ada Lovelace"}}`, compressed.
const GZIPPED: &[u8] =
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xab\x56\x4a\x2e\x2d\x2e\xc9\xcf\x4d\x2d\
    \x52\xb2\xaa\x56\xca\x4b\xcc\x4d\x55\xb2\x52\x72\x4c\x49\x54\xf0\xc9\x2f\x4b\xcd\
    \x49\x4c\x4e\x55\xaa\xad\x05\x00\xac\x93\xf0\xf4\x24\x00\x00\x00";
