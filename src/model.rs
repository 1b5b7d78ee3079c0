//! A trained model: what is usual, how odd is too odd, and why it was odd.
//!
//! `portcullis train` makes it from audit records, `portcullis build` puts it into
//! the plugin's configuration, and the filter judges with it. The file carries a
//! version and a checksum and is proven sound before the first request; a model
//! that is damaged is refused as a whole.

mod file;
mod train;

pub use file::{FORMAT, Trained};
pub use train::{
    DEFAULT_FALSE_POSITIVE_RATE, LEAST_ROWS, TrainError, TrainOptions, Training, train,
};

use crate::forest::Forest;
use crate::profile::{Feature, Features, Observation, Profile};

/// What is usual, a forest that says how far a request is from it, and the score
/// from which on that is too far.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    trained: Trained,
    threshold: f32,
    profile: Profile,
    forest: Forest,
}

/// What a model thinks of one request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    /// How odd it is, from 0 to 1.
    pub score: f32,
    /// Whether that is beyond the model's own threshold.
    pub anomalous: bool,
}

/// One thing that made a request odd.
#[derive(Debug, Clone, PartialEq)]
pub struct Reason {
    /// The feature, by its name in the model file.
    pub feature: &'static str,
    /// Its share of all that made the request odd, above 0 and at most 1.
    pub share: f32,
    /// What it found, in a sentence that holds no value of the client.
    pub detail: String,
}

impl Model {
    /// Scores a request: what every request pays, a few microseconds.
    #[must_use]
    pub fn judge(&self, observation: &Observation) -> Verdict {
        let features = self.profile.features(observation);
        let score = self.forest.score(features.values());
        Verdict {
            score,
            anomalous: score > self.threshold,
        }
    }

    /// What made a request odd, the strongest first, at most [`REASON_LIMIT`].
    /// A request that is usual in every respect has no reasons.
    #[must_use]
    pub fn explain(&self, observation: &Observation) -> Vec<Reason> {
        let features = self.profile.features(observation);
        let shares = self.forest.explain(features.values());
        let mut found: Vec<(f32, Feature)> = Feature::ALL
            .iter()
            .zip(shares)
            .filter(|(_, share)| *share > 0.0)
            .map(|(spec, share)| (share, spec.feature))
            .collect();
        let total: f32 = found.iter().map(|(share, _)| share).sum();
        found.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        let mut reasons: Vec<Reason> = Vec::new();
        for (share, feature) in found {
            let Some(reason) = self.reason(observation, &features, feature, share / total) else {
                continue;
            };
            // Two features may have seen the same thing from two sides.
            match reasons.iter_mut().find(|r| r.detail == reason.detail) {
                Some(same) => same.share += reason.share,
                None => reasons.push(reason),
            }
        }
        reasons.retain(|reason| reason.share >= SHARE_LEAST);
        reasons.sort_by(|a, b| b.share.total_cmp(&a.share));
        reasons.truncate(REASON_LIMIT);
        reasons
    }

    /// The score above which a request is anomalous.
    #[must_use]
    pub fn threshold(&self) -> f32 {
        self.threshold
    }

    /// What it was trained on and how.
    #[must_use]
    pub fn trained(&self) -> &Trained {
        &self.trained
    }

    fn reason(
        &self,
        observation: &Observation,
        features: &Features,
        feature: Feature,
        share: f32,
    ) -> Option<Reason> {
        let detail = self.profile.describe(observation, features, feature)?;
        let spec = Feature::ALL.get(feature.index())?;
        Some(Reason {
            feature: spec.name,
            share,
            detail,
        })
    }
}

/// How many reasons an explanation gives: more than three nobody reads.
pub const REASON_LIMIT: usize = 3;

/// What did less than this made nothing odd.
const SHARE_LEAST: f32 = 0.05;

#[cfg(test)]
mod tests;
