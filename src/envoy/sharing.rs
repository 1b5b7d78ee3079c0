//! Questions to the rate limit service.
//!
//! All of them are asked in the name of the root context, so that each call comes to an
//! end. A call in a stream's name ends with the stream, and nobody is told: the SDK would
//! keep its number for ever, and so clients that leave while they wait would make it grow.

use super::exchange::Exchange;
use super::host;
use super::worker::{AT_ONCE, Worker};
use crate::ratelimit::lease::Refill;
use crate::ratelimit::{Answer, Question};
use crate::stage::quota;

impl Worker {
    /// Asks for the context that is being acted for; the call, unless there is no such
    /// cluster.
    pub(super) fn ask_for(&self, context: u32, question: &Question) -> Option<u32> {
        host::act_for(self.root);
        let call = self.ask_service(question);
        host::act_for(context);
        call
    }

    /// Asks in the name of the root context, which must be acted for.
    fn ask_service(&self, question: &Question) -> Option<u32> {
        let service = self.policy().quotas.service.as_ref()?;
        let call = host::ask(service, question);
        if call.is_none() {
            log::error!("cluster `{}` does not take a call", service.cluster);
        }
        call
    }

    /// Leaves to the root context what is to be asked for in advance.
    pub(super) fn want_refills(&self, refills: &mut Vec<Refill>) {
        if !refills.is_empty() {
            self.refills.borrow_mut().append(refills);
            host::wake_every(AT_ONCE);
        }
    }

    /// Asks for what is wanted in advance. Only for the root context.
    pub(super) fn refill(&self) {
        for refill in self.refills.take() {
            let question = self.with_world(|world| quota::refill(&refill, world));
            let call = question.and_then(|question| self.ask_service(&question));
            if let Some(call) = call {
                self.refilling.borrow_mut().insert(call, refill);
            }
        }
    }

    /// The service answered the root context, or will not: what was asked in advance, or
    /// for a request that had waited for something else, when the root context let it go
    /// on.
    pub(super) fn service_answered(&self, call: u32, answer: Option<Answer>) {
        let refill = self.refilling.borrow_mut().remove(&call);
        if let Some(refill) = refill {
            if let Some(answer) = answer {
                self.with_world(|world| quota::refilled(&refill, &answer, world));
            }
            return;
        }
        let asked = self.asked.borrow_mut().remove(&call);
        if let Some((context, exchange)) = asked
            && let Some(exchange) = exchange.upgrade()
            && host::act_for(context)
        {
            Exchange::answered(&exchange, call, answer);
            host::act_for(self.root);
        }
    }
}
