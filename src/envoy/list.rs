//! The list of what is revoked, fetched by one worker for all.

use std::rc::Rc;

use super::host;
use super::shared::SharedData;
use super::worker::{Answer, Document, Purpose, Worker, damaged};
use crate::fetch::{Record, Wish};
use crate::policy::{Policy, RevocationSource};
use crate::revocation;
use crate::time::Time;

impl Worker {
    /// A request needs the list: begins a fetch where one is due, and says whether there
    /// is something to wait for.
    pub(super) fn want_list(&self) -> Answer {
        let purpose = Purpose::Revocations;
        let Some(document) = self.document(purpose) else {
            return Answer::Now;
        };
        let now = host::now();
        if self.adopt(&document, now) {
            return Answer::Now;
        }
        let record = document.shared.record(&SharedData);
        let due = document.shared.due(&record, Wish::Routine, now);
        if due {
            self.bring_forward(purpose, Wish::Routine);
        }
        if (due || document.shared.under_way(&record, now)) && !self.waiting.is_full() {
            Answer::Later
        } else {
            Answer::Now
        }
    }

    /// Takes over the list that any worker fetched; true when it is another than before.
    pub(super) fn adopt_list(&self, document: &Document, record: &Record, now: Time) -> bool {
        let mut held = self.revocations.borrow_mut();
        if record.version == 0 || held.version() == Some(record.version) {
            held.confirm(record.fetched);
            return false;
        }
        let body = document.shared.document(&SharedData).unwrap_or_default();
        match revocation::document::parse(&body) {
            Ok(list) => {
                held.adopt(list, record.version, record.fetched);
                held.is_usable(now)
            }
            Err(_) => damaged(document),
        }
    }

    /// Whether a request that waits for the list need wait no longer.
    pub(super) fn list_came(&self, since: Time, now: Time) -> bool {
        let Some(document) = self.document(Purpose::Revocations) else {
            return true;
        };
        let ended = document.shared.record(&SharedData).ended >= since;
        let answered = ended || self.revocations.borrow().is_usable(now);
        answered || now >= since + document.shared.schedule().timeout
    }
}

/// The list, if the policy has one that must be fetched.
pub(super) fn document(policy: &Policy) -> Option<Rc<Document>> {
    match &policy.revocation.as_ref()?.source {
        RevocationSource::Fixed(_) => None,
        RevocationSource::Remote { list, address } => {
            let purpose = Purpose::Revocations;
            Some(Document::new(purpose, address.clone(), list.schedule()))
        }
    }
}
