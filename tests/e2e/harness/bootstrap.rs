//! The Envoy configuration that the cases run under.
//!
//! The listener comes from a file that Envoy watches, as a control plane would send
//! it, so that a case can push a changed or broken policy into a running gateway.

use std::net::SocketAddr;
use std::path::Path;

use portcullis::policy::openapi;
use serde_json::{Map, Value, json};

use super::gateway::{Setup, Tls, merge};

/// The part that is fixed for an Envoy's life.
pub(super) fn bootstrap(setup: &Setup, directory: &Path) -> Value {
    json!({
        "node": { "id": "e2e", "cluster": "e2e" },
        // Metrics are labelled as the example labels them.
        "stats_flush_interval": "0.5s",
        "stats_config": example()["stats_config"],
        "admin": { "address": socket(SocketAddr::from(([127, 0, 0, 1], 0))) },
        "dynamic_resources": {
            "lds_config": {
                "path_config_source": { "path": directory.join(LISTENERS) },
                "resource_api_version": "V3",
            },
        },
        "static_resources": {
            "clusters": [
                cluster("upstream", setup.upstream),
                cluster("idp", setup.idp),
                grpc("ratelimit", setup.ratelimit),
            ],
        },
    })
}

/// The part that a case can replace.
pub(super) struct Listener<'a> {
    pub(super) directory: &'a Path,
    pub(super) version: u32,
    pub(super) plugin: Option<Plugin<'a>>,
    /// Filters in front of the gateway's.
    pub(super) in_front: &'a [Value],
    pub(super) tls: &'a Tls,
}

/// The filter and what it is told.
#[derive(Clone, Copy)]
pub(super) struct Plugin<'a> {
    pub(super) module: &'a Path,
    pub(super) configuration: &'a str,
    pub(super) capabilities: Option<&'a [&'a str]>,
    pub(super) environment: &'a [(&'a str, &'a str)],
}

impl Listener<'_> {
    /// As a discovery response.
    pub(super) fn discovery(&self) -> Value {
        let mut listener = json!({
            "@type": "type.googleapis.com/envoy.config.listener.v3.Listener",
            "name": "door",
            "address": socket(SocketAddr::from(([127, 0, 0, 1], 0))),
            "filter_chains": [{
                "filters": [{
                    "name": "envoy.filters.network.http_connection_manager",
                    "typed_config": self.connection_manager(),
                }],
            }],
        });
        if let Some(tls) = &self.tls.listener {
            listener["filter_chains"][0]["transport_socket"] = tls.clone();
        }
        json!({ "version_info": self.version.to_string(), "resources": [listener] })
    }

    fn connection_manager(&self) -> Value {
        let mut filters = self.in_front.to_vec();
        filters.extend(self.plugin.map(Plugin::filter));
        filters.push(json!({
            "name": "envoy.filters.http.router",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
            },
        }));
        let mut manager = json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.network\
                      .http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "door",
            "codec_type": "AUTO",
            "use_remote_address": true,
            // For a peer on the loopback Envoy would add an address of its own.
            "skip_xff_append": true,
            // The cases find their records by the id that they sent.
            "preserve_external_request_id": true,
            // A trap strands the paused streams of its VM: not for long.
            "stream_idle_timeout": "15s",
            "http_protocol_options": { "enable_trailers": true },
            "access_log": [{
                "name": "audit",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
                    "path": self.directory.join(AUDIT),
                    "log_format": { "text_format_source": { "inline_string": AUDIT_FORMAT } },
                },
            }],
            "route_config": {
                "virtual_hosts": [{
                    "name": "all",
                    "domains": ["*"],
                    "routes": self.routes(),
                }],
            },
            "http_filters": filters,
        });
        merge(&mut manager, &self.tls.manager);
        manager
    }

    /// Those of `envoy/hand-over` if a case publishes the gateway's keys; without them
    /// all goes to the upstream.
    fn routes(&self) -> Vec<Value> {
        let jwks = self.directory.join(JWKS);
        let text = ROUTES.replace("${JWKS}", jwks.to_str().unwrap());
        let mut example = openapi::read(&text).unwrap();
        let Value::Array(mut routes) = example["virtual_hosts"][0]["routes"].take() else {
            panic!("the example has no routes");
        };
        if !jwks.exists() {
            routes.remove(0);
        }
        // An HTTP/1.1 upstream sends trailers only to who asks for them.
        routes.last_mut().unwrap()["request_headers_to_add"] = json!([{
            "header": { "key": "te", "value": "trailers" },
            "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
        }]);
        routes
    }
}

