//! Training a model from observed requests, without any attack to learn from.
//!
//! A profile knows the rows it has learnt from too well: judged by it, they look
//! more usual than new requests ever will. Each row is therefore described by a
//! profile that has not seen it (cross-fitting), the forest grows on these
//! descriptions, and the threshold comes from scores by forests that have not
//! seen them either. The model itself then gets the profile and forest of all rows.

use std::fmt;

use super::{Model, Trained};
use crate::forest::{Forest, Growth, Random};
use crate::profile::{FEATURES, Feature, Observation, Profile};

/// How to train.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainOptions {
    /// Decides every random choice.
    pub seed: u64,
    /// How many trees the forest has.
    pub trees: usize,
    /// How many rows each tree sees.
    pub sample: usize,
    /// By what share of its width a split's range is padded.
    pub padding: f32,
    /// The share of normal requests that may be flagged: above 0, below 0.5.
    pub false_positive_rate: f64,
    /// Into how many parts the rows are divided for cross-fitting: 2 to 100.
    pub folds: usize,
}

impl Default for TrainOptions {
    fn default() -> Self {
        let growth = Growth::default();
        Self {
            seed: growth.seed,
            trees: growth.trees,
            sample: growth.sample,
            padding: growth.padding,
            false_positive_rate: DEFAULT_FALSE_POSITIVE_RATE,
            folds: 10,
        }
    }
}

/// Why there is no model.
#[derive(Debug, Clone, PartialEq)]
pub enum TrainError {
    /// Too few requests to know what is usual.
    TooFewRows {
        /// How many there were.
        rows: usize,
    },
    /// More requests than can be counted.
    TooManyRows {
        /// How many there were.
        rows: usize,
    },
    /// The false-positive rate is no share of normal requests.
    FalsePositiveRate(f64),
    /// The number of folds is not between 2 and 100.
    Folds(usize),
    /// The padding is not a finite number of at least 0.
    Padding(f32),
}

/// A step of training, for whoever wants to show progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Training {
    /// This fold of so many is being described by the others.
    Fold(usize, usize),
    /// The forest of all rows is being grown.
    Forest,
}

/// Trains a model.
///
/// # Errors
/// [`TrainError`] when the rows are too few or an option makes no sense.
pub fn train(
    observations: &[Observation],
    options: &TrainOptions,
    mut progress: impl FnMut(Training),
) -> Result<Model, TrainError> {
    let rows = options.check(observations)?;
    let folds = Folds::draw(observations.len(), options);

    let mut features = vec![[0.0; FEATURES]; observations.len()];
    for fold in 0..options.folds {
        progress(Training::Fold(fold, options.folds));
        let profile = Profile::learn(folds.others(observations, fold));
        for (observation, row) in folds.own(observations.iter().zip(&mut features), fold) {
            *row = *profile.features(observation).values();
        }
    }

    let mut scores = vec![0.0; observations.len()];
    for fold in 0..options.folds {
        let others: Vec<[f32; FEATURES]> = folds.others(&features, fold).copied().collect();
        let forest = options.grow(&others);
        for (row, score) in folds.own(features.iter().zip(&mut scores), fold) {
            *score = forest.score(row);
        }
    }

    progress(Training::Forest);
    let rate = options.false_positive_rate;
    let profile = Profile::learn(observations);
    let trained = Trained {
        rows,
        operations: u32::try_from(profile.operations()).unwrap_or(u32::MAX),
        seed: options.seed,
        folds: u32::try_from(options.folds).unwrap_or(u32::MAX),
        false_positive_rate: rate as f32,
        held_out_rate: folds.held_out_rate(&scores, options),
    };
    Ok(Model {
        trained,
        threshold: threshold(scores, rate),
        profile,
        forest: options.grow(&features),
    })
}

impl TrainOptions {
    fn check(&self, observations: &[Observation]) -> Result<u32, TrainError> {
        let rows = observations.len();
        if rows < LEAST_ROWS {
            return Err(TrainError::TooFewRows { rows });
        }
        let rate = self.false_positive_rate;
        if !(rate > 0.0 && rate < 0.5) {
            return Err(TrainError::FalsePositiveRate(rate));
        }
        if !(2..=100).contains(&self.folds) {
            return Err(TrainError::Folds(self.folds));
        }
        if !(self.padding.is_finite() && self.padding >= 0.0) {
            return Err(TrainError::Padding(self.padding));
        }
        u32::try_from(rows).map_err(|_| TrainError::TooManyRows { rows })
    }

    fn grow(&self, rows: &[[f32; FEATURES]]) -> Forest {
        let growth = Growth {
            trees: self.trees,
            sample: self.sample,
            padding: self.padding,
            seed: self.seed,
        };
        Forest::grow(rows, &Feature::axes(), &growth)
    }
}

/// Which fold each row is in. The rows are dealt at random: logs come in an
/// order, and a fold of one afternoon would know other operations than the rest.
struct Folds(Vec<usize>);

impl Folds {
    fn draw(rows: usize, options: &TrainOptions) -> Self {
        let mut folds: Vec<usize> = (0..rows).map(|row| row % options.folds).collect();
        Random::new(options.seed).shuffle(&mut folds, rows);
        Self(folds)
    }

