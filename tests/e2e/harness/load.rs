//! Many connections asking for a while, and what they were told.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use http_body_util::BodyExt;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::client::{Ask, Frames};

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

/// A constant rate: every question has its time, whether the one before is answered or
/// not, so that a gateway that stalls is asked no less.
pub(crate) struct Pace {
    /// How many connections take turns.
    pub(crate) connections: u32,
    /// Whether they speak HTTP/2.
    pub(crate) http2: bool,
    /// Questions a second.
    pub(crate) rate: u32,
    /// For how long.
    pub(crate) duration: Duration,
}

/// One answer of a [`Pace`].
#[derive(Debug, Clone)]
pub(crate) struct Sample<T> {
    /// What the question was about.
    pub(crate) about: T,
    /// When it was sent.
    pub(crate) sent: Instant,
    /// When it was answered.
    pub(crate) answered: Instant,
    /// How.
    pub(crate) status: u16,
}

impl Pace {
    /// Runs it. `ask` makes the question of a number, and says what it is about.
    ///
    /// # Panics
    /// When an exchange breaks.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        to: SocketAddr,
        ask: impl Fn(u32) -> (T, Ask) + Clone + Send + 'static,
    ) -> Vec<Sample<T>> {
        let began = Instant::now();
        let questions = self.rate * u32::try_from(self.duration.as_secs()).unwrap();
        let interval = Duration::from_secs(1) / self.rate;
        let mut turns = JoinSet::new();
        for first in 0..self.connections {
            let (ask, step) = (ask.clone(), self.connections as usize);
            let http2 = self.http2;
            turns.spawn(async move {
                let mut sender = connect(to, http2).await;
                let mut samples = Vec::new();
                for number in (first..questions).step_by(step) {
                    tokio::time::sleep_until((began + interval * number).into()).await;
                    let (about, ask) = ask(number);
                    let sent = Instant::now();
                    let status = exchange(&mut sender, ask).await;
                    let answered = Instant::now();
                    samples.push(Sample {
                        about,
                        sent,
                        answered,
                        status,
                    });
                }
                samples
            });
        }
        turns.join_all().await.into_iter().flatten().collect()
    }
}

async fn ask_until(until: Instant, to: SocketAddr, ask: Ask) -> BTreeMap<u16, u64> {
    let mut sender = connect(to, false).await;
    let mut counts = BTreeMap::new();
    while Instant::now() < until {
        let status = exchange(&mut sender, ask.clone()).await;
        *counts.entry(status).or_default() += 1;
    }
    counts
}

/// A connection on which one exchange follows the other.
enum Sender {
    Http1(http1::SendRequest<Frames>),
    Http2(http2::SendRequest<Frames>),
}

async fn connect(to: SocketAddr, http2: bool) -> Sender {
    let stream = TcpStream::connect(to).await.expect("a connection");
    stream.set_nodelay(true).expect("a connection");
    let stream = TokioIo::new(stream);
    if http2 {
        let (sender, connection) = http2::handshake(TokioExecutor::new(), stream)
            .await
            .expect("HTTP/2");
        tokio::spawn(connection);
        return Sender::Http2(sender);
    }
    let (sender, connection) = http1::handshake(stream).await.expect("HTTP/1");
    tokio::spawn(connection);
    Sender::Http1(sender)
}

async fn exchange(sender: &mut Sender, ask: Ask) -> u16 {
    let response = match sender {
        Sender::Http1(sender) => {
            sender.ready().await.expect("the connection stays open");
            sender.send_request(ask.request("", "gateway")).await
        }
        Sender::Http2(sender) => {
            sender.ready().await.expect("the connection stays open");
            sender.send_request(ask.request("http://gateway", "")).await
        }
    }
    .expect("an answer");
    let status = response.status().as_u16();
    response.into_body().collect().await.expect("a whole body");
    status
}
