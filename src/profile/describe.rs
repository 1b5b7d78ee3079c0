//! Saying in a sentence what a feature found.
//!
//! A score alone helps nobody: whoever reads the audit log wants to know which
//! parameter was how unlike what was seen. The sentences hold names from the API
//! document, numbers and kinds of characters, and never a client's value.

use super::features::{Cause, Feature, Features};
use super::{ClassSet, Observation, ObservedParameter, ParameterProfile, Profile};

impl Profile {
    /// What a feature of this request found, as one sentence without full stop;
    /// `None` if it found nothing that is worth a sentence.
    #[must_use]
    pub fn describe(
        &self,
        observation: &Observation,
        features: &Features,
        feature: Feature,
    ) -> Option<String> {
        let value = features.value(feature);
        if value <= 0.0 {
            return None;
        }
        let operation = self.operations.get(&observation.operation);
        let called = operation.map_or(0, |known| known.count);
        let subject = &observation.operation;
        match (feature, features.cause(feature)) {
            (Feature::OperationRarity, _) => Some(format!(
                "`{subject}` was called in {called} of {} requests in training",
                self.rows
            )),
            (Feature::OperationUnseen, _) => Some(format!(
                "calls of `{subject}` in training: {called}, too few to know it"
            )),
            (Feature::UndeclaredParameters, _) => {
                Some(format!("undeclared parameters: {}", observation.undeclared))
            }
            (Feature::UnknownParameters, Cause::Present(place)) => {
                let name = &observation.parameters.get(place)?.name;
                Some(format!("`{name}` was not usual in training"))
            }
            (Feature::UnknownParameters, _) => Some(format!(
                "{} more parameters than are recorded",
                observation.unrecorded
            )),
            (Feature::MissingParameter, Cause::Absent(place)) => {
                let operation = operation?;
                let (name, usual) = operation.parameters.iter().nth(place)?;
                Some(format!(
                    "`{name}` is missing; {} of {called} requests had it",
                    usual.present
                ))
            }
            (_, Cause::Present(place)) => {
                let observed = observation.parameters.get(place)?;
                let usual = operation?.parameters.get(&observed.name)?;
                usual.describe(observed, feature)
            }
            _ => None,
        }
    }
}

impl ParameterProfile {
    fn describe(&self, observed: &ObservedParameter, feature: Feature) -> Option<String> {
        let name = &observed.name;
        match feature {
            Feature::RepeatedParameter => Some(format!(
                "`{name}` came {}; at most {} was usual",
                times(observed.repeats),
                times(self.repeats)
            )),
            Feature::LengthExcess => Some(format!(
                "`{name}` is {} long; at most {} was usual",
                observed.length, self.longest
            )),
            Feature::LengthDeviation => Some(format!(
                "`{name}` is {} long; {:.1} ± {:.1} was usual",
                observed.length, self.length.mean, self.length.deviation
            )),
            Feature::UnknownClasses | Feature::UnknownClassBytes => {
                let shown: ClassSet = observed.shape.classes().collect();
                let all = shown.union(observed.rest.classes().collect());
                let unknown = all.without(self.chain.alphabet());
                let names: Vec<String> = unknown.iter().map(|class| class.name()).collect();
                Some(format!(
                    "`{name}` holds {}, which it usually does not",
                    names.join(", ")
                ))
            }
            Feature::OrderDeviation | Feature::OrderSurprise => {
                let surprise = self.chain.surprise(&observed.shape, observed.is_whole());
                Some(format!(
                    "the characters of `{name}` follow each other unusually: {:.1} nats a step; \
                     {:.1} ± {:.1} was usual",
                    surprise.mean, self.surprise.mean, self.surprise.deviation
                ))
            }
            Feature::UnknownOrders => {
                let surprise = self.chain.surprise(&observed.shape, observed.is_whole());
                Some(format!(
                    "kinds of characters follow each other in `{name}` that usually do not ({})",
                    times(surprise.unknown_steps)
                ))
            }
            Feature::OutsideEnumeration => Some(format!(
                "`{name}` has a value that its schema does not list"
            )),
            _ => None,
        }
    }
}

fn times(count: u32) -> String {
    match count {
        1 => "once".to_owned(),
        _ => format!("{count} times"),
    }
}
