//! An isolation forest: how few random questions set a row apart from the rest.
//!
//! It is mechanism and knows nothing of requests: rows of numbers in, a score
//! between 0 and 1 out, and on demand which feature did how much. It was chosen
//! over a learned distance or a neural network because it takes a few
//! microseconds, fits in tens of kilobytes, needs no attacks to learn from, and
//! every score can be taken apart.

mod grow;
mod random;
mod tree;

pub use grow::{Growth, SAMPLE_LIMIT, TREE_LIMIT};
pub use random::Random;
pub use tree::{NODE_BYTES, NODE_LIMIT, Tree, TreeError};

/// What growing has to know of a feature.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Axis {
    /// The least width its range is taken to have, in the feature's unit: how
    /// big a step is worth noticing when training saw no variation at all.
    pub floor: f32,
    /// Whether only larger values than usual are odd.
    pub grows_only: bool,
}

impl Axis {
    /// A feature that is odd when it is unusually small or large.
    #[must_use]
    pub const fn both_ways(floor: f32) -> Self {
        Self {
            floor,
            grows_only: false,
        }
    }

    /// A feature that is odd only when it is unusually large.
    #[must_use]
    pub const fn grows_only(floor: f32) -> Self {
        Self {
            floor,
            grows_only: true,
        }
    }
}

/// Trees over the same features, grown on samples of the same size.
#[derive(Debug, Clone, PartialEq)]
pub struct Forest {
    features: usize,
    sample: usize,
    trees: Vec<Tree>,
}

impl Forest {
    /// A forest of trees that were proven over `features` features and grown on
    /// `sample` rows each.
    #[must_use]
    pub fn new(features: usize, sample: usize, trees: Vec<Tree>) -> Self {
        Self {
            features,
            sample,
            trees,
        }
    }

    /// How odd a row is, from 0 to 1: `2^-(mean path / average path)`, where the
    /// average path is that of a search tree over the sample (Liu, Ting and Zhou
    /// 2008, §2). Half is neither odd nor usual.
    #[must_use]
    pub fn score(&self, row: &[f32]) -> f32 {
        let path: f32 = self.trees.iter().map(|tree| tree.depth(row)).sum();
        let average = average_path(self.sample).max(1.0) as f32;
        (-(path / self.count()) / average).exp2().clamp(0.0, 1.0)
    }

    /// How much each feature shortened the row's mean path against what was
    /// expected, in steps: positive shares made the row odd, negative ones made
    /// it usual. They sum to [`Self::expected_depth`] minus [`Self::depth`].
    #[must_use]
    pub fn explain(&self, row: &[f32]) -> Vec<f32> {
        let mut shares = vec![0.0; self.features];
        for tree in &self.trees {
            tree.attribute(row, &mut shares);
        }
        for share in &mut shares {
            *share /= self.count();
        }
        shares
    }

    /// The row's mean path, in steps.
    #[must_use]
    pub fn depth(&self, row: &[f32]) -> f32 {
        self.trees.iter().map(|tree| tree.depth(row)).sum::<f32>() / self.count()
    }

    /// The mean path of the training rows, in steps.
    #[must_use]
    pub fn expected_depth(&self) -> f32 {
        self.trees.iter().map(Tree::expected_depth).sum::<f32>() / self.count()
    }

    /// The trees, for writing them to a file.
    #[must_use]
    pub fn trees(&self) -> &[Tree] {
        &self.trees
    }

    /// How many rows each tree saw.
    #[must_use]
    pub fn sample(&self) -> usize {
        self.sample
    }

    /// The number of trees as a divisor.
    fn count(&self) -> f32 {
        self.trees.len().max(1) as f32
    }
}

/// The mean length of an unsuccessful search in a binary search tree of `rows`
/// keys: what a leaf with that many rows still would have cost.
fn average_path(rows: usize) -> f64 {
    if rows < 2 {
        return 0.0;
    }
    let n = rows as f64;
    let harmonic: f64 = if rows < 50 {
        (1..rows).map(|k| 1.0 / k as f64).sum()
    } else {
        (n - 1.0).ln() + EULER_GAMMA + 0.5 / (n - 1.0)
    };
    2.0 * harmonic - 2.0 * (n - 1.0) / n
}

const EULER_GAMMA: f64 = 0.577_215_664_901_532_9;

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(not(target_family = "wasm"))]
    use proptest::prelude::*;

    #[test]
    fn the_average_path_is_that_of_a_search_tree() {
        assert_eq!(average_path(0), 0.0);
        assert_eq!(average_path(1), 0.0);
        assert_eq!(average_path(2), 1.0);
        // The approximation takes over at 50 rows without a step.
        assert!((average_path(50) - average_path(49) - 0.0400).abs() < 0.001);
        assert!((average_path(256) - 10.244).abs() < 0.01);
    }

    #[test]
    fn an_empty_forest_judges_nothing() {
        let forest = Forest::new(2, 0, Vec::new());
        assert!((0.0..=1.0).contains(&forest.score(&[1.0, 2.0])));
        assert_eq!(forest.explain(&[1.0, 2.0]), [0.0, 0.0]);
    }

    #[cfg(not(target_family = "wasm"))]
    proptest! {
        #[test]
        fn bytes_never_panic_and_what_loads_ends(
            bytes in proptest::collection::vec(any::<u8>(), 0..400),
            row in proptest::array::uniform3(any::<f32>()),
        ) {
            if let Ok(tree) = Tree::parse(&bytes, 3) {
                prop_assert!(tree.depth(&row).is_finite());
            }
        }

        #[test]
        fn a_damaged_tree_is_refused_or_still_walks(
            seed in any::<u64>(),
            at in any::<prop::sample::Index>(),
            byte in any::<u8>(),
            row in proptest::array::uniform3(any::<f32>()),
        ) {
            let forest = sample_forest(seed);
            let mut bytes = forest.trees()[0].to_bytes();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Ok(tree) = Tree::parse(&bytes, 3) {
                prop_assert!(tree.depth(&row) >= 0.0);
                let mut shares = [0.0; 3];
                tree.attribute(&row, &mut shares);
            }
        }

        #[test]
        fn a_score_is_between_0_and_1_and_its_explanation_adds_up(
            seed in any::<u64>(),
            row in proptest::array::uniform3(any::<f32>()),
        ) {
            let forest = sample_forest(seed);
            prop_assert!((0.0..=1.0).contains(&forest.score(&row)));
            let sum: f32 = forest.explain(&row).iter().sum();
            let drop = forest.expected_depth() - forest.depth(&row);
            prop_assert!((sum - drop).abs() < 1e-3, "{sum} {drop}");
        }
    }

    #[cfg(not(target_family = "wasm"))]
    fn sample_forest(seed: u64) -> Forest {
        let mut random = Random::new(seed);
        let rows: Vec<[f32; 3]> = (0..64)
            .map(|_| [random.unit() as f32, random.unit() as f32 * 9.0, 0.0])
            .collect();
        let axes = [
            Axis::both_ways(0.1),
            Axis::both_ways(0.1),
            Axis::grows_only(1.0),
        ];
        let growth = Growth {
            trees: 5,
            sample: 32,
            seed,
            ..Growth::default()
        };
        Forest::grow(&rows, &axes, &growth)
    }
}