impl Plugin<'_> {
    fn filter(self) -> Value {
        let mut filter = json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "config": {
                "name": "portcullis",
                "root_id": "portcullis",
                "vm_config": {
                    "vm_id": "portcullis",
                    "runtime": "envoy.wasm.runtime.v8",
                    "code": { "local": { "filename": self.module } },
                },
                "configuration": {
                    "@type": "type.googleapis.com/google.protobuf.StringValue",
                    "value": self.configuration,
                },
                "failure_policy": "FAIL_RELOAD",
                "allow_on_headers_stop_iteration": true,
            },
        });
        if !self.environment.is_empty() {
            let variables: Map<_, _> = self
                .environment
                .iter()
                .map(|(name, value)| ((*name).to_owned(), json!(value)))
                .collect();
            filter["config"]["vm_config"]["environment_variables"] =
                json!({ "key_values": variables });
        }
        if let Some(names) = self.capabilities {
            let allowed: Map<_, _> = names
                .iter()
                .map(|name| ((*name).to_owned(), json!({})))
                .collect();
            filter["config"]["capability_restriction_config"] =
                json!({ "allowed_capabilities": allowed });
        }
        json!({ "name": "portcullis", "typed_config": filter })
    }
}

fn cluster(name: &str, address: SocketAddr) -> Value {
    json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": { "http_protocol_options": { "enable_trailers": true } },
            },
        },
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{
                "lb_endpoints": [{ "endpoint": { "address": socket(address) } }],
            }],
        },
    })
}

/// `envoy/demo/envoy.yaml`, which has blanks where `scripts/demo` writes ports.
fn example() -> Value {
    let blank = [
        "${ADMIN_PORT}",
        "${HTTP_PORT}",
        "${TLS_PORT}",
        "${UPSTREAM_PORT}",
    ];
    let filled = blank
        .iter()
        .fold(EXAMPLE.to_owned(), |text, blank| text.replace(blank, "0"));
    openapi::read(&filled).unwrap()
}

/// A cluster that speaks HTTP/2, as gRPC wants it, and may have nobody in it.
fn grpc(name: &str, address: Option<SocketAddr>) -> Value {
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut cluster = cluster(name, address.unwrap_or(nowhere));
    if address.is_none() {
        cluster["load_assignment"]["endpoints"] = json!([]);
    }
    let options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    cluster["typed_extension_protocol_options"][options]["explicit_http_config"] =
        json!({ "http2_protocol_options": {} });
    cluster
}

/// An address as Envoy writes it.
pub(super) fn socket(address: SocketAddr) -> Value {
    json!({
        "socket_address": {
            "address": address.ip().to_string(),
            "port_value": address.port(),
        },
    })
}

/// The file that Envoy watches for its listener.
pub(super) const LISTENERS: &str = "listeners.json";

const ROUTES: &str = include_str!("../../../envoy/hand-over/routes.yaml");

const EXAMPLE: &str = include_str!("../../../envoy/demo/envoy.yaml");

/// The gateway's public keys, if a case publishes them.
const JWKS: &str = "gateway-jwks.json";

/// The file that the audit records go to.
pub(super) const AUDIT: &str = "audit.log";

/// The id in front finds the record, even one that is missing.
const AUDIT_FORMAT: &str = "%REQ(x-request-id)% %FILTER_STATE(wasm.portcullis.audit:PLAIN)%\n";
