//! What is compared: a row of a table, what its Envoy is made of, and the checks
//! that it does its work before it is timed.
//!
//! The rows themselves are listed in `tables/`, one file a table; what they are built
//! from is in `contestant/`: Envoy's own filters, and Portcullis under a policy.

pub(crate) mod native;
pub(crate) mod portcullis;

use std::net::Ipv4Addr;
use std::path::PathBuf;

use serde_json::Value;

use crate::Result;
use crate::http::{Connection, request};
use crate::token::Algorithm;
use crate::upstream::PERSONAL;
use crate::workshop::Workshop;

/// One row of a table.
pub(crate) struct Contestant {
    /// A name for files and for `--only`.
    pub(crate) name: &'static str,
    /// What the table calls it.
    pub(crate) title: &'static str,
    /// The row that does the same by Envoy's own means.
    pub(crate) beside: Option<&'static str>,
    /// What its requests carry.
    pub(crate) traffic: Traffic,
    /// Makes its configuration.
    pub(crate) prepare: fn(&Workshop<'_>) -> Result<Setup>,
}

impl Contestant {
    /// A row that sends the same again and again, with no equal.
    pub(crate) const fn new(
        name: &'static str,
        title: &'static str,
        prepare: fn(&Workshop<'_>) -> Result<Setup>,
    ) -> Self {
        Self {
            name,
            title,
            beside: None,
            traffic: Traffic::Same,
            prepare,
        }
    }

    /// The same with another traffic.
    pub(crate) const fn sending(mut self, traffic: Traffic) -> Self {
        self.traffic = traffic;
        self
    }

    /// The same beside the row of this name.
    pub(crate) const fn beside(mut self, name: &'static str) -> Self {
        self.beside = Some(name);
        self
    }
}

/// What tells one request of a row from the next.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Traffic {
    /// Nothing: a cache, where there is one, is warm.
    Same,
    /// A token never seen before, signed with this algorithm.
    Signed(Algorithm),
    /// A token never seen before that says nothing by itself.
    Opaque,
}

/// A row, ready to be started.
pub(crate) struct Setup {
    /// The Envoy under test; none where the upstream is asked itself.
    pub(crate) gateway: Option<Gateway>,
    /// What is asked for.
    pub(crate) path: &'static str,
    /// The header lines of its requests, where all are the same.
    pub(crate) fields: String,
    /// What must hold before it is timed.
    pub(crate) probes: Vec<Probe>,
}

/// What an Envoy is made of, beside its router and the upstream.
#[derive(Default)]
pub(crate) struct Gateway {
    /// The filters before the router.
    pub(crate) filters: Vec<Value>,
    /// What its route counts requests by.
    pub(crate) rate_limits: Vec<Value>,
    /// Whether it writes the audit record to its access log.
    pub(crate) audit: bool,
    /// The port of a server that says whether a token is good, as cluster `authority`.
    pub(crate) authority: Option<u16>,
    /// The socket of a rate limit service, as cluster `ratelimit`.
    pub(crate) ratelimit: Option<PathBuf>,
}

/// A request, and the answer that it must have.
pub(crate) struct Probe {
    /// What is asked for.
    pub(crate) path: &'static str,
    /// Its header lines.
    pub(crate) fields: String,
    /// The address that asks.
    pub(crate) from: Ipv4Addr,
    /// The status that must come.
    pub(crate) status: u16,
    /// Whether the answer must hide the classified field; otherwise it must show it.
    pub(crate) masked: bool,
}

impl Probe {
    /// From the usual address, with an answer that hides nothing.
    pub(crate) fn new(path: &'static str, fields: &str, status: u16) -> Self {
        Self {
            path,
            fields: fields.to_owned(),
            from: Ipv4Addr::LOCALHOST,
            status,
            masked: false,
        }
    }

    /// Sends the request, so that no wrong thing is timed.
    ///
    /// # Errors
    /// If the answer has another status than it must, or shows what it must hide.
    pub(crate) fn check(&self, title: &str, port: u16) -> Result<()> {
        let mut bytes = Vec::new();
        request(&mut bytes, self.path, &self.fields);
        let mut connection = Connection::open_from(self.from, port)?;
        let answer = connection.exchange(&bytes)?;
        let (path, from, status) = (self.path, self.from, self.status);
        if answer.status != status {
            let found = answer.status;
            let start = answer.body.get(..200).unwrap_or(answer.body);
            let body = String::from_utf8_lossy(start);
            let fields = self.fields.get(..60).unwrap_or(&self.fields).trim_end();
            return Err(format!(
                "`{title}` answers `{path}` from {from} with `{fields}` by {found}, not {status}: {body}"
            )
            .into());
        }
        let shown = String::from_utf8_lossy(answer.body).contains(PERSONAL);
        if status == 200 && shown == self.masked {
            let fault = if shown { "shows" } else { "lacks" };
            return Err(format!("`{title}`: the answer {fault} the classified field").into());
        }
        Ok(())
    }
}
