//! An HTTP client that sends what it is told, over HTTP/1.1 or HTTP/2.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::client::conn::{http1, http2};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, body::Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::net::TcpStream;

use super::PATIENCE;

/// One request in the making. Each gets an `x-request-id` of its own, by which the
/// upstream's and the audit's record of it are found.
#[derive(Clone)]
pub(crate) struct Ask {
    /// Its `x-request-id`.
    pub(crate) id: String,
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Frames,
    http2: bool,
}

impl Ask {
    /// A GET.
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    /// A POST.
    pub(crate) fn post(path: impl Into<String>) -> Self {
        Self::new(Method::POST, path)
    }

    /// Any method.
    pub(crate) fn new(method: Method, path: impl Into<String>) -> Self {
        let id = fresh_id();
        let mut headers = HeaderMap::new();
        headers.insert("x-request-id", HeaderValue::from_str(&id).unwrap());
        Self {
            id,
            method,
            path: path.into(),
            headers,
            body: Frames::default(),
            http2: false,
        }
    }

    /// Carries an access token.
    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    /// Adds a header; the value may hold bytes that are no UTF-8.
    pub(crate) fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        let value = HeaderValue::from_bytes(value.as_ref()).unwrap();
        self.headers.append(name, value);
        self
    }

    /// A body with a content-length.
    pub(crate) fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Frames::whole(body);
        self
    }

    /// A body without a content-length, in these pieces.
    pub(crate) fn chunked(mut self, pieces: &[&str]) -> Self {
        self.body = Frames::pieces(pieces);
        self
    }

    /// A trailer behind the body.
    pub(crate) fn trailer(mut self, name: &'static str, value: &'static str) -> Self {
        self.body.add_trailer(name, value);
        self.header("trailer", name)
    }

    /// The same request under an id of its own.
    pub(crate) fn again(mut self) -> Self {
        self.id = fresh_id();
        let id = HeaderValue::from_str(&self.id).unwrap();
        self.headers.insert("x-request-id", id);
        self
    }

    /// Leaves the id to Envoy, for requests that nobody looks up afterwards.
    pub(crate) fn anonymous(mut self) -> Self {
        self.headers.remove("x-request-id");
        self
    }

    /// Speaks HTTP/2 without TLS.
    pub(crate) fn http2(mut self) -> Self {
        self.http2 = true;
        self
    }

    /// Sends it over a connection of its own and reads the whole answer.
    ///
    /// # Panics
    /// When the exchange breaks or takes longer than [`PATIENCE`].
    pub(crate) async fn send(self, to: SocketAddr) -> Answer {
        let id = self.id.clone();
        self.try_send(to)
            .await
            .unwrap_or_else(|error| panic!("request {id}: {error}"))
    }

    /// Like [`Ask::send`], for exchanges that may break.
    pub(crate) async fn try_send(self, to: SocketAddr) -> Result<Answer, String> {
        tokio::time::timeout(PATIENCE, async {
            let id = self.id.clone();
            let stream = TcpStream::connect(to).await.map_err(|e| e.to_string())?;
            let response = if self.http2 {
                self.over_http2(stream).await
            } else {
                self.over_http1(stream).await
            };
            Answer::read(id, response.map_err(chain)?).await
        })
        .await
        .unwrap_or_else(|_| Err("no answer in time".to_owned()))
    }

    async fn over_http1(self, stream: TcpStream) -> hyper::Result<Response<Incoming>> {
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        sender.send_request(self.request("", "gateway")).await
    }

    async fn over_http2(self, stream: TcpStream) -> hyper::Result<Response<Incoming>> {
        let (mut sender, connection) =
            http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        sender
            .send_request(self.request("http://gateway", ""))
            .await
    }

    /// As hyper wants it; `host` fills the header that HTTP/1.1 asks for.
    pub(super) fn request(self, origin: &str, host: &str) -> Request<Frames> {
        let mut request = Request::new(self.body);
        *request.method_mut() = self.method;
        *request.uri_mut() = format!("{origin}{}", self.path).parse().unwrap();
        *request.headers_mut() = self.headers;
        if !host.is_empty() && !request.headers().contains_key("host") {
            let host = HeaderValue::from_str(host).unwrap();
            request.headers_mut().insert("host", host);
        }
        request
    }
}

