//! The callbacks of one HTTP stream.
//!
//! With trailers, no body callback says that the body is complete, so the trailer
//! callbacks say it too.

use std::cell::RefCell;
use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

use super::exchange::Exchange;
use super::host;
use crate::denial::Denial;
use crate::trail::Trail;

/// A stream context of Envoy's.
pub(super) struct Stream(pub(super) Rc<RefCell<Exchange>>);

impl Context for Stream {
    fn on_grpc_call_response(&mut self, call: u32, status: u32, _size: usize) {
        Exchange::answered(&self.0, call, host::answer(status));
    }
}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _count: usize, end_of_stream: bool) -> Action {
        self.0.borrow_mut().request_head(end_of_stream)
    }

    fn on_http_request_body(&mut self, _size: usize, end_of_stream: bool) -> Action {
        self.0.borrow_mut().request_body(end_of_stream)
    }

    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        self.0.borrow_mut().request_body(true)
    }

    fn on_http_response_headers(&mut self, _count: usize, end_of_stream: bool) -> Action {
        self.0.borrow_mut().response_head(end_of_stream)
    }

    fn on_http_response_body(&mut self, _size: usize, end_of_stream: bool) -> Action {
        self.0.borrow_mut().response_body(end_of_stream)
    }

    fn on_http_response_trailers(&mut self, _count: usize) -> Action {
        self.0.borrow_mut().response_body(true)
    }

    fn on_log(&mut self) {
        self.0.borrow_mut().log();
    }
}

/// A stream without a configuration to decide by: it goes no further.
pub(super) struct Unconfigured;

impl Context for Unconfigured {}

impl HttpContext for Unconfigured {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        let denial = Denial::Unexpected;
        host::reply(&Trail::default().refusal(&denial), denial.code());
        Action::Pause
    }
}
