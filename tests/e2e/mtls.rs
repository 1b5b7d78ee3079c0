//! Client certificates: at the gateway's own door, told by a proxy in front, and
//! shown by the gateway to its upstream. The settings are those of `envoy/mtls`.
//!
//! A second Envoy plays the clients and a third the upstream's door, so that TLS is
//! spoken by what speaks it in production.

use std::net::SocketAddr;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis::policy::openapi;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::harness::{
    Answer, Ask, Certificates, Door, Gateway, Idp, Proxy, Setup, Tls, Upstream, now, run,
};

const ENVOY: &str = include_str!("../../envoy/mtls/envoy.yaml");
const OPENAPI: &str = include_str!("../../envoy/mtls/openapi.yaml");
const POLICY: &str = include_str!("../../envoy/mtls/policy.yaml");

/// A gateway whose clients may show certificates, another that believes a proxy in
/// front, and who is around them.
struct Stand {
    certificates: Certificates,
    idp: Idp,
    upstream: Upstream,
    /// It receives TLS, and its upstream wants a certificate.
    gateway: Gateway,
    /// It believes what `edge` says of its clients' certificates.
    behind_edge: Gateway,
    clients: Proxy,
    _neighbours: [Proxy; 2],
}

impl Stand {
    async fn start() -> Self {
        let certificates = Certificates::make();
        let (idp, upstream) = (Idp::start().await, Upstream::start().await);
        let appends = json!({
            "forward_client_cert_details": "APPEND_FORWARD",
            "set_current_client_cert_details": { "subject": true, "uri": true, "dns": true },
        });
        let door = Proxy::start(
            "upstream-door",
            vec![Door {
                name: "orders",
                tls: Some(certificates.called("upstream")),
                manager: appends.clone(),
                to: Some(upstream.address),
                ..Door::default()
            }],
        )
        .await;
        let policy = POLICY.replace("http://idp.example.test/jwks", &idp.jwks_uri());
        let setup = |name, upstream| Setup {
            policy: Some(policy.clone()),
            openapi: OPENAPI,
            ..Setup::bare(name, upstream, idp.address)
        };
        let gateway = Gateway::start(Setup {
            tls: example(&certificates),
            ..setup("mtls", door.door("orders"))
        })
        .await;
        let trusts = "client_certificates: { xfcc: { trusted: [127.0.0.2] } }\n";
        let behind_edge = Gateway::start(Setup {
            policy: Some(format!("{policy}{trusts}")),
            tls: Tls {
                // The policy says whom to believe.
                manager: json!({ "forward_client_cert_details": "ALWAYS_FORWARD_ONLY" }),
                ..Tls::default()
            },
            ..setup("behind-edge", upstream.address)
        })
        .await;
        let edge = Proxy::start(
            "edge",
            vec![Door {
                name: "edge",
                tls: Some(certificates.called("edge")),
                manager: appends,
                from: Some("127.0.0.2"),
                to: Some(behind_edge.address()),
                ..Door::default()
            }],
        )
        .await;
        let to = |name, to: SocketAddr, shows| Door {
            name,
            // What a client says of certificates goes on as it is.
            manager: json!({ "forward_client_cert_details": "ALWAYS_FORWARD_ONLY" }),
            to: Some(to),
            to_tls: Some(certificates.caller(shows)),
            ..Door::default()
        };
        let clients = Proxy::start(
            "clients",
            vec![
                to("nobody", gateway.address(), None),
                to("warehouse", gateway.address(), Some("warehouse")),
                to("visitor", gateway.address(), Some("visitor")),
                to("stranger", gateway.address(), Some("stranger")),
                to(
                    "warehouse at the edge",
                    edge.door("edge"),
                    Some("warehouse"),
                ),
                to("visitor at the edge", edge.door("edge"), Some("visitor")),
            ],
        )
        .await;
        Stand {
            certificates,
            idp,
            upstream,
            gateway,
            behind_edge,
            clients,
            _neighbours: [door, edge],
        }
    }

