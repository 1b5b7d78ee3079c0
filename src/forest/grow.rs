//! Growing an isolation forest whose trees also look past what they saw.
//!
//! The usual isolation forest (Liu, Ting and Zhou, ICDM 2008) draws a threshold
//! inside the range of its sample and passes over constant features. Trained on
//! normal traffic alone it is therefore blind to a flag that was always 0 and to
//! values beyond the range, which is where attacks are. Here the range is padded
//! on both sides, or on one where only growth is odd, by a share of its width,
//! and the width has a floor, so a constant feature is split too. The far side of
//! such a split is an empty leaf: whoever falls there is isolated at once.

use super::random::Random;
use super::tree::{Node, Tree};
use super::{Axis, Forest, average_path};

/// How a forest is grown.
#[derive(Debug, Clone, PartialEq)]
pub struct Growth {
    /// How many trees: 1 to [`TREE_LIMIT`]; others are brought inside.
    pub trees: usize,
    /// How many rows each tree sees: 2 to [`SAMPLE_LIMIT`], at most all rows.
    pub sample: usize,
    /// By what share of its width a range is padded; 0 gives the usual forest.
    pub padding: f32,
    /// Decides every random choice.
    pub seed: u64,
}

impl Default for Growth {
    fn default() -> Self {
        Self {
            trees: 100,
            sample: 256,
            padding: 0.5,
            seed: 0,
        }
    }
}

impl Forest {
    /// Grows a forest on rows with one value for each axis; a value that a row
    /// lacks counts as 0. Without rows the forest is empty and finds nothing odd.
    #[must_use]
    pub fn grow<R: AsRef<[f32]>>(rows: &[R], axes: &[Axis], growth: &Growth) -> Self {
        let sample = growth.sample.clamp(2, SAMPLE_LIMIT).min(rows.len());
        let grower = Grower {
            rows,
            axes,
            padding: growth.padding,
            depth_limit: sample.max(1).next_power_of_two().trailing_zeros(),
        };
        let mut random = Random::new(growth.seed);
        let mut order: Vec<usize> = (0..rows.len()).collect();
        let trees = (0..growth.trees.clamp(1, TREE_LIMIT))
            .filter_map(|_| {
                random.shuffle(&mut order, sample);
                let mut nodes = Vec::new();
                grower.grow(&mut nodes, order.get_mut(..sample)?, 0, &mut random);
                Tree::new(nodes, axes.len()).ok()
            })
            .collect();
        Self::new(axes.len(), sample, trees)
    }
}

struct Grower<'a, R> {
    rows: &'a [R],
    axes: &'a [Axis],
    padding: f32,
    depth_limit: u32,
}

impl<R: AsRef<[f32]>> Grower<'_, R> {
    /// Adds the subtree of the rows in `members`, in preorder.
    fn grow(&self, nodes: &mut Vec<Node>, members: &mut [usize], depth: u32, random: &mut Random) {
        let split = if depth < self.depth_limit && members.len() > 1 {
            self.split(members, random)
        } else {
            None
        };
        let Some((feature, threshold)) = split else {
            let path = f64::from(depth) + average_path(members.len());
            // A sample is at most SAMPLE_LIMIT rows, so the count fits.
            let rows = u16::try_from(members.len()).unwrap_or(u16::MAX);
            nodes.push(Node::leaf(path as f32, rows));
            return;
        };
        let at = nodes.len();
        let mut node = Node {
            value: threshold,
            feature: u16::try_from(feature).unwrap_or(0),
            right: 0,
        };
        nodes.push(node);
        let middle = partition(members, |row| self.value(row, feature) < threshold);
        let (left, right) = members.split_at_mut(middle);
        self.grow(nodes, left, depth + 1, random);
        node.right = u16::try_from(nodes.len() - at).unwrap_or(0);
        if let Some(slot) = nodes.get_mut(at) {
            *slot = node;
        }
        self.grow(nodes, right, depth + 1, random);
    }

    /// A random feature with a random threshold in its padded range; `None` when
    /// no feature has any width.
    fn split(&self, members: &[usize], random: &mut Random) -> Option<(usize, f32)> {
        let mut order: Vec<usize> = (0..self.axes.len()).collect();
        for at in 0..order.len() {
            let other = at + random.below(order.len() - at);
            order.swap(at, other);
            let feature = *order.get(at)?;
            let axis = self.axes.get(feature)?;
            let (low, high) = self.range(members, feature);
            let width = (high - low).max(axis.floor);
            let pad = self.padding * width;
            let from = if axis.grows_only { low } else { low - pad };
            let to = high + pad;
            let drawn = f64::from(from) + random.unit() * (f64::from(to) - f64::from(from));
            let threshold = drawn as f32;
            if to > from && threshold.is_finite() {
                // At the very start of the range nothing is left of it: the
                // lowest row goes left by one step.
                return Some((feature, threshold.max(from.next_up())));
            }
        }
        None
    }

    fn range(&self, members: &[usize], feature: usize) -> (f32, f32) {
        let values = members.iter().map(|row| self.value(row, feature));
        values.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        })
    }

    fn value(&self, row: &usize, feature: usize) -> f32 {
        let row = self.rows.get(*row).map(AsRef::as_ref);
        row.and_then(|row| row.get(feature)).copied().unwrap_or(0.0)
    }
}

