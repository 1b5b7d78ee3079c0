//! What one verified credential says of its bearer, whatever its kind.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::trail::Trail;

/// What a credential says, as far as the policy cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// What kind of credential says it.
    pub kind: Kind,
    /// The issuer's place in the policy, of a token.
    pub issuer: Option<usize>,
    /// Who vouches: the issuer's name in the policy.
    pub source: String,
    /// The OAuth client (`client_id` or `azp`).
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
}

/// A kind of credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An access token.
    Token,
}

impl Identity {
    /// A claim by its names from the outside in, if the policy refers to it.
    pub fn claim(&self, path: &[String]) -> Option<&Value> {
        let (first, rest) = path.split_first()?;
        rest.iter()
            .try_fold(self.claims.get(first)?, |value, name| value.get(name))
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
