//! One exchange: it feeds the engine and carries out the engine's steps.

use std::cell::RefCell;
use std::rc::{Rc, Weak};

use proxy_wasm::types::{Action, BufferType, MapType};

use super::upstream::Upstream;
use super::waiting::Waiting;
use super::worker::{Answer, Worker};
use super::{certificate, host};
use crate::denial::Denial;
use crate::engine::{Body, Edits, Ended, Event, Flow, Step};
use crate::ratelimit;
use crate::request::{Headers, RequestHead, ResponseHead, parse_address};
use crate::time::Time;
use crate::trail::{Ending, Trail};

/// The state of one exchange. It is shared between its stream's callbacks and the
/// list of requests that wait.
pub(super) struct Exchange {
    context: u32,
    worker: Rc<Worker>,
    flow: Flow,
    trail: Trail,
    /// When its head came, until it is decided.
    undecided_since: Option<Time>,
    /// The last byte of the request's body is in Envoy.
    request_complete: bool,
    upstream: Upstream,
    /// The call to the rate limit service that is under way.
    asking: Option<u32>,
    itself: Weak<RefCell<Exchange>>,
}

impl Exchange {
    /// A new exchange in the stream context `context`.
    pub(super) fn new(context: u32, worker: Rc<Worker>) -> Rc<RefCell<Exchange>> {
        Rc::new_cyclic(|itself| {
            RefCell::new(Exchange {
                context,
                worker,
                flow: Flow::Start,
                trail: Trail::default(),
                undecided_since: None,
                request_complete: false,
                upstream: Upstream::default(),
                asking: None,
                itself: itself.clone(),
            })
        })
    }

    /// The request's head arrived.
    pub(super) fn request_head(&mut self, end_of_stream: bool) -> Action {
        self.undecided_since = Some(host::now());
        if end_of_stream {
            self.upstream.whole();
        }
        let address = host::property(&["source", "address"]);
        let address =
            address.and_then(|address| parse_address(std::str::from_utf8(&address).ok()?));
        let headers = Headers::new(host::headers(MapType::HttpRequestHeaders));
        self.handle(Event::RequestHead(RequestHead {
            headers,
            address,
            end_of_stream,
            certificate: certificate::of_peer(),
        }))
    }

    /// More of the request's body arrived; `complete` when nothing follows but
    /// perhaps trailers.
    pub(super) fn request_body(&mut self, complete: bool) -> Action {
        if complete {
            self.upstream.whole();
        }
        if matches!(self.flow, Flow::Passing | Flow::Announcing) {
            return Action::Continue;
        }
        self.request_complete |= complete;
        self.judge_body()
    }

    /// Shows the engine the request's body, whole if it is there and wanted.
    fn judge_body(&mut self) -> Action {
        if self.request_complete && matches!(self.flow, Flow::Judging(_)) {
            let body = host::body(BufferType::HttpRequestBody);
            return self.handle(Event::RequestBody(Body::Whole(&body)));
        }
        self.handle(Event::RequestBody(Body::Partial))
    }

    /// The response's head arrived.
    pub(super) fn response_head(&mut self, end_of_stream: bool) -> Action {
        if self.is_watched() {
            self.upstream.answered();
        }
        if self.flow.is_settled() {
            return Action::Continue;
        }
        let headers = Headers::new(host::headers(MapType::HttpResponseHeaders));
        self.handle(Event::ResponseHead(ResponseHead {
            headers,
            end_of_stream,
        }))
    }

    /// More of the response's body arrived; `complete` when nothing follows but
    /// perhaps trailers.
    pub(super) fn response_body(&mut self, complete: bool) -> Action {
        if self.flow.is_settled() {
            return Action::Continue;
        }
        let body = if complete {
            host::body(BufferType::HttpResponseBody)
        } else {
            Vec::new()
        };
        let event = if complete {
            Body::Whole(&body)
        } else {
            Body::Partial
        };
        let (flow, step) = self.step(Event::ResponseBody(event));
        self.flow = flow;
        self.carry_out(
            step,
            Side::Response {
                body_length: body.len(),
            },
        )
    }

    /// What the exchange waits for has come, or will not come.
    pub(super) fn arrived(exchange: &RefCell<Exchange>) {
        if let Ok(mut exchange) = exchange.try_borrow_mut()
            && exchange.handle(Event::Arrived) == Action::Continue
        {
            host::resume_request();
        }
    }

    /// The rate limit service has answered, or will not.
    pub(super) fn answered(
        exchange: &RefCell<Exchange>,
        call: u32,
        answer: Option<ratelimit::Answer>,
    ) {
        if let Ok(mut exchange) = exchange.try_borrow_mut()
            && exchange.asking == Some(call)
        {
            exchange.forget_question();
            if exchange.handle(Event::Answered(answer)) == Action::Continue {
                host::resume_request();
            }
        }
    }