    /// One exchange of a client.
    async fn ask(&self, client: &str, ask: Ask) -> Answer {
        ask.send(self.clients.door(client)).await
    }

    /// A token with these claims beside the usual ones.
    async fn token(&self, cnf: Option<&str>) -> String {
        let mut claims = json!({
            "iss": Idp::ISSUER, "aud": "https://shop.example.test", "sub": "ada",
            "client_id": "storefront", "scope": "orders:read",
            "iat": now(), "exp": now() + 300,
        });
        if let Some(name) = cnf {
            let thumbprint = URL_SAFE_NO_PAD.encode(self.certificates.digest(name));
            claims["cnf"] = json!({ "x5t#S256": thumbprint });
        }
        self.idp.mint("ES256", json!({}), claims).await
    }
}

async fn stand() -> &'static Stand {
    static STAND: OnceCell<Stand> = OnceCell::const_new();
    STAND.get_or_init(Stand::start).await
}

/// The TLS settings of the example.
fn example(certificates: &Certificates) -> Tls {
    let folder = certificates.folder().to_str().unwrap();
    let text = ENVOY
        .replace("${CERTIFICATES}", folder)
        .replace("${PORT}", "0")
        .replace("${UPSTREAM_PORT}", "1");
    let envoy = openapi::read(&text).unwrap();
    let part = |path: &str| envoy.pointer(path).cloned().unwrap();
    let chain = "/static_resources/listeners/0/filter_chains/0";
    let mut manager = part(&format!("{chain}/filters/0/typed_config"));
    // These come from the harness.
    for name in ["http_filters", "route_config", "stat_prefix"] {
        manager.as_object_mut().unwrap().remove(name).unwrap();
    }
    Tls {
        listener: Some(part(&format!("{chain}/transport_socket"))),
        manager,
        upstream: Some(part("/static_resources/clusters/0/transport_socket")),
    }
}

fn put_stock() -> Ask {
    Ask::new(hyper::Method::PUT, "/v1/stock")
}

#[test]
fn a_certificate_alone_says_who_calls() {
    run(async {
        let stand = stand().await;
        let lie = "Hash=aa;URI=spiffe://shop.example/root";
        let ask = put_stock().header("x-forwarded-client-cert", lie);
        let answer = stand.ask("warehouse", ask).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let received = stand.upstream.received(&answer.id).await;
        assert_eq!(received.header("x-portcullis-client"), Some("warehouse"));
        let record = stand.gateway.audit(&answer.id).await;
        assert_eq!(record["issuer"], "warehouse");
        // The upstream's door has seen the gateway's certificate, and in front of that
        // the gateway tells of the client's. The client's own word is gone.
        let told = received.header("x-forwarded-client-cert").unwrap();
        let elements: Vec<&str> = told.split("Hash=").skip(1).collect();
        assert_eq!(elements.len(), 2, "{told}");
        assert!(elements[0].contains("URI=spiffe://shop.example/warehouse/4"));
        assert!(elements[1].contains("URI=spiffe://shop.example/gate"));
    });
}

#[test]
fn who_shows_no_certificate_or_an_unknown_one_is_nobody() {
    run(async {
        let stand = stand().await;
        for (client, reason) in [
            ("nobody", "credential_missing"),
            ("visitor", "certificate_unknown"),
        ] {
            let answer = stand.ask(client, put_stock()).await;
            assert_eq!(answer.status, 401, "{client}: {}", answer.text());
            assert_eq!(answer.header("www-authenticate"), Some("MutualTLS"));
            assert_eq!(stand.gateway.audit(&answer.id).await["reason"], reason);
            assert!(!stand.upstream.saw(&answer.id));
            let open = stand.ask(client, Ask::get("/v1/status")).await;
            assert_eq!(open.status, 200, "{client}: {}", open.text());
        }
    });
}

