//! Requests that are known to trap, bypass or strand filters, and a VM that does trap.

use std::fs;

use crate::harness::{Ask, Gateway, Reply, Setup, Update, Upstream, eventually, raw, run};
use crate::shop::shop;

#[test]
fn bytes_that_are_no_utf8_get_an_answer_and_leave_no_trace() {
    run(async {
        let shop = shop().await;
        for name in [
            "x-odd",
            "authorization",
            "cookie",
            "x-portcullis-subject",
            "content-type",
        ] {
            for http2 in [false, true] {
                let odd = Ask::get("/v1/status").header(name, b"a\xff\xfe");
                let odd = if http2 { odd.http2() } else { odd };
                let answer = shop.gateway.ask(odd).await;
                assert_eq!(answer.status, 400, "{name}: {}", answer.text());
                assert_eq!(shop.gateway.audit(&answer.id).await["status"], 400);
            }
        }
        let answer = shop.gateway.ask(shop.order().await).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(
            !shop
                .gateway
                .everything_written()
                .contains("Uncaught RuntimeError")
        );
    });
}

#[test]
fn an_upstream_header_that_is_no_utf8_traps_nothing() {
    run(async {
        let shop = shop().await;
        let ask = shop.order().await;
        shop.upstream
            .script(&ask.id, Reply::json("{}").header("x-odd", b"\xff"));
        let answer = shop.gateway.ask(ask).await;
        assert!([200, 502].contains(&answer.status), "{}", answer.text());
        assert_eq!(
            shop.gateway.audit(&answer.id).await["status"],
            answer.status
        );
        assert_eq!(shop.gateway.ask(shop.order().await).await.status, 200);
    });
}

#[test]
fn a_request_with_trailers_is_decided_like_any_other() {
    run(async {
        let shop = shop().await;
        let token = shop.idp.token("storefront", "orders:write", "ES256").await;
        for http2 in [false, true] {
            let post = || {
                let ask = Ask::post("/v1/orders")
                    .chunked(&["{", "}"])
                    .trailer("x-sum", "1");
                if http2 { ask.http2() } else { ask }
            };
            let refused = shop.gateway.ask(post()).await;
            assert_eq!(refused.status, 401, "{}", refused.text());
            assert!(!shop.upstream.saw(&refused.id));

            let ask = post().bearer(&token);
            shop.upstream.script(&ask.id, Reply::json("{}").status(201));
            let answer = shop.gateway.ask(ask).await;
            assert_eq!(answer.status, 201, "{}", answer.text());
            let received = shop.upstream.received(&answer.id).await;
            assert_eq!(
                (received.body, received.trailers["x-sum"].as_bytes()),
                ("{}".into(), &b"1"[..])
            );
        }
    });
}

#[test]
fn a_request_body_larger_than_the_buffer_streams_through() {
    run(async {
        let shop = shop().await;
        let token = shop.idp.token("storefront", "orders:write", "ES256").await;
        let ask = Ask::post("/v1/orders")
            .bearer(&token)
            .body("x".repeat(3_000_000));
        shop.upstream.script(&ask.id, Reply::json("{}").status(201));
        let answer = shop.gateway.ask(ask).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        assert_eq!(
            shop.upstream.received(&answer.id).await.body.len(),
            3_000_000
        );
    });
}

#[test]
fn an_upgrade_is_decided_like_any_other_request() {
    run(async {
        let shop = shop().await;
        let request = "GET /v1/orders HTTP/1.1\r\nhost: x\r\nconnection: upgrade, close\r\n\
                       upgrade: websocket\r\nsec-websocket-version: 13\r\n\
                       sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        let answer = raw::exchange(shop.gateway.address(), request.as_bytes()).await;
        assert!((400..500).contains(&raw::status(&answer)), "{answer}");
    });
}

#[test]
fn a_vm_that_traps_is_replaced() {
    run(async {
        let upstream = Upstream::start().await;
        let setup = Setup::bare("trapping", upstream.address, upstream.address);
        let gateway = Gateway::start(setup).await;
        let module = gateway.directory().join("trapping.wasm");
        fs::write(&module, TRAPPING).unwrap();
        assert_eq!(gateway.push_module(&module, "").await, Update::Accepted);
        assert_eq!(gateway.ask(Ask::get("/")).await.status, 200);

        let many = (0..40).fold(Ask::get("/"), |ask, _| ask.header("x-many", "1"));
        let trapped = gateway.ask(many).await;
        assert_eq!(trapped.status, 503);
        assert!(!upstream.saw(&trapped.id));
        eventually("the worker's VM is replaced", || async {
            for _ in 0..20 {
                if gateway.ask(Ask::get("/")).await.status != 200 {
                    return None;
                }
            }
            Some(())
        })
        .await;
    });
}

/// A filter by hand: it traps on a request of more than thirty headers. Portcullis has
/// no way to be made to trap, and this proves the listener's `failure_policy`, not it.
/// In order: four types, four functions, a page of memory, the exports, and the code,
/// of which only the last function does anything: `if (count > 30) unreachable; 0`.
const TRAPPING: &[u8] = b"\0asm\x01\0\0\0\
    \x01\x15\x04\x60\0\0\x60\x02\x7f\x7f\0\x60\x01\x7f\x01\x7f\x60\x03\x7f\x7f\x7f\x01\x7f\
    \x03\x05\x04\0\x01\x02\x03\
    \x05\x03\x01\0\x01\
    \x07\x62\x05\
    \x06memory\x02\0\
    \x17proxy_abi_version_0_2_1\0\0\
    \x17proxy_on_context_create\0\x01\
    \x06malloc\0\x02\
    \x18proxy_on_request_headers\0\x03\
    \x0a\x1b\x04\
    \x02\0\x0b\
    \x02\0\x0b\
    \x05\0\x41\x80\x08\x0b\
    \x0d\0\x20\x01\x41\x1e\x4b\x04\x40\0\x0b\x41\0\x0b";
