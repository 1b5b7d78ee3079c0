//! An Envoy without the filter, for the gateway's neighbours that speak TLS: clients
//! with certificates, a proxy in front, an upstream that wants a certificate.
//!
//! It has many doors. What comes in by one goes to one place, over TLS or not. So
//! the tests themselves speak plain HTTP and need no TLS of their own.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::bootstrap::socket;
use super::client::Ask;
use super::gateway::{self, ADMIN, LOG};
use super::process::Process;
use super::{eventually, fresh_directory, touch_log};

/// One way through the proxy.
#[derive(Default)]
pub(crate) struct Door {
    /// Its name.
    pub(crate) name: &'static str,
    /// How it receives TLS; `None`: it speaks plainly.
    pub(crate) tls: Option<Value>,
    /// More settings of its connection manager.
    pub(crate) manager: Value,
    /// The address that it calls from.
    pub(crate) from: Option<&'static str>,
    /// Where it leads.
    pub(crate) to: Option<SocketAddr>,
    /// How it calls over TLS; `None`: plainly.
    pub(crate) to_tls: Option<Value>,
}

/// A running proxy. It ends with its value, or with the test run.
pub(crate) struct Proxy {
    directory: PathBuf,
    doors: BTreeMap<String, SocketAddr>,
    _envoy: Process,
}

impl Proxy {
    /// Starts one and waits until it serves.
    pub(crate) async fn start(name: &'static str, doors: Vec<Door>) -> Self {
        let directory = fresh_directory(name);
        let bootstrap = json!({
            "node": { "id": name, "cluster": name },
            "admin": { "address": socket(SocketAddr::from(([127, 0, 0, 1], 0))) },
            "static_resources": {
                "listeners": doors.iter().map(Door::listener).collect::<Vec<_>>(),
                "clusters": doors.iter().map(Door::cluster).collect::<Vec<_>>(),
            },
        });
        fs::write(directory.join("envoy.json"), bootstrap.to_string()).unwrap();
        touch_log(&directory.join(LOG));
        let mut envoy = Process::leashed(&gateway::command(&directory, 1));
        let admin = gateway::admin(&mut envoy, &directory.join(ADMIN)).await;
        let listening = eventually("the proxy's doors", || async {
            if Ask::get("/ready").send(admin).await.status != 200 {
                return None;
            }
            let text = Ask::get("/listeners").send(admin).await.text();
            let line = |line: &str| {
                let (name, address) = line.split_once("::")?;
                Some((name.to_owned(), address.parse().ok()?))
            };
            let listening: BTreeMap<String, SocketAddr> = text.lines().filter_map(line).collect();
            (listening.len() == doors.len()).then_some(listening)
        })
        .await;
        Self {
            directory,
            doors: listening,
            _envoy: envoy,
        }
    }

    /// Where a door is.
    pub(crate) fn door(&self, name: &str) -> SocketAddr {
        touch_log(&self.directory.join(LOG));
        self.doors[name]
    }
}

impl Door {
    fn listener(&self) -> Value {
        let mut manager = json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.network\
                      .http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": self.name,
            "preserve_external_request_id": true,
            "route_config": { "virtual_hosts": [{
                "name": "all", "domains": ["*"],
                "routes": [{ "match": { "prefix": "/" }, "route": { "cluster": self.name } }],
            }] },
            "http_filters": [{
                "name": "envoy.filters.http.router",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
                },
            }],
        });
        gateway::merge(&mut manager, &self.manager);
        let mut chain = json!({ "filters": [{
            "name": "envoy.filters.network.http_connection_manager",
            "typed_config": manager,
        }] });
        if let Some(tls) = &self.tls {
            chain["transport_socket"] = tls.clone();
        }
        json!({
            "name": self.name,
            "address": socket(SocketAddr::from(([127, 0, 0, 1], 0))),
            "filter_chains": [chain],
        })
    }

    fn cluster(&self) -> Value {
        let to = self.to.expect("a door leads somewhere");
        let mut cluster = json!({
            "name": self.name,
            "type": "STATIC",
            "connect_timeout": "1s",
            "load_assignment": { "cluster_name": self.name, "endpoints": [{
                "lb_endpoints": [{ "endpoint": { "address": socket(to) } }],
            }] },
        });
        if let Some(tls) = &self.to_tls {
            cluster["transport_socket"] = tls.clone();
        }
        if let Some(from) = self.from {
            let address = json!({ "address": from, "port_value": 0 });
            cluster["upstream_bind_config"] = json!({ "source_address": address });
        }
        cluster
    }
}

/// The certificates of `envoy/mtls/make-certificates`, made for this run.
pub(crate) struct Certificates(PathBuf);

impl Certificates {
    /// Makes them.
    pub(crate) fn make() -> Self {
        let folder = fresh_directory("certificates");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("envoy/mtls/make-certificates");
        let made = Command::new(script).arg(&folder).output();
        let made = made.expect("envoy/mtls/make-certificates");
        let said = String::from_utf8_lossy(&made.stderr);
        assert!(made.status.success(), "{said}");
        Self(folder)
    }

    /// The folder they are in.
    pub(crate) fn folder(&self) -> &Path {
        &self.0
    }

    /// The SHA-256 of a certificate, as openssl tells it.
    pub(crate) fn digest(&self, name: &str) -> Vec<u8> {
        let told = Command::new("openssl")
            .args(["x509", "-noout", "-fingerprint", "-sha256", "-in"])
            .arg(self.0.join(format!("{name}.crt")))
            .output()
            .expect("openssl");
        let told = String::from_utf8(told.stdout).unwrap();
        let (_, digits) = told.trim().split_once('=').unwrap();
        let byte = |digits| u8::from_str_radix(digits, 16).unwrap();
        digits.split(':').map(byte).collect()
    }

    /// Settings of one who calls and shows this certificate, or none.
    pub(crate) fn caller(&self, shows: Option<&str>) -> Value {
        self.context(
            "UpstreamTlsContext",
            shows,
            &json!({ "sni": "gateway.shop.example" }),
        )
    }

    /// Settings of one who is called, shows this certificate and wants one in return.
    pub(crate) fn called(&self, shows: &str) -> Value {
        let wants = json!({ "require_client_certificate": true });
        self.context("DownstreamTlsContext", Some(shows), &wants)
    }

    fn context(&self, kind: &str, shows: Option<&str>, more: &Value) -> Value {
        let file = |name: String| json!({ "filename": self.0.join(name) });
        let shown = shows.map(|name| {
            json!({
                "certificate_chain": file(format!("{name}.crt")),
                "private_key": file(format!("{name}.key")),
            })
        });
        let mut context = json!({
            "@type": format!("type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.{kind}"),
            "common_tls_context": {
                "tls_certificates": shown.into_iter().collect::<Vec<_>>(),
                "validation_context": { "trusted_ca": file("ca.crt".into()) },
            },
        });
        gateway::merge(&mut context, more);
        json!({ "name": "envoy.transport_sockets.tls", "typed_config": context })
    }
}
