//! Portcullis: a secure API gateway inside Envoy.
//!
//! One OpenAPI document and one short policy decide about every exchange, in ten
//! steps; every step leaves its reasons in the [`trail`].
//!
//! 1. `envoy` reads the head as bytes; what cannot be read denies.
//! 2. [`engine`] takes it as an event and answers with a step: the only state machine.
//! 3. [`stage::hygiene`] finds the one reading of path and headers, or refuses.
//! 4. [`policy::route`] finds the declared operation. No operation, no entry. Whence and
//!    when it may be called is asked at once ([`stage::network`], [`stage::availability`]).
//! 5. [`stage::authn`] verifies the credentials and makes a caller of the request.
//! 6. [`stage::authz`] asks for scopes, roles, the caller's own objects, and rules.
//! 7. [`stage::quota`] spends from the limits that hold for the caller.
//! 8. [`stage::anomaly`] says how odd the request is, and why.
//! 9. [`stage::masking`] hides from the response what the caller may not see.
//! 10. [`trail`] becomes the audit record and the explanation.
//!
//! Mechanisms ([`jose`], [`api_key`], [`certificate`], [`network`], [`calendar`], [`lockout`],
//! [`quota`], [`revocation`], [`rule`], [`mask`], [`forest`], [`profile`]) know nothing of policy, stages
//! know nothing of Envoy, and only `envoy` knows proxy-wasm.

pub mod api_key;
pub mod calendar;
pub mod certificate;
#[cfg(not(target_family = "wasm"))]
pub mod command;
pub mod denial;
pub mod engine;
#[cfg(target_family = "wasm")]
mod envoy;
pub mod fetch;
pub mod forest;
pub mod hex;
pub mod jose;
pub mod keyed;
pub mod lockout;
pub mod mask;
pub mod metrics;
pub mod model;
pub mod network;
pub mod pattern;
pub mod policy;
pub mod profile;
pub mod quota;
pub mod ratelimit;
pub mod request;
pub mod revocation;
pub mod rule;
pub mod stage;
pub mod store;
mod strict_json;
pub mod time;
pub mod trail;
pub mod uri;
