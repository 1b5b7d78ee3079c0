//! Learning a profile from requests that are believed to be normal.
//!
//! Some of them will not be. What a profile holds to be usual must therefore
//! occur in at least one row of a hundred, and at least twice: a few attacks in
//! the training data then teach it nothing. The same rule gives the longest
//! usual length and the largest usual surprise: as many rows must reach it.

use std::collections::BTreeMap;

use super::markov::ChainCounts;
use super::{Observation, ObservedParameter, OperationProfile, ParameterProfile, Profile, Usual};

impl Profile {
    /// Learns what is usual.
    #[must_use]
    pub fn learn<'a>(observations: impl IntoIterator<Item = &'a Observation>) -> Self {
        let mut rows = 0_u32;
        let mut groups: BTreeMap<&str, Vec<&Observation>> = BTreeMap::new();
        for observation in observations {
            rows = rows.saturating_add(1);
            let group = groups.entry(&observation.operation).or_default();
            group.push(observation);
        }
        // Operations differ widely in traffic, so each is measured by an equal
        // share of the rows.
        let operations_seen = u32::try_from(groups.len()).unwrap_or(u32::MAX);
        let support = support(rows / operations_seen.max(1));
        let operations = groups
            .into_iter()
            .map(|(name, group)| (name.to_owned(), OperationProfile::learn(&group, support)))
            .collect();
        Self { rows, operations }
    }
}

impl OperationProfile {
    fn learn(group: &[&Observation], least: u32) -> Self {
        let count = u32::try_from(group.len()).unwrap_or(u32::MAX);
        let mut parameters: BTreeMap<&str, Vec<&ObservedParameter>> = BTreeMap::new();
        for observed in group.iter().flat_map(|observation| &observation.parameters) {
            parameters.entry(&observed.name).or_default().push(observed);
        }
        let parameters = parameters
            .into_iter()
            .filter(|(_, observed)| observed.len() as u64 >= u64::from(support(count)))
            .map(|(name, observed)| (name.to_owned(), ParameterProfile::learn(&observed)))
            .collect();
        Self {
            count,
            known: count >= least,
            parameters,
        }
    }
}

impl ParameterProfile {
    fn learn(group: &[&ObservedParameter]) -> Self {
        let present = u32::try_from(group.len()).unwrap_or(u32::MAX);
        let support = support(present);
        let mut counts = ChainCounts::default();
        for observed in group {
            let rest = observed.rest.classes().collect();
            counts.add(&observed.shape, observed.is_whole(), rest);
        }
        let chain = counts.chain(support);
        let surprises = group
            .iter()
            .map(|p| chain.surprise(&p.shape, p.is_whole()).mean);
        let (surprise, _) = usual(surprises.collect(), support);
        let (length, longest) = usual(group.iter().map(|p| p.length as f32).collect(), support);
        let (_, repeats) = usual(group.iter().map(|p| p.repeats as f32).collect(), support);
        let unlisted = group.iter().filter(|p| p.listed == Some(false)).count();
        Self {
            present,
            repeats: repeats as u32,
            unlisted: unlisted as u64 >= u64::from(support),
            length,
            longest: longest as u32,
            chain,
            surprise,
        }
    }
}

/// Mean and deviation of the values, and the largest that `support` of them
/// reach; larger ones count as that one.
fn usual(mut values: Vec<f32>, support: u32) -> (Usual, f32) {
    values.sort_unstable_by(|a, b| b.total_cmp(a));
    let at = (support as usize).min(values.len()).saturating_sub(1);
    let largest = values.get(at).copied().unwrap_or(0.0);
    let count = values.len().max(1) as f64;
    let clipped = values.iter().map(|value| f64::from(value.min(largest)));
    let mean = clipped.clone().sum::<f64>() / count;
    let variance = clipped.map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    let usual = Usual {
        mean: mean as f32,
        deviation: variance.sqrt() as f32,
    };
    (usual, largest)
}

/// In how many of `rows` rows something must occur to be usual.
fn support(rows: u32) -> u32 {
    rows.div_ceil(SUPPORT_DIVISOR).max(SUPPORT_LEAST)
}

/// One row of so many.
const SUPPORT_DIVISOR: u32 = 100;

/// Even in few rows, once is an accident.
const SUPPORT_LEAST: u32 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_long_value_in_a_hundred_moves_nothing() {
        let mut values = vec![8.0_f32; 199];
        values.push(5_000.0);
        let (length, longest) = usual(values, support(200));
        assert_eq!((length.mean, length.deviation, longest), (8.0, 0.0, 8.0));
    }

    #[test]
    fn support_is_one_in_a_hundred_and_never_one() {
        assert_eq!(support(0), 2);
        assert_eq!(support(150), 2);
        assert_eq!(support(1_001), 11);
    }

    #[test]
    fn mean_and_deviation_are_those_of_the_population() {
        let (length, longest) = usual(vec![2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0, 9.0], 2);
        assert!((length.mean - 49.0 / 9.0).abs() < 1e-5);
        assert!((length.deviation - 2.266).abs() < 1e-3);
        assert_eq!(longest, 9.0);
    }
}
