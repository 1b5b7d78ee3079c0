//! One configuration under test, kept up for the whole run, and what was seen of it.

use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Result;
use crate::contestant::{Contestant, Setup, Traffic};
use crate::envoy::Envoy;
use crate::load::{self, Supply, Target};
use crate::report::Row;
use crate::workshop::{Workshop, root};

/// One configuration under test.
pub(crate) struct Lane {
    /// What was measured so far.
    pub(crate) row: Row,
    setup: Setup,
    envoy: Option<Envoy>,
    port: u16,
}

impl Lane {
    /// Starts the Envoy of a row and checks that it does its work.
    ///
    /// # Errors
    /// If it cannot be configured or started, or fails a probe.
    pub(crate) fn open(
        contestant: &'static Contestant,
        workshop: &Workshop<'_>,
        table: &str,
        upstream: u16,
    ) -> Result<Self> {
        let setup = (contestant.prepare)(workshop)?;
        let envoy = match &setup.gateway {
            Some(gateway) => {
                let name = format!("{table}-{}", contestant.name);
                let room = workshop.room;
                Some(Envoy::start(&binary(), room, &name, gateway, upstream)?)
            }
            None => None,
        };
        let port = envoy.as_ref().map_or(upstream, |envoy| envoy.port);
        for probe in &setup.probes {
            probe.check(contestant.title, port)?;
        }
        Ok(Self {
            row: Row::new(contestant),
            setup,
            envoy,
            port,
        })
    }

    /// One closed round; `once` holds the header lines, unless all are the same.
    pub(crate) fn throughput(&mut self, once: &[String], length: Duration) -> Result<()> {
        let before = self.envoy.as_ref().map(Envoy::cpu).transpose()?;
        let seen = load::closed(&self.target(once), length).map_err(|e| self.blame(&e))?;
        self.row.rates.push(seen.rate);
        if let (Some(envoy), Some(before)) = (&self.envoy, before) {
            let used = envoy.cpu()?.saturating_sub(before);
            self.row
                .cpu
                .push(used.as_secs_f64() * 1e6 / seen.sent as f64);
        }
        Ok(())
    }

    /// One open round.
    pub(crate) fn latency(&mut self, once: &[String], rate: f64, length: Duration) -> Result<()> {
        let seen = load::open(&self.target(once), rate, length).map_err(|e| self.blame(&e))?;
        self.row.latencies.push(seen);
        Ok(())
    }

    /// Reads the memory that its Envoy holds.
    pub(crate) fn weigh(&mut self) -> Result<()> {
        self.row.rss = self.envoy.as_ref().map(Envoy::rss).transpose()?;
        Ok(())
    }

    fn target<'a>(&'a self, once: &'a [String]) -> Target<'a> {
        Target {
            port: self.port,
            path: self.setup.path,
            supply: match self.row.contestant.traffic {
                Traffic::Same => Supply::Same(&self.setup.fields),
                Traffic::Signed(_) | Traffic::Opaque => Supply::once(once),
            },
        }
    }

    fn blame(&self, fault: &dyn std::fmt::Display) -> String {
        format!("`{}`: {fault}", self.row.contestant.title)
    }
}

/// The lanes in the order of a round: each round begins one further on.
pub(crate) fn turn(lanes: &mut [Lane], round: usize) -> impl Iterator<Item = &mut Lane> {
    let (head, tail) = lanes.split_at_mut(round % lanes.len().max(1));
    tail.iter_mut().chain(head)
}

fn binary() -> PathBuf {
    let installed = || Path::new(root()).join(".venv/bin/envoy");
    env::var_os("ENVOY").map_or_else(installed, PathBuf::from)
}
