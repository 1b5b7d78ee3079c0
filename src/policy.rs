//! The policy: what was written, compiled into what the stages decide by.

pub mod api;
#[cfg(not(target_family = "wasm"))]
pub mod openapi;
pub mod problem;
pub mod route;
