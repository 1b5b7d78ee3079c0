//! Tokens that the provider bound to a key, and proofs of its possession.

use std::sync::atomic::{AtomicU32, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::task::JoinSet;

use crate::harness::{Answer, Ask, Idp, now, run};
use crate::shop::Shop;

/// Whoever holds a key.
pub(crate) struct Holder(SigningKey);

impl Holder {
    /// The holder of the key that is made from this name.
    pub(crate) fn new(name: &str) -> Self {
        Self(SigningKey::from_slice(&Sha256::digest(name)).unwrap())
    }

    /// A token of the provider's that is bound to the key.
    pub(crate) async fn token(&self, idp: &Idp) -> String {
        let uri = format!("{}/token", Idp::ISSUER);
        let proof = self.proof("POST", &uri, json!({}));
        idp.bound_token("storefront", "orders:read", &proof).await
    }

    /// A proof for a GET of an order with this token.
    pub(crate) fn for_order(&self, token: &str) -> String {
        let ath = encode(Sha256::digest(token));
        self.proof("GET", ORDER, json!({ "ath": ath }))
    }

    /// A proof with claims beside those that every one has.
    fn proof(&self, method: &str, uri: &str, more: Value) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let point = self.0.verifying_key().to_sec1_point(false);
        let (x, y) = point.as_bytes()[1..].split_at(32);
        let jwk = json!({ "kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y) });
        let header = json!({ "alg": "ES256", "typ": "dpop+jwt", "jwk": jwk });
        let mut claims = json!({
            "jti": format!("{}-{number}", std::process::id()),
            "htm": method, "htu": uri, "iat": now(),
        });
        let more = more.as_object().unwrap().clone();
        claims.as_object_mut().unwrap().extend(more);
        let input = format!(
            "{}.{}",
            encode(header.to_string()),
            encode(claims.to_string())
        );
        let signature: Signature = self.0.sign(input.as_bytes());
        format!("{input}.{}", encode(signature.to_bytes()))
    }
}

#[test]
fn a_bound_token_is_worth_something_to_its_holder_alone() {
    run(async {
        let shop = start("dpop", 2, "").await;
        let (holder, thief) = (Holder::new("holder"), Holder::new("thief"));
        let token = holder.token(&shop.idp).await;
        let answer = send(&shop, &token, &[&holder.for_order(&token)]).await;
        assert_eq!(answer.status, 200, "{}", answer.text());

        let ask = Ask::get("/v1/orders/o-1").bearer(&token);
        let answer = shop.gateway.ask(ask).await;
        assert_eq!(refusal(&shop, &answer).await, "token_bound");
        assert_eq!(
            challenges(&answer),
            [
                r#"Bearer error="invalid_token""#,
                r#"DPoP error="invalid_token", algs="ES256 EdDSA ES384 PS256 RS256""#,
            ]
        );
        let proof = thief.for_order(&token);
        let answer = send(&shop, &token, &[&proof]).await;
        assert_eq!(refusal(&shop, &answer).await, "proof_key_mismatch");
        let answer = send(&shop, &token, &[]).await;
        assert_eq!(refusal(&shop, &answer).await, "proof_missing");
        let proofs = [holder.for_order(&token), holder.for_order(&token)];
        let answer = send(&shop, &token, &[&proofs[0], &proofs[1]]).await;
        assert_eq!(refusal(&shop, &answer).await, "proof_missing");
        assert_eq!(
            challenges(&answer),
            [
                "Bearer",
                r#"DPoP error="invalid_dpop_proof", algs="ES256 EdDSA ES384 PS256 RS256""#,
            ]
        );
        let unbound = shop.idp.token("storefront", "orders:read", "ES256").await;
        let proof = thief.for_order(&unbound);
        let answer = send(&shop, &unbound, &[&proof]).await;
        assert_eq!(refusal(&shop, &answer).await, "token_unbound");
    });
}

#[test]
fn a_proof_is_good_once_whichever_worker_gets_it() {
    run(async {
        let shop = start("replay", 4, "").await;
        let holder = Holder::new("holder");
        let token = holder.token(&shop.idp).await;
        // The keys are there before the race, so that nobody waits for them.
        let answer = send(&shop, &token, &[&holder.for_order(&token)]).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let mut running = JoinSet::new();
        for number in 0..32 {
            let proof = holder.for_order(&token);
            // Each over a connection of its own, and so to any of the workers.
            for _ in 0..3 {
                let ask = ask(&token, &[&proof]);
                let address = shop.gateway.address();
                running.spawn(async move { (number, ask.send(address).await.status) });
            }
        }
        let mut answers = running.join_all().await;
        answers.sort_unstable();
        for one in answers.chunks(3) {
            let (number, _) = one[0];
            assert_eq!(one, [(number, 200), (number, 401), (number, 401)]);
        }
    });
}

#[test]
fn a_nonce_is_given_and_must_be_repeated() {
    run(async {
        let shop = start("nonce", 2, ", nonce: required").await;
        let holder = Holder::new("holder");
        let token = holder.token(&shop.idp).await;
        let answer = send(&shop, &token, &[&holder.for_order(&token)]).await;
        assert_eq!(refusal(&shop, &answer).await, "proof_without_nonce");
        let nonce = answer.header("dpop-nonce").unwrap().to_owned();
        assert!(
            challenges(&answer)[1].starts_with(r#"DPoP error="use_dpop_nonce", "#),
            "{answer:?}"
        );
        // It is good in every worker, and more than once.
        for _ in 0..8 {
            let ath = encode(Sha256::digest(&token));
            let proof = holder.proof("GET", ORDER, json!({ "ath": ath, "nonce": nonce }));
            let answer = send(&shop, &token, &[&proof]).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
    });
}

async fn start(name: &'static str, workers: u32, more: &str) -> Shop {
    let dpop = format!("dpop: {{ origins: [\"https://shop.example.test\"]{more} }}\n");
    Shop::start(name, workers, |policy| policy + &dpop).await
}

fn ask(token: &str, proofs: &[&str]) -> Ask {
    let ask = Ask::get("/v1/orders/o-1").header("authorization", format!("DPoP {token}"));
    proofs
        .iter()
        .fold(ask, |ask, proof| ask.header("dpop", proof))
}

async fn send(shop: &Shop, token: &str, proofs: &[&str]) -> Answer {
    shop.gateway.ask(ask(token, proofs)).await
}

/// The code of a 401 that the upstream has not seen.
async fn refusal(shop: &Shop, answer: &Answer) -> String {
    assert_eq!(answer.status, 401, "{}", answer.text());
    assert!(!shop.upstream.saw(&answer.id));
    let lines = shop.gateway.audit_lines(&answer.id).await;
    let record: Value = serde_json::from_str(&lines[0]).unwrap();
    record["reason"].as_str().unwrap().to_owned()
}

fn challenges(answer: &Answer) -> Vec<&str> {
    let all = answer.headers.get_all("www-authenticate").iter();
    all.map(|value| value.to_str().unwrap()).collect()
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Where clients know the order.
const ORDER: &str = "https://shop.example.test/v1/orders/o-1";
