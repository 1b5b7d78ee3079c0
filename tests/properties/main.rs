//! What holds for every request, every order of events and every clock.
//!
//! The cases of `tests/cases` say what must become of requests that somebody
//! thought of; these properties are about all the others.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test meets the unexpected by failing"
)]

mod access;
mod answers;
mod events;
mod keys;
mod leases;
mod paths;
mod quota;
mod rules;
mod shop;
#[path = "../cases/token.rs"]
mod token;
mod told;
