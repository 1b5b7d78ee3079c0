//! A connection that can be bad: bytes arrive late, or not at all.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;

/// How a [`Wire`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Condition {
    /// Bytes pass at once.
    Good,
    /// They need this long in each direction.
    Slow(Duration),
    /// They wait until it is another. Connections stay open.
    Stalled,
}

/// A way from a TCP port that stays to a Unix socket whose owner comes and goes. A
/// connection that finds nobody there is closed.
pub(crate) struct Wire {
    /// Where it begins.
    pub(crate) address: SocketAddr,
    condition: watch::Sender<Condition>,
    accepting: AbortHandle,
}

impl Wire {
    /// A good one to this socket.
    pub(crate) async fn to(socket: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (condition, watched) = watch::channel(Condition::Good);
        let accepting = tokio::spawn(accept(listener, socket, watched)).abort_handle();
        Self {
            address,
            condition,
            accepting,
        }
    }

    /// Changes it for bytes to come, on open connections too.
    pub(crate) fn turn(&self, condition: Condition) {
        self.condition.send_replace(condition);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, socket: PathBuf, condition: watch::Receiver<Condition>) {
    loop {
        let (near, _) = listener.accept().await.expect("a connection");
        tokio::spawn(join(near, socket.clone(), condition.clone()));
    }
}

/// Both directions, until one of them ends.
async fn join(near: TcpStream, socket: PathBuf, condition: watch::Receiver<Condition>) {
    let Ok(far) = UnixStream::connect(Path::new(&socket)).await else {
        return;
    };
    near.set_nodelay(true).expect("an open connection");
    let (near_in, near_out) = near.into_split();
    let (far_in, far_out) = far.into_split();
    tokio::select! {
        () = pass(near_in, far_out, condition.clone()) => {}
        () = pass(far_in, near_out, condition) => {}
    }
}

/// Reads on while what was read is on its way, so that late is not slow: a delay costs
/// no throughput.
async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut condition: watch::Receiver<Condition>,
) {
    let (sender, mut under_way) = mpsc::channel::<(Instant, Vec<u8>)>(CHUNKS);
    let watched = condition.clone();
    let read = async move {
        let mut buffer = vec![0; CHUNK];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            let delay = match *watched.borrow() {
                Condition::Slow(delay) => delay,
                Condition::Good | Condition::Stalled => Duration::ZERO,
            };
            let chunk = (Instant::now() + delay, buffer[..length].to_vec());
            if sender.send(chunk).await.is_err() {
                break;
            }
        }
    };
    let write = async move {
        while let Some((due, chunk)) = under_way.recv().await {
            tokio::time::sleep_until(due.into()).await;
            let moves = |now: &Condition| *now != Condition::Stalled;
            let stuck = condition.wait_for(moves).await.is_err();
            if stuck || to.write_all(&chunk).await.is_err() {
                break;
            }
        }
    };
    tokio::join!(read, write);
}

const CHUNK: usize = 16 * 1024;
const CHUNKS: usize = 64;
