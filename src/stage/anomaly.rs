//! How odd the request is, compared with those the model learnt from.
//!
//! The observation goes into the audit record whether there is a model or not,
//! since the record is what the next model is trained from.

use crate::denial::Denial;
use crate::policy::api::Location;
use crate::policy::route::PathParameters;
use crate::policy::{Operation, Policy};
use crate::profile::Observation;
use crate::stage::hygiene::Screened;
use crate::trail::{Oddity, Stage, Trail};

/// Observes the request and, where there is a model, scores it.
///
/// # Errors
/// [`Denial::Anomalous`] when the score exceeds the threshold and the stage enforces.
pub fn judge(
    operation: &Operation,
    screened: &Screened,
    path: &PathParameters<'_>,
    policy: &Policy,
    trail: &mut Trail,
) -> Result<(), Denial> {
    let observation = observe(operation, screened, path);
    let verdict = match &policy.anomaly {
        None => Ok(()),
        Some(anomaly) => {
            let score = anomaly.model.judge(&observation).score;
            trail.score = Some(score);
            if score <= anomaly.threshold {
                trail.pass(Stage::Anomaly, "like those seen before");
                Ok(())
            } else {
                let reasons = anomaly.model.explain(&observation).into_iter();
                trail.oddities = reasons
                    .map(|reason| Oddity {
                        feature: reason.feature.into(),
                        share: reason.share,
                        detail: reason.detail,
                    })
                    .collect();
                trail.object(Stage::Anomaly, policy.stages.anomaly, Denial::Anomalous)
            }
        }
    };
    trail.observation = Some(observation);
    verdict
}

fn observe(operation: &Operation, screened: &Screened, path: &PathParameters<'_>) -> Observation {
    let mut observation = Observation::new(&operation.id);
    for (name, value) in path.iter() {
        observation =
            observation.declared(name, &value, operation.enumeration(Location::Path, name));
    }
    for (name, value) in screened.query() {
        let declared = std::str::from_utf8(&name)
            .ok()
            .filter(|name| operation.declares(Location::Query, name));
        observation = match declared {
            Some(name) => {
                observation.declared(name, &value, operation.enumeration(Location::Query, name))
            }
            None => observation.undeclared(),
        };
    }
    observation
}
