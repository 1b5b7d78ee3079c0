//! The service behind the gateway: it remembers what reached it and answers as told.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use super::PATIENCE;
use super::client::Frames;

/// A running upstream. Requests are told apart by their `x-request-id`, so many tests
/// can share it.
pub(crate) struct Upstream {
    /// Where Envoy's cluster finds it.
    pub(crate) address: SocketAddr,
    state: Arc<State>,
}

/// What reached the upstream.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    /// Path and query.
    pub(crate) target: String,
    /// Its headers.
    pub(crate) headers: HeaderMap,
    /// Its whole body.
    pub(crate) body: Bytes,
    /// What followed the body.
    pub(crate) trailers: HeaderMap,
}

impl Received {
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
}

/// A door that one side waits at and the other opens.
#[derive(Debug, Clone)]
pub(crate) struct Gate(Arc<Semaphore>);

impl Gate {
    /// A shut gate.
    pub(crate) fn shut() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    /// Opens it for good.
    pub(crate) fn open(&self) {
        self.0.add_permits(Semaphore::MAX_PERMITS / 2);
    }

    async fn pass(&self) {
        let _permit = self.0.acquire().await;
    }
}

/// What to answer.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Frames,
    gate: Option<Gate>,
}

impl Reply {
    /// 200 with a JSON body and a content-length.
    pub(crate) fn json(body: impl Into<Bytes>) -> Self {
        Self {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: Frames::whole(body),
            gate: None,
        }
        .header("content-type", "application/json")
    }

    /// The same, chunked, in these pieces.
    pub(crate) fn json_pieces(pieces: &[&str]) -> Self {
        let mut reply = Self::json("");
        reply.body = Frames::pieces(pieces);
        reply
    }

    /// Another status.
    pub(crate) fn status(mut self, status: u16) -> Self {
        self.status = StatusCode::from_u16(status).unwrap();
        self
    }

    /// A header in place of those of its name; the value may hold bytes that are no UTF-8.
    pub(crate) fn header(mut self, name: &'static str, value: impl AsRef<[u8]>) -> Self {
        self.headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_bytes(value.as_ref()).unwrap(),
        );
        self
    }

    /// A trailer behind the body.
    pub(crate) fn trailer(mut self, name: &'static str, value: &'static str) -> Self {
        self.body.add_trailer(name, value);
        self.header("trailer", name)
    }

    /// Answers only when the gate is open.
    pub(crate) fn behind(mut self, gate: &Gate) -> Self {
        self.gate = Some(gate.clone());
        self
    }
}

impl Upstream {
    /// Starts one. Without further word it answers `{}`.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&shared);
                let service = service_fn(move |request| answer(Arc::clone(&state), request));
                let connection =
                    http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                tokio::spawn(connection);
            }
        });
        Self { address, state }
    }

    /// Says how to answer the request of this id.
    pub(crate) fn script(&self, id: &str, reply: Reply) {
        self.state
            .replies
            .lock()
            .unwrap()
            .insert(id.to_owned(), reply);
    }

    /// Whether so much as the head of this request has arrived.
    pub(crate) fn saw(&self, id: &str) -> bool {
        self.state.arrivals.borrow().contains_key(id)
    }

    /// The whole request of this id; waits for the end of its body.
    ///
    /// # Panics
    /// When it does not arrive within [`PATIENCE`].
    pub(crate) async fn received(&self, id: &str) -> Received {
        let mut arrivals = self.state.arrivals.subscribe();
        let whole = arrivals.wait_for(|all| matches!(all.get(id), Some(Some(_))));
        let all = tokio::time::timeout(PATIENCE, whole)
            .await
            .unwrap_or_else(|_| panic!("request {id} did not reach the upstream"))
            .unwrap();
        all.get(id).cloned().flatten().unwrap()
    }
}

struct State {
    replies: Mutex<HashMap<String, Reply>>,
    /// By request id: `None` from the head on, `Some` from the end of the body on.
    arrivals: watch::Sender<HashMap<String, Option<Received>>>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            replies: Mutex::default(),
            arrivals: watch::Sender::new(HashMap::new()),
        }
    }
}

async fn answer(
    state: Arc<State>,
    request: Request<Incoming>,
) -> Result<Response<Frames>, Infallible> {
    let (head, body) = request.into_parts();
    let id = head
        .headers
        .get("x-request-id")
        .map(|id| String::from_utf8_lossy(id.as_bytes()).into_owned());
    // The load of a benchmark carries no scripts worth remembering by the thousand.
    let Some(id) = id.filter(|id| id.starts_with("case-")) else {
        let _ = body.collect().await;
        return Ok(respond(Reply::json("{}")));
    };
    state.arrivals.send_modify(|all| {
        all.insert(id.clone(), None);
    });
    if let Ok(body) = body.collect().await {
        let received = Received {
            target: head.uri.to_string(),
            headers: head.headers,
            trailers: body.trailers().cloned().unwrap_or_default(),
            body: body.to_bytes(),
        };
        state.arrivals.send_modify(|all| {
            all.insert(id.clone(), Some(received));
        });
    }
    let reply = state.replies.lock().unwrap().remove(&id);
    let reply = reply.unwrap_or_else(|| Reply::json("{}"));
    if let Some(gate) = &reply.gate {
        gate.pass().await;
    }
    Ok(respond(reply))
}

fn respond(reply: Reply) -> Response<Frames> {
    let mut response = Response::new(reply.body);
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    response
}
