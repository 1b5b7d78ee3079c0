//! Requests that wait for something to be fetched.
//!
//! A stream may be gone when its turn comes, so the list holds it weakly, and it is
//! bounded: what does not fit is decided with what is there.

use std::cell::RefCell;
use std::rc::Weak;

use super::exchange::Exchange;
use super::host;
use crate::stage::authn::Needed;
use crate::time::Time;

/// The requests of one worker that wait.
#[derive(Default)]
pub(super) struct WaitingRoom(RefCell<Vec<Waiting>>);

/// One request that waits.
pub(super) struct Waiting {
    /// For what.
    pub(super) needed: Needed,
    /// Since when.
    pub(super) since: Time,
    /// The stream's context.
    pub(super) context: u32,
    /// What goes on when it has come.
    pub(super) exchange: Weak<RefCell<Exchange>>,
}

impl WaitingRoom {
    /// Whether no more fit in.
    pub(super) fn is_full(&self) -> bool {
        self.0.borrow().len() >= MOST_WAITING
    }

    /// Keeps a request until what it needs has come, or will not come.
    pub(super) fn enter(&self, waiting: Waiting) {
        self.0.borrow_mut().push(waiting);
    }

    /// Lets those go on whose waiting is over. The host is left acting for one of them.
    pub(super) fn release(&self, is_over: impl Fn(&Waiting) -> bool) {
        let (released, kept): (Vec<_>, Vec<_>) = self.0.take().into_iter().partition(is_over);
        self.0.replace(kept);
        for waiting in released {
            if let Some(exchange) = waiting.exchange.upgrade()
                && host::act_for(waiting.context)
            {
                Exchange::arrived(&exchange);
            }
        }
    }
}

/// Requests that may wait at once.
const MOST_WAITING: usize = 1_024;
