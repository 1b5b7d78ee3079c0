//! Bytes on a connection, for what no client library would send.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::PATIENCE;

/// Sends the bytes and reads until the server closes, so they should ask for
/// `connection: close`.
///
/// # Panics
/// When the server keeps the connection open longer than [`PATIENCE`].
pub(crate) async fn exchange(to: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(to).await.expect("a connection");
    stream.write_all(bytes).await.expect("the bytes go out");
    let mut answer = Vec::new();
    // A server that refuses early may reset the connection: what came before counts.
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer))
        .await
        .expect("the server closes the connection");
    String::from_utf8_lossy(&answer).into_owned()
}

/// The status of a raw answer.
///
/// # Panics
/// When it does not begin with a status line.
pub(crate) fn status(answer: &str) -> u16 {
    answer
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3)?.parse().ok())
        .unwrap_or_else(|| panic!("no status line in {answer:?}"))
}
