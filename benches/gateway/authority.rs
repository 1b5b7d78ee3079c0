//! An authorization server that is asked about tokens: by token introspection (RFC
//! 7662) or, where the question is not that, as Envoy's `ext_authz` asks.
//!
//! A token is good if it begins with [`GOOD`]. Nothing is looked up, so that a row
//! with a question for each request shows what asking costs, not answering.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;

use serde_json::json;

use crate::clock::since_1970;
use crate::token::{AUDIENCE, ISSUER};

/// How a good token begins.
pub(crate) const GOOD: &str = "good-";
/// The path of its introspection endpoint.
pub(crate) const INTROSPECT: &str = "/introspect";

/// Answers on a port of its own until the process ends.
///
/// # Errors
/// If no loopback port can be bound.
pub(crate) fn start() -> io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    let active = json!({
        "active": true,
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "bench-subject",
        "client_id": "bench-client",
        "scope": "orders:read customers:read",
        "exp": since_1970().seconds() + 24 * 60 * 60,
    });
    let answers: &'static Answers = Box::leak(Box::new(Answers {
        active: answer("200 OK", &active.to_string()),
        inactive: answer("200 OK", r#"{"active":false}"#),
        granted: answer("200 OK", ""),
        refused: answer("401 Unauthorized", ""),
    }));
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || serve(stream, answers));
        }
    });
    Ok(port)
}

struct Answers {
    active: Vec<u8>,
    inactive: Vec<u8>,
    granted: Vec<u8>,
    refused: Vec<u8>,
}

impl Answers {
    fn to(&self, question: &[u8]) -> &[u8] {
        let says = |text: &str| question.windows(text.len()).any(|w| w == text.as_bytes());
        if says(INTROSPECT) {
            if says(&format!("token={GOOD}")) {
                &self.active
            } else {
                &self.inactive
            }
        } else if says(&format!("Bearer {GOOD}")) {
            &self.granted
        } else {
            &self.refused
        }
    }
}

fn answer(status: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Answers until the peer goes away. Envoy has one question at a time under way on a
/// connection.
fn serve(mut stream: TcpStream, answers: &Answers) {
    let mut chunk = [0; 16 * 1024];
    let mut question = Vec::new();
    if stream.set_nodelay(true).is_err() {
        return;
    }
    while let Ok(count @ 1..) = stream.read(&mut chunk) {
        question.extend_from_slice(chunk.get(..count).unwrap_or_default());
        if !is_whole(&question) {
            continue;
        }
        if stream.write_all(answers.to(&question)).is_err() {
            return;
        }
        question.clear();
    }
}

fn is_whole(question: &[u8]) -> bool {
    let Some(end) = question.windows(4).position(|four| four == b"\r\n\r\n") else {
        return false;
    };
    let head = String::from_utf8_lossy(question.get(..end).unwrap_or_default());
    let length = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().ok())?
    });
    question.len() >= end + 4 + length.unwrap_or(0)
}
