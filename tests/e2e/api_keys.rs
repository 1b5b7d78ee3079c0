//! API keys of `portcullis key new`, in a real Envoy.

use std::process::Command;

use crate::harness::{Answer, Ask, Gateway, Setup, Update, Upstream, eventually, run};

const OPENAPI: &str = r#"
openapi: 3.1.0
info: { title: Prices, version: 1.0.0 }
servers: [{ url: /v1 }]
paths:
  /prices:
    get:
      operationId: listPrices
      security: [{ partner: ["prices:read"] }]
      responses: { "200": { description: Prices. } }
  /feed:
    get:
      operationId: readFeed
      security: [{ query: [] }, { cookie: [] }]
      parameters: [{ name: since, in: query, schema: { type: string } }]
      responses: { "200": { description: News. } }
components:
  securitySchemes:
    partner: { type: apiKey, in: header, name: X-Api-Key }
    query: { type: apiKey, in: query, name: key }
    cookie: { type: apiKey, in: cookie, name: key }
"#;

/// A key, and the line of its secret for a policy, as the command prints them.
fn new_key(id: &str) -> (String, String) {
    let made = Command::new(env!("CARGO_BIN_EXE_portcullis"))
        .args(["key", "new", "--id", id])
        .output()
        .unwrap();
    let key = String::from_utf8(made.stdout).unwrap().trim().to_owned();
    let entry = String::from_utf8(made.stderr).unwrap();
    let secret = entry.lines().last().unwrap().trim();
    (key, secret.strip_prefix("- ").unwrap().to_owned())
}

fn policy(secrets: &[&str], others: &str) -> String {
    let secrets = secrets.join(", ");
    format!(
        "openapi: openapi.yaml\n\
         schemes: {{ query: {{ allow_query: true }} }}\n\
         api_keys:\n  partners:\n    \
         - {{ id: north-sea, secrets: [{secrets}], scopes: [\"prices:read\"], owner: North Sea Lines }}\n\
         {others}"
    )
}

async fn start(name: &'static str, policy: String) -> (Upstream, Gateway) {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(Setup {
        policy: Some(policy),
        openapi: OPENAPI,
        ..Setup::bare(name, upstream.address, upstream.address)
    })
    .await;
    (upstream, gateway)
}

fn prices(key: &str) -> Ask {
    Ask::get("/v1/prices").header("x-api-key", key)
}

#[test]
fn a_key_lets_its_owner_in_and_goes_no_further() {
    run(async {
        let (key, secret) = new_key("north-sea");
        let (upstream, gateway) = start("api-keys", policy(&[&secret], "")).await;
        let answer = gateway.ask(prices(&key)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let received = upstream.received(&answer.id).await;
        assert_eq!(received.header("x-portcullis-client"), Some("north-sea"));
        assert_eq!(received.header("x-portcullis-scopes"), Some("prices:read"));
        assert_eq!(received.header("x-api-key"), None);
        assert_eq!(gateway.audit(&answer.id).await["client"], "north-sea");

        for (path, target) in [
            (format!("/v1/feed?key={key}&since=1"), "/v1/feed?since=1"),
            (format!("/v1/feed?k%65y={key}"), "/v1/feed"),
        ] {
            let answer = gateway.ask(Ask::get(path)).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_eq!(upstream.received(&answer.id).await.target, target);
        }
        let feed = Ask::get("/v1/feed").header("cookie", format!("a=b; key={key}; c=d"));
        for ask in [feed.clone(), feed.again().http2()] {
            let answer = gateway.ask(ask).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            let received = upstream.received(&answer.id).await;
            assert_eq!(received.header("cookie"), Some("a=b; c=d"));
        }
        let (_, secret) = key.rsplit_once('_').unwrap();
        assert!(!gateway.everything_written().contains(secret));
    });
}

#[test]
fn a_key_that_is_not_good_is_refused_without_a_hint() {
    run(async {
        let (key, secret) = new_key("north-sea");
        let (other, _) = new_key("south-sea");
        let (upstream, gateway) = start("bad-api-keys", policy(&[&secret], "")).await;
        let mut bodies = Vec::new();
        let wrong = format!("{key}x");
        for (presented, code) in [
            (wrong.as_str(), "api_key_wrong"),
            (&other, "api_key_unknown"),
            ("north-sea", "api_key_unknown"),
        ] {
            let answer = gateway.ask(prices(presented)).await;
            assert_eq!(answer.status, 401, "{}", answer.text());
            assert_eq!(
                answer.header("www-authenticate"),
                Some(r#"ApiKey in="header", name="x-api-key""#)
            );
            assert!(!upstream.saw(&answer.id));
            let record = gateway.audit(&answer.id).await;
            assert_eq!(record["reason"], code);
            let named = (code == "api_key_wrong").then_some("north-sea");
            assert_eq!(record["claimed"].as_str(), named);
            bodies.push(answer.text());
        }
        bodies.dedup();
        assert_eq!(bodies.len(), 1, "{bodies:?}");
        let twice = prices(&key).header("x-api-key", &key);
        assert_eq!(gateway.ask(twice).await.status, 400);
        assert_eq!(gateway.ask(Ask::get("/v1/prices")).await.status, 401);
    });
}

#[test]
fn a_key_is_changed_for_a_new_one_without_a_request_refused() {
    run(async {
        let ((old, old_secret), (new, new_secret)) = (new_key("north-sea"), new_key("north-sea"));
        let (_upstream, gateway) = start("api-key-rotation", policy(&[&old_secret], "")).await;
        let gateway = &gateway;
        let ask = |key: &str| {
            let ask = prices(key);
            async { gateway.ask(ask).await }
        };
        let push = |policy: String| {
            let configuration = gateway.compile(&policy).unwrap();
            async move { gateway.push(&configuration).await }
        };
        assert_eq!((ask(&old).await.status, ask(&new).await.status), (200, 401));
        // Many keys more, as a gateway for many partners has.
        let others: String = (0..5_000)
            .map(|number| {
                format!("    - {{ id: k-{number}, secrets: [{{ sha256: \"{number:064}\" }}] }}\n")
            })
            .collect();
        let both = policy(&[&old_secret, &new_secret], &others);
        assert_eq!(push(both).await, Update::Accepted);
        eventually("both keys are good", || async {
            let refused = |answer: &Answer| answer.status != 200;
            // The old key is good throughout.
            assert_eq!(ask(&old).await.status, 200);
            (!refused(&ask(&new).await)).then_some(())
        })
        .await;
        assert_eq!(push(policy(&[&new_secret], "")).await, Update::Accepted);
        eventually("the old key is gone", || async {
            assert_eq!(ask(&new).await.status, 200);
            let answer = ask(&old).await;
            (answer.status == 401).then_some(())
        })
        .await;
    });
}
