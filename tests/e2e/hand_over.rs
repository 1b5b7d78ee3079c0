//! What a service behind the gateway learns of the caller, and whether it can trust it.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::dpop::Holder;
use crate::harness::{Ask, Gateway, Idp, Setup, Update, Upstream, now, run};
use crate::shop::{Shop, policy};

#[test]
fn a_service_can_tell_what_came_through_the_gateway() {
    run(async {
        let keys = Keys::new();
        let hand_over = |order: &str| keys.hand_over(order, "token: remove", "bind: true");
        let shop = Shop::start("assertion", 2, |policy| policy + &hand_over("12")).await;
        publish(&shop.gateway).await;
        let ask = |path: &str| Ask::get(path).header("x-gate", "forged");
        let token = shop.idp.token("support", "orders:read", "ES256").await;

        let answer = ask("/v1/orders/o-1?a=%7e").bearer(&token);
        let answer = shop.gateway.ask(answer).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let received = shop.upstream.received(&answer.id).await;
        assert_eq!(received.header("authorization"), None);
        let assertion = received.header("x-gate").unwrap();
        let verified = verify(&shop.gateway, assertion).unwrap();
        assert_eq!(verified["header"]["kid"], "first");
        let claims = &verified["claims"];
        assert_eq!(claims["sub"], "support");
        assert_eq!(claims["client_id"], "support");
        assert_eq!(claims["scope"], "orders:read");
        assert_eq!(claims["department"], "support");
        assert_eq!(
            (&claims["credential"], &claims["source"]),
            (&json!("token"), &json!("idp"))
        );
        assert_eq!(claims["exp"], claims["iat"].as_u64().unwrap() + 60);
        // As the service got them.
        assert_eq!(received.target, "/v1/orders/o-1?a=~");
        let host = received.header("host").unwrap();
        let request = format!("GET\n{host}\n{}", received.target);
        assert_eq!(
            claims["req"],
            URL_SAFE_NO_PAD.encode(Sha256::digest(request))
        );

        // Another request has another one, and a public one says that nobody was asked for.
        let again = ask("/v1/orders/o-1").bearer(&token);
        let again = shop.gateway.ask(again).await;
        let other = shop.upstream.received(&again.id).await;
        let other = verify(&shop.gateway, other.header("x-gate").unwrap()).unwrap();
        assert_ne!(other["claims"]["req"], claims["req"]);
        assert_ne!(other["claims"]["jti"], claims["jti"]);
        let public = shop.gateway.ask(ask("/v1/status")).await;
        let public = shop.upstream.received(&public.id).await;
        let public = verify(&shop.gateway, public.header("x-gate").unwrap()).unwrap();
        assert_eq!(public["claims"]["credential"], "none");
        assert_eq!(public["claims"].get("sub"), None);

        // Whoever else signs is not believed.
        let (_, rest) = assertion.split_once('.').unwrap();
        let forged = format!("{}.{rest}", URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#));
        assert!(verify(&shop.gateway, &forged).is_err());
        assert!(verify(&shop.gateway, &token).is_err());

        // The other key signs, and was published before it did.
        let configuration = shop
            .gateway
            .compile(&(policy(&shop.idp) + &hand_over("21")))
            .unwrap();
        assert_eq!(shop.gateway.push(&configuration).await, Update::Accepted);
        let answer = shop.gateway.ask(ask("/v1/orders/o-1").bearer(&token)).await;
        let received = shop.upstream.received(&answer.id).await;
        let verified = verify(&shop.gateway, received.header("x-gate").unwrap()).unwrap();
        assert_eq!(verified["header"]["kid"], "second");
    });
}

#[test]
fn the_example_takes_bound_tokens_alone_and_vouches_for_their_holders() {
    run(async {
        let keys = Keys::new();
        let (idp, upstream) = (Idp::start().await, Upstream::start().await);
        let policy = POLICY
            .replace("http://idp.example.test/jwks", &idp.jwks_uri())
            .replace("keys/now.json", &keys.file("first"))
            .replace("keys/next.json", &keys.file("second"));
        let gateway = Gateway::start(Setup {
            policy: Some(policy),
            openapi: include_str!("../../envoy/hand-over/openapi.yaml"),
            ..Setup::bare("example", upstream.address, idp.address)
        })
        .await;
        let shop = Shop {
            idp,
            upstream,
            gateway,
        };
        publish(&shop.gateway).await;
        let holder = Holder::new("holder");
        let token = holder.token(&shop.idp).await;
        let ask = Ask::get("/v1/orders/o-1")
            .header("authorization", format!("DPoP {token}"))
            .header("dpop", holder.for_order(&token));
        let answer = shop.gateway.ask(ask).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let received = shop.upstream.received(&answer.id).await;
        assert_eq!(received.header("authorization"), None);
        assert_eq!(received.header("dpop"), None);
        let verified = verify(&shop.gateway, received.header("x-gate").unwrap()).unwrap();
        assert_eq!(verified["claims"]["sub"], "storefront");
        let answer = shop.gateway.ask(shop.order().await).await;
        assert_eq!(answer.status, 401);
        assert_eq!(
            shop.gateway.audit(&answer.id).await["reason"],
            "token_unbound"
        );
    });
}

#[test]
fn an_assertion_can_take_the_place_of_the_token() {
    run(async {
        let keys = Keys::new();
        let hand_over = keys
            .hand_over("1", "token: replace", "lifetime: 1h")
            .replace("header: x-gate,", "");
        let shop = Shop::start("replace", 1, |policy| policy + &hand_over).await;
        publish(&shop.gateway).await;
        let mut seen = Vec::new();
        for _ in 0..3 {
            let answer = shop.gateway.ask(shop.order().await).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            let received = shop.upstream.received(&answer.id).await;
            let value = received.header("authorization").unwrap();
            seen.push(value.strip_prefix("Bearer ").unwrap().to_owned());
        }
        // It is bound to no request, so one serves several, whatever the token.
        assert!(seen.iter().all(|one| *one == seen[0]), "{seen:?}");
        let verified = verify(&shop.gateway, &seen[0]).unwrap();
        assert_eq!(verified["claims"]["sub"], "storefront");
        assert_eq!(verified["claims"].get("req"), None);
        let written = shop.gateway.everything_written();
        assert!(!written.contains(&seen[0]));
    });
}

#[test]
fn nested_claims_reach_the_upstream_whole() {
    run(async {
        let shop = Shop::start("headers", 1, |policy| {
            policy
                + "identity_headers:\n  x-tenant: [org, tenant]\n  x-roles: { claim: [org, roles], as: json }\n  x-name: { claim: name, as: base64url }\n  x-text: name\n"
        })
        .await;
        let roles = json!(["\u{e4}rztin", "a,b", "\r\nx-injected: 1"]);
        let claims = json!({
            "iss": Idp::ISSUER, "aud": "https://shop.example.test", "sub": "ada",
            "scope": "orders:read", "iat": now(), "exp": now() + 300,
            "name": "Zo\u{eb}", "org": { "tenant": "t-1", "roles": roles },
        });
        let token = shop.idp.mint("ES256", json!({}), claims).await;
        let ask = Ask::get("/v1/orders/o-1").bearer(&token);
        let answer = shop.gateway.ask(ask).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let received = shop.upstream.received(&answer.id).await;
        assert_eq!(received.header("x-tenant"), Some("t-1"));
        assert_eq!(received.header("x-text"), Some("Zo%C3%AB"));
        let name = URL_SAFE_NO_PAD
            .decode(received.header("x-name").unwrap())
            .unwrap();
        assert_eq!(name, "Zo\u{eb}".as_bytes());
        let read: Value = serde_json::from_str(received.header("x-roles").unwrap()).unwrap();
        assert_eq!(read, roles);
        assert_eq!(received.header("x-injected"), None);
    });
}

/// The gateway's keys, as files that the policy names.
struct Keys(tempfile::TempDir);

impl Keys {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, algorithm) in [("first", "ES256"), ("second", "EdDSA")] {
            let file = folder.path().join(name);
            let public = folder.path().join("public");
            let made = Command::new(env!("CARGO_BIN_EXE_portcullis"))
                .args(["token", "--algorithm", algorithm])
                .args([Path::new("--new-key"), &file, Path::new("--jwks"), &public])
                .output()
                .unwrap();
            assert!(made.status.success(), "{made:?}");
            let mut key: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
            key["kid"] = json!(name);
            std::fs::write(&file, key.to_string()).unwrap();
        }
        Self(folder)
    }

    fn file(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    /// The part of a policy that uses them in this order.
    fn hand_over(&self, order: &str, token: &str, more: &str) -> String {
        let files: Vec<String> = order
            .chars()
            .map(|number| if number == '1' { "first" } else { "second" })
            .map(|name| format!("{{ file: \"{}\" }}", self.file(name)))
            .collect();
        format!(
            "hand_over: {{ {token}, assertion: {{ header: x-gate, issuer: \"{GATE}\", \
             audiences: [orders], claims: [department], {more}, keys: [{}] }} }}\n",
            files.join(", ")
        )
    }
}

