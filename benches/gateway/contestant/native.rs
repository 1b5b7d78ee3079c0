//! Envoy's own filters: the nearest equals of what Portcullis does.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use crate::token::{AUDIENCE, ISSUER};

/// A signature, issuer, audience and expiry, with Envoy's cache of verified tokens if
/// `cache` gives it a size.
pub(crate) fn jwt_authn(jwks: &str, cache: Option<u32>) -> Value {
    let mut provider = json!({
        "issuer": ISSUER,
        "audiences": [AUDIENCE],
        "local_jwks": { "inline_string": jwks },
        "payload_in_metadata": "claims",
        "forward": true,
    });
    if let (Some(size), Some(fields)) = (cache, provider.as_object_mut()) {
        fields.insert("jwt_cache_config".into(), json!({ "jwt_cache_size": size }));
    }
    filter(
        "jwt_authn",
        "jwt_authn.v3.JwtAuthentication",
        json!({
            "providers": { "bench": provider },
            "rules": [{ "match": { "prefix": "/" }, "requires": { "provider_name": "bench" } }],
        }),
    )
}

/// A token, a scope for the path, and a token bucket too large to refuse.
pub(crate) fn chain(jwks: &str, cache: Option<u32>) -> Vec<Value> {
    let scope = json!({ "metadata": {
        "filter": "envoy.filters.http.jwt_authn",
        "path": [{ "key": "claims" }, { "key": "scope" }],
        "value": { "string_match": { "contains": "orders:read" } },
    }});
    let orders = json!({ "url_path": { "path": { "prefix": "/v1/orders" } } });
    vec![
        jwt_authn(jwks, cache),
        rbac(
            "ALLOW",
            json!({ "permissions": [orders], "principals": [scope] }),
        ),
        local_ratelimit(&[]),
    ]
}

/// A token bucket too large to refuse, for all; and one for each value of each of the
/// `descriptors`, but for the value [`TIGHT`] of it, which has one token an hour.
pub(crate) fn local_ratelimit(descriptors: &[&str]) -> Value {
    let always = json!({ "default_value": { "numerator": 100, "denominator": "HUNDRED" } });
    let bucket = |tokens: u32, interval: &str| json!({ "max_tokens": tokens, "tokens_per_fill": tokens, "fill_interval": interval });
    let descriptors: Vec<Value> = descriptors
        .iter()
        .flat_map(|name| {
            let tight = json!({ "key": name, "value": TIGHT });
            [
                json!({ "entries": [tight], "token_bucket": bucket(1, "3600s") }),
                json!({ "entries": [{ "key": name }], "token_bucket": bucket(MOST, "1s") }),
            ]
        })
        .collect();
    let configuration = json!({
        "stat_prefix": "bench",
        "token_bucket": bucket(MOST, "1s"),
        "descriptors": descriptors,
        "max_dynamic_descriptors": 10_000,
        "filter_enabled": always,
        "filter_enforced": always,
    });
    filter(
        "local_ratelimit",
        "local_ratelimit.v3.LocalRateLimit",
        configuration,
    )
}

/// What a route counts requests by: the value of a header, under the name of each of the
/// `descriptors`.
pub(crate) fn rate_limits(descriptors: &[&str], header: &str) -> Vec<Value> {
    let one = |name: &&str| {
        json!({ "actions": [{ "request_headers": {
            "header_name": header,
            "descriptor_key": name,
        }}]})
    };
    descriptors.iter().map(one).collect()
}

/// A question for each request to the rate limit service behind the cluster `ratelimit`.
pub(crate) fn ratelimit() -> Value {
    filter(
        "ratelimit",
        "ratelimit.v3.RateLimit",
        json!({
            "domain": DOMAIN,
            "timeout": "2s",
            "failure_mode_deny": true,
            "rate_limit_service": {
                "transport_api_version": "V3",
                "grpc_service": { "envoy_grpc": { "cluster_name": "ratelimit" } },
            },
        }),
    )
}

/// Keys, which this filter holds as they are, in the header `x-api-key`.
pub(crate) fn api_key_auth(keys: &[(String, String)]) -> Value {
    let credentials: Vec<Value> = keys
        .iter()
        .map(|(id, key)| json!({ "client": id, "key": key }))
        .collect();
    filter(
        "api_key_auth",
        "api_key_auth.v3.ApiKeyAuth",
        json!({ "credentials": credentials, "key_sources": [{ "header": "x-api-key" }] }),
    )
}

