//! What one worker holds for one configuration, and the requests that wait in it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Weak;
use std::time::Duration;

use super::exchange::Exchange;
use super::host;
use super::shared::{HostSignatures, SharedData};
use crate::engine::World;
use crate::jose::KeySet;
use crate::policy::source::OnMissing;
use crate::policy::{IssuerKeys, Policy, RemoteSource};
use crate::stage::authn::KeysNeeded;
use crate::stage::authn::cache::TokenCache;
use crate::stage::authn::keys::KeyRing;
use crate::stage::authn::refresh::{SharedKeys, Wish};
use crate::time::Time;

/// One worker's part of a configuration.
pub(super) struct Worker {
    root: u32,
    policy: Policy,
    keys: RefCell<KeyRing>,
    tokens: RefCell<TokenCache>,
    remotes: Vec<Remote>,
    calls: RefCell<HashMap<u32, usize>>,
    wishes: RefCell<Vec<(usize, Wish)>>,
    waiting: RefCell<Vec<Waiting>>,
}

struct Remote {
    issuer: usize,
    source: RemoteSource,
    shared: SharedKeys,
}

struct Waiting {
    needed: KeysNeeded,
    since: Time,
    context: u32,
    exchange: Weak<RefCell<Exchange>>,
}

/// Whether a request must wait for keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// All that can be known is known: decide.
    Now,
    /// A fetch is under way, or will be soon.
    Later,
}

impl Worker {
    /// `root` is the id of the root context.
    pub(super) fn new(root: u32, policy: Policy) -> Self {
        let remote = |(issuer, keys): (usize, &IssuerKeys)| match keys {
            IssuerKeys::Fixed(_) => None,
            IssuerKeys::Remote(source) => Some(Remote {
                issuer,
                source: source.clone(),
                shared: SharedKeys::new(&source.keys),
            }),
        };
        let remotes = policy
            .issuers
            .iter()
            .map(|issuer| &issuer.keys)
            .enumerate()
            .filter_map(remote)
            .collect();
        Worker {
            root,
            keys: RefCell::new(KeyRing::new(&policy)),
            policy,
            tokens: RefCell::default(),
            remotes,
            calls: RefCell::default(),
            wishes: RefCell::default(),
            waiting: RefCell::default(),
        }
    }

    /// The policy.
    pub(super) fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Whether there is anything to fetch.
    pub(super) fn fetches(&self) -> bool {
        !self.remotes.is_empty()
    }