/// Brings those that satisfy the test to the front and says how many they are.
fn partition(members: &mut [usize], test: impl Fn(&usize) -> bool) -> usize {
    let mut front = 0;
    for at in 0..members.len() {
        if members.get(at).is_some_and(&test) {
            members.swap(front, at);
            front += 1;
        }
    }
    front
}

/// The most trees of a forest: more only cost time at every request.
pub const TREE_LIMIT: usize = 1000;

/// The most rows of one tree: a tree of twice as many nodes still fits its
/// offsets.
pub const SAMPLE_LIMIT: usize = 8192;

#[cfg(test)]
mod tests {
    use super::*;

    fn cloud(rows: usize) -> Vec<[f32; 3]> {
        let mut random = Random::new(11);
        let mut unit = || random.unit() as f32;
        (0..rows).map(|_| [unit(), unit() * 10.0, 0.0]).collect()
    }

    const AXES: [Axis; 3] = [
        Axis::both_ways(0.1),
        Axis::both_ways(0.1),
        Axis::grows_only(1.0),
    ];

    #[test]
    fn a_seed_decides_the_forest() {
        let rows = cloud(500);
        let grow = |seed| {
            Forest::grow(
                &rows,
                &AXES,
                &Growth {
                    seed,
                    ..Growth::default()
                },
            )
        };
        assert_eq!(grow(1), grow(1));
        assert_ne!(grow(1), grow(2));
    }

    #[test]
    fn each_tree_sees_rows_from_everywhere() {
        let rows: Vec<[f32; 3]> = (0..2_000).map(|n| [n as f32, 0.0, 0.0]).collect();
        let forest = Forest::grow(&rows, &AXES, &Growth::default());
        let (early, late) = (
            forest.score(&[100.0, 0.0, 0.0]),
            forest.score(&[1_500.0, 0.0, 0.0]),
        );
        assert!((early - late).abs() < 0.05, "{early} {late}");
    }

    #[test]
    fn what_was_always_zero_is_odd_when_it_is_not() {
        let rows = cloud(500);
        let padded = Forest::grow(&rows, &AXES, &Growth::default());
        let normal = padded.score(&[0.5, 5.0, 0.0]);
        let flagged = padded.score(&[0.5, 5.0, 1.0]);
        assert!(flagged > normal + 0.1, "{flagged} against {normal}");
        let plain = Growth {
            padding: 0.0,
            ..Growth::default()
        };
        let plain = Forest::grow(&rows, &AXES, &plain);
        assert_eq!(plain.score(&[0.5, 5.0, 0.0]), plain.score(&[0.5, 5.0, 1.0]));
    }

    #[test]
    fn beyond_the_range_is_odder_than_at_its_edge() {
        let forest = Forest::grow(&cloud(500), &AXES, &Growth::default());
        let at = |x| forest.score(&[0.5, x, 0.0]);
        assert!(at(14.0) > at(10.0));
        assert!(at(-4.0) > at(0.0));
    }

    #[test]
    fn shrinking_is_not_odd_where_only_growth_is() {
        let forest = Forest::grow(&cloud(500), &AXES, &Growth::default());
        assert_eq!(
            forest.score(&[0.5, 5.0, -9.0]),
            forest.score(&[0.5, 5.0, 0.0])
        );
    }

    #[test]
    fn rows_that_are_all_alike_or_none_at_all_still_give_a_forest() {
        let alike = vec![[1.0_f32, 2.0, 0.0]; 50];
        let forest = Forest::grow(&alike, &AXES, &Growth::default());
        assert!(forest.score(&[9.0, 2.0, 0.0]) > forest.score(&[1.0, 2.0, 0.0]));
        let none: [[f32; 3]; 0] = [];
        let empty = Forest::grow(&none, &AXES, &Growth::default());
        assert!((0.0..=1.0).contains(&empty.score(&[1.0, 2.0, 0.0])));
    }
}
