//! Questions to authorization servers about tokens.
//!
//! A request that needs one leaves it here and waits. The root context puts it, once for
//! all requests of this worker that need the same, since an answer goes to the context
//! that asked and a stream may be gone by then.

use super::host;
use super::worker::{AT_ONCE, Answer, Call, Worker};
use crate::stage::authn::Inquiry;
use crate::stage::authn::inquiries::{About, Begun};
use crate::stage::authn::opaque;
use crate::time::Time;

impl Worker {
    /// A request needs a server's word about its token.
    pub(super) fn want_word(&self, inquiry: &Inquiry) -> Answer {
        let Some((server, _)) = inquiry.question(self.policy()) else {
            return Answer::Now;
        };
        if self.waiting.is_full() {
            return Answer::Now;
        }
        let begun =
            self.told
                .borrow_mut()
                .begin(inquiry.about, host::now(), server.timeout + GRACE);
        match begun {
            Begun::Full => return Answer::Now,
            Begun::UnderWay => {}
            Begun::Call => {
                self.questions.borrow_mut().push(inquiry.clone());
                host::wake_every(AT_ONCE);
            }
        }
        Answer::Later
    }

    /// Puts the questions that wait. Only for the root context.
    pub(super) fn ask(&self) {
        for inquiry in self.questions.take() {
            let Some((server, question)) = inquiry.question(self.policy()) else {
                continue;
            };
            let mut headers = vec![
                ("content-type", "application/x-www-form-urlencoded"),
                ("accept", "application/json"),
            ];
            let authorization = question.authorization.as_deref();
            headers.extend(authorization.map(|value| ("authorization", value)));
            let call = host::call(
                &server.cluster,
                &server.address,
                "POST",
                &headers,
                question.form.as_bytes(),
                server.timeout,
            );
            match call {
                Some(call) => {
                    let about = Call::Introspection(inquiry.about);
                    self.calls.borrow_mut().insert(call, about);
                }
                None => {
                    log::error!("cluster `{}` is not known to Envoy", server.cluster);
                    self.told.borrow_mut().failed(&inquiry.about, host::now());
                }
            }
        }
    }

    /// A server answered with this body, or did not answer.
    pub(super) fn told(&self, about: About, answer: Option<&[u8]>) {
        let issuer = self.policy().issuers.get(about.issuer);
        let name = issuer.map_or("", |issuer| issuer.name.as_str());
        if answer.is_none() {
            log::warn!("`{name}` does not answer for its tokens");
        }
        if let Err(problem) = self.with_world(|world| opaque::settle(about, answer, world)) {
            log::warn!("what `{name}` answers about a token is not usable: {problem}");
        }
    }

    /// Whether a request that waits for a server's word need wait no longer.
    pub(super) fn word_came(&self, inquiry: &Inquiry, since: Time, now: Time) -> bool {
        let patience = inquiry
            .question(self.policy())
            .map_or(GRACE, |(server, _)| server.timeout + GRACE);
        !self.told.borrow().under_way(&inquiry.about) || now >= since + patience
    }
}

/// How much longer than its time-out a call may seem to take.
const GRACE: std::time::Duration = std::time::Duration::from_secs(1);
