//! What was measured, and the arithmetic that the tables share.

pub(crate) mod credentials;
pub(crate) mod quota;
pub(crate) mod whole;

use std::ops::Sub;
use std::time::Duration;

use crate::contestant::Contestant;
use crate::tables::{ALONE, PUBLIC};

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

    /// Whether it is Envoy without Portcullis.
    fn is_native(&self) -> bool {
        self.contestant.beside.is_none() && self.contestant.name != PUBLIC
    }

    /// A quantile of each open round's latencies, in microseconds.
    fn latencies(&self, share: f64) -> Vec<f64> {
        let quantile = |round: &Vec<Duration>| {
            let mut sorted: Vec<f64> = round.iter().map(|l| l.as_secs_f64() * 1e6).collect();
            sorted.sort_by(f64::total_cmp);
            quantile(&sorted, share)
        };
        self.latencies.iter().filter_map(quantile).collect()
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

/// What a row costs over another in CPU time, round by round.
fn added(rows: &[Row], row: &Row, over: &str) -> Vec<f64> {
    Row::named(rows, over).map_or_else(Vec::new, |base| by_round(&row.cpu, &base.cpu, f64::sub))
}

/// What the row of this name costs over Envoy alone.
fn adds(rows: &[Row], name: &str) -> Option<f64> {
    median(&added(rows, Row::named(rows, name)?, ALONE))
}

/// A cost as a multiple of what the native filter adds, unless that is next to nothing.
fn times(own: Option<f64>, native: Option<f64>) -> Option<f64> {
    let native = native.filter(|native| *native >= LEAST);
    own.zip(native).map(|(own, native)| own / native)
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
        (Some(least), Some(greatest)) => {
            let to = if least < 0.0 { " to " } else { "-" };
            format!("{least:.decimals$}{to}{greatest:.decimals$}")
        }
        _ => NONE.into(),
    }
}

fn cell(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| NONE.into(), |value| format!("{value:.decimals$}"))
}

/// What a native filter must add, in microseconds, for a multiple of it to mean anything.
const LEAST: f64 = 5.0;

const NONE: &str = "-";
