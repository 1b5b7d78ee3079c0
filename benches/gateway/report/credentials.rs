//! The table of credentials and rules: what each adds to a request, in microseconds of
//! Envoy's CPU time, beside what Envoy's own filter adds for the same.

use super::{Row, added, adds, cell, median, spread, times};
use crate::tables::credentials::{CACHED, COLD, INTROSPECTED, NATIVE_CACHED};
use crate::tables::{ALONE, EMPTY, PUBLIC};

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
        let wasm = |name| if row.is_native() { None } else { over(name) };
        let native = row.contestant.beside.and_then(|name| adds(rows, name));
        out.push_str(&line([
            row.contestant.title,
            &cell(median(&row.rates), 0),
            &cell(median(&row.cpu), 1),
            &cell(over(ALONE), 1),
            &spread(&added(rows, row, ALONE), 1),
            &cell(wasm(EMPTY), 1),
            &cell(wasm(PUBLIC), 1),
            &cell(native, 1),
            &cell(times(over(ALONE), native), 2),
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

fn cpu(rows: &[Row], name: &str) -> Option<f64> {
    median(&Row::named(rows, name)?.cpu)
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
