//! What the gate costs: Envoy alone, with a filter that does nothing, with its own
//! filters, and with Portcullis, side by side in one run.
//!
//! All Envoys of a table start once and stay up. Short rounds go round them, each round
//! in another order, so that the machine's mood of a minute falls on all alike; what is
//! worth reading is the ratios. `make bench` runs it whole, `--quick` in seconds (a
//! smoke test: its figures mean nothing), `--table` and `--only` pick from it.

mod authority;
mod clock;
mod contestant;
mod envoy;
mod http;
mod lane;
mod load;
mod mint;
mod ratelimit;
mod report;
mod tables;
mod token;
mod upstream;
mod workshop;

use std::cell::OnceCell;
use std::process::ExitCode;
use std::time::Duration;
use std::{fs, thread};

use clap::builder::PossibleValuesParser;
use clap::{Parser, ValueEnum};

use contestant::{Contestant, Traffic};
use lane::{Lane, turn};
use load::CONNECTIONS;
use mint::Mint;
use report::Row;
use tables::Table;
use token::Issuer;
use workshop::Workshop;

/// Whatever ends the bench is only ever told to a person.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[derive(Parser)]
#[command(
    about = "Times Envoy alone, with an empty filter, with its own filters and with Portcullis"
)]
struct Arguments {
    /// One short round of each: whether the bench works, not how fast anything is.
    #[arg(long)]
    quick: bool,
    /// The one table to make, instead of all.
    #[arg(long)]
    table: Option<Table>,
    /// The rows to time, comma-separated; `alone` is always among them.
    #[arg(long, value_delimiter = ',', value_parser = PossibleValuesParser::new(tables::names()))]
    only: Vec<String>,
    /// Rounds of throughput, and as many of latency, of one second for each row.
    #[arg(long, default_value_t = 10)]
    rounds: usize,
    /// Set by `cargo bench`, and by nothing else.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if !arguments.bench {
        // `cargo test --all-targets` runs benches too, and must not run this one.
        println!("not run: `make bench` does");
        return ExitCode::SUCCESS;
    }
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("bench: {e}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    // A sleeper wakes up to 50 us late by default (prctl(2), PR_SET_TIMERSLACK), which
    // an open loop would book as latency. Best effort: the row without Envoy shows it.
    drop(fs::write("/proc/self/timerslack_ns", "1"));
    let issuer = Issuer::new()?;
    let room = tempfile::tempdir()?;
    let workshop = Workshop {
        room: room.path(),
        issuer: &issuer,
        authority: authority::start()?,
        ratelimit: OnceCell::new(),
    };
    let upstream = upstream::start()?;
    for table in Table::value_variants() {
        if arguments.table.is_some_and(|one| one != *table) {
            continue;
        }
        let chosen = table.chosen(&arguments.only);
        if chosen.is_empty() {
            continue;
        }
        let plan = Plan::of(arguments, *table);
        let (rows, arrivals) = time(*table, chosen, &plan, &workshop, upstream)?;
        print!("{}", table.print(&rows, arrivals));
        println!("{}\n", plan.notes(*table));
    }
    Ok(())
}

/// Starts the Envoys of a table, times them, and ends them.
fn time(
    table: Table,
    chosen: Vec<&'static Contestant>,
    plan: &Plan,
    workshop: &Workshop<'_>,
    upstream: u16,
) -> Result<(Vec<Row>, f64)> {
    let mut lanes = Vec::new();
    for contestant in chosen {
        eprintln!("starting `{}`", contestant.title);
        lanes.push(Lane::open(contestant, workshop, table.name(), upstream)?);
    }
    let traffics: Vec<Traffic> = lanes
        .iter()
        .map(|lane| lane.row.contestant.traffic)
        .collect();
    let mut mint = Mint::new(workshop.issuer);
    let stock = mint.stock(traffics.iter().copied(), plan.cold, plan.rounds)?;
    for round in 0..plan.rounds {
        eprintln!("throughput, round {} of {}", round + 1, plan.rounds);
        for lane in turn(&mut lanes, round) {
            let once = stock.share(lane.row.contestant.traffic, round);
            lane.throughput(once, plan.length)?;
        }
    }
    let slowest = lanes
        .iter()
        .filter_map(|lane| report::median(&lane.row.rates))
        .fold(f64::INFINITY, f64::min);
    let arrivals = (slowest * 0.3).floor().max(1.0);
    if table.has_latencies() {
        let each = (arrivals * plan.length.as_secs_f64()).ceil() as usize;
        let stock = mint.stock(traffics.into_iter(), each, plan.rounds)?;
        for round in 0..plan.rounds {
            eprintln!("latency, round {} of {}", round + 1, plan.rounds);
            for lane in turn(&mut lanes, round) {
                let once = stock.share(lane.row.contestant.traffic, round);
                lane.latency(once, arrivals, plan.length)?;
            }
        }
    }
    for lane in &mut lanes {
        lane.weigh()?;
    }
    Ok((lanes.into_iter().map(|lane| lane.row).collect(), arrivals))
}

/// How long and how often.
struct Plan {
    rounds: usize,
    length: Duration,
    /// Tokens a cold row may spend in one closed round; a faster one ends it sooner.
    cold: usize,
}

impl Plan {
    fn of(arguments: &Arguments, table: Table) -> Self {
        if arguments.quick {
            return Self {
                rounds: 1,
                length: Duration::from_millis(300),
                cold: 500,
            };
        }
        Self {
            rounds: arguments.rounds.max(1),
            length: Duration::from_secs(1),
            cold: match table {
                Table::Main => 4000,
                // Four kinds of tokens are minted, and CPU time needs fewer requests
                // than rates do.
                Table::Credentials | Table::Quota => 2000,
            },
        }
    }

    fn notes(&self, table: Table) -> String {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let latency = if table.has_latencies() {
            "\nand for latency (open loop, from the moment a request was due)"
        } else {
            ""
        };
        format!(
            "medians of {rounds} interleaved rounds of {length} s each for throughput (closed loop, \
             {CONNECTIONS} connections){latency};\nRSA keys of 2048 bits; one machine of {cores} \
             cores for Envoy, generator and upstream",
            rounds = self.rounds,
            length = self.length.as_secs_f64(),
        )
    }
}
