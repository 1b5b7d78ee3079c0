//! What is compared: each row of the table, the Envoy filters it stands for, and
//! the check that it does its work before it is timed.

use std::path::Path;

use clap::ValueEnum;
use serde_json::{Value, json};

use crate::Result;
use crate::http::{Connection, request};
use crate::token::{AUDIENCE, ISSUER};
use crate::upstream::PERSONAL;

/// One row. The declared order is that of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Contestant {
    /// No Envoy: the generator against its upstream, the ceiling of the instrument.
    Direct,
    /// Envoy with nothing but its router: the base of every ratio.
    Alone,
    /// A Wasm filter that does nothing.
    Empty,
    /// Envoy's own `jwt_authn`, `rbac` and `local_ratelimit`.
    Native,
    /// The same with `jwt_cache_config`.
    NativeCache,
    /// The native chain, a new token for each request.
    NativeCold,
    /// Portcullis, all request stages, the same token again.
    Portcullis,
    /// Portcullis, and an answer with fields that this caller may not see.
    PortcullisMasked,
    /// Portcullis, a new token for each request.
    PortcullisCold,
}

impl Contestant {
    /// What the table calls it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Direct => "upstream, no Envoy",
            Self::Alone => "Envoy alone",
            Self::Empty => "empty Wasm filter",
            Self::Native => "native chain, warm token",
            Self::NativeCache => "native chain, jwt cache",
            Self::NativeCold => "native chain, cold token",
            Self::Portcullis => "Portcullis, warm token",
            Self::PortcullisMasked => "Portcullis, warm, masking",
            Self::PortcullisCold => "Portcullis, cold token",
        }
    }

    /// A name for files and for `--only`.
    pub(crate) fn name(self) -> String {
        self.to_possible_value()
            .map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Whether every request brings a token never seen before.
    pub(crate) fn is_cold(self) -> bool {
        matches!(self, Self::NativeCold | Self::PortcullisCold)
    }

    /// Whether the filter under test is Portcullis.
    pub(crate) fn is_portcullis(self) -> bool {
        matches!(
            self,
            Self::Portcullis | Self::PortcullisMasked | Self::PortcullisCold
        )
    }

    /// What is asked for: an operation of `openapi.yaml`, with a parameter of each
    /// kind. The answers of `customers` are classified, those of `orders` are not.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::PortcullisMasked => "/v1/customers/cus_4711?limit=20&status=active",
            _ => "/v1/orders/ord_4711?limit=20&status=active",
        }
    }

    /// The filters before the router.
    pub(crate) fn filters(self, parts: &Parts) -> Vec<Value> {
        match self {
            Self::Direct | Self::Alone => vec![],
            Self::Empty => vec![wasm("empty", &parts.empty, "")],
            Self::Native | Self::NativeCold => native(&parts.jwks, None),
            Self::NativeCache => native(&parts.jwks, Some(1000)),
            Self::Portcullis | Self::PortcullisMasked | Self::PortcullisCold => {
                vec![wasm("portcullis", &parts.portcullis, &parts.plugin)]
            }
        }
    }

    /// Sends what must pass and what must not, so that no wrong thing is timed.
    ///
    /// # Errors
    /// If any answer has another status than it must, or shows a masked field.
    pub(crate) fn check(self, port: u16, token: &str) -> Result<()> {
        let guarded = !matches!(self, Self::Direct | Self::Alone | Self::Empty);
        let forged = format!("{}A", token.get(..token.len() - 8).unwrap_or_default());
        let refused = if guarded { 401 } else { 200 };
        self.expect(port, self.path(), Some(token), 200)?;
        self.expect(port, self.path(), None, refused)?;
        self.expect(port, self.path(), Some(&forged), refused)?;
        if self.is_portcullis() {
            self.expect(port, "/v1/undeclared", Some(token), 404)?;
        }
        Ok(())
    }

    fn expect(self, port: u16, path: &str, token: Option<&str>, status: u16) -> Result<()> {
        let mut bytes = Vec::new();
        request(&mut bytes, path, token);
        let mut connection = Connection::open(port)?;
        let answer = connection.exchange(&bytes)?;
        let title = self.title();
        if answer.status != status {
            let found = answer.status;
            let start = answer.body.get(..200).unwrap_or(answer.body);
            let body = String::from_utf8_lossy(start);
            let with = if token.is_some() { "a" } else { "no" };
            return Err(format!(
                "`{title}` answers `{path}` with {with} token by {found}, not {status}: {body}"
            )
            .into());
        }
        let shown = String::from_utf8_lossy(answer.body).contains(PERSONAL);
        if status == 200 && shown == (self == Self::PortcullisMasked) {
            let fault = if shown { "shows" } else { "lacks" };
            return Err(format!("`{title}`: the answer {fault} the classified field").into());
        }
        Ok(())
    }
}

/// What the filters are made of.
pub(crate) struct Parts {
    /// Path of the empty filter's module.
    pub(crate) empty: String,
    /// Path of the gate's module.
    pub(crate) portcullis: String,
    /// What `portcullis build` made of `policy.yaml`.
    pub(crate) plugin: String,
    /// The issuer's keys.
    pub(crate) jwks: String,
}

/// A Wasm filter as Portcullis is deployed: the empty one runs under the same host
/// settings, or the comparison would not be of filters.
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

/// Envoy's own nearest equal: a signature, issuer, audience and expiry; a scope for
/// the path; a token bucket too large to refuse.
fn native(jwks: &str, cache: Option<u32>) -> Vec<Value> {
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
    let authn = json!({
        "name": "envoy.filters.http.jwt_authn",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
            "providers": { "bench": provider },
            "rules": [{ "match": { "prefix": "/" }, "requires": { "provider_name": "bench" } }],
        },
    });
    let scope = json!({ "metadata": {
        "filter": "envoy.filters.http.jwt_authn",
        "path": [{ "key": "claims" }, { "key": "scope" }],
        "value": { "string_match": { "contains": "orders:read" } },
    }});
    let rbac = json!({
        "name": "envoy.filters.http.rbac",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
            "rules": { "action": "ALLOW", "policies": { "orders": {
                "permissions": [{ "url_path": { "path": { "prefix": "/v1/orders" } } }],
                "principals": [scope],
            }}},
        },
    });
    let always = json!({ "default_value": { "numerator": 100, "denominator": "HUNDRED" } });
    let quota = json!({
        "name": "envoy.filters.http.local_ratelimit",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
            "stat_prefix": "bench",
            "token_bucket": { "max_tokens": 1_000_000, "tokens_per_fill": 1_000_000, "fill_interval": "1s" },
            "filter_enabled": always,
            "filter_enforced": always,
        },
    });
    vec![authn, rbac, quota]
}

/// Reads the modules' paths as Envoy takes them.
pub(crate) fn module(path: &Path, made_by: &str) -> Result<String> {
    if !path.is_file() {
        let path = path.display();
        return Err(format!("no module `{path}`: run `{made_by}` first").into());
    }
    Ok(path.display().to_string())
}
