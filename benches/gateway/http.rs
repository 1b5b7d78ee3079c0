//! A client of HTTP/1.1 that is no more than the bench needs: one kept-alive
//! connection, one exchange at a time, so that the generator costs little next to
//! what it measures.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use tokio::net::TcpSocket;
use tokio::runtime;

/// A kept-alive connection to a port of this machine.
pub(crate) struct Connection {
    stream: TcpStream,
    chunk: Box<[u8]>,
    answer: Vec<u8>,
}

/// One answer, borrowed from its connection until the next exchange.
pub(crate) struct Answer<'a> {
    /// The status code.
    pub(crate) status: u16,
    /// The body as it came (with its framing, if chunked).
    pub(crate) body: &'a [u8],
}

impl Connection {
    /// Connects to `port` of the loopback address.
    pub(crate) fn open(port: u16) -> io::Result<Self> {
        Self::over(TcpStream::connect((Ipv4Addr::LOCALHOST, port))?)
    }

    /// The same from an address of `127.0.0.0/8`, which the standard library cannot
    /// choose.
    pub(crate) fn open_from(address: Ipv4Addr, port: u16) -> io::Result<Self> {
        let reactor = runtime::Builder::new_current_thread().enable_io().build()?;
        let stream = reactor.block_on(async {
            let socket = TcpSocket::new_v4()?;
            socket.bind((address, 0).into())?;
            socket
                .connect((Ipv4Addr::LOCALHOST, port).into())
                .await?
                .into_std()
        })?;
        stream.set_nonblocking(false)?;
        Self::over(stream)
    }

    fn over(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self {
            stream,
            chunk: vec![0; 16 * 1024].into_boxed_slice(),
            answer: Vec::with_capacity(16 * 1024),
        })
    }

    /// Sends one request and reads the whole answer.
    ///
    /// # Errors
    /// If the connection breaks, stays silent for 10 s, or carries no HTTP/1.1 answer.
    pub(crate) fn exchange(&mut self, request: &[u8]) -> io::Result<Answer<'_>> {
        self.stream.write_all(request)?;
        self.answer.clear();
        let frame = loop {
            self.fill()?;
            if let Some(frame) = Frame::read(&self.answer)? {
                break frame;
            }
        };
        while !frame.is_whole(&self.answer) {
            self.fill()?;
        }
        Ok(Answer {
            status: frame.status,
            body: self.answer.get(frame.body..).unwrap_or_default(),
        })
    }

    fn fill(&mut self) -> io::Result<()> {
        let count = self.stream.read(&mut self.chunk)?;
        if count == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.answer
            .extend_from_slice(self.chunk.get(..count).unwrap_or_default());
        Ok(())
    }
}

/// The bytes of a GET for `path`, with the header lines that [`field`] and [`bearer`]
/// make.
pub(crate) fn request(into: &mut Vec<u8>, path: &str, fields: &str) {
    into.clear();
    into.extend_from_slice(b"GET ");
    into.extend_from_slice(path.as_bytes());
    into.extend_from_slice(b" HTTP/1.1\r\nhost: api.example.test\r\naccept: application/json\r\nuser-agent: portcullis-bench\r\n");
    into.extend_from_slice(fields.as_bytes());
    into.extend_from_slice(b"\r\n");
}

/// A header line.
pub(crate) fn field(name: &str, value: &str) -> String {
    format!("{name}: {value}\r\n")
}

/// The header line of a bearer token (RFC 6750 §2.1).
pub(crate) fn bearer(token: &str) -> String {
    field("authorization", &format!("Bearer {token}"))
}

/// Where an answer's head ends and how its body does (RFC 9112 §6.3).
struct Frame {
    status: u16,
    body: usize,
    length: Length,
}

enum Length {
    Bytes(usize),
    Chunked,
}

impl Frame {
    /// `None` while the head is still under way.
    fn read(answer: &[u8]) -> io::Result<Option<Self>> {
        let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else {
            return Ok(None);
        };
        let head = answer.get(..end).and_then(|h| str::from_utf8(h).ok());
        let head = head.ok_or_else(|| invalid("a head that is not UTF-8"))?;
        let mut lines = head.split("\r\n");
        let status = lines
            .next()
            .and_then(|line| line.split(' ').nth(1))
            .and_then(|code| code.parse().ok())
            .ok_or_else(|| invalid("no status line"))?;
        let length = lines
            .find_map(|line| {
                let (name, value) = line.split_once(':')?;
                if name.eq_ignore_ascii_case("content-length") {
                    value.trim().parse().ok().map(Length::Bytes)
                } else if name.eq_ignore_ascii_case("transfer-encoding") {
                    Some(Length::Chunked)
                } else {
                    None
                }
            })
            .ok_or_else(|| invalid("an answer of no known length"))?;
        Ok(Some(Self {
            status,
            body: end + 4,
            length,
        }))
    }

    /// Whether the body is there to its end. One exchange at a time is under way, so
    /// nothing can follow the last chunk.
    fn is_whole(&self, answer: &[u8]) -> bool {
        match self.length {
            Length::Bytes(count) => answer.len() >= self.body + count,
            Length::Chunked => {
                answer.get(self.body..) == Some(b"0\r\n\r\n") || answer.ends_with(b"\r\n0\r\n\r\n")
            }
        }
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("the server sent {what}"))
}

/// No answer may take longer: a hung gateway must end the bench, not freeze it.
const PATIENCE: Duration = Duration::from_secs(10);
