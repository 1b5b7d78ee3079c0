//! The table of quotas: what each limit adds to a request, in microseconds of Envoy's CPU
//! time and of latency, beside what Envoy's own filter adds for the same.

use std::ops::{Div, Sub};

use super::{Row, added, adds, by_round, cell, median, spread, times};
use crate::tables::{ALONE, PUBLIC};

/// Writes the table. A ratio or difference is the median of the rounds' own ones, each
/// against its neighbour of the same round; the spread is the least and the greatest of
/// them.
pub(crate) fn table(rows: &[Row], arrivals: f64) -> String {
    let alone = Row::named(rows, ALONE);
    let mut out = line([
        "one worker, 1 kB answers",
        "req/s",
        "of alone",
        "CPU us",
        "over alone",
        "(spread)",
        "over public",
        "native adds",
        "times",
        &format!("at {arrivals:.0}/s: p50 us"),
        "p99 us",
        "p99 added",
        "(spread)",
    ]);
    for row in rows {
        let over_alone = added(rows, row, ALONE);
        let over_public = match row.is_native() {
            true => None,
            false => median(&added(rows, row, PUBLIC)),
        };
        let of_alone = alone.map(|alone| by_round(&row.rates, &alone.rates, f64::div));
        let native = row.contestant.beside.and_then(|name| adds(rows, name));
        let latencies = row.latencies(LATE);
        let later = alone.map(|alone| by_round(&latencies, &alone.latencies(LATE), f64::sub));
        let later = later.unwrap_or_default();
        out.push_str(&line([
            row.contestant.title,
            &cell(median(&row.rates), 0),
            &cell(median(&of_alone.unwrap_or_default()), 2),
            &cell(median(&row.cpu), 1),
            &cell(median(&over_alone), 1),
            &spread(&over_alone, 1),
            &cell(over_public, 1),
            &cell(native, 1),
            &cell(times(median(&over_alone), native), 2),
            &cell(median(&row.latencies(0.5)), 0),
            &cell(median(&latencies), 0),
            &cell(median(&later), 0),
            &spread(&later, 0),
        ]));
    }
    out
}

fn line(cells: [&str; 13]) -> String {
    let [
        title,
        rate,
        of_alone,
        cpu,
        alone,
        spread,
        public,
        native,
        times,
        p50,
        p99,
        later,
        latest,
    ] = cells;
    format!(
        "{title:<30} {rate:>7} {of_alone:>9} {cpu:>7} {alone:>11} {spread:>12} {public:>12} {native:>12} {times:>6} {p50:>17} {p99:>8} {later:>10} {latest:>14}\n"
    )
}

const LATE: f64 = 0.99;