    /// Lends everything a decision may look at.
    pub(super) fn with_world<T>(&self, decide: impl FnOnce(&World<'_>) -> T) -> T {
        decide(&World {
            policy: &self.policy,
            keys: &self.keys.borrow(),
            tokens: &self.tokens,
            store: &SharedData,
            signatures: &HostSignatures,
            now: host::now(),
        })
    }

    /// A request needs keys: begins a fetch where that is allowed, and says
    /// whether there is something to wait for.
    pub(super) fn want(&self, needed: KeysNeeded) -> Answer {
        let Some(remote) = self.remote(needed.issuer) else {
            return Answer::Now;
        };
        let now = host::now();
        if self.adopt(remote, now) {
            return Answer::Now;
        }
        let wish = if needed.unknown_key {
            Wish::UnknownKey
        } else {
            Wish::Routine
        };
        let record = remote.shared.record(&SharedData);
        let due = remote.shared.due(&record, wish, now);
        if due {
            self.bring_forward(needed.issuer, wish);
        }
        let under_way = due || remote.shared.under_way(&record, now);
        let holds = remote.source.keys.on_missing == OnMissing::Hold;
        let full = self.waiting.borrow().len() >= MOST_WAITING;
        let worth_waiting = if needed.unknown_key { under_way } else { holds };
        if worth_waiting && !full {
            Answer::Later
        } else {
            Answer::Now
        }
    }

    /// Keeps a request until its keys have come, or will not come.
    pub(super) fn wait(&self, needed: KeysNeeded, context: u32, exchange: Weak<RefCell<Exchange>>) {
        self.waiting.borrow_mut().push(Waiting {
            needed,
            since: host::now(),
            context,
            exchange,
        });
    }

    /// Refreshes what is due, takes over what other workers fetched, and releases
    /// the requests that need wait no longer.
    pub(super) fn tick(&self) {
        let now = host::now();
        let wishes = std::mem::take(&mut *self.wishes.borrow_mut());
        for remote in &self.remotes {
            self.adopt(remote, now);
            let wish = match wishes.contains(&(remote.issuer, Wish::UnknownKey)) {
                true => Wish::UnknownKey,
                false => Wish::Routine,
            };
            self.fetch_if_due(remote, wish, now);
        }
        self.release(now);
        host::wake_every(TICK);
    }

    /// The answer to a fetch: `status` and body, or nothing when it failed.
    pub(super) fn fetched(&self, call: u32, answer: Option<Vec<u8>>) {
        let Some(issuer) = self.calls.borrow_mut().remove(&call) else {
            return;
        };
        let Some(remote) = self.remote(issuer) else {
            return;
        };
        let now = host::now();
        let uri = &remote.source.keys.uri;
        match answer {
            None => {
                log::warn!("the keys at {uri} could not be fetched");
                remote.shared.failed(&SharedData, now);
            }
            Some(document) => match KeySet::parse(&document) {
                Ok(_) => {
                    remote.shared.succeeded(&SharedData, &document, now);
                    self.adopt(remote, now);
                }
                Err(problems) => {
                    for problem in problems {
                        log::warn!("the keys at {uri} are not usable: {problem}");
                    }
                    remote.shared.failed(&SharedData, now);
                }
            },
        }
        self.release(now);
    }

    /// Fetches, if a fetch is due and no other worker has begun it. Only for the
    /// root context: the SDK hands an answer to the context that asked, and a
    /// stream may be gone by then.
    fn fetch_if_due(&self, remote: &Remote, wish: Wish, now: Time) {
        if !remote.shared.lease(&SharedData, wish, now) {
            return;
        }
        match host::fetch(&remote.source) {
            Some(call) => {
                self.calls.borrow_mut().insert(call, remote.issuer);
            }
            None => {
                log::error!(
                    "cluster `{}` is not known to Envoy",
                    remote.source.keys.cluster
                );
                remote.shared.failed(&SharedData, now);
            }
        }
    }

    /// Takes over what any worker fetched; true when these are other keys than before.
    fn adopt(&self, remote: &Remote, now: Time) -> bool {
        let record = remote.shared.record(&SharedData);
        let mut ring = self.keys.borrow_mut();
        if record.version == 0 || ring.version(remote.issuer) == Some(record.version) {
            ring.confirm(remote.issuer, record.fetched);
            return false;
        }
        let document = remote.shared.document(&SharedData).unwrap_or_default();
        match KeySet::parse(&document) {
            Ok(keys) => {
                ring.adopt(remote.issuer, keys, record.version, record.fetched);
                ring.usable(remote.issuer, now).is_some()
            }
            // Whoever fetched it could read it, so it can only be the host's fault.
            Err(_) => {
                log::error!(
                    "the shared keys of `{}` are damaged",
                    remote.source.keys.uri
                );
                false
            }
        }
    }

    /// Releases the requests for which a fetch has ended, and those that have waited
    /// as long as a fetch may take.
    fn release(&self, now: Time) {
        let over = |waiting: &Waiting| {
            let Some(remote) = self.remote(waiting.needed.issuer) else {
                return true;
            };
            let ended = remote.shared.record(&SharedData).ended >= waiting.since;
            let usable = self
                .keys
                .borrow()
                .usable(waiting.needed.issuer, now)
                .is_some();
            let patience = remote.source.keys.timeout.duration();
            let answered = if waiting.needed.unknown_key {
                ended
            } else {
                usable
            };
            answered || now >= waiting.since + patience
        };
        let (released, kept) = self.waiting.take().into_iter().partition(over);
        self.waiting.replace(kept);
        let released: Vec<Waiting> = released;
        for waiting in released {
            if let Some(exchange) = waiting.exchange.upgrade()
                && host::act_for(waiting.context)
            {
                Exchange::keys_arrived(&exchange);
            }
        }
        host::act_for(self.root);
    }

    /// Makes the root context do at once what it would do at its next tick.
    fn bring_forward(&self, issuer: usize, wish: Wish) {
        let mut wishes = self.wishes.borrow_mut();
        if !wishes.contains(&(issuer, wish)) {
            wishes.push((issuer, wish));
        }
        host::wake_every(AT_ONCE);
    }

    fn remote(&self, issuer: usize) -> Option<&Remote> {
        self.remotes.iter().find(|remote| remote.issuer == issuer)
    }
}

/// How often the root context looks for keys that are due or came.
pub(super) const TICK: Duration = Duration::from_millis(100);
const AT_ONCE: Duration = Duration::from_millis(1);

/// Requests that may wait at once; further ones are decided without new keys.
const MOST_WAITING: usize = 1_024;
