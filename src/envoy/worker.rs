//! What one worker holds for one configuration, and what it fetches for it.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::time::Duration;

use super::exchange::Exchange;
use super::host;
use super::list;
use super::metrics::Metrics;
use super::shared::{HostSignatures, SharedData};
use super::waiting::{Waiting, WaitingRoom};
use crate::engine::World;
use crate::fetch::{Schedule, SharedDocument, Wish};
use crate::jose::KeySet;
use crate::jose::discovery::Metadata;
use crate::policy::address::Address;
use crate::policy::source::OnMissing;
use crate::policy::{IssuerKeys, KeysPlace, Policy, RemoteSource};
use crate::ratelimit::lease::Refill;
use crate::revocation;
use crate::stage::authn::cache::TokenCache;
use crate::stage::authn::inquiries::About;
use crate::stage::authn::keys::KeyRing;
use crate::stage::authn::opaque::Told;
use crate::stage::authn::revocations::Revocations;
use crate::stage::authn::{Inquiry, KeysNeeded, Needed};
use crate::time::Time;

/// One worker's part of a configuration.
pub(super) struct Worker {
    pub(super) root: u32,
    pub(super) policy: Policy,
    keys: RefCell<KeyRing>,
    tokens: RefCell<TokenCache>,
    pub(super) told: RefCell<Told>,
    pub(super) questions: RefCell<Vec<Inquiry>>,
    pub(super) refills: RefCell<Vec<Refill>>,
    pub(super) refilling: RefCell<HashMap<u32, Refill>>,
    pub(super) asked: RefCell<HashMap<u32, Asker>>,
    pub(super) revocations: RefCell<Revocations>,
    secret: [u8; 32],
    documents: RefCell<Vec<Rc<Document>>>,
    pub(super) calls: RefCell<HashMap<u32, Call>>,
    wishes: RefCell<Vec<(Purpose, Wish)>>,
    pub(super) waiting: WaitingRoom,
    pub(super) metrics: Metrics,
}

/// The stream context that a request to the rate limit service is made for, and its
/// exchange.
pub(super) type Asker = (u32, Weak<RefCell<Exchange>>);

/// A document that is fetched for all workers.
pub(super) struct Document {
    pub(super) purpose: Purpose,
    pub(super) address: Address,
    pub(super) shared: SharedDocument,
    /// The version of it that this worker has taken over; keys have theirs in the ring.
    adopted: Cell<u64>,
}

/// What a document is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The keys of the issuer at this place.
    Keys(usize),
    /// The metadata of the issuer at this place, which say where its keys are.
    Metadata(usize),
    /// What is revoked.
    Revocations,
}

/// What a call is about.
pub(super) enum Call {
    /// A document. One that lies elsewhere by now may have been asked for.
    Document(Rc<Document>),
    /// A token.
    Introspection(About),
}

/// Whether a request must wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// All that can be known is known: decide.
    Now,
    /// A fetch is under way, or will be soon.
    Later,
}

impl Worker {
    /// `root` is the id of the root context, `secret` what all workers share.
    pub(super) fn new(root: u32, policy: Policy, secret: [u8; 32]) -> Self {
        let keys = |(issuer, keys): (usize, &IssuerKeys)| {
            let IssuerKeys::Remote(source) = keys else {
                return None;
            };
            Some(match &source.place {
                KeysPlace::Known(address) => {
                    let schedule = source.keys.schedule();
                    Document::new(Purpose::Keys(issuer), address.clone(), schedule)
                }
                KeysPlace::Discovered { address, schedule } => {
                    let purpose = Purpose::Metadata(issuer);
                    Document::new(purpose, address.clone(), schedule.clone())
                }
            })
        };
        let documents = policy
            .issuers
            .iter()
            .map(|issuer| &issuer.keys)
            .enumerate()
            .filter_map(keys)
            .chain(list::document(&policy))
            .collect();
        Worker {
            root,
            keys: RefCell::new(KeyRing::new(&policy)),
            tokens: RefCell::default(),
            told: RefCell::default(),
            questions: RefCell::default(),
            refills: RefCell::default(),
            refilling: RefCell::default(),
            asked: RefCell::default(),
            revocations: RefCell::new(Revocations::new(&policy)),
            policy,
            secret,
            documents: RefCell::new(documents),
            calls: RefCell::default(),
            wishes: RefCell::default(),
            waiting: WaitingRoom::default(),
            metrics: Metrics::default(),
        }
    }

