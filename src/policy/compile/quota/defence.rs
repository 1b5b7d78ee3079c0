//! Limits that tighten by themselves.

use super::nanos;
use crate::policy::problem::Problems;
use crate::policy::source;
use crate::quota::adaptive::Adaptive;
use crate::quota::share::Share;
use crate::quota::suspicion::Suspicion;

pub(super) fn adaptive(
    written: &source::Limit,
    path: &str,
    problems: &mut Problems,
) -> Option<Adaptive> {
    let adaptive = written.adaptive.as_ref()?;
    let path = format!("{path}.adaptive");
    if written.shared.is_some() {
        problems.add(
            &path,
            "cannot tighten what a rate limit service counts",
            "tighten a limit that is counted here beside it",
        );
    }
    let window_ns = nanos(adaptive.window, &format!("{path}.window"), problems);
    let recover_ns = nanos(adaptive.recover, &format!("{path}.recover"), problems);
    if recover_ns < window_ns {
        problems.add(
            format!("{path}.recover"),
            "is shorter than a window",
            "it recovers by a step in each window",
        );
    }
    Some(Adaptive {
        bad_thousandths: thousandths(adaptive.bad),
        slower_than_ns: adaptive
            .slower_than
            .map(|span| nanos(span, &format!("{path}.slower_than"), problems)),
        window_ns,
        at_least: adaptive.at_least.into(),
        floor: Share::thousandths(thousandths(adaptive.floor)),
        recover_ns,
    })
}

pub(super) fn suspicion(written: &source::Quotas, problems: &mut Problems) -> Option<Suspicion> {
    let written = written.suspicion.as_ref()?;
    Some(Suspicion {
        after: written.after.into(),
        per_ns: nanos(written.per, "policy.quotas.suspicion.per", problems),
        floor: Share::thousandths(thousandths(written.floor)),
        anomaly: written.anomaly,
    })
}

/// Of a share from 0 to 1.
fn thousandths(share: f32) -> u64 {
    // The cast saturates, and what is no number becomes 0.
    (f64::from(share) * 1_000.0).round() as u64
}
