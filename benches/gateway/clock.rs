//! The one place of the bench that reads the clock.
//!
//! The package bans the clock elsewhere because a decision must be replayable; a
//! measurement cannot be.

use std::time::Instant;

/// The present moment as the gateway counts it.
pub(crate) fn since_1970() -> portcullis::time::Time {
    #[expect(clippy::disallowed_methods, reason = "the tokens are good from now on")]
    let now = std::time::SystemTime::now();
    portcullis::time::Time::default()
        + now
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default()
}

/// The present moment, monotonic.
#[expect(
    clippy::disallowed_methods,
    reason = "a bench measures time; no decision depends on it"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}
