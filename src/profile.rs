//! What is usual, learnt for each operation and each of its parameters.
//!
//! A forest on raw request shapes misses half of the attacks, because what is
//! usual for a search box is odd for an order number. The profile knows each
//! parameter by itself (Kruegel and Vigna, "Anomaly detection of web-based
//! attacks", CCS 2003) and turns an [`Observation`] into a few numbers that mean
//! the same for all of them: how far from usual.

mod describe;
mod features;
mod file;
mod learn;
mod markov;
mod observation;
mod shape;

use std::collections::BTreeMap;

pub use features::{Cause, FEATURES, Feature, FeatureSpec, Features};
pub use file::ProfileFile;
pub use markov::{COSTS_PER_NAT, Chain, ChainCounts, Surprise};
pub use observation::{Observation, ObservedParameter, PARAMETER_LIMIT};
pub use shape::{CLASSES, Class, ClassSet, SHAPE_LIMIT, Shape};

/// What is usual for an API.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Profile {
    rows: u32,
    operations: BTreeMap<String, OperationProfile>,
}

/// What is usual for one operation.
#[derive(Debug, Clone, Default, PartialEq)]
struct OperationProfile {
    /// In how many rows it was called.
    count: u32,
    /// Whether that is enough to know it.
    known: bool,
    /// By name. A parameter that too few rows carried is not here.
    parameters: BTreeMap<String, ParameterProfile>,
}

/// What is usual for one parameter of one operation.
#[derive(Debug, Clone, PartialEq)]
struct ParameterProfile {
    /// In how many of the operation's rows it was present.
    present: u32,
    /// How often it came at most in one request.
    repeats: u32,
    /// Whether values outside the schema's enumeration are usual.
    unlisted: bool,
    length: Usual,
    /// The greatest usual length, in bytes.
    longest: u32,
    chain: Chain,
    /// The mean surprise of its values, in nats a step.
    surprise: Usual,
}

/// Mean and standard deviation.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Usual {
    mean: f32,
    deviation: f32,
}

impl Profile {
    /// How far from usual a request is, in every respect.
    #[must_use]
    pub fn features(&self, observation: &Observation) -> Features {
        let mut features = Features::default();
        let operation = self.operations.get(&observation.operation);
        let count = operation.map_or(0, |known| known.count);
        let rarity = (f64::from(self.rows) + 1.0) / (f64::from(count) + 1.0);
        features.raise(Feature::OperationRarity, rarity.ln() as f32, Cause::Request);
        features.raise(
            Feature::UndeclaredParameters,
            observation.undeclared as f32,
            Cause::Request,
        );
        match operation {
            Some(operation) if operation.known => operation.compare(observation, &mut features),
            // Of an operation that nobody knows, nothing else can be unusual.
            _ => features.raise(Feature::OperationUnseen, 1.0, Cause::Request),
        }
        features
    }

    /// How many requests it was learnt from.
    #[must_use]
    pub fn rows(&self) -> u32 {
        self.rows
    }

    /// How many operations it knows.
    #[must_use]
    pub fn operations(&self) -> usize {
        self.operations.values().filter(|o| o.known).count()
    }
}

impl OperationProfile {
    fn compare(&self, observation: &Observation, features: &mut Features) {
        features.add(
            Feature::UnknownParameters,
            observation.unrecorded as f32,
            Cause::Request,
        );
        for (place, observed) in observation.parameters.iter().enumerate() {
            let cause = Cause::Present(place);
            match self.parameters.get(&observed.name) {
                Some(usual) => usual.compare(observed, cause, features),
                None => features.add(Feature::UnknownParameters, 1.0, cause),
            }
        }
        for (place, (name, usual)) in self.parameters.iter().enumerate() {
            if !observation.parameters.iter().any(|p| p.name == *name) {
                let absent = f64::from(self.count.saturating_sub(usual.present)) + 1.0;
                let surprise = ((f64::from(self.count) + 2.0) / absent).ln();
                features.raise(
                    Feature::MissingParameter,
                    surprise as f32,
                    Cause::Absent(place),
                );
            }
        }
    }
}

impl ParameterProfile {
    fn compare(&self, observed: &ObservedParameter, cause: Cause, features: &mut Features) {
        let repeats = observed.repeats.saturating_sub(self.repeats);
        features.raise(Feature::RepeatedParameter, repeats as f32, cause);
        if observed.listed == Some(false) && !self.unlisted {
            features.add(Feature::OutsideEnumeration, 1.0, cause);
        }

        let length = observed.length as f32;
        let z = self.length.z(length, LENGTH_DEVIATION_FLOOR);
        features.raise(Feature::LengthDeviation, (z * z).ln_1p(), cause);
        if observed.length > self.longest {
            let excess = (length + 1.0) / (self.longest as f32 + 1.0);
            features.raise(Feature::LengthExcess, excess.ln(), cause);
        }

        let surprise = self.chain.surprise(&observed.shape, observed.is_whole());
        let rest: ClassSet = observed.rest.classes().collect();
        let unknown_rest = rest.without(self.chain.alphabet()).len();
        let shown: ClassSet = observed.shape.classes().collect();
        let unknown = shown.union(rest).without(self.chain.alphabet()).len();
        features.add(Feature::UnknownClasses, unknown as f32, cause);
        let bytes = surprise.unknown_bytes + unknown_rest;
        features.raise(Feature::UnknownClassBytes, (bytes as f32).ln_1p(), cause);
        let z = self.surprise.z(surprise.mean, SURPRISE_DEVIATION_FLOOR);
        features.raise(Feature::OrderDeviation, z, cause);
        features.raise(Feature::OrderSurprise, surprise.mean, cause);
        features.raise(Feature::UnknownOrders, surprise.unknown_steps as f32, cause);
    }
}

impl Usual {
    /// How many standard deviations a value is from the mean, where `floor` is
    /// the least deviation that is believed.
    fn z(self, value: f32, floor: f32) -> f32 {
        (value - self.mean) / self.deviation.max(floor)
    }
}

/// Lengths that differ by less than this many bytes do not differ.
const LENGTH_DEVIATION_FLOOR: f32 = 0.1;

/// Mean surprises that differ by less than this many nats do not differ.
const SURPRISE_DEVIATION_FLOOR: f32 = 0.1;

#[cfg(test)]
mod tests;
