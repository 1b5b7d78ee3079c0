//! What the gate costs: Envoy alone, with a filter that does nothing, with its own
//! JWT chain, and with Portcullis, side by side in one run.
//!
//! All Envoys start once and stay up. Short rounds go round them, each round in
//! another order, so that the machine's mood of a minute falls on all alike; what is
//! worth reading is the ratios. `make bench` runs it whole, `--quick` in seconds (a
//! smoke test: its figures mean nothing), `--only` picks rows.

mod clock;
mod contestant;
mod envoy;
mod http;
mod load;
mod report;
mod token;
mod upstream;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;
use std::{env, fs, thread};

use clap::{Parser, ValueEnum};

use contestant::{Contestant, Parts, module};
use envoy::Envoy;
use load::{CONNECTIONS, Target, Tokens};
use portcullis::profile::Observation;
use report::Row;
use token::Issuer;

/// Whatever ends the bench is only ever told to a person.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[derive(Parser)]
#[command(
    about = "Times Envoy alone, with an empty filter, with its JWT chain and with Portcullis"
)]
struct Arguments {
    /// One short round of each: whether the bench works, not how fast anything is.
    #[arg(long)]
    quick: bool,
    /// The rows to time, comma-separated; `alone` is always among them.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Contestant>,
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
    let plan = Plan::of(arguments);
    let chosen: Vec<Contestant> = Contestant::value_variants()
        .iter()
        .copied()
        .filter(|one| {
            let only = &arguments.only;
            only.is_empty() || only.contains(one) || *one == Contestant::Alone
        })
        .collect();

    let issuer = Issuer::new()?;
    let warm = issuer.mint(0, 1)?.pop().unwrap_or_default();
    let room = tempfile::tempdir()?;
    let upstream = upstream::start()?;
    let parts = parts(room.path(), &chosen, &issuer)?;
    let mut lanes = Vec::new();
    for contestant in chosen {
        let lane = Lane::open(contestant, room.path(), &parts, upstream)?;
        contestant.check(lane.port, &warm)?;
        lanes.push(lane);
    }

    let cold = if lanes.iter().any(|lane| lane.row.contestant.is_cold()) {
        eprintln!("minting {} tokens", plan.cold * plan.rounds);
        issuer.mint(1, plan.cold * plan.rounds)?
    } else {
        vec![]
    };
    for (round, share) in (0..plan.rounds).zip(shares(&cold, plan.rounds)) {
        eprintln!("throughput, round {} of {}", round + 1, plan.rounds);
        for lane in turn(&mut lanes, round) {
            lane.throughput(&warm, share, plan.length)?;
        }
    }

    let slowest = lanes
        .iter()
        .filter_map(|lane| report::median(&lane.row.rates))
        .fold(f64::INFINITY, f64::min);
    let arrivals = (slowest * 0.3).floor().max(1.0);
    let needed = (arrivals * plan.length.as_secs_f64()).ceil() as usize * plan.rounds;
    let cold = if cold.is_empty() {
        cold
    } else {
        eprintln!("minting {needed} tokens");
        issuer.mint(1 + cold.len(), needed)?
    };
    for (round, share) in (0..plan.rounds).zip(shares(&cold, plan.rounds)) {
        eprintln!("latency, round {} of {}", round + 1, plan.rounds);
        for lane in turn(&mut lanes, round) {
            lane.latency(&warm, share, arrivals, plan.length)?;
        }
    }
    for lane in &mut lanes {
        lane.row.rss = lane.envoy.as_ref().map(Envoy::rss).transpose()?;
    }
    let rows: Vec<Row> = lanes.into_iter().map(|lane| lane.row).collect();
    print!("{}", report::table(&rows, arrivals));
    println!("{}", plan.notes());
    Ok(())
}

/// How long and how often.
struct Plan {
    rounds: usize,
    length: Duration,
    /// Tokens a cold row may spend in one closed round; a faster one ends it sooner.
    cold: usize,
}

impl Plan {
    fn of(arguments: &Arguments) -> Self {
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
            cold: 4000,
        }
    }

    fn notes(&self) -> String {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        format!(
            "medians of {rounds} interleaved rounds of {length} s each for throughput (closed loop, \
             {CONNECTIONS} connections)\nand for latency (open loop, from the moment a request was \
             due); RS256, 2048 bits; one machine of\n{cores} cores for Envoy, generator and upstream",
            rounds = self.rounds,
            length = self.length.as_secs_f64(),
        )
    }
}

/// One configuration under test, kept up for the whole run.
struct Lane {
    row: Row,
    envoy: Option<Envoy>,
    port: u16,
}

impl Lane {
    fn open(contestant: Contestant, room: &Path, parts: &Parts, upstream: u16) -> Result<Self> {
        let row = Row::new(contestant);
        if contestant == Contestant::Direct {
            return Ok(Self {
                row,
                envoy: None,
                port: upstream,
            });
        }
        let name = contestant.name();
        let binary =
            env::var_os("ENVOY").map_or_else(|| root().join(".venv/bin/envoy"), PathBuf::from);
        let filters = contestant.filters(parts);
        let audit = contestant.is_portcullis();
        let envoy = Envoy::start(&binary, room, &name, filters, upstream, audit)?;
        Ok(Self {
            port: envoy.port,
            row,
            envoy: Some(envoy),
        })
    }

