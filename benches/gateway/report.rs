//! What was measured, and the arithmetic that the tables share.

pub(crate) mod credentials;
pub(crate) mod whole;

use std::time::Duration;

use crate::contestant::Contestant;

/// What was measured of one configuration.
pub(crate) struct Row {
    /// Which configuration.
    pub(crate) contestant: &'static Contestant,
    /// Requests a second, one a closed round.
    pub(crate) rates: Vec<f64>,
    /// Microseconds of Envoy's CPU time a request, one a closed round.
    pub(crate) cpu: Vec<f64>,
    /// The latencies of each open round.
    pub(crate) latencies: Vec<Vec<Duration>>,
    /// MiB resident after the last round; none where there is no Envoy.
    pub(crate) rss: Option<f64>,
}

impl Row {
    /// A row with nothing measured yet.
    pub(crate) fn new(contestant: &'static Contestant) -> Self {
        Self {
            contestant,
            rates: Vec::new(),
            cpu: Vec::new(),
            latencies: Vec::new(),
            rss: None,
        }
    }

    /// The row of this name.
    pub(crate) fn named<'a>(rows: &'a [Row], name: &str) -> Option<&'a Row> {
        rows.iter().find(|row| row.contestant.name == name)
    }
}

/// The middle value; none of none.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    quantile(&sorted, 0.5)
}

/// The value below which a share of `sorted` lies, by linear interpolation.
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let place = share * (sorted.len().checked_sub(1)?) as f64;
    let low = sorted.get(place.floor() as usize)?;
    let high = sorted.get(place.ceil() as usize)?;
    Some(low + (high - low) * place.fract())
}

/// What `with` makes of the values of each round, so that noise that lasts longer than a
/// round cancels.
fn by_round(values: &[f64], base: &[f64], with: fn(f64, f64) -> f64) -> Vec<f64> {
    let pairs = values.iter().zip(base);
    pairs.map(|(value, base)| with(*value, *base)).collect()
}

/// The least and the greatest.
fn spread(values: &[f64], decimals: usize) -> String {
    let least = values.iter().copied().min_by(f64::total_cmp);
    let greatest = values.iter().copied().max_by(f64::total_cmp);
    match (least, greatest) {
        (Some(least), Some(greatest)) => format!("{least:.decimals$}-{greatest:.decimals$}"),
        _ => NONE.into(),
    }
}

fn cell(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| NONE.into(), |value| format!("{value:.decimals$}"))
}

const NONE: &str = "-";
