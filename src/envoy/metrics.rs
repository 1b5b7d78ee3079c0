//! Envoy's metrics: the ids of those that are known by now.
//!
//! Envoy finds a metric by its name under a lock and never forgets one. So each is
//! asked for once, and only such names are asked for as the policy bounds.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::time::Duration;

use proxy_wasm::types::MetricType;

use super::host;
use crate::metrics::{self, DECISION_TIME};
use crate::trail::Trail;

/// What one worker counts.
#[derive(Default)]
pub(super) struct Metrics {
    counters: RefCell<HashMap<String, Option<u32>>>,
    decision_time: Cell<Option<Option<u32>>>,
}

impl Metrics {
    /// Counts a finished exchange.
    pub(super) fn count(&self, trail: &Trail) {
        let mut counters = self.counters.borrow_mut();
        for name in metrics::counted(trail) {
            let id = match counters.get(&name) {
                Some(id) => *id,
                None => {
                    let id = host::define_metric(MetricType::Counter, &name);
                    *counters.entry(name).or_insert(id)
                }
            };
            if let Some(id) = id {
                host::increment_metric(id);
            }
        }
    }

    /// A decision took so long.
    pub(super) fn decided(&self, after: Duration) {
        let id = self.decision_time.get().unwrap_or_else(|| {
            let id = host::define_metric(MetricType::Histogram, DECISION_TIME);
            self.decision_time.set(Some(id));
            id
        });
        if let Some(id) = id {
            let microseconds = u64::try_from(after.as_micros()).unwrap_or(u64::MAX);
            host::record_metric(id, microseconds);
        }
    }
}
