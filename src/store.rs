//! What all workers share: small values, changed by compare-and-swap.
//!
//! It is one of the two things a decision asks of its host while it is being
//! made (the other is a signature check), since a quota is spent in mid-decision.

use std::cell::RefCell;
use std::collections::HashMap;

/// The version of a value that was read; a write with it fails if another came first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version(pub u32);

/// Another worker wrote first: read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conflict;

/// Values shared by all workers of one gateway.
pub trait Store {
    /// The value and its version, if there is one.
    fn read(&self, key: &str) -> Option<(Vec<u8>, Version)>;

    /// Writes if the value still has the version that was read; `None` creates
    /// a value that must not exist yet.
    ///
    /// # Errors
    /// [`Conflict`] when another worker wrote in between, or the host failed.
    fn compare_and_swap(
        &self,
        key: &str,
        value: &[u8],
        expected: Option<Version>,
    ) -> Result<(), Conflict>;
}

/// A store of one thread, for tests and for `portcullis explain`.
#[derive(Debug, Default)]
pub struct MemoryStore(RefCell<HashMap<String, (Vec<u8>, u32)>>);

impl Store for MemoryStore {
    fn read(&self, key: &str) -> Option<(Vec<u8>, Version)> {
        self.0
            .borrow()
            .get(key)
            .map(|(value, version)| (value.clone(), Version(*version)))
    }

    fn compare_and_swap(
        &self,
        key: &str,
        value: &[u8],
        expected: Option<Version>,
    ) -> Result<(), Conflict> {
        let mut values = self.0.borrow_mut();
        let current = values.get(key).map(|(_, version)| Version(*version));
        if current != expected {
            return Err(Conflict);
        }
        let next = current.map_or(1, |Version(version)| version.wrapping_add(1));
        values.insert(key.to_string(), (value.to_vec(), next));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_needs_the_version_that_was_read() {
        let store = MemoryStore::default();
        assert_eq!(store.compare_and_swap("k", b"1", None), Ok(()));
        assert_eq!(store.compare_and_swap("k", b"2", None), Err(Conflict));
        let (value, version) = store.read("k").unwrap();
        assert_eq!(value, b"1");
        assert_eq!(store.compare_and_swap("k", b"2", Some(version)), Ok(()));
        assert_eq!(
            store.compare_and_swap("k", b"3", Some(version)),
            Err(Conflict)
        );
        assert_eq!(store.read("k").unwrap().0, b"2");
    }
}
