//! The policy: what was written, compiled into what the stages decide by.

pub mod api;
pub mod problem;
