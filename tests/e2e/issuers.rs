//! Issuers of every kind: found through their metadata, several at once, with public
//! keys and with a shared secret.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::harness::{Answer, Ask, Gateway, Idp, Mode, Setup, Upstream, eventually, now, run};
use crate::shop::{OPENAPI, Shop, policy};

/// A shop whose keys are found through the provider's own metadata, and that asks for
/// access tokens as RFC 9068 has them. `more` is said of the discovery.
async fn discovering(name: &'static str, workers: u32, idp: Idp, more: &str) -> Shop {
    let remote = format!(r#"remote: {{ uri: "{}", cluster: idp,"#, idp.jwks_uri());
    let discovery = format!("discovery: {{ cluster: idp, {more}");
    Shop::start_with(name, workers, idp, |policy| {
        assert!(policy.contains(&remote), "{policy}");
        policy
            .replace(&remote, &discovery)
            .replace("token_types: [at+jwt]", "profile: at+jwt")
    })
    .await
}

#[test]
fn keys_are_found_through_the_issuers_metadata() {
    run(async {
        let shop = discovering("discovery", 4, Idp::start().await, "").await;
        for alg in ["RS256", "ES256", "EdDSA"] {
            let token = shop.idp.token("storefront", "orders:read", alg).await;
            for _ in 0..10 {
                let answer = list(&shop, &token).await;
                assert_eq!(answer.status, 200, "{alg}: {}", answer.text());
            }
        }
        assert_eq!(shop.idp.fetches().await, 1);
        shop.idp.rotate().await;
        let token = shop.idp.token("storefront", "orders:read", "ES256").await;
        assert_eq!(list(&shop, &token).await.status, 200);
        assert_eq!(shop.idp.fetches().await, 2);

        // The profile asks for more than `typ`.
        let mut claims = claims(Idp::ISSUER);
        let token = shop.idp.mint("ES256", json!({}), claims.clone()).await;
        assert_eq!(list(&shop, &token).await.status, 200);
        claims.as_object_mut().unwrap().remove("jti");
        let token = shop.idp.mint("ES256", json!({}), claims).await;
        refused(&shop, &token, "claim_missing").await;
    });
}

#[test]
fn a_request_waits_for_metadata_and_then_for_keys() {
    run(async {
        let idp = Idp::start().await;
        idp.enter(Mode::Hang).await;
        let shop = discovering("discovery-late", 2, idp, "").await;
        let token = shop.idp.mint("RS256", json!({}), claims(Idp::ISSUER)).await;
        let ask = Ask::get("/v1/orders").bearer(&token);
        let meanwhile = async {
            let held = || shop.gateway.stat("http.door.downstream_rq_active");
            eventually("the request is held", || async {
                (held().await == 1).then_some(())
            })
            .await;
            shop.idp.enter(Mode::Up).await;
        };
        let (answer, ()) = tokio::join!(shop.gateway.ask(ask), meanwhile);
        assert_eq!(answer.status, 200, "{}", answer.text());
    });
}

#[test]
fn keys_that_move_are_found_again_and_the_old_ones_serve_until_then() {
    run(async {
        let more = "metadata_refresh: 1s, ";
        let shop = discovering("discovery-moves", 2, Idp::start().await, more).await;
        let old = shop.idp.token("storefront", "orders:read", "ES256").await;
        assert_eq!(list(&shop, &old).await.status, 200);
        assert_eq!(shop.idp.fetches().await, 1);
        shop.idp.rotate().await;
        shop.idp.move_keys_to("/elsewhere/keys").await;
        let claims = claims(Idp::ISSUER);
        eventually("the keys are found again", || async {
            let answer = list(&shop, &old).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            (shop.idp.fetches().await > 1).then_some(())
        })
        .await;
        eventually("the new key is known", || async {
            // A token that no cache knows.
            let new = shop.idp.mint("EdDSA", json!({}), claims.clone()).await;
            (list(&shop, &new).await.status == 200).then_some(())
        })
        .await;
    });
}

#[test]
fn metadata_of_another_issuer_bring_no_keys() {
    run(async {
        let idp = Idp::start().await;
        let uri = format!("http://{}/.well-known/openid-configuration", idp.address);
        let remote = format!(r#"remote: {{ uri: "{}","#, idp.jwks_uri());
        let shop = Shop::start_with("discovery-of-another", 2, idp, |policy| {
            policy
                .replace(&remote, &format!(r#"discovery: {{ uri: "{uri}","#))
                .replace("on_missing: hold", "on_missing: refuse")
                .replace(Idp::ISSUER, "https://other.example.test")
        })
        .await;
        eventually("the metadata are refused", || async {
            let log = shop.gateway.everything_written();
            log.contains("`issuer` of the metadata is not the issuer of the policy")
                .then_some(())
        })
        .await;
        let claims = claims("https://other.example.test");
        let token = shop.idp.mint("ES256", json!({}), claims).await;
        let answer = list(&shop, &token).await;
        assert_eq!(answer.status, 503, "{}", answer.text());
        assert_eq!(shop.idp.fetches().await, 0, "its keys were asked for");
    });
}

#[test]
fn several_issuers_vouch_for_their_own_tokens_and_for_no_others() {
    run(async {
        let shop = with_three_issuers().await;
        let idps = shop.idp.token("storefront", "orders:read", "RS256").await;
        let legacy = hs256(SECRET, &claims(LEGACY));
        let retired = hs256(RETIRED, &claims(LEGACY));
        let partners = es512(&claims(PARTNER));
        for token in [&idps, &legacy, &retired, &partners] {
            // The second time it comes from the cache of one of the workers.
            for _ in 0..4 {
                let answer = list(&shop, token).await;
                assert_eq!(answer.status, 200, "{}", answer.text());
            }
        }
        let stranger = "this secret is as long as the other ones";
        for (token, reason) in [
            (hs256(stranger, &claims(LEGACY)), "signature_invalid"),
            (hs256(SECRET, &claims(Idp::ISSUER)), "algorithm_not_allowed"),
            (hs256(SECRET, &claims(PARTNER)), "algorithm_not_allowed"),
            (es512(&claims(LEGACY)), "algorithm_not_allowed"),
            (es512(&claims(Idp::ISSUER)), "algorithm_not_allowed"),
            (
                shop.idp.mint("ES256", json!({}), claims(PARTNER)).await,
                "algorithm_not_allowed",
            ),
            (
                hs256(SECRET, &claims("https://nobody.example.test")),
                "issuer_unexpected",
            ),
        ] {
            refused(&shop, &token, reason).await;
        }
        let written = shop.gateway.everything_written();
        assert!(!written.contains(SECRET) && !written.contains(RETIRED));
    });
}

/// The provider, an issuer that shares a secret, and one whose key is in the policy.
async fn with_three_issuers() -> Shop {
    let idp = Idp::start().await;
    let upstream = Upstream::start().await;
    let more = [
        json!({
            "name": "legacy",
            "issuer": LEGACY,
            "audiences": ["https://shop.example.test"],
            "algorithms": ["HS256"],
            "keys": { "secret": { "values": [{ "env": "LEGACY" }, { "inline": RETIRED }] } },
        }),
        json!({
            "name": "partner",
            "issuer": PARTNER,
            "audiences": ["https://shop.example.test"],
            "algorithms": ["ES512"],
            "keys": { "inline": { "keys": [partner_key()] } },
        }),
    ];
    // JSON is YAML, and an element of a list in it goes on where another ends.
    let more = more.map(|issuer| format!("  - {issuer}\n")).concat();
    let classes = "classifications:";
    let gateway = Gateway::start(Setup {
        policy: Some(policy(&idp).replace(classes, &format!("{more}{classes}"))),
        openapi: OPENAPI,
        environment: &[("LEGACY", SECRET)],
        ..Setup::bare("issuers", upstream.address, idp.address)
    })
    .await;
    Shop {
        idp,
        upstream,
        gateway,
    }
}

async fn list(shop: &Shop, token: &str) -> Answer {
    shop.gateway.ask(Ask::get("/v1/orders").bearer(token)).await
}

async fn refused(shop: &Shop, token: &str, reason: &str) {
    let answer = list(shop, token).await;
    assert_eq!(answer.status, 401, "{reason}: {}", answer.text());
    assert_eq!(shop.gateway.audit(&answer.id).await["reason"], reason);
    assert!(!shop.upstream.saw(&answer.id));
}

fn claims(issuer: &str) -> Value {
    json!({
        "iss": issuer,
        "aud": "https://shop.example.test",
        "sub": "storefront",
        "client_id": "storefront",
        "scope": "orders:read orders:write",
        "jti": "e2e",
        "iat": now(),
        "exp": now() + 300,
    })
}

fn hs256(secret: &str, claims: &Value) -> String {
    compact("HS256", claims, |input| {
        let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.chain_update(input).finalize().into_bytes().to_vec()
    })
}

fn es512(claims: &Value) -> String {
    use p521::ecdsa::signature::Signer as _;
    compact("ES512", claims, |input| {
        let signature: p521::ecdsa::Signature = partner().sign(input);
        signature.to_bytes().to_vec()
    })
}

fn compact(alg: &str, claims: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let header = json!({ "alg": alg, "typ": "at+jwt" }).to_string();
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let claims = claims.to_string();
    let input = format!(
        "{}.{}",
        encode(header.as_bytes()),
        encode(claims.as_bytes())
    );
    format!("{input}.{}", encode(&sign(input.as_bytes())))
}

fn partner() -> p521::ecdsa::SigningKey {
    p521::ecdsa::SigningKey::from_slice(&[1; 66]).unwrap()
}

fn partner_key() -> Value {
    let point = partner().verifying_key().to_sec1_point(false);
    let (x, y) = point.as_bytes()[1..].split_at(66);
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    json!({ "kty": "EC", "crv": "P-521", "kid": "p", "x": encode(x), "y": encode(y) })
}

const LEGACY: &str = "https://legacy.example.test";
const PARTNER: &str = "https://partner.example.test";
const SECRET: &str = "the secret of the tests, and of nobody else";
const RETIRED: &str = "the secret of last year, good for a while yet";