    fn target<'a>(&self, warm: &'a str, cold: &'a [String]) -> Target<'a> {
        let contestant = self.row.contestant;
        Target {
            port: self.port,
            path: contestant.path(),
            tokens: if contestant.is_cold() {
                Tokens::cold(cold)
            } else {
                Tokens::Warm(warm)
            },
        }
    }

    fn throughput(&mut self, warm: &str, cold: &[String], length: Duration) -> Result<()> {
        let before = self.envoy.as_ref().map(Envoy::cpu).transpose()?;
        let seen = load::closed(&self.target(warm, cold), length).map_err(|e| self.blame(&e))?;
        self.row.rates.push(seen.rate);
        if let (Some(envoy), Some(before)) = (&self.envoy, before) {
            let used = envoy.cpu()?.saturating_sub(before);
            self.row
                .cpu
                .push(used.as_secs_f64() * 1e6 / seen.sent as f64);
        }
        Ok(())
    }

    fn latency(&mut self, warm: &str, cold: &[String], rate: f64, length: Duration) -> Result<()> {
        let seen =
            load::open(&self.target(warm, cold), rate, length).map_err(|e| self.blame(&e))?;
        self.row.latencies.push(seen);
        Ok(())
    }

    fn blame(&self, fault: &dyn std::fmt::Display) -> String {
        format!("`{}`: {fault}", self.row.contestant.title())
    }
}

/// The lanes in the order of a round: each round begins one further on.
fn turn(lanes: &mut [Lane], round: usize) -> impl Iterator<Item = &mut Lane> {
    let (head, tail) = lanes.split_at_mut(round % lanes.len().max(1));
    tail.iter_mut().chain(head)
}

/// The tokens of each round: equal shares, none twice.
fn shares(tokens: &[String], rounds: usize) -> impl Iterator<Item = &[String]> {
    let size = (tokens.len() / rounds).max(1);
    tokens.chunks(size).chain(std::iter::repeat(&[][..]))
}

/// Makes what the chosen filters need, and nothing for those not chosen.
fn parts(room: &Path, chosen: &[Contestant], issuer: &Issuer) -> Result<Parts> {
    let built = root().join("target/wasm32-wasip1/wasm");
    let jwks = issuer.jwks()?;
    let empty = if chosen.contains(&Contestant::Empty) {
        module(&built.join("examples/empty_filter.wasm"), "scripts/bench")?
    } else {
        String::new()
    };
    let (portcullis, plugin) = if chosen.iter().any(|one| one.is_portcullis()) {
        let path = env::var_os("PORTCULLIS_WASM")
            .map_or_else(|| built.join("portcullis.wasm"), PathBuf::from);
        (module(&path, "scripts/bench")?, plugin(room, &jwks)?)
    } else {
        (String::new(), String::new())
    };
    Ok(Parts {
        empty,
        portcullis,
        plugin,
        jwks,
    })
}

/// Compiles the bench's own policy with the command itself, as its users do.
fn plugin(room: &Path, jwks: &str) -> Result<String> {
    for name in ["policy.yaml", "openapi.yaml"] {
        fs::copy(root().join("benches/gateway").join(name), room.join(name))?;
    }
    fs::write(room.join("jwks.json"), jwks)?;
    fs::write(room.join("audit.jsonl"), audit_log())?;
    command(room, &["train", "audit.jsonl", "-o", "model.json"])?;
    command(room, &["build", "policy.yaml", "-o", "plugin.json"])?;
    fs::read_to_string(room.join("plugin.json"))
        .map_err(|e| format!("`portcullis build` left no `plugin.json`: {e}").into())
}

/// Requests like those of the bench, for the anomaly stage to have a model.
fn audit_log() -> String {
    let line = |operation: &str, name: &str, number: u32| {
        let limit = (number % 100).to_string();
        let observation = Observation::new(operation)
            .declared(
                name,
                format!("{}_{number}", name.get(..3).unwrap_or(name)).as_bytes(),
                &[],
            )
            .declared("limit", limit.as_bytes(), &[])
            .declared("status", b"active", &["active".to_owned()]);
        let record =
            serde_json::json!({ "decision": "allow", "stages": [], "observation": observation });
        format!("{record}\n")
    };
    let numbers = (4000..4500).flat_map(|number| {
        [
            line("getOrder", "order", number),
            line("getCustomer", "customer", number),
        ]
    });
    numbers.collect()
}

fn command(room: &Path, arguments: &[&str]) -> Result<()> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    let output = command.args(arguments).current_dir(room).output()?;
    if output.status.success() {
        return Ok(());
    }
    let told = String::from_utf8_lossy(&output.stderr);
    Err(format!("`portcullis {}` fails: {told}", arguments.join(" ")).into())
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
