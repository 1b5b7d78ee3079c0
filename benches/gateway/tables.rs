//! The tables, and what of them is asked for.

pub(crate) mod credentials;
mod gateway;
mod quota;

use clap::ValueEnum;

use crate::Result;
use crate::contestant::{Contestant, Gateway, Probe, Setup, portcullis};
use crate::report::{self, Row};
use crate::workshop::Workshop;

/// One table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Table {
    /// The whole gate, every stage of it, and Envoy's own chain.
    Main,
    /// What each kind of credential and rule costs, with Envoy's own filter for it.
    Credentials,
    /// What limits cost, with Envoy's own filters for them.
    Quota,
}

impl Table {
    /// A name for files.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Credentials => "credentials",
            Self::Quota => "quota",
        }
    }

    /// Its rows, in their order.
    pub(crate) fn rows(self) -> &'static [Contestant] {
        match self {
            Self::Main => gateway::ROWS,
            Self::Credentials => credentials::ROWS,
            Self::Quota => quota::ROWS,
        }
    }

    /// The rows that are asked for, with those that ratios are reckoned from; none if
    /// the table is not asked for.
    pub(crate) fn chosen(self, only: &[String]) -> Vec<&'static Contestant> {
        let named = |row: &Contestant| only.is_empty() || only.iter().any(|one| one == row.name);
        let rows = self.rows().iter();
        if !self.rows().iter().any(named) {
            return vec![];
        }
        rows.filter(|row| row.name == ALONE || named(row)).collect()
    }

    /// Whether its rows are timed in an open loop as well.
    pub(crate) fn has_latencies(self) -> bool {
        self != Self::Credentials
    }

    /// How it is printed.
    pub(crate) fn print(self, rows: &[Row], arrivals: f64) -> String {
        match self {
            Self::Main => report::whole::table(rows, arrivals),
            Self::Credentials => report::credentials::table(rows),
            Self::Quota => report::quota::table(rows, arrivals),
        }
    }
}

/// The names of all rows, each once.
pub(crate) fn names() -> Vec<&'static str> {
    let all = Table::value_variants()
        .iter()
        .flat_map(|table| table.rows());
    let mut names: Vec<&'static str> = vec![];
    for row in all {
        if !names.contains(&row.name) {
            names.push(row.name);
        }
    }
    names
}

/// The row of an Envoy with nothing but its router: the base of every ratio.
pub(crate) const ALONE: &str = "alone";
/// The row of a Wasm filter that does nothing.
pub(crate) const EMPTY: &str = "empty";
/// The row of Portcullis for an operation that asks for nothing.
pub(crate) const PUBLIC: &str = "public";

/// The configuration of [`ALONE`].
fn alone(path: &'static str, fields: String) -> Setup {
    open(Some(Gateway::default()), path, fields)
}

/// The configuration of [`EMPTY`].
fn empty(workshop: &Workshop<'_>, path: &'static str, fields: String) -> Result<Setup> {
    let gateway = filters(vec![portcullis::empty(workshop)?]);
    Ok(open(Some(gateway), path, fields))
}

/// A configuration that takes everything.
fn open(gateway: Option<Gateway>, path: &'static str, fields: String) -> Setup {
    Setup {
        probes: vec![Probe::new(path, &fields, 200)],
        gateway,
        path,
        fields,
    }
}

/// Filters and nothing else.
fn filters(filters: Vec<serde_json::Value>) -> Gateway {
    Gateway {
        filters,
        ..Gateway::default()
    }
}

/// A filter that writes the audit record.
fn audited(filter: serde_json::Value) -> Gateway {
    Gateway {
        audit: true,
        ..filters(vec![filter])
    }
}

/// A token with another signature, which nobody may take.
fn forged(token: &str) -> String {
    let (head, tail) = token.split_at(token.len().saturating_sub(20));
    let first = if tail.starts_with('A') { 'B' } else { 'A' };
    let rest = tail.get(1..).unwrap_or_default();
    format!("{head}{first}{rest}")
}