/// A question for each request to the cluster `authority`, over HTTP.
pub(crate) fn ext_authz() -> Value {
    filter(
        "ext_authz",
        "ext_authz.v3.ExtAuthz",
        json!({ "http_service": { "server_uri": {
            "uri": "http://authority",
            "cluster": "authority",
            "timeout": "2s",
        }}}),
    )
}

/// `rbac` that refuses these networks, in the form that its documentation shows.
pub(crate) fn rbac_networks(networks: &[(Ipv4Addr, u8)]) -> Value {
    let principals: Vec<Value> = networks
        .iter()
        .map(|network| json!({ "direct_remote_ip": cidr(network) }))
        .collect();
    rbac(
        "DENY",
        json!({ "permissions": [{ "any": true }], "principals": principals }),
    )
}

/// `rbac` that refuses these networks by Envoy's trie of addresses, the fastest form
/// that it has.
pub(crate) fn rbac_trie(networks: &[(Ipv4Addr, u8)]) -> Value {
    let ranges: Vec<Value> = networks.iter().map(cidr).collect();
    let verdict = |action: &str| {
        json!({ "action": { "name": action, "typed_config": {
            "@type": "type.googleapis.com/envoy.config.rbac.v3.Action",
            "name": action,
            "action": action,
        }}})
    };
    filter(
        "rbac",
        "rbac.v3.RBAC",
        json!({ "matcher": {
            "matcher_tree": {
                "input": { "name": "peer", "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.matching.common_inputs.network.v3.SourceIPInput",
                }},
                "custom_match": { "name": "networks", "typed_config": {
                    "@type": "type.googleapis.com/xds.type.matcher.v3.IPMatcher",
                    "range_matchers": [{ "ranges": ranges, "on_match": verdict("DENY") }],
                }},
            },
            "on_no_match": verdict("ALLOW"),
        }}),
    )
}

/// `rbac` with the condition `request.method == "GET" && request.headers[header] ==
/// value`, as the tree of CEL that the filter wants.
pub(crate) fn rbac_condition(header: &str, value: &str) -> Value {
    let mut last = 0;
    let mut node = |kind: &str, content: Value| {
        last += 1;
        json!({ "id": last, kind: content })
    };
    let mut text = |value: &str| node("const_expr", json!({ "string_value": value }));
    let (method, header, value) = (text("GET"), text(header), text(value));
    let mut of_request = |field: &str| {
        let request = node("ident_expr", json!({ "name": "request" }));
        node("select_expr", json!({ "operand": request, "field": field }))
    };
    let (asked, headers) = (of_request("method"), of_request("headers"));
    let mut call = |function: &str, args: [Value; 2]| {
        node("call_expr", json!({ "function": function, "args": args }))
    };
    let found = call("_[_]", [headers, header]);
    let reads = call("_==_", [asked, method]);
    let named = call("_==_", [found, value]);
    let condition = call("_&&_", [reads, named]);
    rbac(
        "ALLOW",
        json!({
            "permissions": [{ "any": true }],
            "principals": [{ "any": true }],
            "condition": condition,
        }),
    )
}

fn rbac(action: &str, policy: Value) -> Value {
    filter(
        "rbac",
        "rbac.v3.RBAC",
        json!({ "rules": { "action": action, "policies": { "bench": policy } } }),
    )
}

fn cidr((address, bits): &(Ipv4Addr, u8)) -> Value {
    json!({ "address_prefix": address.to_string(), "prefix_len": bits })
}

fn filter(name: &str, kind: &str, mut configuration: Value) -> Value {
    if let Some(fields) = configuration.as_object_mut() {
        let kind = format!("type.googleapis.com/envoy.extensions.filters.http.{kind}");
        fields.insert("@type".into(), kind.into());
    }
    json!({ "name": format!("envoy.filters.http.{name}"), "typed_config": configuration })
}

/// The value of a descriptor that may be counted once.
pub(crate) const TIGHT: &str = "tight";

/// What the rate limit service knows of the bench.
pub(crate) const DOMAIN: &str = "bench";

/// More requests in a second than the bench can make.
const MOST: u32 = 1_000_000;
