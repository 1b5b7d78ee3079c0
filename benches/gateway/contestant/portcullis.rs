//! Portcullis under a policy, and a Wasm filter that does nothing under the same host
//! settings, or the comparison would not be of filters.

use serde_json::{Value, json};

use crate::Result;
use crate::workshop::Workshop;

/// The filter under the policy of `policy.yaml` and `openapi.yaml`: every stage, a quota,
/// a model.
pub(crate) fn whole(workshop: &Workshop<'_>) -> Result<Value> {
    gate(workshop, workshop.whole_plugin()?)
}

/// The filter under a policy of one operation, `GET /v1/orders/{order}`, with no quota,
/// model or classification, so that what a feature costs shows by difference.
///
/// `name` is that of the row; `policy` and `operation` are what it adds to either.
pub(crate) fn minimal(
    workshop: &Workshop<'_>,
    name: &str,
    policy: Value,
    operation: Value,
) -> Result<Value> {
    let paths = json!({ "/v1/orders/{order}": { "get": order("getOrder", operation) } });
    of_paths(workshop, name, policy, paths)
}

/// The same, and another public operation that costs a million of any limit:
/// `GET /v1/orders/{order}/history`.
pub(crate) fn limited(workshop: &Workshop<'_>, name: &str, policy: Value) -> Result<Value> {
    let public = || json!({ "security": [] });
    let mut history = public();
    merge(&mut history, json!({ "x-quota": { "cost": 1_000_000 } }));
    let paths = json!({
        "/v1/orders/{order}": { "get": order("getOrder", public()) },
        "/v1/orders/{order}/history": { "get": order("getHistory", history) },
    });
    of_paths(workshop, name, policy, paths)
}

fn order(name: &str, more: Value) -> Value {
    let mut operation = json!({
        "operationId": name,
        "parameters": [{
            "name": "order", "in": "path", "required": true, "schema": { "type": "string" },
        }],
        "responses": { "200": { "description": "One order" } },
    });
    merge(&mut operation, more);
    operation
}

fn of_paths(workshop: &Workshop<'_>, name: &str, policy: Value, paths: Value) -> Result<Value> {
    let openapi = json!({
        "openapi": "3.1.0",
        "info": { "title": "Bench", "version": "1" },
        "servers": [{ "url": "https://api.example.test" }],
        "components": { "securitySchemes": {
            "token": { "type": "http", "scheme": "bearer" },
            "key": { "type": "apiKey", "in": "header", "name": "x-api-key" },
        }},
        "paths": paths,
    });
    let mut whole = json!({ "openapi": "openapi.yaml" });
    merge(&mut whole, policy);
    gate(workshop, workshop.plugin(name, &whole, &openapi)?)
}

/// The filter that does nothing.
pub(crate) fn empty(workshop: &Workshop<'_>) -> Result<Value> {
    let module = workshop.module("examples/empty_filter.wasm", None)?;
    Ok(wasm("empty", &module, ""))
}

fn gate(workshop: &Workshop<'_>, plugin: String) -> Result<Value> {
    let module = workshop.module("portcullis.wasm", Some("PORTCULLIS_WASM"))?;
    Ok(wasm("portcullis", &module, &plugin))
}

fn merge(into: &mut Value, from: Value) {
    if let (Some(into), Value::Object(from)) = (into.as_object_mut(), from) {
        into.extend(from);
    }
}

fn wasm(name: &str, module: &str, configuration: &str) -> Value {
    json!({
        "name": name,
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "config": {
                "name": name,
                "vm_config": {
                    "vm_id": name,
                    "runtime": "envoy.wasm.runtime.v8",
                    "code": { "local": { "filename": module } },
                },
                "configuration": {
                    "@type": "type.googleapis.com/google.protobuf.StringValue",
                    "value": configuration,
                },
                "failure_policy": "FAIL_RELOAD",
                "allow_on_headers_stop_iteration": true,
            },
        },
    })
}
