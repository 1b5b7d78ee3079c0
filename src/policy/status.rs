//! Where the gateway asks whether a credential is still good.

use std::rc::Rc;
use std::time::Duration;

use super::address::Address;
use super::source::{ClientAuth, RemoteList, Resolved};
use crate::revocation::List;
use crate::stage::authn::Freshness;

/// An authorization server that answers for its tokens (RFC 7662).
#[derive(Debug)]
pub struct Introspection {
    /// Its endpoint.
    pub address: Address,
    /// Envoy's cluster for it.
    pub cluster: String,
    /// How the gateway proves that it may ask.
    pub client: ServerAuth,
    /// How long one question may take.
    pub timeout: Duration,
    /// How long an answer holds.
    pub freshness: Freshness,
    /// Whether an answer without `aud` will do.
    pub audience_optional: bool,
}

/// How the gateway authenticates to a server.
#[derive(Debug)]
pub struct ServerAuth {
    /// Its `client_id`.
    pub id: String,
    /// Its secret.
    pub secret: Resolved,
    /// How both are sent.
    pub auth: ClientAuth,
}

/// Tokens that are taken back before they expire.
#[derive(Debug)]
pub struct Revocation {
    /// Where the list is.
    pub source: RevocationSource,
    /// The issuers whose tokens it is about, by their places; `None`: all.
    pub issuers: Option<Vec<usize>>,
}

/// Where the list is.
#[derive(Debug)]
pub enum RevocationSource {
    /// In the configuration.
    Fixed(Rc<List>),
    /// Behind an address.
    Remote {
        /// How it is fetched and how long it serves.
        list: RemoteList,
        /// Its `uri`, taken apart.
        address: Address,
    },
}
