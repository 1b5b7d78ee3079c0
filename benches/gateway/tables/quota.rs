//! The rows of the third table: limits, in Envoy's own filters and in Portcullis, each for
//! one client that sends everything, so that all its requests meet in one counter.

use serde_json::{Value, json};

use super::{ALONE, EMPTY, PUBLIC, alone, audited, empty, filters, open};
use crate::Result;
use crate::contestant::{Contestant, Gateway, Probe, Setup, native, portcullis};
use crate::http::field;
use crate::workshop::Workshop;

/// The rows, in the order of the table.
pub(crate) const ROWS: &[Contestant] = &[
    Contestant::new(ALONE, "Envoy alone", |_| Ok(alone(ORDER, client(WHO)))),
    Contestant::new(EMPTY, "empty Wasm filter", |workshop| {
        empty(workshop, ORDER, client(WHO))
    }),
    Contestant::new("local-all", "local_ratelimit, one for all", |_| {
        let gateway = filters(vec![native::local_ratelimit(&[])]);
        Ok(open(Some(gateway), ORDER, client(WHO)))
    }),
    Contestant::new(LOCAL, "local_ratelimit, one a client", |_| {
        Ok(local(&["second"]))
    }),
    Contestant::new(LOCAL_THREE, "local_ratelimit, three of them", |_| {
        Ok(local(&["second", "minute", "hour"]))
    }),
    Contestant::new(SERVICE, "ratelimit, asks each time", |workshop| {
        let gateway = Gateway {
            rate_limits: native::rate_limits(&["client"], CLIENT),
            ratelimit: Some(service(workshop)?),
            ..filters(vec![native::ratelimit()])
        };
        Ok(tight(open(Some(gateway), ORDER, client(WHO))))
    }),
    Contestant::new(PUBLIC, "Portcullis, no limit", |workshop| {
        let filter = portcullis::minimal(workshop, "no-limit", json!({}), public())?;
        Ok(open(Some(audited(filter)), ORDER, client(WHO)))
    }),
    Contestant::new("bucket", "Portcullis, token bucket", |workshop| {
        limited(workshop, "bucket", json!({ "second": bucket("1s") }))
    })
    .beside(LOCAL),
    Contestant::new("three", "Portcullis, three of them", |workshop| {
        let limits = json!({
            "second": bucket("1s"),
            "minute": bucket("1m"),
            "hour": bucket("1h"),
        });
        limited(workshop, "three", limits)
    })
    .beside(LOCAL_THREE),
    Contestant::new("window", "Portcullis, sliding window", |workshop| {
        let window = json!({
            "algorithm": "sliding_window", "requests": MOST, "per": "1s", "key": "address",
        });
        limited(workshop, "window", json!({ "second": window }))
    })
    .beside(LOCAL),
    Contestant::new("concurrency", "Portcullis, concurrency", |workshop| {
        let parallel = json!({ "algorithm": "concurrency", "requests": MOST, "key": "address" });
        limited(workshop, "concurrency", json!({ "parallel": parallel }))
    })
    .beside(LOCAL),
    Contestant::new("strict", "Portcullis, asks each time", |workshop| {
        shared(workshop, "strict", json!("strict"))
    })
    .beside(SERVICE),
    Contestant::new("leased", "Portcullis, asks for hundreds", |workshop| {
        shared(workshop, "leased", json!({ "leased": 256 }))
    })
    .beside(SERVICE),
];

/// Envoy's token buckets, one for each client under each of these names.
fn local(names: &[&str]) -> Setup {
    let gateway = Gateway {
        rate_limits: native::rate_limits(names, CLIENT),
        ..filters(vec![native::local_ratelimit(names)])
    };
    tight(open(Some(gateway), ORDER, client(WHO)))
}

/// Something that takes one request of the client [`native::TIGHT`] and no more.
fn tight(mut setup: Setup) -> Setup {
    let fields = client(native::TIGHT);
    setup.probes.push(Probe::new(ORDER, &fields, 200));
    setup.probes.push(Probe::new(ORDER, &fields, 429));
    setup
}

/// Portcullis under a plan of these limits.
fn limited(workshop: &Workshop<'_>, name: &str, limits: Value) -> Result<Setup> {
    counted(
        workshop,
        name,
        json!({ "default": "bench", "plans": plan(limits) }),
    )
}

/// Portcullis under a limit that the rate limit service counts.
fn shared(workshop: &Workshop<'_>, name: &str, mode: Value) -> Result<Setup> {
    let window = json!({
        "algorithm": "fixed_window",
        "requests": MOST,
        "per": "1s",
        "key": "address",
        "shared": { "mode": mode },
    });
    let quotas = json!({
        "default": "bench",
        "service": { "cluster": "ratelimit", "timeout": "2s" },
        "plans": plan(json!({ "second": window })),
    });
    let mut setup = counted(workshop, name, quotas)?;
    if let Some(gateway) = &mut setup.gateway {
        gateway.ratelimit = Some(service(workshop)?);
    }
    Ok(setup)
}

fn plan(limits: Value) -> Value {
    json!({ "bench": { "limits": limits } })
}

fn counted(workshop: &Workshop<'_>, name: &str, quotas: Value) -> Result<Setup> {
    let filter = portcullis::limited(workshop, name, json!({ "quotas": quotas }))?;
    let mut setup = open(Some(audited(filter)), ORDER, client(WHO));
    setup
        .probes
        .push(Probe::new("/v1/orders/ord_4711/history", &client(WHO), 429));
    Ok(setup)
}

fn bucket(per: &str) -> Value {
    json!({ "requests": MOST, "per": per, "key": "address" })
}

fn public() -> Value {
    json!({ "security": [] })
}

fn service(workshop: &Workshop<'_>) -> Result<std::path::PathBuf> {
    let most = json!({ "unit": "second", "requests_per_unit": MOST });
    let natives = json!({
        "domain": native::DOMAIN,
        "descriptors": [
            { "key": "client", "value": native::TIGHT,
              "rate_limit": { "unit": "hour", "requests_per_unit": 1 } },
            { "key": "client", "rate_limit": most },
        ],
    });
    let ours = json!({
        "domain": "portcullis",
        "descriptors": [{
            "key": "limit", "value": "bench/second",
            "descriptors": [{ "key": "caller", "rate_limit": most }],
        }],
    });
    workshop.ratelimit(&[natives, ours])
}

fn client(name: &str) -> String {
    field(CLIENT, name)
}

/// Envoy's token bucket for each client.
const LOCAL: &str = "local";
/// Three of them.
const LOCAL_THREE: &str = "local-three";
/// Envoy's question for each request.
const SERVICE: &str = "service";
/// More than the bench can ask for, and less than `history` costs.
const MOST: u32 = 900_000;
/// The header that Envoy's filters know a client by. Portcullis goes by the address.
const CLIENT: &str = "x-client";
const WHO: &str = "harbour";
/// The path of the operation that is timed.
const ORDER: &str = "/v1/orders/ord_4711";
