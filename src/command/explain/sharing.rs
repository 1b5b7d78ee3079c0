//! Limits that gateways share, in words.

use std::time::Duration;

use crate::policy::quota::{Service, Shared};
use crate::policy::source::{OnFailure, SharedMode};

/// What all gateways together allow.
pub(super) fn allowed(shared: &Shared) -> String {
    format!(
        "{} in each {:?}, of all gateways together",
        shared.quota,
        Duration::from_nanos(shared.window_ns)
    )
}

/// When the rate limit service is asked, and what happens without it.
pub(super) fn sentence(shared: &Shared, service: &Service) -> String {
    let cluster = &service.cluster;
    let asked = match shared.mode {
        SharedMode::Strict => format!("for each call, waiting {:?} at most", service.timeout),
        SharedMode::Leased(batch) => {
            format!("for {batch} in advance, which a gateway may leave unspent")
        }
    };
    let otherwise = match shared.on_failure {
        OnFailure::Closed => "a call is refused".into(),
        OnFailure::Open => "a call passes uncounted".into(),
        OnFailure::Local(gateways) => format!(
            "each of {gateways} gateways allows {}",
            (shared.quota / u64::from(gateways.max(1))).max(1)
        ),
    };
    format!("; `{cluster}` is asked {asked}; without its answer {otherwise}")
}

#[cfg(test)]
mod tests {
    use super::super::operation::sentences;
    use crate::policy::compile::tests::{compiled, sample};
    use serde_json::{Value, json};

    #[test]
    fn a_shared_limit_tells_its_mode_and_what_holds_without_the_service() {
        let said = |shared: Value| {
            let mut document = sample();
            let limit = json!({ "algorithm": "fixed_window", "requests": 100, "per": "1m", "shared": shared });
            document["policy"]["quotas"] = json!({
                "service": { "cluster": "rl", "timeout": "50ms" },
                "plans": { "slow": { "limits": { "minute": limit } } },
            });
            let policy = compiled(&document);
            let said = sentences(&policy.operations[0], &policy);
            said.into_iter().find(|one| one.starts_with("limit"))
        };
        let limit =
            "limit `slow/minute`: 100 in each 60s, of all gateways together, for each client";
        for (shared, words) in [
            (
                json!({}),
                "for each call, waiting 50ms at most; without its answer a call is refused",
            ),
            (
                json!({ "mode": { "leased": 10 }, "on_failure": "open" }),
                "for 10 in advance, which a gateway may leave unspent; without its answer a call passes uncounted",
            ),
            (
                json!({ "on_failure": { "local": 3 } }),
                "for each call, waiting 50ms at most; without its answer each of 3 gateways allows 33",
            ),
        ] {
            assert_eq!(
                said(shared),
                Some(format!("{limit}; `rl` is asked {words}"))
            );
        }
    }
}
