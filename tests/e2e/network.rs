//! Where requests come from: proxies, lists, countries, programs.

mod database;

use std::fs;

use portcullis::policy::openapi;
use serde_json::{Value, json};

use crate::harness::{Answer, Ask, Gateway, Idp, Setup, Tls, Upstream, run};
use crate::shop::{OPENAPI, Shop, policy};

/// What all tests here add to the shop's policy. Every test's peer is 127.0.0.1.
const OFFICE: &str = "
  lists: { office: { file: office.txt } }
  allow: [office]
";

#[test]
fn the_client_is_found_behind_trusted_proxies_and_only_there() {
    run(async {
        let idp = Idp::start().await;
        let upstream = Upstream::start().await;
        let directory = tempfile::tempdir().unwrap();
        let office = directory.path().join("office.txt");
        fs::write(
            &office,
            "# the office\n192.0.2.0/24\n2001:db8::/32 # and its IPv6\n",
        )
        .unwrap();
        let office = OFFICE.replace("office.txt", office.to_str().unwrap());
        let start = |name, trusted| {
            let policy = format!(
                "{}networks:\n  trusted_proxies: [{trusted}]{office}",
                policy(&idp)
            );
            Gateway::start(Setup {
                policy: Some(policy),
                openapi: OPENAPI,
                ..Setup::bare(name, upstream.address, idp.address)
            })
        };
        let status = async |gateway: &Gateway, forwarded: &str| {
            let ask = Ask::get("/v1/status").header("x-forwarded-for", forwarded);
            let answer = gateway.ask(ask).await;
            let record = gateway.audit(&answer.id).await;
            (
                answer.status,
                record["address"].as_str().unwrap_or_default().to_owned(),
            )
        };

        let trusting = start("behind-proxies", "127.0.0.0/8").await;
        for (forwarded, wanted) in [
            ("192.0.2.7", (200, "192.0.2.7")),
            ("2001:db8::7", (200, "2001:db8::7")),
            ("192.0.2.7, 198.51.100.1", (403, "198.51.100.1")),
            ("198.51.100.1, 192.0.2.7, 127.0.0.9", (200, "192.0.2.7")),
            ("::ffff:192.0.2.8", (200, "192.0.2.8")),
            ("unknown", (400, "")),
        ] {
            let (code, address) = status(&trusting, forwarded).await;
            assert_eq!((code, address.as_str()), wanted, "{forwarded}");
        }

        let wary = start("no-proxies", "10.0.0.0/8").await;
        let (code, address) = status(&wary, "192.0.2.7").await;
        assert_eq!((code, address.as_str()), (403, "127.0.0.1"));
    });
}

#[test]
fn programs_that_may_not_ask_are_told_nothing_and_reach_nobody() {
    run(async {
        let shop = Shop::start("agents", 2, |policy| {
            format!(
                "{policy}networks: {{ user_agents: {{ deny: [\"sqlmap/*\"], require: true }} }}\n"
            )
        })
        .await;
        let ask = |agent: &str| {
            shop.gateway
                .ask(Ask::get("/v1/status").header("user-agent", agent))
        };
        let refused = ask("SQLMap/1.8").await;
        assert_eq!(refused.status, 403);
        assert_eq!(forbidden(&refused), "This request is not allowed.");
        assert_eq!(refused.header("www-authenticate"), None);
        assert!(!shop.upstream.saw(&refused.id));
        let record = shop.gateway.audit(&refused.id).await;
        assert_eq!(record["reason"], "agent_forbidden");
        assert_eq!(ask("Mozilla/5.0").await.status, 200);
        assert_eq!(shop.gateway.ask(Ask::get("/v1/status")).await.status, 403);
    });
}

#[test]
fn countries_come_from_envoys_geoip_filter_and_not_from_the_client() {
    run(async {
        let idp = Idp::start().await;
        let upstream = Upstream::start().await;
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("countries.mmdb");
        let blocks = [("192.0.2.0/24", "DE"), ("198.51.100.0/24", "FR")];
        fs::write(&file, database::countries(&blocks)).unwrap();
        let policy = format!(
            "{}networks: {{ trusted_proxies: [127.0.0.0/8], \
             countries: {{ header: x-geo-country, allow: [DE] }} }}\n",
            policy(&idp)
        );
        let shown = shown_configuration();
        let mut geoip = shown["http_filters"][0].clone();
        let provider = &mut geoip["typed_config"]["provider"]["typed_config"];
        provider["country_db_path"] = file.to_str().unwrap().into();
        // The tests' peer is a proxy, as the comment in the file says it may be.
        geoip["typed_config"]["xff_config"] = json!({ "xff_num_trusted_hops": 1 });
        let gateway = Gateway::start(Setup {
            policy: Some(policy),
            openapi: OPENAPI,
            in_front: vec![geoip],
            tls: Tls {
                manager: json!({
                    "early_header_mutation_extensions": shown["early_header_mutation_extensions"],
                }),
                ..Tls::default()
            },
            ..Setup::bare("countries", upstream.address, idp.address)
        })
        .await;
        let ask = async |forwarded: &str, claimed: Option<&str>| {
            let forwarded = format!("{forwarded}, 127.0.0.1");
            let mut ask = Ask::get("/v1/status").header("x-forwarded-for", forwarded);
            if let Some(country) = claimed {
                ask = ask.header("x-geo-country", country);
            }
            let answer = gateway.ask(ask).await;
            let reason = gateway.audit(&answer.id).await["reason"].clone();
            (answer.status, reason)
        };
        let refused = (403, json!("country_forbidden"));
        assert_eq!(ask("192.0.2.1", None).await, (200, Value::Null));
        assert_eq!(ask("198.51.100.1", None).await, refused);
        // Of this address the database knows nothing, and what the client says is gone.
        assert_eq!(ask("203.0.113.1", None).await, refused);
        assert_eq!(ask("203.0.113.1", Some("DE")).await, refused);
        assert_eq!(ask("198.51.100.1", Some("DE")).await, refused);
        assert_eq!(ask("192.0.2.1", Some("FR")).await, (200, Value::Null));
    });
}

/// The connection manager of `envoy/geoip/envoy.yaml`.
fn shown_configuration() -> Value {
    let file = include_str!("../../envoy/geoip/envoy.yaml");
    let document = openapi::read(file).unwrap();
    let path = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
    document.pointer(path).unwrap().clone()
}

fn forbidden(answer: &Answer) -> String {
    let problem: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(problem["type"], "urn:portcullis:problem:forbidden");
    problem["detail"].as_str().unwrap().to_owned()
}
