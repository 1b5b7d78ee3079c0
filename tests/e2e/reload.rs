//! A new policy in a running Envoy: a good one takes over, a bad one changes nothing.

use crate::harness::{Ask, Update, eventually, run};
use crate::shop::{Shop, policy};

#[test]
fn a_bad_update_is_rejected_whole_and_the_old_policy_serves_on() {
    run(async {
        let shop = Shop::start("bad-update", 2, |policy| policy).await;
        assert_eq!(shop.gateway.ask(shop.order().await).await.status, 200);
        let good = shop.gateway.compile(&policy(&shop.idp)).unwrap();
        let bad = [
            String::new(),
            "{".to_owned(),
            "null".to_owned(),
            "{}".to_owned(),
            good.replacen('{', r#"{"surprise":1,"#, 1),
            good[..good.len() / 2].to_owned(),
        ];
        for configuration in bad {
            let update = shop.gateway.push(&configuration).await;
            assert_eq!(update, Update::Rejected, "{configuration}");
            let answer = shop.gateway.ask(shop.order().await).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_eq!(shop.gateway.ask(Ask::get("/v1/orders")).await.status, 401);
        }
        // The refusal says what is wrong, where an operator looks for it.
        assert!(shop.gateway.everything_written().contains("surprise"));
        assert_eq!(shop.gateway.push(&good).await, Update::Accepted);
    });
}

#[test]
fn a_good_update_takes_over_without_a_restart() {
    run(async {
        let shop = Shop::start("good-update", 2, |policy| policy).await;
        let ask = shop.order().await;
        assert_eq!(shop.gateway.ask(ask.clone()).await.status, 200);
        let narrower = policy(&shop.idp).replace(
            "audiences: [https://shop.example.test]",
            "audiences: [https://new.example.test]",
        );
        let configuration = shop.gateway.compile(&narrower).unwrap();
        assert_eq!(shop.gateway.push(&configuration).await, Update::Accepted);
        // The token was verified under the old policy; no cache may carry it over.
        eventually("the new policy refuses the token", || async {
            (shop.gateway.ask(ask.clone().again()).await.status == 401).then_some(())
        })
        .await;
        let old = shop.gateway.compile(&policy(&shop.idp)).unwrap();
        assert_eq!(shop.gateway.push(&old).await, Update::Accepted);
        eventually("the old policy is back", || async {
            (shop.gateway.ask(ask.clone().again()).await.status == 200).then_some(())
        })
        .await;
    });
}
