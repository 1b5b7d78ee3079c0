//! How much failing to authenticate is borne, as the stage asks it.

use std::collections::BTreeSet;

use crate::lockout::{Kind, Limits};
use crate::network::NetworkSet;

/// What failures are counted against, and who is never locked out.
#[derive(Debug)]
pub struct Lockout {
    /// By addresses.
    pub by_address: Option<Limits>,
    /// By API keys.
    pub by_key: Option<Limits>,
    /// By accounts.
    pub by_account: Option<Limits>,
    /// Addresses that are never locked out.
    pub pardoned_networks: NetworkSet,
    /// Ids of keys that are never locked out.
    pub pardoned_keys: BTreeSet<String>,
    /// Pseudonyms of accounts that are never locked out.
    pub pardoned_accounts: BTreeSet<String>,
    /// What was counted in another epoch is forgotten.
    pub epoch: String,
}

impl Lockout {
    /// What is borne of this kind, if it is counted.
    pub fn limits(&self, kind: Kind) -> Option<&Limits> {
        match kind {
            Kind::Address => self.by_address.as_ref(),
            Kind::Key => self.by_key.as_ref(),
            Kind::Account => self.by_account.as_ref(),
        }
    }
}
