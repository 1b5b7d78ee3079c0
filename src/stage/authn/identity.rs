//! What one verified credential says of its bearer, whatever its kind.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::jose::Confirmation;
use crate::policy::Policy;
use crate::policy::credential::Bearer;
use crate::revocation::Marks;
use crate::trail::Trail;

/// What a credential says, as far as the policy cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// What kind of credential says it.
    pub kind: Kind,
    /// The issuer's place in the policy, of a token.
    pub issuer: Option<usize>,
    /// Who vouches: the issuer's name in the policy, the key's id or the name of the
    /// certificate's entry.
    pub source: String,
    /// The OAuth client (`client_id` or `azp`); of a key or a certificate its id or name.
    pub client: Option<String>,
    /// A stable stand-in for the subject: it tells two subjects apart and names neither.
    pub pseudonym: String,
    /// The scopes of the credential.
    pub scopes: Vec<String>,
    /// The highest class of data that the bearer may see.
    pub clearance: u8,
    /// Those of the claims that the policy refers to.
    pub claims: Map<String, Value>,
    /// Headers that tell the upstream who calls.
    pub headers: Vec<(String, String)>,
    /// What the bearer must prove to hold as well.
    pub confirmation: Confirmation,
    /// By what a revocation list could name it.
    pub marks: Marks,
}

/// A kind of credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An access token.
    Token,
    /// An API key.
    ApiKey,
    /// A client certificate.
    Certificate,
}

impl Kind {
    /// Its name, for the upstream; in a pseudonym it stands for the issuer, where there
    /// is none.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Token => "token",
            Kind::ApiKey => "api-key",
            Kind::Certificate => "certificate",
        }
    }
}

impl Identity {
    /// A claim by its names from the outside in, if the policy refers to it.
    pub fn claim(&self, path: &[String]) -> Option<&Value> {
        let (first, rest) = path.split_first()?;
        rest.iter()
            .try_fold(self.claims.get(first)?, |value, name| value.get(name))
    }

    /// Of somebody whose claims stand in the policy.
    pub(super) fn of(
        kind: Kind,
        bearer: &Bearer,
        claims: Map<String, Value>,
        policy: &Policy,
    ) -> Identity {
        let headers = policy.identity.iter();
        Identity {
            kind,
            issuer: None,
            source: bearer.name.clone(),
            client: Some(bearer.name.clone()),
            pseudonym: pseudonym(kind.name(), &bearer.name),
            scopes: bearer.scopes.clone(),
            clearance: bearer.clearance,
            headers: headers
                .filter_map(|header| Some((header.name.clone(), header.value_in(&claims)?)))
                .collect(),
            claims,
            confirmation: Confirmation::default(),
            // A key or a certificate is taken out of the policy, not put on a list.
            marks: Marks::default(),
        }
    }

    /// Writes into the trail who calls.
    pub(super) fn sign(&self, trail: &mut Trail) {
        trail.issuer = Some(self.source.clone());
        trail.client.clone_from(&self.client);
        trail.subject = Some(self.pseudonym.clone());
    }
}

/// A stand-in for the subject of an issuer.
pub(super) fn pseudonym(issuer: &str, subject: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(issuer.as_bytes());
    hash.update(b"\0");
    hash.update(subject.as_bytes());
    hash.finalize()
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pseudonyms_tell_subjects_and_issuers_apart() {
        assert_ne!(pseudonym("i", "a"), pseudonym("i", "b"));
        assert_ne!(pseudonym("i", "a"), pseudonym("j", "a"));
        assert_eq!(pseudonym("i", "a").len(), 16);
    }
}
