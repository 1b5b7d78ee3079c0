//! The tokens of the conformance suite, sent to gateways that trust their keys: one
//! that asks Envoy's BoringSSL, and one that Envoy does not let ask.
//!
//! The suite has judged them by both verifiers outside Envoy. Here RS* and ES* go
//! through the real `verify_signature`, and the same must come out.

use hyper::header::HeaderValue;
use serde_json::json;

use crate::harness::{Ask, Gateway, Setup, Upstream, now, run};
use crate::shop::OPENAPI;
use crate::vectors::{Vector, issuers, vectors};

#[test]
fn every_token_meets_its_fate_by_the_hosts_verifier() {
    run(async {
        let gateway = gateway("signatures-host", None).await;
        meet_their_fates(&gateway).await;
        assert!(!gateway.everything_written().contains(RESTRICTED));
    });
}

#[test]
fn every_token_meets_its_fate_where_the_host_verifies_nothing() {
    run(async {
        let gateway = gateway("signatures-rust", Some(WITHOUT_FOREIGN_FUNCTIONS)).await;
        meet_their_fates(&gateway).await;
        let log = gateway.everything_written();
        assert!(log.contains(RESTRICTED), "the host was never asked");
        // Nothing else is missed: the list is all that the filter needs.
        let missed = log.matches("restricted proxy-wasm capability").count();
        assert_eq!(missed, log.matches(RESTRICTED).count());
    });
}

async fn gateway(name: &'static str, capabilities: Option<&'static [&'static str]>) -> Gateway {
    let upstream = Upstream::start().await;
    Gateway::start(Setup {
        policy: Some(policy()),
        openapi: OPENAPI,
        capabilities,
        ..Setup::bare(name, upstream.address, upstream.address)
    })
    .await
}

async fn meet_their_fates(gateway: &Gateway) {
    let vectors = vectors(now());
    let mut asked = Vec::new();
    for vector in &vectors {
        if HeaderValue::from_str(&vector.token).is_ok() {
            let ask = Ask::get("/v1/orders").bearer(&vector.token);
            asked.push((vector, gateway.ask(ask).await));
        }
    }
    // HTTP has no way to send the one that holds a line end.
    assert_eq!(asked.len(), vectors.len() - 1);
    let mut wrong = Vec::new();
    for (vector, answer) in asked {
        let record = gateway.audit(&answer.id).await;
        let seen = (answer.status, record["reason"].as_str());
        let due = due(vector);
        if seen != due {
            let seen = format!("{seen:?}");
            wrong.push((vector.name, seen, due));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The gateway's status and reason: the suite's, but for what the gateway looks at
/// before it has a token.
pub(crate) fn due(vector: &Vector) -> (u16, Option<&'static str>) {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    match vector.fate {
        Ok(()) => (200, None),
        Err(_) if vector.token.is_empty() || !vector.token.bytes().all(plain) => {
            (400, Some("credential_malformed"))
        }
        Err(code) => (401, Some(code)),
    }
}

/// A policy that trusts whom the tokens trust.
pub(crate) fn policy() -> String {
    // JSON is YAML.
    json!({
        "openapi": "openapi.yaml",
        "issuers": issuers(),
        "classifications": [
            { "name": "public" },
            { "name": "internal", "mask": "remove" },
            { "name": "personal", "mask": "redact" },
            { "name": "financial", "mask": "last4" },
        ],
        "clearances": { "default": "public" },
        "quotas": { "plans": { "reports": { "limits": { "burst": { "requests": 1, "per": "1s", "burst": 1, "key": "client" } } } } },
    })
    .to_string()
}

/// What Envoy logs when the filter calls what it may not.
const RESTRICTED: &str = "restricted proxy-wasm capability: proxy_call_foreign_function";

/// Everything that the filter calls and is called by, without the one function.
const WITHOUT_FOREIGN_FUNCTIONS: &[&str] = &[
    "environ_get",
    "environ_sizes_get",
    "fd_write",
    "proc_exit",
    "proxy_continue_stream",
    "proxy_define_metric",
    "proxy_get_buffer_bytes",
    "proxy_get_current_time_nanoseconds",
    "proxy_get_header_map_pairs",
    "proxy_get_property",
    "proxy_get_shared_data",
    "proxy_http_call",
    "proxy_increment_metric",
    "proxy_log",
    "proxy_on_configure",
    "proxy_on_context_create",
    "proxy_on_delete",
    "proxy_on_done",
    "proxy_on_http_call_response",
    "proxy_on_log",
    "proxy_on_memory_allocate",
    "proxy_on_request_body",
    "proxy_on_request_headers",
    "proxy_on_request_trailers",
    "proxy_on_response_body",
    "proxy_on_response_headers",
    "proxy_on_response_trailers",
    "proxy_on_tick",
    "proxy_on_vm_start",
    "proxy_record_metric",
    "proxy_remove_header_map_value",
    "proxy_replace_header_map_value",
    "proxy_send_local_response",
    "proxy_set_buffer_bytes",
    "proxy_set_effective_context",
    "proxy_set_property",
    "proxy_set_shared_data",
    "proxy_set_tick_period_milliseconds",
    "random_get",
];
