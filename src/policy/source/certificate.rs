//! Client certificates, and whom they stand for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

#[cfg(not(target_family = "wasm"))]
use schemars::JsonSchema;

/// One caller that proves with a certificate who it is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// The caller's name, for logs and for the upstream.
    #[cfg_attr(not(target_family = "wasm"), schemars(length(min = 1)))]
    pub name: String,
    /// Which certificates are the caller's: all that is given must match. The first entry that matches counts.
    #[serde(rename = "match")]
    pub pattern: CertificatePattern,
    /// Who is behind the caller, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// What the owner pays for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// What the caller may do, in the words of the document's scopes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// The claim `roles` of the caller.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// More claims of the caller, below `labels`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// What a certificate must have.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CertificatePattern {
    /// A URI among its alternative names, or all below one: `spiffe://shop.example/ns/orders/*`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// A DNS name among its alternative names, or all with one label in front: `*.partners.example`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns: Option<String>,
    /// Its subject, exactly as RFC 2253 writes it: `CN=orders,O=Shop`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The SHA-256 of its DER encoding, in 64 hex digits; several for a renewal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sha256: Vec<String>,
}

/// Where client certificates come from beside the connection.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ClientCertificates {
    /// `x-forwarded-client-cert` of proxies in front.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xfcc: Option<Xfcc>,
}

/// `x-forwarded-client-cert`, and whom it is believed of.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Xfcc {
    /// The networks of the proxies that may say which certificate their client had.
    #[cfg_attr(not(target_family = "wasm"), schemars(length(min = 1)))]
    pub trusted: Vec<String>,
}
