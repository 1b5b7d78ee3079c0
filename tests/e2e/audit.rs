//! One record for every exchange, with what an auditor asks and nothing a thief wants.

use serde_json::Value;

use crate::harness::{Ask, Gate, Reply, eventually, raw, run};
use crate::shop::{ORDER, shop};

#[test]
fn every_exchange_leaves_one_record() {
    run(async {
        let shop = shop().await;
        let reader = shop.idp.token("warehouse", "orders:read", "ES256").await;
        let cases = [
            (
                Ask::get("/v1/orders/o-1").bearer(&reader),
                200,
                "allow",
                None,
                Some("getOrder"),
            ),
            (
                Ask::get("/v1/status"),
                200,
                "allow",
                None,
                Some("getStatus"),
            ),
            (
                Ask::get("/v1/orders"),
                401,
                "deny",
                Some("credential_missing"),
                Some("listOrders"),
            ),
            (
                Ask::post("/v1/orders").bearer(&reader),
                403,
                "deny",
                Some("insufficient_scope"),
                Some("createOrder"),
            ),
            (
                Ask::get("/v1/nothing").bearer(&reader),
                404,
                "deny",
                Some("path_not_declared"),
                None,
            ),
            (
                Ask::post("/v1/status"),
                405,
                "deny",
                Some("method_not_declared"),
                None,
            ),
            (
                Ask::get("/v1/status").header("x-odd", b"\xff"),
                400,
                "deny",
                Some("malformed_header_value"),
                None,
            ),
        ];
        for (ask, status, decision, reason, operation) in cases {
            for ask in [ask.clone().again(), ask.again().http2()] {
                let answer = shop.gateway.ask(ask).await;
                assert_eq!(answer.status, status, "{}", answer.text());
                let record = shop.gateway.audit(&answer.id).await;
                assert_eq!(record["status"], status, "{record}");
                assert_eq!(record["decision"], decision, "{record}");
                assert_eq!(
                    record.get("reason").and_then(Value::as_str),
                    reason,
                    "{record}"
                );
                assert_eq!(
                    record.get("operation").and_then(Value::as_str),
                    operation,
                    "{record}"
                );
                assert_eq!(record["address"], "127.0.0.1", "{record}");
                assert_eq!(record["request_id"], answer.id, "{record}");
                assert!(record["latency_us"].as_u64().is_some(), "{record}");
                let time = record["time"].as_str().unwrap();
                assert!(time.starts_with("20") && time.ends_with('Z'), "{record}");
                assert!(!record["stages"].as_array().unwrap().is_empty(), "{record}");
                if status == 403 {
                    assert_eq!(record["client"], "warehouse", "{record}");
                }
            }
        }
    });
}

#[test]
fn an_upstream_failure_and_a_client_that_leaves_are_recorded() {
    run(async {
        let shop = shop().await;
        let ask = Ask::get("/v1/status");
        shop.upstream.script(&ask.id, Reply::json("{}").status(500));
        let answer = shop.gateway.ask(ask).await;
        assert_eq!(answer.status, 500);
        let record = shop.gateway.audit(&answer.id).await;
        assert_eq!(
            (&record["status"], &record["decision"]),
            (&500.into(), &"allow".into())
        );

        let gate = Gate::shut();
        let leaving = shop.order().await;
        let id = leaving.id.clone();
        shop.upstream.script(&id, Reply::json(ORDER).behind(&gate));
        let leave = tokio::spawn(leaving.send(shop.gateway.address()));
        eventually("the upstream has it", || async {
            shop.upstream.saw(&id).then_some(())
        })
        .await;
        leave.abort();
        let record = shop.gateway.audit(&id).await;
        assert_eq!(record["decision"], "allow", "{record}");
        gate.open();
    });
}

#[test]
fn no_secret_and_no_personal_datum_is_written_anywhere() {
    run(async {
        let shop = shop().await;
        let token = shop
            .idp
            .token("billing", "orders:read customers:financial", "RS256")
            .await;
        let stolen = shop
            .idp
            .forge("RS256", serde_json::json!({ "sub": "grace.hopper" }))
            .await;
        let mut ids = Vec::new();
        for token in [&token, &stolen] {
            let ask =
                Ask::get("/v1/orders/margaret.hamilton?status=katherine.johnson&who=mary.jackson")
                    .bearer(token)
                    .header("x-note", "annie.easley")
                    .header("cookie", "session=hedy.lamarr");
            shop.upstream
                .script(&ask.id, Reply::json(ORDER).header("x-who", "radia.perlman"));
            ids.push(shop.gateway.ask(ask).await.id);
        }
        let unknown = Ask::get("/v1/joan.clarke/dorothy.vaughan").bearer(&token);
        ids.push(shop.gateway.ask(unknown).await.id);
        for id in ids {
            shop.gateway.audit(&id).await;
        }
        let written = shop.gateway.everything_written();
        let signature = |token: &str| token.rsplit('.').next().unwrap().to_owned();
        let payload = |token: &str| token.split('.').nth(1).unwrap().to_owned();
        let secrets = [
            signature(&token),
            payload(&token),
            signature(&stolen),
            payload(&stolen),
        ];
        let people = [
            "hopper",
            "hamilton",
            "johnson",
            "jackson",
            "easley",
            "lamarr",
            "perlman",
            "clarke",
            "vaughan",
            "Ada Lovelace",
            "ada@private",
            "0202051",
        ];
        for leak in secrets.iter().map(String::as_str).chain(people) {
            assert!(!written.contains(leak), "{leak}");
        }
    });
}

#[test]
fn a_record_is_one_line_whatever_the_client_sends() {
    run(async {
        let shop = shop().await;
        let id = Ask::get("/").id;
        let request = format!(
            "GET /v1/%22,%22x%22:%22%0a HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
             x-request-id: {id}\r\nuser-agent: \"}}\t{{\r\n\r\n"
        );
        let answer = raw::exchange(shop.gateway.address(), request.as_bytes()).await;
        assert!((400..500).contains(&raw::status(&answer)), "{answer}");
        let record = shop.gateway.audit(&id).await;
        assert_eq!(record["decision"], "deny", "{record}");
    });
}
