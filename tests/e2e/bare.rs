//! The harness itself, with an Envoy that has no filter in it: what fails here says
//! nothing about the gateway, and what passes says that the other cases see real bytes.

use crate::harness::{Answer, Ask, Gateway, Idp, Mode, Reply, Setup, Upstream, run};

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