    /// Those of the items that are in this fold.
    fn own<T>(&self, items: impl Iterator<Item = T>, fold: usize) -> impl Iterator<Item = T> {
        let places = self.0.iter();
        items
            .zip(places)
            .filter_map(move |(item, place)| (*place == fold).then_some(item))
    }

    /// Those of the items that are in the other folds.
    fn others<'a, T>(&'a self, items: &'a [T], fold: usize) -> impl Iterator<Item = &'a T> {
        let places = self.0.iter();
        items
            .iter()
            .zip(places)
            .filter_map(move |(item, place)| (*place != fold).then_some(item))
    }

    /// The share of rows that a threshold from the other folds would flag.
    fn held_out_rate(&self, scores: &[f32], options: &TrainOptions) -> f32 {
        let mut flagged = 0_usize;
        for fold in 0..options.folds {
            let others = self.others(scores, fold).copied().collect();
            let threshold = threshold(others, options.false_positive_rate);
            let own = self.own(scores.iter(), fold);
            flagged += own.filter(|score| **score > threshold).count();
        }
        flagged as f32 / scores.len().max(1) as f32
    }
}

/// The score that a new normal request exceeds with at most the wanted
/// probability: of `n` scores, the one that `rate * (n + 1)` reach, rounded down
/// (split conformal prediction; Papadopoulos et al., ECML 2002). With too few
/// scores for the rate it is the largest.
fn threshold(mut scores: Vec<f32>, rate: f64) -> f32 {
    scores.sort_unstable_by(|a, b| b.total_cmp(a));
    let reach = (rate * (scores.len() + 1) as f64) as usize;
    scores
        .get(reach.saturating_sub(1))
        .or(scores.last())
        .copied()
        .unwrap_or(1.0)
}

impl fmt::Display for TrainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooFewRows { rows } => write!(
                f,
                "{rows} requests are too few to know what is usual; at least {LEAST_ROWS} are \
                 needed, and some thousand are better"
            ),
            Self::TooManyRows { rows } => write!(
                f,
                "{rows} requests are more than can be counted; train on fewer"
            ),
            Self::FalsePositiveRate(rate) => write!(
                f,
                "a false-positive rate of {rate} makes no sense; give one above 0 and below 0.5"
            ),
            Self::Folds(folds) => write!(f, "{folds} folds make no sense; give 2 to 100"),
            Self::Padding(padding) => write!(
                f,
                "a padding of {padding} makes no sense; give a number of at least 0"
            ),
        }
    }
}

impl std::error::Error for TrainError {}

/// The fewest requests that a model is trained on: with fewer, a hundredth of
/// them is not even one, and no operation is known.
pub const LEAST_ROWS: usize = 100;

/// One normal request of a hundred. A few hundred requests, as somebody has who
/// tries this out, hold that quantile and not a rarer one; whoever denies instead
/// of observing has more and asks for less.
pub const DEFAULT_FALSE_POSITIVE_RATE: f64 = 0.01;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_threshold_is_a_quantile_that_keeps_its_promise() {
        let scores: Vec<f32> = (1..=999).map(|n| n as f32 / 1_000.0).collect();
        // One in a hundred of 1,000 is 10: nine of the 999 exceed it, and the next
        // request is the tenth with a probability of 1 %.
        assert_eq!(threshold(scores.clone(), 0.01), 0.990);
        assert_eq!(threshold(scores.clone(), 0.0001), 0.999);
        assert_eq!(threshold(scores, 0.1), 0.900);
        assert_eq!(threshold(Vec::new(), 0.1), 1.0);
    }

    #[test]
    fn folds_share_out_every_row_once() {
        let options = TrainOptions {
            folds: 7,
            ..TrainOptions::default()
        };
        let folds = Folds::draw(100, &options);
        let rows: Vec<usize> = (0..100).collect();
        let mut all: Vec<usize> = (0..7)
            .flat_map(|fold| {
                let own: Vec<usize> = folds.own(rows.iter().copied(), fold).collect();
                assert_eq!(own.len() + folds.others(&rows, fold).count(), 100);
                assert!((14..=15).contains(&own.len()));
                own
            })
            .collect();
        assert_ne!(all, rows);
        all.sort_unstable();
        assert_eq!(all, rows);
    }

    #[test]
    fn options_that_make_no_sense_are_refused() {
        let rows = vec![Observation::new("x"); 100];
        let with = |change: &dyn Fn(&mut TrainOptions)| {
            let mut options = TrainOptions::default();
            change(&mut options);
            train(&rows, &options, |_| {}).err()
        };
        assert_eq!(with(&|_| {}), None);
        assert_eq!(with(&|o| o.folds = 1), Some(TrainError::Folds(1)));
        assert_eq!(with(&|o| o.padding = -1.0), Some(TrainError::Padding(-1.0)));
        for rate in [0.0, 0.5, -0.1] {
            let error = with(&|o| o.false_positive_rate = rate);
            assert_eq!(error, Some(TrainError::FalsePositiveRate(rate)));
        }
        assert!(with(&|o| o.false_positive_rate = f64::NAN).is_some());
        let few = train(&rows[..99], &TrainOptions::default(), |_| {});
        assert_eq!(few, Err(TrainError::TooFewRows { rows: 99 }));
    }
}
