//! Whether a credential that is good in itself was taken back.
//!
//! This is asked on every use and never remembered, so that a new list counts from the
//! moment it arrives, for tokens that were verified long before as well.

use std::rc::Rc;
use std::time::Duration;

use super::{Identity, Needed, Waited};
use crate::denial::Denial;
use crate::engine::World;
use crate::policy::source::OnUnavailable;
use crate::policy::{Policy, Revocation, RevocationSource};
use crate::request::RequestHead;
use crate::revocation::List;
use crate::time::Time;

/// The list that one worker holds.
#[derive(Debug)]
pub struct Revocations(Held);

#[derive(Debug)]
enum Held {
    /// The policy has no list.
    None,
    /// In the configuration.
    Fixed(Rc<List>),
    /// Fetched, or still to come.
    Fetched {
        list: Option<(Box<List>, u64, Time)>,
        max_stale: Duration,
    },
}

impl Revocations {
    /// A configured list is there at once, a remote one is still to come.
    pub fn new(policy: &Policy) -> Self {
        let source = policy
            .revocation
            .as_ref()
            .map(|revocation| &revocation.source);
        Revocations(match source {
            None => Held::None,
            Some(RevocationSource::Fixed(list)) => Held::Fixed(Rc::clone(list)),
            Some(RevocationSource::Remote { list, .. }) => Held::Fetched {
                list: None,
                max_stale: list.max_stale.duration(),
            },
        })
    }

    /// The version of the list that is held, if one was fetched.
    pub fn version(&self) -> Option<u64> {
        match &self.0 {
            Held::Fetched { list, .. } => list.as_ref().map(|(_, version, _)| *version),
            _ => None,
        }
    }

    /// Takes a list whose fetch began at `fetched`.
    pub fn adopt(&mut self, list: List, version: u64, fetched: Time) {
        if let Held::Fetched { list: held, .. } = &mut self.0 {
            *held = Some((Box::new(list), version, fetched));
        }
    }

    /// The same list still stood there when a fetch began at `fetched`.
    pub fn confirm(&mut self, fetched: Time) {
        if let Held::Fetched {
            list: Some((.., since)),
            ..
        } = &mut self.0
        {
            *since = fetched;
        }
    }

    /// Whether the list may serve; where there is none to ask, nothing does.
    pub fn is_usable(&self, now: Time) -> bool {
        match &self.0 {
            Held::None | Held::Fixed(_) => true,
            Held::Fetched { list, max_stale } => list
                .as_ref()
                .is_some_and(|(.., fetched)| now.since(*fetched) <= *max_stale),
        }
    }

    fn list(&self) -> Option<&List> {
        match &self.0 {
            Held::None => None,
            Held::Fixed(list) => Some(list),
            Held::Fetched { list, .. } => list.as_ref().map(|(list, ..)| list.as_ref()),
        }
    }
}

/// Whether a request with a token must wait for the list before it is looked at.
///
/// # Errors
/// There is no list that may serve, none came, and the policy does not go on without.
pub(super) fn await_list(
    head: &RequestHead,
    world: &World,
    waited: Waited,
) -> Result<Option<Needed>, Denial> {
    if head.headers.all("authorization").next().is_none() {
        return Ok(None);
    }
    let remote = match world.policy.revocation.as_ref().map(|one| &one.source) {
        Some(RevocationSource::Remote { list, .. }) => list,
        _ => return Ok(None),
    };
    let usable = world.revocations.borrow().is_usable(world.now);
    match remote.on_unavailable {
        _ if usable => Ok(None),
        OnUnavailable::Allow => Ok(None),
        OnUnavailable::Deny if waited.revocations => Err(Denial::RevocationsUnavailable),
        OnUnavailable::Deny => Ok(Some(Needed::Revocations)),
    }
}

/// Refuses a token that the list names.
///
/// # Errors
/// It does.
pub(super) fn check(identity: &Identity, world: &World) -> Result<(), Denial> {
    let concerns = |revocation: &Revocation| {
        let Some(issuer) = identity.issuer else {
            return false;
        };
        let ours = |issuers: &Vec<usize>| issuers.contains(&issuer);
        revocation.issuers.as_ref().is_none_or(ours)
    };
    if !world.policy.revocation.as_ref().is_some_and(concerns) {
        return Ok(());
    }
    let revocations = world.revocations.borrow();
    match revocations
        .list()
        .and_then(|list| list.covers(&identity.marks))
    {
        Some(revoked) => Err(Denial::Revoked(revoked)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::compile::tests::{compiled, sample};
    use serde_json::json;

    fn at(seconds: u64) -> Time {
        Time::from_millis(seconds * 1_000)
    }

    #[test]
    fn a_fetched_list_serves_until_it_is_too_stale() {
        let mut document = sample();
        document["policy"]["revocation"] = json!({ "list": { "remote": {
            "uri": "https://id.example/revoked", "cluster": "id", "max_stale": "60s",
        } } });
        let mut revocations = Revocations::new(&compiled(&document));
        assert!(!revocations.is_usable(at(0)));
        revocations.confirm(at(100));
        assert!(!revocations.is_usable(at(100)));
        revocations.adopt(List::default(), 7, at(100));
        assert_eq!(revocations.version(), Some(7));
        assert!(revocations.is_usable(at(160)));
        assert!(!revocations.is_usable(at(161)));
        revocations.confirm(at(130));
        assert!(revocations.is_usable(at(161)));
    }

    #[test]
    fn a_list_of_the_configuration_always_serves_and_is_never_replaced() {
        let mut document = sample();
        document["policy"]["revocation"] = json!({ "list": { "inline": {} } });
        let mut revocations = Revocations::new(&compiled(&document));
        revocations.adopt(List::default(), 7, at(100));
        assert_eq!(revocations.version(), None);
        assert!(revocations.is_usable(at(u64::from(u32::MAX))));
        assert!(Revocations::new(&compiled(&sample())).is_usable(at(0)));
    }
}