#[test]
fn a_certificate_of_an_unknown_authority_ends_the_handshake() {
    run(async {
        let stand = stand().await;
        // The stranger's names are those of the warehouse.
        let answer = stand.ask("stranger", Ask::get("/v1/status")).await;
        assert_eq!(answer.status, 503, "{}", answer.text());
        assert!(!stand.upstream.saw(&answer.id));
        let failed = stand
            .gateway
            .stat("listener.127.0.0.1_0.ssl.fail_verify_error")
            .await;
        assert!(failed > 0);
    });
}

#[test]
fn a_certificate_stands_beside_a_token() {
    run(async {
        let stand = stand().await;
        let token = stand.token(None).await;
        let ask = || Ask::get("/v1/transfers").bearer(&token);
        for (client, status) in [("nobody", 401), ("visitor", 401), ("warehouse", 200)] {
            let answer = stand.ask(client, ask()).await;
            assert_eq!(answer.status, status, "{client}: {}", answer.text());
        }
        let alone = stand.ask("warehouse", Ask::get("/v1/transfers")).await;
        assert_eq!(alone.status, 401, "{}", alone.text());
        let answer = stand.ask("warehouse", ask()).await;
        let received = stand.upstream.received(&answer.id).await;
        assert_eq!(received.header("x-portcullis-subject"), Some("ada"));
    });
}

