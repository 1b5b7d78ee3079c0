//! The gateway in a real Envoy, in front of a real identity provider and upstream.
//!
//! The pure engine is tested without Envoy, so these cases ask only what a pure
//! test cannot: that the host does to real bytes what the engine decided. Each
//! file is one theme; `harness` starts the parts, `shop` is the API they share.
//!
//! Needs `scripts/setup` and the built module: `make test` does both.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test meets the unexpected by failing, and waits in real time"
)]

mod accuracy;
mod announce;
mod anomaly;
mod api_keys;
mod attacks;
mod audit;
mod bare;
mod cases;
mod defence;
mod dpop;
mod endurance;
mod hand_over;
mod harness;
mod hours;
mod hygiene;
mod introspection;
mod issuers;
mod keys;
mod lockout;
mod masking;
mod metrics;
mod mtls;
mod network;
mod objects;
mod plans;
mod quota;
mod quota_shared;
mod refusals;
mod reload;
mod revocation;
mod rules;
mod shop;
mod signatures;
mod tokens;
mod traps;
#[path = "../conformance/jose/vectors.rs"]
mod vectors;
