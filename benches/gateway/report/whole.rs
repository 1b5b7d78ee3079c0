//! The main table: one line a configuration, every number from the same run.

use std::ops::Div;

use super::{Row, by_round, cell, median, spread};
use crate::tables::{ALONE, EMPTY};

/// Writes the table. A ratio is the median of the rounds' own ratios, each against
/// its neighbour of the same round; the spread is the least and the greatest of them.
/// `by CPU` is the same ratio of the CPU time a request costs, which other processes
/// disturb less. A latency is the median of each round's own quantile: a stall of the
/// gateway's shows in every round, one of the machine's in few.
pub(crate) fn table(rows: &[Row], arrivals: f64) -> String {
    let (alone, empty) = (Row::named(rows, ALONE), Row::named(rows, EMPTY));
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
    let of = |values: &[f64], base: Option<&[f64]>| {
        base.map_or_else(Vec::new, |base| by_round(values, base, f64::div))
    };
    for row in rows {
        let of_alone = of(&row.rates, alone.map(|base| &base.rates[..]));
        let of_empty = of(&row.rates, empty.map(|base| &base.rates[..]));
        let by_cpu = alone.map_or_else(Vec::new, |base| by_round(&base.cpu, &row.cpu, f64::div));
        out.push_str(&line([
            row.contestant.title,
            &cell(median(&row.rates), 0),
            &cell(median(&of_alone), 2),
            &spread(&of_alone, 2),
            &cell(median(&of_empty), 2),
            &cell(median(&row.cpu), 1),
            &cell(median(&by_cpu), 2),
            &cell(median(&row.latencies(0.5)), 0),
            &cell(median(&row.latencies(0.99)), 0),
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