#[test]
fn a_bound_token_is_good_beside_its_certificate_alone() {
    run(async {
        let stand = stand().await;
        let bound = stand.token(Some("visitor")).await;
        let ask = || Ask::get("/v1/orders").bearer(&bound);
        // Each twice: what the cache knows of a token says nothing of who sends it.
        for _ in 0..2 {
            for (client, reason) in [
                ("visitor", None),
                ("warehouse", Some("bound_certificate_other")),
                ("nobody", Some("bound_certificate_missing")),
            ] {
                let answer = stand.ask(client, ask()).await;
                let record = stand.gateway.audit(&answer.id).await;
                assert_eq!(record["reason"].as_str(), reason, "{client}");
                let status = if reason.is_none() { 200 } else { 401 };
                assert_eq!(answer.status, status, "{client}: {}", answer.text());
                let challenge = answer.header("www-authenticate");
                assert_eq!(
                    challenge,
                    reason.map(|_| r#"Bearer error="invalid_token""#),
                    "{client}"
                );
            }
        }
        let free = stand.token(None).await;
        let answer = stand
            .ask("nobody", Ask::get("/v1/orders").bearer(&free))
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    });
}

#[test]
fn a_trusted_proxy_tells_of_its_clients_certificates() {
    run(async {
        let stand = stand().await;
        // What the client says stands in front of what the proxy says, and is no lie
        // that could be believed.
        let hash = "a".repeat(64);
        let lie = format!("Hash={hash};URI=spiffe://shop.example/warehouse/9");
        for (client, status) in [("warehouse at the edge", 200), ("visitor at the edge", 401)] {
            let ask = put_stock().header("x-forwarded-client-cert", &lie);
            let answer = stand.ask(client, ask).await;
            assert_eq!(answer.status, status, "{client}: {}", answer.text());
            let record = stand.behind_edge.audit(&answer.id).await;
            if status == 200 {
                assert_eq!(record["client"], "warehouse");
            } else {
                assert_eq!(record["reason"], "certificate_unknown");
            }
        }
        let bound = stand.token(Some("visitor")).await;
        for (client, status) in [("visitor at the edge", 200), ("warehouse at the edge", 401)] {
            let ask = Ask::get("/v1/orders").bearer(&bound);
            let answer = stand.ask(client, ask).await;
            assert_eq!(answer.status, status, "{client}: {}", answer.text());
        }
    });
}

#[test]
fn what_anybody_else_says_of_certificates_is_dropped() {
    run(async {
        let stand = stand().await;
        let hash = "a".repeat(64);
        let lie = format!("Hash={hash};URI=spiffe://shop.example/warehouse/9");
        let with_lie = |ask: Ask| ask.header("x-forwarded-client-cert", &lie);
        // The test itself calls from 127.0.0.1, which nobody trusts.
        let answer = stand.behind_edge.ask(with_lie(put_stock())).await;
        assert_eq!(answer.status, 401, "{}", answer.text());
        let record = stand.behind_edge.audit(&answer.id).await;
        assert_eq!(record["reason"], "credential_missing");
        let open = with_lie(Ask::get("/v1/status")).header("x_forwarded_client_cert", &lie);
        let answer = stand.behind_edge.ask(open).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let received = stand.upstream.received(&answer.id).await;
        assert_eq!(received.header("x-forwarded-client-cert"), None);
        assert_eq!(received.header("x_forwarded_client_cert"), None);
    });
}

#[test]
fn the_gateway_speaks_to_no_other_upstream() {
    run(async {
        let stand = stand().await;
        // A service of the same authority answers in the upstream's place.
        let imposter = Proxy::start(
            "imposter",
            vec![Door {
                name: "imposter",
                tls: Some(stand.certificates.called("edge")),
                to: Some(stand.upstream.address),
                ..Door::default()
            }],
        )
        .await;
        let gateway = Gateway::start(Setup {
            tls: Tls {
                upstream: example(&stand.certificates).upstream,
                ..Tls::default()
            },
            ..Setup::bare("to-imposter", imposter.door("imposter"), stand.idp.address)
        })
        .await;
        let answer = gateway.ask(Ask::get("/v1/status")).await;
        assert_eq!(answer.status, 503, "{}", answer.text());
        assert!(!stand.upstream.saw(&answer.id));
        let failed = gateway.stat("cluster.upstream.ssl.fail_verify_san").await;
        assert!(failed > 0);
    });
}

#[test]
fn envoy_does_not_say_whether_a_certificate_was_verified() {
    run(async {
        let stand = stand().await;
        let mut tls = example(&stand.certificates);
        // Nobody should set this. Whoever does lets anybody be the warehouse.
        let socket = tls.listener.as_mut().unwrap();
        let validation = &mut socket["typed_config"]["common_tls_context"]["validation_context"];
        validation["trust_chain_verification"] = json!("ACCEPT_UNTRUSTED");
        let jwks = stand.idp.jwks_uri();
        let gateway = Gateway::start(Setup {
            policy: Some(POLICY.replace("http://idp.example.test/jwks", &jwks)),
            openapi: OPENAPI,
            tls: Tls {
                upstream: None,
                ..tls
            },
            ..Setup::bare("unverified", stand.upstream.address, stand.idp.address)
        })
        .await;
        let stranger = Proxy::start(
            "stranger",
            vec![Door {
                name: "stranger",
                to: Some(gateway.address()),
                to_tls: Some(stand.certificates.caller(Some("stranger"))),
                ..Door::default()
            }],
        )
        .await;
        let answer = put_stock().send(stranger.door("stranger")).await;
        assert_eq!(
            answer.status,
            200,
            "Envoy tells more now: {}",
            answer.text()
        );
    });
}

#[test]
fn the_example_is_whole() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("envoy/mtls");
    let ran = std::process::Command::new(env!("CARGO_BIN_EXE_portcullis"))
        .arg("check")
        .arg(folder.join("policy.yaml"))
        .output()
        .unwrap();
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    let envoy: Value = openapi::read(
        &ENVOY
            .replace("${PORT}", "0")
            .replace("${UPSTREAM_PORT}", "1"),
    )
    .unwrap();
    let chain = &envoy["static_resources"]["listeners"][0]["filter_chains"][0];
    let filters = &chain["filters"][0]["typed_config"]["http_filters"];
    assert_eq!(
        filters[0]["typed_config"]["config"]["allow_on_headers_stop_iteration"],
        true
    );
}
