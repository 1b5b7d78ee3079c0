//! Credentials that were good and are no longer wanted.
//!
//! A signed token holds until it expires, whatever became of its bearer since. A list
//! takes it back: by its own id, by subject, by client, or by the time it was issued.
//! Ids are compared by their SHA-256, so a credential that was verified keeps nothing
//! that names its bearer. Large sets are Bloom filters ([`bloom`]), which may call a
//! good credential revoked at a rate that is chosen, and never a revoked one good.

pub mod bloom;
pub mod document;

use std::collections::{HashMap, HashSet};

use sha2::{Digest, Sha256};

use bloom::Bloom;

/// What of a credential a list can name. An absent member is named by no list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Marks {
    /// `jti`: the credential itself.
    pub id: Option<Mark>,
    /// `sub`: whom it is about.
    pub subject: Option<Mark>,
    /// `client_id`: who asked for it.
    pub client: Option<Mark>,
    /// `iat`, in seconds since 1970.
    pub issued_at: Option<u64>,
}

/// The SHA-256 of an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mark([u8; 32]);

/// Why a credential is revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revoked {
    /// The list names the credential itself.
    Id,
    /// The list names its subject.
    Subject,
    /// The list names its client.
    Client,
    /// It was issued before a time that the list gives for everybody, or for its
    /// subject or client; or it does not say when it was issued.
    IssuedBefore,
}

/// A list of what is revoked.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct List {
    issued_before: Option<u64>,
    ids: Names,
    subjects: Names,
    clients: Names,
}

/// What is revoked of one kind of name.
#[derive(Debug, Default, PartialEq, Eq)]
struct Names {
    listed: HashSet<Short>,
    filter: Option<Bloom>,
    issued_before: HashMap<Short, u64>,
}

/// Half of a mark: in a set of millions two ids share one with a probability below 1e-25.
type Short = [u8; 16];

impl Mark {
    /// The mark of an id.
    pub fn of(id: &str) -> Self {
        Mark(Sha256::digest(id).into())
    }

    fn short(self) -> Short {
        let mut short = [0; 16];
        short.copy_from_slice(self.0.first_chunk::<16>().unwrap_or(&[0; 16]));
        short
    }

    /// The first two eights of its bytes, which is what filters look at.
    fn halves(self) -> (u64, u64) {
        let eight = |from: usize| {
            let bytes = self.0.get(from..).and_then(|rest| rest.first_chunk());
            u64::from_le_bytes(*bytes.unwrap_or(&[0; 8]))
        };
        (eight(0), eight(8))
    }
}

impl List {
    /// Why a credential is revoked, if it is.
    pub fn covers(&self, marks: &Marks) -> Option<Revoked> {
        if self.ids.name(marks.id) {
            return Some(Revoked::Id);
        }
        if self.subjects.name(marks.subject) {
            return Some(Revoked::Subject);
        }
        if self.clients.name(marks.client) {
            return Some(Revoked::Client);
        }
        let limits = [
            self.issued_before,
            self.subjects.limit(marks.subject),
            self.clients.limit(marks.client),
        ];
        let limit = limits.into_iter().flatten().max()?;
        let early = marks.issued_at.is_none_or(|issued| issued < limit);
        early.then_some(Revoked::IssuedBefore)
    }
}

impl Names {
    fn name(&self, mark: Option<Mark>) -> bool {
        mark.is_some_and(|mark| {
            let filtered = |filter: &Bloom| filter.contains(mark);
            self.listed.contains(&mark.short()) || self.filter.as_ref().is_some_and(filtered)
        })
    }

    fn limit(&self, mark: Option<Mark>) -> Option<u64> {
        self.issued_before.get(&mark?.short()).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn list(document: &Value) -> List {
        document::parse(document.to_string().as_bytes()).unwrap()
    }

    fn marks(id: &str, subject: &str, client: &str, issued_at: Option<u64>) -> Marks {
        Marks {
            id: Some(Mark::of(id)),
            subject: Some(Mark::of(subject)),
            client: Some(Mark::of(client)),
            issued_at,
        }
    }

    #[test]
    fn a_credential_is_revoked_by_any_of_its_names() {
        let list = list(&json!({
            "jti": { "listed": ["t1"] },
            "sub": { "listed": ["alice"] },
            "client_id": { "listed": ["app"] },
        }));
        let fate = |id, subject, client| list.covers(&marks(id, subject, client, None));
        assert_eq!(fate("t1", "bob", "web"), Some(Revoked::Id));
        assert_eq!(fate("t2", "alice", "web"), Some(Revoked::Subject));
        assert_eq!(fate("t2", "bob", "app"), Some(Revoked::Client));
        assert_eq!(fate("t2", "bob", "web"), None);
        // A name of one kind is none of another.
        assert_eq!(fate("alice", "app", "t1"), None);
        assert_eq!(list.covers(&Marks::default()), None);
    }

    #[test]
    fn the_latest_time_counts_and_silence_is_early() {
        let list = list(&json!({
            "issued_before": 100,
            "sub": { "issued_before": { "alice": 200 } },
            "client_id": { "issued_before": { "app": 300 } },
        }));
        let fate = |subject, client, at| list.covers(&marks("t", subject, client, at));
        let early = Some(Revoked::IssuedBefore);
        assert_eq!(fate("bob", "web", Some(99)), early);
        assert_eq!(fate("bob", "web", Some(100)), None);
        assert_eq!(fate("alice", "web", Some(199)), early);
        assert_eq!(fate("alice", "web", Some(200)), None);
        assert_eq!(fate("alice", "app", Some(299)), early);
        assert_eq!(fate("bob", "web", None), early);
        let other = super::tests::list(&json!({ "sub": { "issued_before": { "alice": 1 } } }));
        assert_eq!(other.covers(&marks("t", "bob", "web", None)), None);
    }

    #[test]
    fn an_empty_list_revokes_nothing() {
        let list = list(&json!({}));
        assert_eq!(list.covers(&marks("t", "s", "c", None)), None);
    }
}
