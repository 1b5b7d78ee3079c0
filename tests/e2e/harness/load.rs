//! Many connections asking the same thing for a while, and what they were told.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use http_body_util::BodyExt;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::client::Ask;

/// A closed loop: every connection asks again as soon as it has its answer.
pub(crate) struct Load {
    /// How many connections.
    pub(crate) connections: usize,
    /// For how long.
    pub(crate) duration: Duration,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Tally {
    /// Answers by status.
    pub(crate) statuses: BTreeMap<u16, u64>,
    /// From the first question to the last answer.
    pub(crate) elapsed: Duration,
}

impl Load {
    /// Runs it.
    ///
    /// # Panics
    /// When an exchange breaks.
    pub(crate) async fn run(&self, to: SocketAddr, ask: &Ask) -> Tally {
        let began = Instant::now();
        let until = began + self.duration;
        let mut loops = JoinSet::new();
        for _ in 0..self.connections {
            loops.spawn(ask_until(until, to, ask.clone()));
        }
        let mut statuses = BTreeMap::new();
        while let Some(counts) = loops.join_next().await {
            for (status, count) in counts.expect("a connection's loop") {
                *statuses.entry(status).or_default() += count;
            }
        }
        Tally {
            statuses,
            elapsed: began.elapsed(),
        }
    }
}

async fn ask_until(until: Instant, to: SocketAddr, ask: Ask) -> BTreeMap<u16, u64> {
    let stream = TcpStream::connect(to).await.expect("a connection");
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut counts = BTreeMap::new();
    while Instant::now() < until {
        sender.ready().await.expect("the connection stays open");
        let request = ask.clone().request("", "gateway");
        let response = sender.send_request(request).await.expect("an answer");
        *counts.entry(response.status().as_u16()).or_default() += 1;
        response.into_body().collect().await.expect("a whole body");
    }
    counts
}
