//! A filter that does nothing: what Envoy charges for hosting any Wasm filter at all.
//!
//! The bench times it between Envoy alone and Portcullis, so that the cost of the
//! host (calls into the VM for each phase of each exchange) is not booked on the
//! gate. Natively there is no host, and the crate is empty.
#![cfg(target_family = "wasm")]
#![expect(
    missing_docs,
    reason = "`proxy_wasm::main!` exports a function, and a macro's output takes no comment"
)]

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::ContextType;

proxy_wasm::main! {{
    proxy_wasm::set_root_context(|_| Box::new(Root));
}}

struct Root;

impl Context for Root {}

impl RootContext for Root {
    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Exchange))
    }
}

struct Exchange;

impl Context for Exchange {}

impl HttpContext for Exchange {}
