//! Who has an API key or a client certificate, as the policy knows them.

use std::net::IpAddr;

use serde_json::{Map, Value};

use super::api::Location;
use crate::api_key::Keys;
use crate::certificate::Pattern;
use crate::network::NetworkSet;

/// What the policy says of the bearer of an API key or a certificate: what a token
/// would say in its claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearer {
    /// The key's id or the certificate entry's name.
    pub name: String,
    /// What the bearer may do.
    pub scopes: Vec<String>,
    /// The highest class of data that the bearer may see.
    pub clearance: u8,
    /// `sub`, `client_id`, `scope`, `roles`, `owner`, `tier`, `labels`.
    pub claims: Map<String, Value>,
}

/// Every API key of the policy.
#[derive(Debug, Default)]
pub struct ApiKeys {
    /// The names of the sets.
    pub sets: Vec<String>,
    /// The keys; the index gives their places.
    pub keys: Vec<ApiKey>,
    /// Finds a key that is presented.
    pub index: Keys,
}

/// One API key.
#[derive(Debug)]
pub struct ApiKey {
    /// The place of its set.
    pub set: usize,
    /// Who has it.
    pub bearer: Bearer,
    /// Where it may be used; `None`: everywhere.
    pub networks: Option<NetworkSet>,
}

/// Where an API key travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carrier {
    /// In a header, the query or a cookie.
    pub location: Location,
    /// The name of the header (in lower case), parameter or cookie.
    pub name: String,
}

/// Client certificates, and whom they stand for.
#[derive(Debug, Default)]
pub struct Certificates {
    /// The entries; the first that matches counts.
    pub entries: Vec<Certificate>,
    /// Whose word about the certificates of others is taken; `None`: nobody's, and
    /// the header is none of the gateway's business.
    pub trusted_hops: Option<NetworkSet>,
}

impl Certificates {
    /// Whether this peer is a proxy whose word about its client's certificate counts.
    pub fn is_trusted_hop(&self, peer: Option<IpAddr>) -> bool {
        match (&self.trusted_hops, peer) {
            (Some(hops), Some(peer)) => hops.contains(peer),
            _ => false,
        }
    }

    /// Whether the word of this peer is to go no further.
    pub fn disbelieves(&self, peer: Option<IpAddr>) -> bool {
        self.trusted_hops.is_some() && !self.is_trusted_hop(peer)
    }
}

/// One caller that proves with a certificate who it is.
#[derive(Debug)]
pub struct Certificate {
    /// Which certificates are the caller's.
    pub pattern: Pattern,
    /// Who it is.
    pub bearer: Bearer,
}