    /// The policy.
    pub(super) fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Whether there is anything to fetch on a schedule.
    pub(super) fn fetches(&self) -> bool {
        !self.documents.borrow().is_empty()
    }

    /// Lends everything a decision may look at.
    pub(super) fn with_world<T>(&self, decide: impl FnOnce(&World<'_>) -> T) -> T {
        decide(&World {
            policy: &self.policy,
            keys: &self.keys.borrow(),
            tokens: &self.tokens,
            told: &self.told,
            revocations: &self.revocations,
            store: &SharedData,
            signatures: &HostSignatures,
            secret: &self.secret,
            now: host::now(),
        })
    }

    /// A request needs something: begins a fetch where that is allowed, and says
    /// whether there is something to wait for.
    pub(super) fn want(&self, needed: &Needed) -> Answer {
        match needed {
            Needed::Keys(needed) => self.want_keys(*needed),
            Needed::Introspection(inquiry) => self.want_word(inquiry),
            Needed::Revocations => self.want_list(),
        }
    }

    /// Keeps a request until what it needs has come, or will not come.
    pub(super) fn wait(&self, waiting: Waiting) {
        self.waiting.enter(waiting);
    }

    /// Refreshes what is due, takes over what other workers fetched, and releases
    /// the requests that need wait no longer.
    pub(super) fn tick(&self) {
        let now = host::now();
        self.ask();
        self.refill();
        let wishes = std::mem::take(&mut *self.wishes.borrow_mut());
        // What is adopted can add a document, which is looked at in the same turn.
        let mut place = 0;
        while let Some(document) = self.document_at(place) {
            place += 1;
            self.adopt(&document, now);
            let wish = match wishes.contains(&(document.purpose, Wish::OutOfTurn)) {
                true => Wish::OutOfTurn,
                false => Wish::Routine,
            };
            self.fetch_if_due(&document, wish, now);
        }
        self.release(now);
        host::wake_every(TICK);
    }

    /// The answer to a call: the body, or nothing when it failed.
    pub(super) fn answered(&self, call: u32, answer: Option<Vec<u8>>) {
        let call = self.calls.borrow_mut().remove(&call);
        let now = host::now();
        match call {
            Some(Call::Document(document)) => self.fetched(&document, answer, now),
            Some(Call::Introspection(about)) => self.told(about, answer.as_deref()),
            None => return,
        }
        self.release(now);
    }

    fn want_keys(&self, needed: KeysNeeded) -> Answer {
        let (Some(document), Some(source)) = (
            self.keys_or_metadata(needed.issuer),
            self.source(needed.issuer),
        ) else {
            return Answer::Now;
        };
        let now = host::now();
        let mut document = document;
        if self.adopt(&document, now) {
            return Answer::Now;
        }
        if matches!(document.purpose, Purpose::Metadata(_))
            && let Some(keys) = self.document(Purpose::Keys(needed.issuer))
        {
            // Another worker had fetched the metadata, and perhaps the keys as well.
            if self.adopt(&keys, now) {
                return Answer::Now;
            }
            document = keys;
        }
        let wish = if needed.unknown_key {
            Wish::OutOfTurn
        } else {
            Wish::Routine
        };
        let record = document.shared.record(&SharedData);
        let due = document.shared.due(&record, wish, now);
        if due {
            self.bring_forward(document.purpose, wish);
        }
        let under_way = due || document.shared.under_way(&record, now);
        let holds = source.keys.on_missing == OnMissing::Hold;
        let worth_waiting = if needed.unknown_key { under_way } else { holds };
        if worth_waiting && !self.waiting.is_full() {
            Answer::Later
        } else {
            Answer::Now
        }
    }

    fn fetched(&self, document: &Rc<Document>, answer: Option<Vec<u8>>, now: Time) {
        let uri = &document.shared.schedule().uri;
        let Some(body) = answer else {
            log::warn!("{uri} could not be fetched");
            document.shared.failed(&SharedData, now);
            return;
        };
        let problems: Vec<String> = match document.purpose {
            Purpose::Keys(_) => match KeySet::parse(&body) {
                Ok(_) => Vec::new(),
                Err(problems) => problems.iter().map(ToString::to_string).collect(),
            },
            Purpose::Metadata(issuer) => match self.keys_address(issuer, &body) {
                Ok(_) => Vec::new(),
                Err(problem) => vec![problem],
            },
            Purpose::Revocations => revocation::document::parse(&body)
                .err()
                .into_iter()
                .collect(),
        };
        if problems.is_empty() {
            document.shared.succeeded(&SharedData, &body, now);
            let current = self.document(document.purpose);
            if current.is_some_and(|current| Rc::ptr_eq(&current, document)) {
                self.adopt(document, now);
            }
            if let Purpose::Metadata(issuer) = document.purpose
                && let Some(keys) = self.document(Purpose::Keys(issuer))
            {
                // Somebody may be waiting for them.
                self.fetch_if_due(&keys, Wish::Routine, now);
            }
        } else {
            for problem in problems {
                log::warn!("what {uri} holds is not usable: {problem}");
            }
            document.shared.failed(&SharedData, now);
        }
    }

    /// Fetches, if a fetch is due and no other worker has begun it. Only for the
    /// root context: the SDK hands an answer to the context that asked, and a
    /// stream may be gone by then.
    fn fetch_if_due(&self, document: &Rc<Document>, wish: Wish, now: Time) {
        if !document.shared.lease(&SharedData, wish, now) {
            return;
        }
        let schedule = document.shared.schedule();
        let call = host::call(
            &schedule.cluster,
            &document.address,
            "GET",
            &[("accept", "application/json")],
            &[],
            schedule.timeout,
        );
        match call {
            Some(call) => {
                let about = Call::Document(Rc::clone(document));
                self.calls.borrow_mut().insert(call, about);
            }
            None => {
                log::error!("cluster `{}` is not known to Envoy", schedule.cluster);
                document.shared.failed(&SharedData, now);
            }
        }
    }

    /// Takes over what any worker fetched; true when it is something else than before.
    pub(super) fn adopt(&self, document: &Document, now: Time) -> bool {
        let record = document.shared.record(&SharedData);
        if record.version == 0 {
            return false;
        }
        match document.purpose {
            Purpose::Metadata(issuer) => {
                if document.adopted.replace(record.version) == record.version {
                    return false;
                }
                let body = document.shared.document(&SharedData).unwrap_or_default();
                match self.keys_address(issuer, &body) {
                    Ok((uri, address)) => self.keys_are_at(issuer, &uri, address),
                    Err(problem) => log::error!("the shared metadata are damaged: {problem}"),
                }
                false
            }
            Purpose::Keys(issuer) => {
                let mut ring = self.keys.borrow_mut();
                if ring.version(issuer) == Some(record.version) {
                    ring.confirm(issuer, record.fetched);
                    return false;
                }
                let body = document.shared.document(&SharedData).unwrap_or_default();
                match KeySet::parse(&body) {
                    Ok(keys) => {
                        ring.adopt(issuer, keys, record.version, record.fetched);
                        ring.usable(issuer, now).is_some()
                    }
                    Err(_) => damaged(document),
                }
            }
            Purpose::Revocations => self.adopt_list(document, &record, now),
        }
    }

    /// Releases the requests for which a fetch has ended, and those that have waited
    /// as long as a fetch may take.
    fn release(&self, now: Time) {
        self.waiting.release(|waiting| match &waiting.needed {
            Needed::Keys(needed) => self.keys_came(*needed, waiting.since, now),
            Needed::Introspection(inquiry) => self.word_came(inquiry, waiting.since, now),
            Needed::Revocations => self.list_came(waiting.since, now),
        });
        host::act_for(self.root);
    }

    fn keys_came(&self, needed: KeysNeeded, since: Time, now: Time) -> bool {
        let (Some(document), Some(source)) = (
            self.keys_or_metadata(needed.issuer),
            self.source(needed.issuer),
        ) else {
            return true;
        };
        let answered = if needed.unknown_key {
            let record = document.shared.record(&SharedData);
            // A fetch that was under way already may have asked too early.
            let again = record.begun < since && document.shared.due(&record, Wish::OutOfTurn, now);
            if record.ended >= since && again {
                self.bring_forward(document.purpose, Wish::OutOfTurn);
            }
            record.ended >= since && !again
        } else {
            self.keys.borrow().usable(needed.issuer, now).is_some()
        };
        // Keys that must be found first take two fetches.
        let fetches = match source.place {
            KeysPlace::Known(_) => 1,
            KeysPlace::Discovered { .. } => 2,
        };
        answered || now >= since + document.shared.schedule().timeout * fetches
    }

    /// What must be fetched to have an issuer's keys: themselves, if it is known
    /// where they are.
    fn keys_or_metadata(&self, issuer: usize) -> Option<Rc<Document>> {
        self.document(Purpose::Keys(issuer))
            .or_else(|| self.document(Purpose::Metadata(issuer)))
    }

    fn source(&self, issuer: usize) -> Option<&RemoteSource> {
        match &self.policy.issuers.get(issuer)?.keys {
            IssuerKeys::Remote(source) => Some(source),
            IssuerKeys::Fixed(_) | IssuerKeys::Secrets(_) | IssuerKeys::None => None,
        }
    }

    /// Where an issuer's keys are, by its own metadata.
    fn keys_address(&self, issuer: usize, metadata: &[u8]) -> Result<(String, Address), String> {
        let name = self.policy.issuers.get(issuer);
        let name = name.map_or("", |issuer| issuer.issuer.as_str());
        let metadata = Metadata::parse(metadata, name).map_err(|problem| problem.to_string())?;
        let uri = metadata.jwks_uri();
        let address = Address::parse(uri).ok_or_else(|| format!("`{uri}` is no address"))?;
        Ok((uri.to_owned(), address))
    }

    /// Keys that were elsewhere before serve on until those of the new place are there.
    fn keys_are_at(&self, issuer: usize, uri: &str, address: Address) {
        let Some(source) = self.source(issuer) else {
            return;
        };
        let purpose = Purpose::Keys(issuer);
        let known = self.document(purpose);
        if known.is_some_and(|document| document.shared.schedule().uri == uri) {
            return;
        }
        let document = Document::new(purpose, address, source.keys.schedule_at(uri));
        let mut documents = self.documents.borrow_mut();
        documents.retain(|document| document.purpose != purpose);
        documents.push(document);
    }

    /// Makes the root context do at once what it would do at its next tick.
    pub(super) fn bring_forward(&self, purpose: Purpose, wish: Wish) {
        let mut wishes = self.wishes.borrow_mut();
        if !wishes.contains(&(purpose, wish)) {
            wishes.push((purpose, wish));
        }
        host::wake_every(AT_ONCE);
    }

    pub(super) fn document(&self, purpose: Purpose) -> Option<Rc<Document>> {
        let documents = self.documents.borrow();
        let wanted = |document: &&Rc<Document>| document.purpose == purpose;
        documents.iter().find(wanted).cloned()
    }

    fn document_at(&self, place: usize) -> Option<Rc<Document>> {
        self.documents.borrow().get(place).cloned()
    }
}

impl Document {
    pub(super) fn new(purpose: Purpose, address: Address, schedule: Schedule) -> Rc<Self> {
        Rc::new(Document {
            purpose,
            address,
            shared: SharedDocument::new(schedule),
            adopted: Cell::default(),
        })
    }
}

/// Whoever fetched it could read it, so it can only be the host's fault.
pub(super) fn damaged(document: &Document) -> bool {
    log::error!("the shared `{}` is damaged", document.shared.schedule().uri);
    false
}

/// How often the root context looks for what is due or came.
pub(super) const TICK: Duration = Duration::from_millis(100);
pub(super) const AT_ONCE: Duration = Duration::from_millis(1);
