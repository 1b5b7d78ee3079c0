//! The training loop: the filter's own records become the model that it then scores by.

use std::fs;

use crate::harness::{Ask, Update, eventually, run};
use crate::shop::{STAGES, Shop, policy};

#[test]
fn a_model_trained_from_the_audit_log_flags_what_is_odd_and_says_why() {
    run(async {
        let shop = Shop::start("anomaly", 2, |policy| policy).await;
        let token = shop.idp.token("storefront", "orders:read", "ES256").await;
        let mut log = String::new();
        for number in 0..400 {
            let path = match number % 3 {
                0 => format!("/v1/orders/o-{}", 1_000 + number * 7),
                1 => format!(
                    "/v1/orders?status={}&limit={}",
                    ["open", "shipped", "closed"][number % 7 % 3],
                    number % 50 + 1
                ),
                _ => "/v1/orders".to_owned(),
            };
            let answer = shop.gateway.ask(Ask::get(path).bearer(&token)).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            log += &format!("{}\n", shop.gateway.audit(&answer.id).await);
        }
        fs::write(shop.gateway.directory().join("audit.jsonl"), log).unwrap();
        shop.gateway
            .portcullis(&["train", "audit.jsonl", "-o", "model.json"])
            .unwrap();

        let scored = format!("{}anomaly: {{ model: model.json }}\n", policy(&shop.idp));
        let odd =
            Ask::get(format!("/v1/orders/{}", "x%27%20or%201=1%20--".repeat(12))).bearer(&token);
        let plain = Ask::get("/v1/orders/o-1234").bearer(&token);

        let observing = shop.gateway.compile(&scored).unwrap();
        assert_eq!(shop.gateway.push(&observing).await, Update::Accepted);
        let record = eventually("requests are scored", || async {
            let answer = shop.gateway.ask(odd.clone().again()).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            let record = shop.gateway.audit(&answer.id).await;
            record["score"].is_number().then_some(record)
        })
        .await;
        assert_eq!(record["decision"], "allow", "{record}");
        let reasons = record["oddities"].as_array().unwrap();
        assert!(
            reasons
                .iter()
                .any(|reason| reason["detail"].as_str().unwrap().contains("order_id")),
            "{record}"
        );
        let usual = shop.gateway.ask(plain.clone()).await;
        let usual = shop.gateway.audit(&usual.id).await;
        assert!(
            usual["score"].as_f64() < record["score"].as_f64(),
            "{usual}"
        );
        assert!(usual.get("oddities").is_none(), "{usual}");

        let enforcing = scored.replace(STAGES, "{ anomaly: enforce }");
        let enforcing = shop.gateway.compile(&enforcing).unwrap();
        assert_eq!(shop.gateway.push(&enforcing).await, Update::Accepted);
        let refused = eventually("odd requests are refused", || async {
            let answer = shop.gateway.ask(odd.clone().again()).await;
            (answer.status == 403).then_some(answer)
        })
        .await;
        assert_eq!(
            refused.header("content-type"),
            Some("application/problem+json")
        );
        assert_eq!(shop.gateway.audit(&refused.id).await["reason"], "anomalous");
        assert_eq!(shop.gateway.ask(plain.again()).await.status, 200);
    });
}
