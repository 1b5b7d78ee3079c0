//! Who has a key or a certificate, in the form of a token's claims, so that scopes,
//! roles, quotas and clearances need not know what kind of credential it was.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::policy::Clearances;
use crate::policy::credential::Bearer;
use crate::policy::source;

/// What was written about a bearer, whatever the bearer has.
pub(super) struct Written<'a> {
    name: &'a str,
    owner: Option<&'a String>,
    tier: Option<&'a String>,
    scopes: &'a [String],
    roles: &'a [String],
    labels: &'a BTreeMap<String, String>,
}

impl<'a> From<&'a source::ApiKey> for Written<'a> {
    fn from(key: &'a source::ApiKey) -> Self {
        Written {
            name: &key.id,
            owner: key.owner.as_ref(),
            tier: key.tier.as_ref(),
            scopes: &key.scopes,
            roles: &key.roles,
            labels: &key.labels,
        }
    }
}

impl<'a> From<&'a source::Certificate> for Written<'a> {
    fn from(certificate: &'a source::Certificate) -> Self {
        Written {
            name: &certificate.name,
            owner: certificate.owner.as_ref(),
            tier: certificate.tier.as_ref(),
            scopes: &certificate.scopes,
            roles: &certificate.roles,
            labels: &certificate.labels,
        }
    }
}

/// Makes the claims.
pub(super) fn bearer<'a>(written: impl Into<Written<'a>>, clearances: &Clearances) -> Bearer {
    let written = written.into();
    let mut claims = Map::new();
    let mut set = |name: &str, value: Value| claims.insert(name.to_owned(), value);
    set("sub", written.name.into());
    set("client_id", written.name.into());
    if !written.scopes.is_empty() {
        set("scope", written.scopes.join(" ").into());
    }
    if !written.roles.is_empty() {
        set("roles", written.roles.into());
    }
    for (name, value) in [("owner", written.owner), ("tier", written.tier)] {
        if let Some(value) = value {
            set(name, value.as_str().into());
        }
    }
    if !written.labels.is_empty() {
        let label = |(name, value): (&String, &String)| (name.clone(), Value::from(value.as_str()));
        set("labels", written.labels.iter().map(label).collect());
    }
    Bearer {
        name: written.name.to_owned(),
        clearance: clearances.of(written.scopes),
        scopes: written.scopes.to_vec(),
        claims,
    }
}
