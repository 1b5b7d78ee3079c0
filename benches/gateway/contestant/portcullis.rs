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
    let mut asked = json!({
        "operationId": "getOrder",
        "parameters": [{
            "name": "order", "in": "path", "required": true, "schema": { "type": "string" },
        }],
        "responses": { "200": { "description": "One order" } },
    });
    merge(&mut asked, operation);
    let openapi = json!({
        "openapi": "3.1.0",
        "info": { "title": "Bench", "version": "1" },
        "servers": [{ "url": "https://api.example.test" }],
        "components": { "securitySchemes": {
            "token": { "type": "http", "scheme": "bearer" },
            "key": { "type": "apiKey", "in": "header", "name": "x-api-key" },
        }},
        "paths": { "/v1/orders/{order}": { "get": asked } },
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