/// One HTTP/2 connection on which many requests are under way at once. It closes, and
/// with it all that is under way, once nobody has it any more.
#[derive(Clone)]
pub(crate) struct Http2(http2::SendRequest<Frames>);

impl Http2 {
    /// Connects.
    ///
    /// # Panics
    /// When nobody listens.
    pub(crate) async fn connect(to: SocketAddr) -> Self {
        let stream = TcpStream::connect(to).await.expect("a connection");
        let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .expect("HTTP/2");
        tokio::spawn(connection);
        Self(sender)
    }

    /// Sends a request beside the others and reads the whole answer.
    ///
    /// # Panics
    /// When the exchange breaks or takes longer than [`PATIENCE`].
    pub(crate) async fn ask(&self, ask: Ask) -> Answer {
        let (id, mut sender) = (ask.id.clone(), self.0.clone());
        let response = sender.send_request(ask.request("http://gateway", ""));
        let whole = async { Answer::read(id.clone(), response.await.map_err(chain)?).await };
        tokio::time::timeout(PATIENCE, whole)
            .await
            .expect("an answer in time")
            .unwrap_or_else(|error| panic!("request {id}: {error}"))
    }
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The `x-request-id` of the question.
    pub(crate) id: String,
    /// Its status.
    pub(crate) status: u16,
    /// Its headers.
    pub(crate) headers: HeaderMap,
    /// Its body.
    pub(crate) body: Bytes,
    /// What followed the body.
    pub(crate) trailers: HeaderMap,
}

impl Answer {
    async fn read(id: String, response: Response<Incoming>) -> Result<Self, String> {
        let (head, body) = response.into_parts();
        let body = body.collect().await.map_err(chain)?;
        let trailers = body.trailers().cloned().unwrap_or_default();
        Ok(Self {
            id,
            status: head.status.as_u16(),
            headers: head.headers,
            trailers,
            body: body.to_bytes(),
        })
    }

    /// A header that occurs once.
    ///
    /// # Panics
    /// When it occurs more often.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut all = self.headers.get_all(name).iter();
        let first = all.next().map(|value| value.to_str().unwrap());
        assert_eq!(all.next(), None, "`{name}` occurs more than once");
        first
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in the body {:?}", self.text()))
    }
}

/// A body in known pieces.
#[derive(Debug, Clone, Default)]
pub(crate) struct Frames {
    data: VecDeque<Bytes>,
    trailers: Option<HeaderMap>,
    sized: bool,
}

impl Frames {
    /// One piece whose length is told beforehand.
    pub(crate) fn whole(body: impl Into<Bytes>) -> Self {
        Self {
            data: VecDeque::from([body.into()]),
            trailers: None,
            sized: true,
        }
    }

    /// Pieces whose length is not told.
    pub(crate) fn pieces(pieces: &[&str]) -> Self {
        let own = |piece: &&str| Bytes::copy_from_slice(piece.as_bytes());
        Self {
            data: pieces.iter().map(own).collect(),
            trailers: None,
            sized: false,
        }
    }

    /// Adds a trailer, which costs the body its content-length.
    pub(crate) fn add_trailer(&mut self, name: &'static str, value: &'static str) {
        self.sized = false;
        self.trailers
            .get_or_insert_default()
            .insert(name, HeaderValue::from_static(value));
    }
}

impl Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let data = self.data.pop_front().map(Frame::data);
        let next = data.or_else(|| self.trailers.take().map(Frame::trailers));
        Poll::Ready(next.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_empty() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let length = self.data.iter().map(|piece| piece.len() as u64).sum();
        if self.sized || self.is_end_stream() {
            SizeHint::with_exact(length)
        } else {
            SizeHint::default()
        }
    }
}

/// An error with its causes: hyper's own text leaves them out.
fn chain(error: impl std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

fn fresh_id() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    // Envoy rewrites what looks like a UUID; this does not.
    format!("case-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}
