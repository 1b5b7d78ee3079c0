//! The load: 16 connections, closed loop for throughput, open loop for latency.
//!
//! A closed loop slows down with what it measures and so hides every stall; it is
//! right for ratios of throughput only. Latency comes from arrivals at a fixed rate,
//! each counted from the moment it was *due*, even if all connections were busy then.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use crate::Result;
use crate::clock::now;
use crate::http::{Connection, request};

/// Connections at work at once, in either loop.
pub(crate) const CONNECTIONS: usize = 16;

/// What is asked, and with which header lines.
pub(crate) struct Target<'a> {
    /// The port to ask.
    pub(crate) port: u16,
    /// Path and query.
    pub(crate) path: &'a str,
    /// Where header lines come from.
    pub(crate) supply: Supply<'a>,
}

/// The header lines of the requests, shared by the connections.
pub(crate) enum Supply<'a> {
    /// The same again and again.
    Same(&'a str),
    /// Each one once; the round ends when they do.
    Once {
        /// Those of this round.
        share: &'a [String],
        /// The next to go.
        next: AtomicUsize,
    },
}

impl<'a> Supply<'a> {
    /// Header lines to be used once each.
    pub(crate) fn once(share: &'a [String]) -> Self {
        Self::Once {
            share,
            next: AtomicUsize::new(0),
        }
    }

    fn take(&self) -> Option<&'a str> {
        match self {
            Self::Same(fields) => Some(fields),
            Self::Once { share, next } => share.get(next.fetch_add(1, Relaxed)).map(String::as_str),
        }
    }
}

/// What a closed loop saw.
pub(crate) struct Throughput {
    /// Answers a second, warm-up left out.
    pub(crate) rate: f64,
    /// All requests sent, warm-up included: what the CPU time was spent on.
    pub(crate) sent: u64,
}

/// Sends the next request on a connection as soon as the last was answered, for
/// `length` after a warm-up of a tenth of it.
///
/// # Errors
/// If any answer is not 200: a refusal is cheaper than what is to be timed.
pub(crate) fn closed(target: &Target<'_>, length: Duration) -> Result<Throughput> {
    let (sent, counted) = (AtomicU64::new(0), AtomicU64::new(0));
    let lasts = crew(target, |client, start| {
        let from = start + length / 10;
        let end = from + length;
        let mut last = from;
        loop {
            let begun = now();
            if begun >= end || !client.ask()? {
                return Ok(last);
            }
            sent.fetch_add(1, Relaxed);
            let done = now();
            if done >= from {
                counted.fetch_add(1, Relaxed);
                last = done;
            }
        }
    })?;
    let (start, lasts) = lasts;
    let last = lasts.into_iter().max().unwrap_or(start);
    let elapsed = last.saturating_duration_since(start + length / 10);
    let counted = counted.into_inner();
    if counted == 0 || elapsed.is_zero() {
        return Err("not one answer in a whole round".into());
    }
    Ok(Throughput {
        rate: counted as f64 / elapsed.as_secs_f64(),
        sent: sent.into_inner(),
    })
}

/// Sends `rate` requests a second for `length`; each latency runs from the moment
/// the request was due to the end of its answer.
///
/// # Errors
/// If any answer is not 200.
pub(crate) fn open(target: &Target<'_>, rate: f64, length: Duration) -> Result<Vec<Duration>> {
    let arrivals = AtomicU64::new(0);
    let (_, latencies) = crew(target, |client, start| {
        let mut latencies = Vec::new();
        loop {
            let arrival = arrivals.fetch_add(1, Relaxed);
            let due = start + Duration::from_secs_f64(arrival as f64 / rate);
            if due >= start + length {
                return Ok(latencies);
            }
            thread::sleep(due.saturating_duration_since(now()));
            if !client.ask()? {
                return Ok(latencies);
            }
            latencies.push(now().saturating_duration_since(due));
        }
    })?;
    Ok(latencies.concat())
}

/// One connection at work.
struct Client<'a> {
    target: &'a Target<'a>,
    connection: Connection,
    bytes: Vec<u8>,
    failed: &'a AtomicBool,
}

impl Client<'_> {
    /// One exchange; `false` if no header lines are left or another connection failed.
    fn ask(&mut self) -> Result<bool> {
        let Some(fields) = self.target.supply.take() else {
            return Ok(false);
        };
        if self.failed.load(Relaxed) {
            return Ok(false);
        }
        request(&mut self.bytes, self.target.path, fields);
        let outcome = match self.connection.exchange(&self.bytes) {
            Ok(answer) if answer.status == 200 => return Ok(true),
            Ok(answer) => format!("a timed request was answered by {}", answer.status),
            Err(e) => format!("a timed request got no answer: {e}"),
        };
        self.failed.store(true, Relaxed);
        Err(outcome.into())
    }
}

/// Runs `work` on every connection at once, from one common start.
fn crew<T: Send>(
    target: &Target<'_>,
    work: impl Fn(&mut Client<'_>, Instant) -> Result<T> + Sync,
) -> Result<(Instant, Vec<T>)> {
    let failed = AtomicBool::new(false);
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        clients.push(Client {
            target,
            connection: Connection::open(target.port)?,
            bytes: Vec::new(),
            failed: &failed,
        });
    }
    let barrier = Barrier::new(CONNECTIONS + 1);
    let start = std::sync::OnceLock::new();
    thread::scope(|scope| {
        let threads: Vec<_> = clients
            .into_iter()
            .map(|mut client| {
                let (barrier, start, work) = (&barrier, &start, &work);
                scope.spawn(move || {
                    barrier.wait();
                    work(&mut client, *start.get_or_init(now))
                })
            })
            .collect();
        barrier.wait();
        let start = *start.get_or_init(now);
        let results = threads
            .into_iter()
            .map(|thread| thread.join().map_err(|_| "a connection's thread died")?)
            .collect::<Result<Vec<T>>>()?;
        Ok((start, results))
    })
}
