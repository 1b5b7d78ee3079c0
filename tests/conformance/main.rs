//! Suites that others wrote, run whole, beside tables of our own.
//!
//! A case that cannot pass stands in a table with its reason; when it passes after
//! all, the run fails, so that the table stays true.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test says what went wrong by panicking"
)]

mod jose;
mod rate_limit;
mod structured_fields;

use std::path::PathBuf;

/// Where a suite lies, or `None`, with a line that says so, if it is not there.
fn suite(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("PORTCULLIS_SUITES").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/suites"),
        PathBuf::from,
    );
    let folder = root.join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: suite `{name}` is not here; PORTCULLIS_SUITES names the folder of suites");
    None
}
