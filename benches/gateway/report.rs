//! The table: one line a configuration, every number from the same run.

use std::time::Duration;

use crate::contestant::Contestant;

/// What was measured of one configuration.
pub(crate) struct Row {
    /// Which configuration.
    pub(crate) contestant: Contestant,
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
    pub(crate) fn new(contestant: Contestant) -> Self {
        Self {
            contestant,
            rates: Vec::new(),
            cpu: Vec::new(),
            latencies: Vec::new(),
            rss: None,
        }
    }
}

/// Writes the table. A ratio is the median of the rounds' own ratios, each against
/// its neighbour of the same round, so that noise that lasts longer than a round
/// cancels; the spread is the least and the greatest of them. `by CPU` is the same
/// ratio of the CPU time a request costs, which other processes disturb less.
pub(crate) fn table(rows: &[Row], arrivals: f64) -> String {
    let base = |wanted| rows.iter().find(|row| row.contestant == wanted);
    let (alone, empty) = (base(Contestant::Alone), base(Contestant::Empty));
    let mut out = line([
        "one worker, 1 kB answers",
        "req/s",
        "of alone",
        "(spread)",
        "of empty",
        "CPU us",
        "by CPU",
        &format!("at {arrivals:.0}/s: p50 us"),
        "p99 us",
        "RSS MiB",
    ]);
    for row in rows {
        let of_alone = alone.map_or_else(Vec::new, |base| ratios(&row.rates, &base.rates));
        let of_empty = empty.map_or_else(Vec::new, |base| ratios(&row.rates, &base.rates));
        let by_cpu = alone.map_or_else(Vec::new, |base| ratios(&base.cpu, &row.cpu));
        out.push_str(&line([
            row.contestant.title(),
            &cell(median(&row.rates), 0),
            &cell(median(&of_alone), 2),
            &spread(&of_alone),
            &cell(median(&of_empty), 2),
            &cell(median(&row.cpu), 1),
            &cell(median(&by_cpu), 2),
            &cell(latency(&row.latencies, 0.5), 0),
            &cell(latency(&row.latencies, 0.99), 0),
            &cell(row.rss, 0),
        ]));
    }
    out
}

fn line(cells: [&str; 10]) -> String {
    let [
        title,
        rate,
        of_alone,
        spread,
        of_empty,
        cpu,
        by_cpu,
        p50,
        p99,
        rss,
    ] = cells;
    format!(
        "{title:<26} {rate:>8} {of_alone:>9} {spread:>12} {of_empty:>9} {cpu:>8} {by_cpu:>7} {p50:>18} {p99:>8} {rss:>8}\n"
    )
}

/// The median over the rounds of each round's own quantile, in microseconds: a
/// stall of the gateway's shows in every round, one of the machine's in few.
fn latency(rounds: &[Vec<Duration>], share: f64) -> Option<f64> {
    let each: Vec<f64> = rounds
        .iter()
        .filter_map(|round| {
            let mut sorted: Vec<f64> = round.iter().map(|l| l.as_secs_f64() * 1e6).collect();
            sorted.sort_by(f64::total_cmp);
            quantile(&sorted, share)
        })
        .collect();
    median(&each)
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

fn ratios(rates: &[f64], base: &[f64]) -> Vec<f64> {
    rates
        .iter()
        .zip(base)
        .map(|(rate, base)| rate / base)
        .collect()
}

fn spread(ratios: &[f64]) -> String {
    let least = ratios.iter().copied().min_by(f64::total_cmp);
    let greatest = ratios.iter().copied().max_by(f64::total_cmp);
    match (least, greatest) {
        (Some(least), Some(greatest)) => format!("{least:.2}-{greatest:.2}"),
        _ => NONE.into(),
    }
}

fn cell(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| NONE.into(), |value| format!("{value:.decimals$}"))
}

const NONE: &str = "-";
