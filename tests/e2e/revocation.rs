//! Tokens that are taken back: one list, fetched once for all workers.

use std::fs;
use std::time::{Duration, Instant};

use portcullis::revocation::Mark;
use portcullis::revocation::bloom::Bloom;
use portcullis::revocation::document::{Document, Filter};
use serde_json::{Value, json};

use crate::harness::{Ask, Idp, Mode, eventually, now, run};
use crate::shop::Shop;

#[test]
fn a_list_is_applied_by_all_workers_within_one_refresh() {
    run(async {
        let shop = start("revoked", "refresh: 2s, timeout: 1s", "{}").await;
        let token = |id: &'static str, sub: &'static str| mint(&shop, id, sub);
        let (stolen, alices) = (token("stolen", "bob").await, token("t2", "alice").await);
        let others = token("t3", "carol").await;
        for token in [&stolen, &alices, &others] {
            all_workers_say(&shop, token, 200).await;
        }

        let took = publish(&shop, &["--jti", "stolen", "--sub", "alice"], &stolen, 401).await;
        all_workers_say(&shop, &alices, 401).await;
        all_workers_say(&shop, &others, 200).await;
        // A token that no worker has seen is no exception.
        all_workers_say(&shop, &token("t4", "alice").await, 401).await;
        let answer = ask(&shop, &stolen).await;
        assert_eq!(
            shop.gateway.audit(&answer.id).await["reason"],
            "token_revoked"
        );
        let challenge = answer.header("www-authenticate").unwrap();
        assert_eq!(challenge, r#"Bearer error="invalid_token""#);
        assert!(!shop.upstream.saw(&answer.id));

        // Everything that was issued so far; what comes later is good.
        let later = (now() + 1).to_string();
        let all = publish(&shop, &["--issued-before", &later], &others, 401).await;
        let reissued = async || mint(&shop, "t5", "dave").await;
        eventually("a token that was issued later", || async {
            (ask(&shop, &reissued().await).await.status == 200).then_some(())
        })
        .await;
        println!("applied by four workers after {took:?} and {all:?}");
    });
}

#[test]
fn one_worker_fetches_for_all_and_a_damaged_list_replaces_none() {
    run(async {
        let list = json!({ "sub": { "listed": ["alice"] } }).to_string();
        let shop = start("one-list", "refresh: 1s, timeout: 1s", &list).await;
        let token = mint(&shop, "t1", "alice").await;
        all_workers_say(&shop, &token, 401).await;
        let (began, before) = (Instant::now(), shop.idp.document_fetches().await);
        shop.idp
            .put("revoked.json", r#"{"sub":{"listed":[]},"#)
            .await;
        let until = before + 3;
        eventually("three more fetches", || async {
            (shop.idp.document_fetches().await >= until).then_some(())
        })
        .await;
        let (elapsed, after) = (began.elapsed(), shop.idp.document_fetches().await);
        // A failed fetch is tried again after half a second at the earliest.
        assert!((after - before) as f64 <= elapsed.as_secs_f64() * 2.0 + 1.0);
        all_workers_say(&shop, &token, 401).await;
        shop.idp.put("revoked.json", "{}").await;
        eventually("a list without the subject", || async {
            (ask(&shop, &token).await.status == 200).then_some(())
        })
        .await;
    });
}

#[test]
fn a_filter_for_a_million_tokens_fits_through() {
    run(async {
        let mut filter = Bloom::sized(1_000_000, 1e-6);
        filter.insert(Mark::of("stolen"));
        let mut document = Document::default();
        document.jti.filter = Some(Filter::from(&filter));
        let list = serde_json::to_string(&document).unwrap();
        assert!(list.len() > 4_000_000);
        let shop = start("million", "refresh: 60s, timeout: 20s", &list).await;
        let stolen = mint(&shop, "stolen", "bob").await;
        let other = mint(&shop, "other", "bob").await;
        all_workers_say(&shop, &stolen, 401).await;
        all_workers_say(&shop, &other, 200).await;
    });
}

#[test]
fn without_the_list_tokens_are_refused_unless_the_policy_goes_on() {
    run(async {
        for (name, more, expected) in [
            ("list-away", "", 503),
            ("list-away-allowed", ", on_unavailable: allow", 200),
        ] {
            let times = format!("refresh: 1s, timeout: 1s, max_stale: 2s{more}");
            let list = json!({ "sub": { "listed": ["alice"] } }).to_string();
            let shop = start(name, &times, &list).await;
            let (bobs, alices) = (
                mint(&shop, "t1", "bob").await,
                mint(&shop, "t2", "alice").await,
            );
            all_workers_say(&shop, &bobs, 200).await;
            let away = Instant::now();
            shop.idp.enter(Mode::Fail).await;
            if expected == 503 {
                eventually("the list is too old", || async {
                    (ask(&shop, &bobs).await.status == 503).then_some(())
                })
                .await;
                let answer = ask(&shop, &bobs).await;
                let record = shop.gateway.audit(&answer.id).await;
                assert_eq!(record["reason"], "revocations_unavailable");
                // What needs no credential is served meanwhile.
                let public = shop.gateway.ask(Ask::get("/v1/status")).await;
                assert_eq!(public.status, 200);
            } else {
                eventually("the list is surely too old", || async {
                    assert_eq!(ask(&shop, &bobs).await.status, 200);
                    (away.elapsed() > Duration::from_secs(5)).then_some(())
                })
                .await;
                // The last list there was still counts.
                assert_eq!(ask(&shop, &alices).await.status, 401);
            }
            shop.idp.enter(Mode::Up).await;
            eventually("the list is back", || async {
                (ask(&shop, &bobs).await.status == 200).then_some(())
            })
            .await;
        }
    });
}

/// Adds to the list by the command, serves it, and waits until every worker has it; how
/// long that took.
async fn publish(shop: &Shop, words: &[&str], token: &str, status: u16) -> Duration {
    let arguments = [&["revoke", "revoked.json"], words].concat();
    shop.gateway.portcullis(&arguments).unwrap();
    let list = fs::read_to_string(shop.gateway.directory().join("revoked.json")).unwrap();
    shop.idp.put("revoked.json", &list).await;
    let began = Instant::now();
    let took = eventually("every worker has the list", || async {
        let asked = began.elapsed();
        for _ in 0..WORKERS_MET {
            if ask(shop, token).await.status != status {
                return None;
            }
        }
        Some(asked)
    })
    .await;
    // One refresh by the policy; a fetch, a tick and a busy machine beside it.
    assert!(took < Duration::from_secs(2 + 2), "{took:?}");
    took
}

async fn all_workers_say(shop: &Shop, token: &str, status: u16) {
    for _ in 0..WORKERS_MET {
        let answer = ask(shop, token).await;
        assert_eq!(answer.status, status, "{}", answer.text());
    }
}

async fn ask(shop: &Shop, token: &str) -> crate::harness::Answer {
    let ask = Ask::get("/v1/orders").bearer(token);
    shop.gateway.ask(ask).await
}

async fn mint(shop: &Shop, id: &str, subject: &str) -> String {
    shop.idp.mint("ES256", json!({}), claims(id, subject)).await
}

async fn start(name: &'static str, times: &str, list: &str) -> Shop {
    let idp = Idp::start().await;
    let uri = idp.put("revoked.json", list).await;
    let times = times.to_owned();
    Shop::start_with(name, 4, idp, |policy| {
        format!(
            "{policy}revocation: {{ list: {{ remote: {{ uri: \"{uri}\", cluster: idp, {times} }} }} }}\n"
        )
    })
    .await
}

fn claims(id: &str, subject: &str) -> Value {
    json!({
        "iss": Idp::ISSUER,
        "aud": "https://shop.example.test",
        "sub": subject,
        "client_id": "storefront",
        "scope": "orders:read",
        "jti": id,
        "iat": now(),
        "exp": now() + 300,
    })
}

/// So many connections meet each of four workers, but for one run in ten thousand.
const WORKERS_MET: usize = 36;
