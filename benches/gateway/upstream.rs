//! The upstream behind every Envoy: a blocking thread a connection and one constant
//! answer, the least a server can do, so that it is never the bottleneck.
//!
//! An Envoy that answers by itself (`direct_response`) was the alternative; it costs
//! several times the CPU of this, which on two cores the Envoy under test would lack.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;

use serde_json::json;

/// A personal datum of the answer; masking must take it out.
pub(crate) const PERSONAL: &str = "amina.haddad@mail.example";

/// Serves [`body`] to every request, on a port of its own, until the process ends.
///
/// # Errors
/// If no loopback port can be bound.
pub(crate) fn start() -> io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    let body = body();
    let answer: &'static [u8] = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
    .leak();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || serve(stream, answer));
        }
    });
    Ok(port)
}

/// The answer: a JSON document of 1024 bytes about one customer.
pub(crate) fn body() -> String {
    let document = |note: String| {
        json!({
            "id": "cus_4711",
            "status": "active",
            "since": "2024-03-09",
            "name": "Amina Haddad",
            "email": PERSONAL,
            "address": { "street": "12 Quay Road", "city": "Port Sall", "postcode": "PS4 7QR" },
            "riskScore": 17,
            "tags": ["wholesale", "priority", "newsletter"],
            "orders": [
                { "id": "ord_1", "total": 12850, "currency": "EUR" },
                { "id": "ord_2", "total": 990, "currency": "EUR" },
                { "id": "ord_3", "total": 45000, "currency": "EUR" }
            ],
            "note": note,
        })
        .to_string()
    };
    let bare = document(String::new()).len();
    document("x".repeat(1024 - bare))
}

/// Answers until the peer goes away. Envoy sends a GET in one segment and the next
/// only after the answer, so an end of head is an end of request.
fn serve(mut stream: TcpStream, answer: &[u8]) {
    let mut chunk = [0; 16 * 1024];
    let mut tail = [0; 4];
    if stream.set_nodelay(true).is_err() {
        return;
    }
    while let Ok(count) = stream.read(&mut chunk) {
        let Some(read) = chunk.get(..count).filter(|read| !read.is_empty()) else {
            return;
        };
        for byte in read.iter().rev().take(4).rev() {
            tail.rotate_left(1);
            tail[3] = *byte;
        }
        if &tail == b"\r\n\r\n" && stream.write_all(answer).is_err() {
            return;
        }
    }
}
