//! The root context: it takes a configuration or refuses it, and makes calls.

use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{BufferType, ContextType, LogLevel, MapType};

use super::exchange::Exchange;
use super::host;
use super::http::{Stream, Unconfigured};
use super::shared;
use super::worker::{TICK, Worker};
use crate::policy::plugin;
use crate::policy::source::Environment;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|id| Box::new(Root { id, worker: None }));
}}

/// A configuration in one worker. A reload makes a new one in the same VM, so
/// nothing of it stands in a static.
struct Root {
    id: u32,
    worker: Option<Rc<Worker>>,
}

impl Context for Root {
    fn on_http_call_response(&mut self, call: u32, headers: usize, _body: usize, _trailers: usize) {
        // A reset call has no headers, and asking for them would trap.
        let status = (headers > 0)
            .then(|| host::headers(MapType::HttpCallResponseHeaders))
            .and_then(|headers| headers.into_iter().find(|(name, _)| name == ":status"))
            .map(|(_, value)| value);
        let good = status.as_deref() == Some(b"200");
        let answer = good.then(|| host::body(BufferType::HttpCallResponseBody));
        if let Some(worker) = &self.worker {
            worker.answered(call, answer);
        }
    }

    fn on_grpc_call_response(&mut self, call: u32, status: u32, _size: usize) {
        if let Some(worker) = &self.worker {
            worker.service_answered(call, host::answer(status));
        }
    }
}

impl RootContext for Root {
    /// False makes Envoy refuse the configuration; a running one stays in place.
    fn on_configure(&mut self, _size: usize) -> bool {
        match plugin::load(
            &host::body(BufferType::PluginConfiguration),
            Environment::Here(&|name| std::env::var(name).ok()),
        ) {
            Ok(policy) => {
                let Some(secret) = shared::secret() else {
                    log::error!("the host gives no random bytes; allow `random_get`");
                    return false;
                };
                log::info!(
                    "policy {} with {} operations is in force",
                    policy.fingerprint,
                    policy.operations.len()
                );
                let worker = Worker::new(self.id, policy, secret);
                if worker.fetches() {
                    host::wake_every(TICK);
                }
                self.worker = Some(Rc::new(worker));
                true
            }
            Err(problems) => {
                log::error!("the configuration is refused; {} problems", problems.len());
                for problem in problems {
                    log::error!("{problem}");
                }
                false
            }
        }
    }

    fn on_tick(&mut self) {
        if let Some(worker) = &self.worker {
            worker.tick();
        }
    }

    fn create_http_context(&self, id: u32) -> Option<Box<dyn HttpContext>> {
        match &self.worker {
            Some(worker) => Some(Box::new(Stream(Exchange::new(id, Rc::clone(worker))))),
            None => Some(Box::new(Unconfigured)),
        }
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}
