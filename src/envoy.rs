//! The adapter: Envoy's callbacks become events, the engine's steps become host calls.
//!
//! Nothing here decides. [`root`] lives as long as a configuration, [`http`] as long
//! as an exchange; [`host`] alone names the SDK's host calls, whose own wrappers
//! panic where a request must not; [`shared`] is what the workers have in common.

mod asking;
mod certificate;
mod exchange;
mod host;
mod http;
mod list;
mod metrics;
mod root;
mod shared;
mod sharing;
mod upstream;
mod waiting;
mod worker;
