//! The rows of the second table: each kind of credential and of rule by itself, in
//! Envoy's own filter for it and in Portcullis under a policy that has nothing else.

use std::net::Ipv4Addr;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{ALONE, EMPTY, PUBLIC, alone, audited, empty, filters, forged, open};
use crate::Result;
use crate::authority::{GOOD, INTROSPECT};
use crate::contestant::{Contestant, Gateway, Probe, Setup, Traffic, native, portcullis};
use crate::http::{bearer, field};
use crate::token::Algorithm::{self, EdDsa, Es256, Ps256, Rs256};
use crate::token::{AUDIENCE, ISSUER};
use crate::workshop::Workshop;

/// A token of RS256 never seen before.
pub(crate) const COLD: &str = "rs256";
/// A token that was verified before.
pub(crate) const CACHED: &str = "cached";
/// The same in `jwt_authn`.
pub(crate) const NATIVE_CACHED: &str = "jwt-authn-cached";
/// An opaque token that was asked about before.
pub(crate) const INTROSPECTED: &str = "introspected";

/// The rows, in the order of the table.
pub(crate) const ROWS: &[Contestant] = &[
    Contestant::new(ALONE, "Envoy alone", |workshop| {
        Ok(alone(ORDER, bearer(&workshop.issuer.token(Rs256)?)))
    }),
    Contestant::new(EMPTY, "empty Wasm filter", |workshop| {
        empty(workshop, ORDER, bearer(&workshop.issuer.token(Rs256)?))
    }),
    Contestant::new(PUBLIC, "Portcullis, public", |workshop| {
        let gateway = gate(workshop, PUBLIC, json!({}), json!({ "security": [] }))?;
        let token = workshop.issuer.token(Rs256)?;
        Ok(open(Some(gateway), ORDER, bearer(&token)))
    }),
    Contestant::new("jwt-authn-rs256", "jwt_authn, cold RS256", |workshop| {
        jwt_authn(workshop, Rs256, None)
    })
    .sending(Traffic::Signed(Rs256)),
    Contestant::new(COLD, "Portcullis, cold RS256", |workshop| {
        jwt(workshop, COLD, Rs256)
    })
    .sending(Traffic::Signed(Rs256))
    .beside("jwt-authn-rs256"),
    Contestant::new("jwt-authn-ps256", "jwt_authn, cold PS256", |workshop| {
        jwt_authn(workshop, Ps256, None)
    })
    .sending(Traffic::Signed(Ps256)),
    Contestant::new("ps256", "Portcullis, cold PS256", |workshop| {
        jwt(workshop, "ps256", Ps256)
    })
    .sending(Traffic::Signed(Ps256))
    .beside("jwt-authn-ps256"),
    Contestant::new("jwt-authn-es256", "jwt_authn, cold ES256", |workshop| {
        jwt_authn(workshop, Es256, None)
    })
    .sending(Traffic::Signed(Es256)),
    Contestant::new("es256", "Portcullis, cold ES256", |workshop| {
        jwt(workshop, "es256", Es256)
    })
    .sending(Traffic::Signed(Es256))
    .beside("jwt-authn-es256"),
    Contestant::new("jwt-authn-eddsa", "jwt_authn, cold EdDSA", |workshop| {
        jwt_authn(workshop, EdDsa, None)
    })
    .sending(Traffic::Signed(EdDsa)),
    Contestant::new("eddsa", "Portcullis, cold EdDSA", |workshop| {
        jwt(workshop, "eddsa", EdDsa)
    })
    .sending(Traffic::Signed(EdDsa))
    .beside("jwt-authn-eddsa"),
    Contestant::new(NATIVE_CACHED, "jwt_authn, its cache", |workshop| {
        jwt_authn(workshop, Rs256, Some(1000))
    }),
    Contestant::new(CACHED, "Portcullis, cached token", |workshop| {
        jwt(workshop, CACHED, Rs256)
    })
    .beside(NATIVE_CACHED),
    Contestant::new(INTROSPECTED, "Portcullis, introspected", |workshop| {
        introspected(workshop, INTROSPECTED)
    })
    .beside(NATIVE_CACHED),
    Contestant::new("ext-authz", "ext_authz, asks each time", |workshop| {
        let gateway = Gateway {
            authority: Some(workshop.authority),
            ..filters(vec![native::ext_authz()])
        };
        Ok(guarded(gateway, &opaque(), &bearer("bad")))
    })
    .sending(Traffic::Opaque),
    Contestant::new(
        "introspected-cold",
        "Portcullis, asks each time",
        |workshop| introspected(workshop, "introspected-cold"),
    )
    .sending(Traffic::Opaque)
    .beside("ext-authz"),
    Contestant::new("api-key-auth", "api_key_auth, 1,000 keys", |workshop| {
        keyed(workshop, filters(vec![native::api_key_auth(&keys())]))
    }),
    Contestant::new("api-key", "Portcullis, 1,000 keys", api_keys).beside("api-key-auth"),
    Contestant::new("rbac-networks", "rbac, 10,000 networks", |workshop| {
        let gateway = filters(vec![native::rbac_networks(&networks())]);
        placed(workshop, gateway)
    }),
    Contestant::new("rbac-trie", "rbac, the same as a trie", |workshop| {
        let gateway = filters(vec![native::rbac_trie(&networks())]);
        placed(workshop, gateway)
    }),
    Contestant::new("networks", "Portcullis, 10,000 of them", |workshop| {
        let entries: Vec<String> = networks()
            .iter()
            .map(|(address, bits)| format!("{address}/{bits}"))
            .collect();
        let lists = json!({ "networks": {
            "lists": { "blocked": { "inline": entries } },
            "deny": ["blocked"],
        }});
        let gateway = gate(workshop, "networks", lists, json!({ "security": [] }))?;
        placed(workshop, gateway)
    })
    .beside("rbac-trie"),
    Contestant::new("rbac-rule", "rbac, a condition in CEL", |workshop| {
        let gateway = filters(vec![native::rbac_condition(TENANT, "harbour")]);
        ruled(workshop, gateway)
    }),
    Contestant::new("rule", "Portcullis, a rule in CEL", |workshop| {
        let rule =
            format!(r#"request.method == "GET" && request.headers["{TENANT}"] == "harbour""#);
        let rules = json!({ "rules": { "tenant": { "allow_if": rule } } });
        let operation = json!({ "security": [], "x-rules": ["tenant"] });
        let gateway = gate(workshop, "rule", rules, operation)?;
        ruled(workshop, gateway)
    })
    .beside("rbac-rule"),
];

fn jwt_authn(workshop: &Workshop<'_>, algorithm: Algorithm, cache: Option<u32>) -> Result<Setup> {
    let jwks = workshop.issuer.jwks(algorithm)?;
    let gateway = filters(vec![native::jwt_authn(&jwks, cache)]);
    signed(workshop, gateway, algorithm)
}

fn jwt(workshop: &Workshop<'_>, name: &str, algorithm: Algorithm) -> Result<Setup> {
    let jwks: Value = serde_json::from_str(&workshop.issuer.jwks(algorithm)?)?;
    let policy = json!({ "issuers": [{
        "name": "bench",
        "issuer": ISSUER,
        "audiences": [AUDIENCE],
        "algorithms": [algorithm.name()],
        "keys": { "inline": jwks },
    }]});
    let gateway = gate(
        workshop,
        name,
        policy,
        json!({ "security": [{ "token": [] }] }),
    )?;
    signed(workshop, gateway, algorithm)
}

fn signed(workshop: &Workshop<'_>, gateway: Gateway, algorithm: Algorithm) -> Result<Setup> {
    let token = workshop.issuer.token(algorithm)?;
    let bad = bearer(&forged(&token));
    Ok(guarded(gateway, &bearer(&token), &bad))
}

fn introspected(workshop: &Workshop<'_>, name: &str) -> Result<Setup> {
    let policy = json!({ "issuers": [{
        "name": "bench",
        "issuer": ISSUER,
        "audiences": [AUDIENCE],
        "introspection": {
            "uri": format!("http://authority{INTROSPECT}"),
            "cluster": "authority",
            "client": { "id": "gateway", "secret": { "inline": "not a secret" } },
            "max_cache": "1h",
        },
    }]});
    let gateway = Gateway {
        authority: Some(workshop.authority),
        ..gate(
            workshop,
            name,
            policy,
            json!({ "security": [{ "token": [] }] }),
        )?
    };
    Ok(guarded(gateway, &opaque(), &bearer("bad")))
}

fn opaque() -> String {
    bearer(&format!("{GOOD}again-and-again"))
}

fn api_keys(workshop: &Workshop<'_>) -> Result<Setup> {
    let hashed: Vec<Value> = keys()
        .iter()
        .map(|(id, key)| {
            let hash: String = Sha256::digest(key)
                .iter()
                .map(|b| format!("{b:02x}"))
                .collect();
            json!({ "id": id, "secrets": [{ "sha256": hash }] })
        })
        .collect();
    let policy = json!({ "api_keys": { "partners": hashed } });
    let operation = json!({ "security": [{ "key": [] }] });
    keyed(workshop, gate(workshop, "api-key", policy, operation)?)
}

/// Something that takes a key of [`keys`]. The token that nobody asks for makes its
/// requests as long as those of the other rows.
fn keyed(workshop: &Workshop<'_>, gateway: Gateway) -> Result<Setup> {
    let token = bearer(&workshop.issuer.token(Rs256)?);
    let with = |key: &str| format!("{token}{}", field("x-api-key", key));
    let key = keys().pop().map(|(_, key)| key).unwrap_or_default();
    let mut setup = open(Some(gateway), ORDER, with(&key));
    setup
        .probes
        .push(Probe::new(ORDER, &with(&format!("{key}x")), 401));
    setup.probes.push(Probe::new(ORDER, &token, 401));
    Ok(setup)
}

/// Something that refuses [`networks`].
fn placed(workshop: &Workshop<'_>, gateway: Gateway) -> Result<Setup> {
    let fields = bearer(&workshop.issuer.token(Rs256)?);
    let refused = Probe {
        from: REFUSED,
        ..Probe::new(ORDER, &fields, 403)
    };
    let mut setup = open(Some(gateway), ORDER, fields);
    setup.probes.push(refused);
    Ok(setup)
}

/// Something that takes the tenant `harbour`, whoever asks.
fn ruled(workshop: &Workshop<'_>, gateway: Gateway) -> Result<Setup> {
    let token = bearer(&workshop.issuer.token(Rs256)?);
    let of = |tenant: &str| format!("{token}{}", field(TENANT, tenant));
    let mut setup = open(Some(gateway), ORDER, of("harbour"));
    setup.probes.push(Probe::new(ORDER, &of("quay"), 403));
    setup.probes.push(Probe::new(ORDER, &token, 403));
    Ok(setup)
}

/// Something that takes `good`, and neither `bad` nor a request without a credential.
fn guarded(gateway: Gateway, good: &str, bad: &str) -> Setup {
    let mut setup = open(Some(gateway), ORDER, good.to_owned());
    setup.probes.push(Probe::new(ORDER, bad, 401));
    setup.probes.push(Probe::new(ORDER, "", 401));
    setup
}

fn gate(workshop: &Workshop<'_>, name: &str, policy: Value, operation: Value) -> Result<Gateway> {
    let filter = portcullis::minimal(workshop, name, policy, operation)?;
    Ok(audited(filter))
}

/// A thousand keys with their names.
fn keys() -> Vec<(String, String)> {
    let key = |number: u32| {
        let id = format!("partner-{number}");
        let secret = format!("pk_{id}_{:064x}", u128::from(number) << 64 | 0x5eed);
        (id, secret)
    };
    (0..1000).map(key).collect()
}

/// Ten thousand networks, no two of which touch. The bench asks from none of them; the
/// probe asks from the last.
fn networks() -> Vec<(Ipv4Addr, u8)> {
    let first = u32::from(Ipv4Addr::new(11, 0, 0, 0));
    let mut networks: Vec<(Ipv4Addr, u8)> = (0..9_999)
        .map(|number| (Ipv4Addr::from(first + number * 512), 24))
        .collect();
    networks.push((REFUSED, 32));
    networks
}

/// The path of the one operation there is.
const ORDER: &str = "/v1/orders/ord_4711";
/// The header that the rules look at.
const TENANT: &str = "x-tenant";
/// An address of this machine in the last of [`networks`].
const REFUSED: Ipv4Addr = Ipv4Addr::new(127, 9, 9, 9);
