//! The token attacks of the conformance suite, each as a client would try it: what it
//! is told, what the upstream sees of it, and how the gateway is afterwards.

use hyper::header::HeaderValue;

use crate::harness::{Answer, Ask, Gateway, Setup, Upstream, now, run};
use crate::shop::OPENAPI;
use crate::signatures::{due, policy};
use crate::vectors::{Vector, vectors};

#[test]
fn every_attack_is_refused_told_little_and_leaves_the_gateway_as_it_was() {
    run(async {
        let upstream = Upstream::start().await;
        let gateway = Gateway::start(Setup {
            policy: Some(policy()),
            openapi: OPENAPI,
            ..Setup::bare("attacks", upstream.address, upstream.address)
        })
        .await;
        // HTTP has no way to send a line end.
        let vectors: Vec<Vector> = vectors(now())
            .into_iter()
            .filter(|vector| HeaderValue::from_str(&vector.token).is_ok())
            .collect();
        let (good, bad): (Vec<&Vector>, Vec<&Vector>) =
            vectors.iter().partition(|vector| vector.fate.is_ok());
        assert!(good.len() > 15 && bad.len() > 150);

        let mut wrong = Vec::new();
        for vector in bad {
            for ask in [ask(vector), ask(vector).http2()] {
                let answer = gateway.ask(ask).await;
                let reason = gateway.audit(&answer.id).await["reason"].take();
                if upstream.saw(&answer.id) {
                    wrong.push(format!("{}: it reached the upstream", vector.name));
                }
                if let Some(fault) = told_too_much_or_too_little(&answer, vector) {
                    wrong.push(format!("{}: {fault}", vector.name));
                }
                if reason.as_str() != due(vector).1 {
                    wrong.push(format!("{}: the reason is {reason}", vector.name));
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");

        for vector in good {
            let answer = gateway.ask(ask(vector)).await;
            assert_eq!(answer.status, 200, "{}: {}", vector.name, answer.text());
        }
        let written = gateway.everything_written();
        assert!(!written.contains("panicked") && !written.contains("Proxy-Wasm plugin in-VM"));
    });
}

fn ask(vector: &Vector) -> Ask {
    Ask::get("/v1/orders").bearer(&vector.token)
}

/// A client learns that its token is no good, by the code that RFC 6750 §3.1 has for
/// it, and nothing that tells one attack from another.
fn told_too_much_or_too_little(answer: &Answer, vector: &Vector) -> Option<String> {
    let (status, _) = due(vector);
    let (error, kind) = match status {
        400 => ("invalid_request", "malformed-credential"),
        _ => ("invalid_token", "token-invalid"),
    };
    let challenge = format!(r#"Bearer error="{error}""#);
    if (answer.status, answer.header("www-authenticate")) != (status, Some(challenge.as_str())) {
        return Some(format!("{} {:?}", answer.status, answer.headers));
    }
    let told = answer.text().replace(&answer.id, "");
    if answer.json()["type"] != format!("urn:portcullis:problem:{kind}") {
        return Some(told);
    }
    let reason = vector.fate.err()?;
    told.contains(reason).then_some(told)
}
