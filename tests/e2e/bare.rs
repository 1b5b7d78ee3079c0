//! The harness itself, with an Envoy that has no filter in it: what fails here says
//! nothing about the gateway, and what passes says that the other cases see real bytes.

use std::time::Duration;

use serde_json::json;

use crate::harness::{
    Answer, Ask, Condition, Gateway, Idp, Mode, RateLimit, Reply, Setup, Tls, Upstream, eventually,
    run,
};

#[test]
fn a_bare_envoy_passes_everything_and_has_no_audit_record() {
    run(async {
        let upstream = Upstream::start().await;
        let setup = Setup::bare("bare", upstream.address, upstream.address);
        let gateway = Gateway::start(setup).await;

        let ask = Ask::post("/anything?at=all")
            .header("x-odd", b"\xff")
            .chunked(&["one", "two"])
            .trailer("x-end", "here");
        upstream.script(
            &ask.id,
            Reply::json_pieces(&["[1,", "2]"]).trailer("x-sum", "3"),
        );
        let answer = gateway.ask(ask.clone()).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.text(), "[1,2]");
        assert_eq!(answer.trailers["x-sum"], "3");
        let received = upstream.received(&answer.id).await;
        assert_eq!(received.target, "/anything?at=all");
        assert_eq!(received.headers["x-odd"].as_bytes(), b"\xff");
        assert_eq!(received.body, "onetwo");
        assert_eq!(received.trailers["x-end"], "here");

        let answer = gateway.ask(Ask::get("/two").http2()).await;
        assert_eq!(gateway.audit_lines(&answer.id).await, ["-"]);
        assert_eq!((answer.status, answer.text().as_str()), (200, "{}"));
    });
}

#[test]
fn the_identity_provider_gives_tokens_rotates_and_falls_over() {
    run(async {
        let idp = Idp::start().await;
        for alg in ["RS256", "ES256", "EdDSA"] {
            let token = idp.token("billing", "orders:read", alg).await;
            assert_eq!(token.split('.').count(), 3);
        }
        let keys = || Ask::get("/jwks").try_send(idp.address);
        let count = |answer: Answer| answer.json()["keys"].as_array().unwrap().len();
        assert_eq!(count(keys().await.unwrap()), 3);
        idp.rotate().await;
        assert_eq!(count(keys().await.unwrap()), 6);
        idp.retire().await;
        assert_eq!(count(keys().await.unwrap()), 3);
        idp.enter(Mode::Refuse).await;
        assert!(keys().await.is_err());
        idp.enter(Mode::Fail).await;
        assert_eq!(keys().await.unwrap().status, 500);
        idp.enter(Mode::Hang).await;
        let (answer, ()) = tokio::join!(keys(), async {
            idp.await_fetches(5).await;
            idp.enter(Mode::Up).await;
        });
        assert_eq!(count(answer.unwrap()), 3);
        assert_eq!(idp.fetches().await, 5);
    });
}

#[test]
fn the_rate_limit_service_counts_for_two_envoys_and_can_be_lost_and_found() {
    const ALLOWED: u16 = 200;
    const OVER: u16 = 429;
    const UNASKED: u16 = 503;
    run(async {
        let upstream = Upstream::start().await;
        let service = RateLimit::start("bare-limits", LIMITS).await;
        let (one, two) = tokio::join!(
            limited("bare-limited-1", &upstream, &service),
            limited("bare-limited-2", &upstream, &service),
        );
        let status = async |gateway: &Gateway| gateway.ask(Ask::get("/")).await.status;
        let becomes = async |expected| {
            eventually("the service counts again", || async {
                (status(&one).await == expected).then_some(())
            })
            .await;
        };

        assert_eq!(status(&one).await, ALLOWED);
        assert_eq!(status(&two).await, ALLOWED);
        assert_eq!(status(&one).await, ALLOWED);
        assert_eq!(status(&two).await, OVER);
        service
            .wire
            .turn(Condition::Slow(Duration::from_millis(50)));
        assert_eq!(status(&one).await, OVER);
        service.wire.turn(Condition::Stalled);
        assert_eq!(status(&one).await, UNASKED);
        service.wire.turn(Condition::Good);
        becomes(OVER).await;
        service.kill_service();
        assert_eq!(status(&one).await, UNASKED);
        service.start_service().await;
        becomes(OVER).await;
        service.kill_redis();
        assert_eq!(status(&one).await, UNASKED);
        service.start_redis().await;
        // It has forgotten what it counted.
        becomes(ALLOWED).await;
    });
}

/// An Envoy whose own filter asks the service about everything.
async fn limited(name: &'static str, upstream: &Upstream, service: &RateLimit) -> Gateway {
    let filter = "type.googleapis.com/envoy.extensions.filters.http.ratelimit.v3";
    let everyone = json!({ "generic_key": { "descriptor_key": "who", "descriptor_value": "all" } });
    Gateway::start(Setup {
        ratelimit: Some(service.wire.address),
        in_front: vec![json!({
            "name": "envoy.filters.http.ratelimit",
            "typed_config": {
                "@type": format!("{filter}.RateLimit"),
                "domain": "bare",
                "timeout": "1s",
                "failure_mode_deny": true,
                "status_on_error": { "code": "ServiceUnavailable" },
                "rate_limit_service": {
                    "grpc_service": { "envoy_grpc": { "cluster_name": "ratelimit" } },
                    "transport_api_version": "V3",
                },
            },
        })],
        tls: Tls {
            manager: json!({ "route_config": { "typed_per_filter_config": {
                "envoy.filters.http.ratelimit": {
                    "@type": format!("{filter}.RateLimitPerRoute"),
                    "rate_limits": [{ "actions": [everyone] }],
                },
            } } }),
            ..Tls::default()
        },
        ..Setup::bare(name, upstream.address, upstream.address)
    })
    .await
}

/// A window that no run sees the end of.
const LIMITS: &str = "
domain: bare
descriptors:
  - { key: who, value: all, rate_limit: { unit: year, requests_per_unit: 3 } }
";
