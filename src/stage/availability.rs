//! Whether an operation may be called now, whoever asks.

use crate::denial::Denial;
use crate::policy::Policy;
use crate::policy::availability::{Availability, Window};
use crate::time::Time;
use crate::trail::{Stage, Trail};

/// Asks whether the operation is closed, being maintained, or outside its hours.
///
/// # Errors
/// [`Denial::OperationClosed`], [`Denial::UnderMaintenance`] or
/// [`Denial::OutsideHours`], if the stage enforces.
pub fn restrict(
    availability: &Availability,
    policy: &Policy,
    now: Time,
    trail: &mut Trail,
) -> Result<(), Denial> {
    let objection = if availability.closed {
        Some(Denial::OperationClosed)
    } else if let Some(over) = end(&availability.maintenance, now) {
        Some(Denial::UnderMaintenance {
            retry_after_seconds: seconds(now, over),
        })
    } else {
        match availability.hours.map(|place| policy.hours.get(place)) {
            None => None,
            Some(Some(hours)) if hours.opening.is_open(now) => {
                trail.pass(Stage::Availability, format!("within `{}`", hours.name));
                None
            }
            Some(_) => Some(Denial::OutsideHours),
        }
    };
    match objection {
        Some(denial) => trail.object(Stage::Availability, policy.stages.availability, denial),
        None => Ok(()),
    }
}

/// When the maintenance that is under way is over.
fn end(windows: &[Window], now: Time) -> Option<Time> {
    let under_way = windows.iter().filter(|window| window.contains(now));
    under_way.map(|window| window.to).max()
}

/// Whole seconds, and never too few.
fn seconds(now: Time, until: Time) -> u64 {
    let wait = until.since(now);
    wait.as_secs()
        .saturating_add(u64::from(wait.subsec_nanos() > 0))
}
