//! One reading of a request, the same for the gateway and the upstream.

use crate::harness::{Ask, raw, run};
use crate::shop::shop;

#[test]
fn a_path_with_two_readings_goes_no_further() {
    run(async {
        let shop = shop().await;
        let token = shop.idp.token("storefront", "orders:read", "ES256").await;
        let targets = [
            "/v1/status/../orders",
            "/v1/status/..;/orders",
            "/v1/%2e%2e/v1/orders",
            "/v1//orders",
            "/v1/orders%2fo-1",
            "/v1/orders%5co-1",
            "/v1/orders/%00",
            "/v1/orders/%252fo-1",
            "/v1/orders/%zz",
            "/v1/orders/o\\1",
        ];
        for target in targets {
            let id = Ask::get("/").id;
            let request = format!(
                "GET {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
                 x-request-id: {id}\r\nauthorization: Bearer {token}\r\n\r\n"
            );
            let answer = raw::exchange(shop.gateway.address(), request.as_bytes()).await;
            assert_eq!(raw::status(&answer), 400, "{target}: {answer}");
            assert!(!shop.upstream.saw(&id), "{target}");
        }
    });
}

#[test]
fn the_upstream_gets_the_canonical_path() {
    run(async {
        let shop = shop().await;
        let token = shop.idp.token("storefront", "orders:read", "ES256").await;
        let ask = Ask::get("/v1/%6frders/%e4%bd%a0?limit=%37").bearer(&token);
        let answer = shop.gateway.ask(ask).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let received = shop.upstream.received(&answer.id).await;
        assert_eq!(received.target, "/v1/orders/%E4%BD%A0?limit=7");
    });
}

#[test]
fn an_encoded_line_break_becomes_no_header() {
    run(async {
        let shop = shop().await;
        for target in [
            "/v1/orders/%0d%0ax-injected:%20yes",
            "/%0d%0ax-injected:%20yes",
            "/v1/orders?status=%0d%0ax-injected:%20yes",
        ] {
            for method in ["GET", "DELETE", "X-%0d%0A"] {
                let request = format!(
                    "{method} {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer a%0d%0ax-injected:%20yes\r\n\r\n"
                );
                let answer = raw::exchange(shop.gateway.address(), request.as_bytes()).await;
                assert!((400..500).contains(&raw::status(&answer)), "{answer}");
                let head = answer.split("\r\n\r\n").next().unwrap().to_lowercase();
                assert!(!head.contains("\nx-injected"), "{answer}");
            }
        }
    });
}
