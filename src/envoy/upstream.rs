//! How long the upstream takes, without what its client takes.
//!
//! Envoy's own `response.backend_latency` runs from the request's first byte to the
//! response's last, so a client that sends or reads slowly would pass for an upstream
//! that is slow, and could tighten limits for all.

use std::time::Duration;

use super::host;
use crate::time::Time;

/// What is known of it so far.
#[derive(Default)]
pub(super) struct Upstream {
    released_at: Option<Time>,
    whole_at: Option<Time>,
    took: Option<Duration>,
}

impl Upstream {
    /// The request may go to it.
    pub(super) fn released(&mut self, now: Time) {
        self.released_at = Some(now);
    }

    /// All of the request has come.
    pub(super) fn whole(&mut self) {
        self.whole_at = Some(host::now());
    }

    /// The response's head has come. What comes before the request's end is not slow.
    pub(super) fn answered(&mut self) {
        self.took = self.waited().or(Some(Duration::ZERO));
    }

    /// How long it took to the response's head, or has taken by now.
    pub(super) fn took(&self) -> Option<Duration> {
        self.took.or_else(|| self.waited())
    }

    fn waited(&self) -> Option<Duration> {
        let since = self.released_at?.max(self.whole_at?);
        Some(host::now().since(since))
    }
}
