//! Whoever waits for as long as it was told is not refused by the limit that told it.

use std::time::Duration;

use portcullis::quota::fields::seconds;
use portcullis::quota::{Algorithm, Bucket, State, Taken, Window};
use portcullis::time::Time;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_client_that_waits_as_told_is_not_refused(
        algorithm in algorithms(),
        asks in prop::collection::vec((0_u64..4_000_000_000, 1_u64..12), 1..40),
        start in 1_795_305_600_000_000_000_u64..1_795_305_700_000_000_000,
    ) {
        let mut state = State::default();
        let mut now = Time::from_nanos(start);
        for (pause, cost) in asks {
            now = now + Duration::from_nanos(pause);
            let standing = match algorithm.take(&state, cost, now) {
                Taken::Yes { state: next, standing } => {
                    state = next;
                    standing
                }
                Taken::No { standing, wait_ns, .. } => {
                    // `Retry-After`: what was asked for fits, if it ever does.
                    if let Some(wait) = wait_ns {
                        let later = now + Duration::from_secs(seconds(wait).max(1));
                        prop_assert!(passes(&algorithm, &state, cost, later), "{cost} after {wait} ns");
                        // It is never earlier than what `t` says.
                        prop_assert!(standing.next_ns.is_none_or(|next| next <= wait));
                    } else {
                        prop_assert!(cost > standing.quota);
                    }
                    standing
                }
            };
            // `r`: so much can be spent at once. `t`: then there is one more.
            prop_assert!(standing.left == 0 || passes(&algorithm, &state, standing.left, now));
            match standing.next_ns {
                Some(next) => {
                    let later = now + Duration::from_secs(seconds(next));
                    let more = standing.left + 1;
                    prop_assert!(passes(&algorithm, &state, more, later), "{more} after {next} ns");
                }
                None => prop_assert_eq!(standing.left, standing.quota),
            }
        }
    }
}

fn passes(algorithm: &Algorithm, state: &State, cost: u64, now: Time) -> bool {
    matches!(algorithm.take(state, cost, now), Taken::Yes { .. })
}

fn algorithms() -> impl Strategy<Value = Algorithm> {
    let bucket = (1_000_u64..3_000_000_000, 1_u64..12)
        .prop_map(|(interval_ns, burst)| Algorithm::TokenBucket(Bucket { interval_ns, burst }));
    let window = (1_000_u64..9_000_000_000, 1_u64..12)
        .prop_map(|(length_ns, quota)| Algorithm::SlidingWindow(Window { length_ns, quota }));
    prop_oneof![bucket, window]
}
