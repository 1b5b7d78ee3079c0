//! Limits that tighten by themselves.

use serde::{Deserialize, Serialize};

#[cfg(not(target_family = "wasm"))]
use schemars::JsonSchema;

use crate::policy::source::Span;

/// When a limit tightens for all, by how the upstream does.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Adaptive {
    /// The share of bad answers above which it tightens: statuses of 500 and more, and
    /// what is slower than `slower_than`.
    #[cfg_attr(not(target_family = "wasm"), schemars(range(min = 0.0, max = 1.0)))]
    pub bad: f32,
    /// How long the upstream may take to begin an answer. Default: slow answers count as good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slower_than: Option<Span>,
    /// How often it is judged.
    pub window: Span,
    /// Fewer answers than these in a window say nothing.
    #[cfg_attr(not(target_family = "wasm"), schemars(range(min = 1, max = 1_000_000)))]
    pub at_least: u32,
    /// The least share of the limit that is left. Each bad window halves it.
    #[cfg_attr(not(target_family = "wasm"), schemars(range(min = 0.001, max = 1.0)))]
    pub floor: f32,
    /// How long it takes from the floor to the whole while answers are good.
    pub recover: Span,
}

impl Default for Adaptive {
    fn default() -> Self {
        Adaptive {
            bad: 0.2,
            slower_than: None,
            window: Span::of_seconds(5),
            at_least: 20,
            floor: 0.1,
            recover: Span::of_seconds(60),
        }
    }
}

/// When limits tighten for a caller, by what it has done.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Suspicion {
    /// Odd requests and failures to log in that cost nothing. Beyond them each costs a
    /// part of the caller's limits, and twice as many all but the floor.
    #[cfg_attr(not(target_family = "wasm"), schemars(range(min = 1, max = 1_000_000)))]
    pub after: u32,
    /// The time in which as many are forgotten.
    pub per: Span,
    /// The least share of its limits that a caller keeps.
    #[cfg_attr(not(target_family = "wasm"), schemars(range(min = 0.001, max = 1.0)))]
    pub floor: f32,
    /// The anomaly score above which a request is odd. Default: `anomaly.threshold`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(not(target_family = "wasm"), schemars(range(min = 0.0, max = 1.0)))]
    pub anomaly: Option<f32>,
}

impl Default for Suspicion {
    fn default() -> Self {
        Suspicion {
            after: 5,
            per: Span::of_seconds(600),
            floor: 0.1,
            anomaly: None,
        }
    }
}