/// Lets Envoy serve the public keys.
async fn publish(gateway: &Gateway) {
    let jwks = gateway.portcullis(&["jwks", "policy.yaml"]).unwrap();
    std::fs::write(gateway.directory().join("gateway-jwks.json"), jwks).unwrap();
    let configuration = std::fs::read_to_string(gateway.directory().join("plugin.json")).unwrap();
    assert_eq!(gateway.push(&configuration).await, Update::Accepted);
}

/// Header and claims of an assertion, if another library believes it.
fn verify(gateway: &Gateway, assertion: &str) -> Result<Value, String> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/idp");
    let mut verifier = Command::new("node")
        .arg(home.join("verify.mjs"))
        .args(["--issuer", GATE, "--audience", "orders", "--jwks"])
        .arg(format!(
            "http://{}/.well-known/gateway-jwks.json",
            gateway.address()
        ))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = verifier.stdin.take().unwrap();
    input.write_all(assertion.as_bytes()).unwrap();
    drop(input);
    let said = verifier.wait_with_output().unwrap();
    match said.status.success() {
        true => Ok(serde_json::from_slice(&said.stdout).unwrap()),
        false => Err(String::from_utf8_lossy(&said.stderr).into_owned()),
    }
}

const POLICY: &str = include_str!("../../envoy/hand-over/policy.yaml");

/// The gateway, as services know it.
const GATE: &str = "https://gate.example.test";
