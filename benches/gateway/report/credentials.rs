//! The table of credentials and rules: what each adds to a request, in microseconds of
//! Envoy's CPU time, beside what Envoy's own filter adds for the same.

use std::ops::Sub;

use super::{Row, by_round, cell, median, spread};
use crate::tables::credentials::{CACHED, COLD, INTROSPECTED, NATIVE_CACHED, PUBLIC};
use crate::tables::{ALONE, EMPTY};

/// Writes the table and what became of the goals. A difference is the median of the
/// rounds' own differences, each against its neighbour of the same round; the spread is
/// the least and the greatest of them.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut out = line([
        "one worker, 1 kB answers",
        "req/s",
        "CPU us",
        "over alone",
        "(spread)",
        "over empty",
        "over public",
        "native adds",
        "times",
    ]);
    for row in rows {
        let over = |name| median(&added(rows, row, name));
        let wasm = |name| if is_native(row) { None } else { over(name) };
        let native = row.contestant.beside.and_then(|name| adds(rows, name));
        // A multiple of next to nothing would be a number without a meaning.
        let times = over(ALONE)
            .zip(native.filter(|native| *native >= LEAST))
            .map(|(own, native)| own / native);
        out.push_str(&line([
            row.contestant.title,
            &cell(median(&row.rates), 0),
            &cell(median(&row.cpu), 1),
            &cell(over(ALONE), 1),
            &spread(&added(rows, row, ALONE), 1),
            &cell(wasm(EMPTY), 1),
            &cell(wasm(PUBLIC), 1),
            &cell(native, 1),
            &cell(times, 2),
        ]));
    }
    out.push_str(&goals(rows));
    out
}

/// The goals that the project has set itself, and how far it is from them: by what the
/// filters add to Envoy alone, and by all that a request costs.
fn goals(rows: &[Row]) -> String {
    let mut out = String::new();
    let mut goal = |what: &str, most: f64, own: &str, base: &[&str]| {
        let Some(alone) = cpu(rows, ALONE) else {
            return;
        };
        let Some(own) = adds(rows, own) else { return };
        let Some(base) = base
            .iter()
            .map(|name| adds(rows, name))
            .sum::<Option<f64>>()
        else {
            return;
        };
        let verdict = |ratio: f64| if ratio <= most { "reached" } else { "missed" };
        let (filter, request) = (own / base, (alone + own) / (alone + base));
        out.push_str(&format!(
            "goal: {what} at most {most}: {filter:.2} of what is added ({}), {request:.2} of the whole request ({})\n",
            verdict(filter),
            verdict(request),
        ));
    };
    goal("cold RS256 / jwt_authn", 1.5, COLD, &["jwt-authn-rs256"]);
    let cached = [EMPTY, NATIVE_CACHED];
    goal(
        "cached token / (empty filter + jwt_authn's cache)",
        1.1,
        CACHED,
        &cached,
    );
    goal(
        "introspected / (empty filter + jwt_authn's cache)",
        1.1,
        INTROSPECTED,
        &cached,
    );
    out
}

/// What a row costs over another, round by round.
fn added(rows: &[Row], row: &Row, over: &str) -> Vec<f64> {
    Row::named(rows, over).map_or_else(Vec::new, |base| by_round(&row.cpu, &base.cpu, f64::sub))
}

/// What the row of this name costs over Envoy alone.
fn adds(rows: &[Row], name: &str) -> Option<f64> {
    median(&added(rows, Row::named(rows, name)?, ALONE))
}

fn cpu(rows: &[Row], name: &str) -> Option<f64> {
    median(&Row::named(rows, name)?.cpu)
}

fn is_native(row: &Row) -> bool {
    row.contestant.beside.is_none() && row.contestant.name != PUBLIC
}

fn line(cells: [&str; 9]) -> String {
    let [
        title,
        rate,
        cpu,
        alone,
        spread,
        empty,
        public,
        native,
        times,
    ] = cells;
    format!(
        "{title:<27} {rate:>7} {cpu:>8} {alone:>11} {spread:>15} {empty:>11} {public:>12} {native:>12} {times:>7}\n"
    )
}

/// What a native filter must add, in microseconds, for a multiple of it to mean anything.
const LEAST: f64 = 5.0;