    /// The exchange is over: its record goes where Envoy's access logs find it.
    pub(super) fn log(&mut self) {
        self.forget_question();
        let status = host::number(&["response", "code"])
            .and_then(|code| u16::try_from(code).ok())
            .filter(|code| *code != 0);
        let took = match self.is_watched() {
            true => self.upstream.took(),
            false => None,
        };
        let (flow, _) = self.step(Event::Ended(Ended {
            status,
            upstream_ns: took.and_then(|took| u64::try_from(took.as_nanos()).ok()),
        }));
        self.flow = flow;
        self.worker.metrics.count(&self.trail);
        let latency_ns = host::number(&["request", "duration"]);
        let ending = Ending {
            time_ms: host::now().millis(),
            status,
            latency_us: latency_ns.map(|nanos| nanos / 1_000),
        };
        let record = self.trail.record(ending, &self.worker.policy().fingerprint);
        match serde_json::to_vec(&record) {
            Ok(line) => host::set_state(AUDIT_STATE, &line),
            Err(error) => log::error!("the audit record could not be written: {error}"),
        }
    }

    fn handle(&mut self, event: Event<'_>) -> Action {
        let side = match event {
            Event::ResponseHead(_) | Event::ResponseBody(_) => Side::Response { body_length: 0 },
            Event::RequestHead(_)
            | Event::RequestBody(_)
            | Event::Arrived
            | Event::Answered(_)
            | Event::Ended(_) => Side::Request,
        };
        let (flow, step) = self.step(event);
        self.flow = flow;
        self.carry_out(step, side)
    }

    fn step(&mut self, event: Event<'_>) -> (Flow, Step) {
        let flow = std::mem::replace(&mut self.flow, Flow::Refused);
        let trail = &mut self.trail;
        let stepped = self
            .worker
            .with_world(|world| flow.step(event, world, trail));
        self.worker.want_refills(&mut self.trail.account.refills);
        stepped
    }

    fn carry_out(&mut self, step: Step, side: Side) -> Action {
        if matches!(step, Step::Continue(_) | Step::Reply(_))
            && let Some(since) = self.undecided_since.take()
        {
            let now = host::now();
            self.worker.metrics.decided(now.since(since));
            self.upstream.released(now);
        }
        match step {
            Step::Continue(edits) => {
                apply(&edits, side);
                Action::Continue
            }
            Step::Await(needed) => match self.worker.want(&needed) {
                Answer::Now => self.handle(Event::Arrived),
                Answer::Later => {
                    self.worker.wait(Waiting {
                        needed,
                        since: host::now(),
                        context: self.context,
                        exchange: self.itself.clone(),
                    });
                    Action::Pause
                }
            },
            Step::Ask(question) => {
                self.asking = self.worker.ask_for(self.context, &question);
                if let Some(call) = self.asking {
                    let asked = (self.context, self.itself.clone());
                    self.worker.asked.borrow_mut().insert(call, asked);
                }
                match self.asking {
                    Some(_) => Action::Pause,
                    None => self.handle(Event::Answered(None)),
                }
            }
            // It came while something else was awaited, and will not come again.
            Step::AwaitBody if self.request_complete && matches!(self.flow, Flow::Judging(_)) => {
                self.judge_body()
            }
            Step::Wait | Step::AwaitBody => Action::Pause,
            Step::Reply(denial) => {
                self.refuse(&denial);
                Action::Pause
            }
        }
    }

    /// Whether limits look at how the upstream does.
    fn is_watched(&self) -> bool {
        !self.trail.account.watched.is_empty()
    }

    /// No answer is awaited any more.
    fn forget_question(&mut self) {
        if let Some(call) = self.asking.take() {
            self.worker.asked.borrow_mut().remove(&call);
        }
    }

    fn refuse(&self, denial: &Denial) {
        host::reply(
            &self.trail.refusal(denial),
            &format!("portcullis_{}", denial.code()),
        );
    }
}

/// Which message a step is about.
#[derive(Clone, Copy)]
enum Side {
    Request,
    Response { body_length: usize },
}

fn apply(edits: &Edits, side: Side) {
    let map = match side {
        Side::Request => MapType::HttpRequestHeaders,
        Side::Response { .. } => MapType::HttpResponseHeaders,
    };
    for name in &edits.remove {
        host::remove_header(map, name);
    }
    for (name, value) in &edits.set {
        host::set_header(map, name, value);
    }
    if let (Some(body), Side::Response { body_length }) = (&edits.body, side) {
        host::replace_body(BufferType::HttpResponseBody, body_length, body);
    }
}

/// The record is the filter state `wasm.portcullis.audit`.
const AUDIT_STATE: &str = "portcullis.audit";
