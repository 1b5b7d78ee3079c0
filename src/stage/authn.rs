//! Who calls: a bearer token becomes a [`Caller`], or the request goes no further.
//!
//! Nobody but this stage can make a [`Caller`], so whatever needs an authenticated
//! caller takes one and cannot be reached without authentication. Authentication
//! always enforces; there is no mode in which a bad token passes.

pub mod cache;
pub mod keys;
pub mod refresh;

use std::rc::Rc;

use sha2::{Digest, Sha256};

use crate::denial::Denial;
use crate::engine::World;
use crate::jose::{Claims, Expect, MAX_TOKEN_BYTES, TokenError, Unverified};
use crate::policy::{Access, Issuer, Policy};
use crate::request::RequestHead;
use crate::stage::hygiene::Screened;
use crate::trail::{Stage, Trail};

/// The caller of an operation: a verified identity, or nobody where the operation
/// is public.
#[derive(Debug, Clone)]
pub struct Caller {
    identity: Option<Rc<Identity>>,
}

impl Caller {
    /// Who it is; `None` on a public operation.
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_deref()
    }
}

/// What a verified token says of its bearer, as far as the policy cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The issuer's name in the policy.
    pub issuer_name: String,
    /// The OAuth client (`client_id` or `azp`).
    pub client: Option<String>,
    /// A stable stand-in for the subject: it tells two subjects apart and names neither.
    pub pseudonym: String,
    /// The scopes of the token.
    pub scopes: Vec<String>,
    /// The highest class of data that the bearer may see.
    pub clearance: u8,
    /// Headers that tell the upstream who calls.
    pub headers: Vec<(String, String)>,
}

/// What authentication came to.
#[derive(Debug)]
pub enum Authenticated {
    /// The caller is known.
    Known(Caller),
    /// The issuer's keys must be fetched before anything can be said.
    KeysNeeded(KeysNeeded),
}

/// Why keys are needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeysNeeded {
    /// The issuer's place in the policy.
    pub issuer: usize,
    /// There are keys, and the token names another.
    pub unknown_key: bool,
}

/// Finds out who calls. With `final_try` no further keys are asked for.
///
/// # Errors
/// The operation needs a token and none came, or the one that came is not good.
pub fn authenticate(
    screened: &Screened,
    access: &Access,
    world: &World,
    final_try: bool,
    trail: &mut Trail,
) -> Result<Authenticated, Denial> {
    match identify(screened.head(), access, world, final_try) {
        Ok(Identified::Nobody) => {
            trail.pass(Stage::Authentication, "public operation");
            Ok(Authenticated::Known(Caller { identity: None }))
        }
        Ok(Identified::Somebody(identity, cached)) => {
            trail.issuer = Some(identity.issuer_name.clone());
            trail.client.clone_from(&identity.client);
            trail.subject = Some(identity.pseudonym.clone());
            trail.pass(
                Stage::Authentication,
                if cached {
                    "token verified before"
                } else {
                    "token verified"
                },
            );
            Ok(Authenticated::Known(Caller {
                identity: Some(identity),
            }))
        }
        Ok(Identified::KeysNeeded(needed)) => Ok(Authenticated::KeysNeeded(needed)),
        Err(denial) => {
            trail.deny(Stage::Authentication, &denial);
            Err(denial)
        }
    }
}

enum Identified {
    Nobody,
    Somebody(Rc<Identity>, bool),
    KeysNeeded(KeysNeeded),
}

fn identify(
    head: &RequestHead,
    access: &Access,
    world: &World,
    final_try: bool,
) -> Result<Identified, Denial> {
    if access.alternatives.is_empty() {
        return Ok(Identified::Nobody);
    }
    let compact = match bearer(head) {
        Credential::None if access.public => return Ok(Identified::Nobody),
        Credential::None => return Err(Denial::NoCredential),
        Credential::Malformed => return Err(Denial::BadCredential),
        Credential::Bearer(compact) => compact,
    };
    let digest: [u8; 32] = Sha256::digest(compact.as_bytes()).into();
    if let Some(identity) = world
        .tokens
        .borrow_mut()
        .find(&digest, world.keys, world.now)
    {
        return Ok(Identified::Somebody(identity, true));
    }
    let token = Unverified::parse(compact, MAX_TOKEN_BYTES).map_err(Denial::BadToken)?;
    let (index, issuer) = issuer_of(&token, world.policy)?;
    let Some((keys, version)) = world.keys.usable(index, world.now) else {
        return if final_try {
            Err(Denial::KeysUnavailable)
        } else {
            Ok(Identified::KeysNeeded(KeysNeeded {
                issuer: index,
                unknown_key: false,
            }))
        };
    };
    let claims = match token.verify(keys, world.signatures, &issuer.algorithms) {
        Ok(claims) => claims,
        Err(TokenError::KeyUnknown) if !final_try && issuer.keys.is_remote() => {
            return Ok(Identified::KeysNeeded(KeysNeeded {
                issuer: index,
                unknown_key: true,
            }));
        }
        Err(error) => return Err(Denial::BadToken(error)),
    };
    claims
        .check(&expectation(issuer, world))
        .map_err(Denial::BadToken)?;
    let identity = Rc::new(identity(&claims, issuer, world.policy));
    let entry = cache::Entry {
        identity: Rc::clone(&identity),
        issuer: index,
        key_version: version,
        expires: claims.expires_at().unwrap_or_default(),
    };
    world.tokens.borrow_mut().insert(digest, entry);
    Ok(Identified::Somebody(identity, false))
}

enum Credential<'a> {
    None,
    Bearer(&'a str),
    Malformed,
}

/// RFC 6750 §2.1. Another scheme is no credential to us, and is challenged.
fn bearer(head: &RequestHead) -> Credential<'_> {
    let mut values = head.headers.all("authorization");
    let Some(value) = values.next() else {
        return Credential::None;
    };
    let (Ok(value), None) = (std::str::from_utf8(value), values.next()) else {
        return Credential::Malformed;
    };
    let (scheme, token) = value.trim().split_once(' ').unwrap_or((value.trim(), ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Credential::None;
    }
    let token = token.trim_start_matches(' ');
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    if token.is_empty() || !token.bytes().all(plain) {
        return Credential::Malformed;
    }
    Credential::Bearer(token)
}

/// `iss` is read before the signature is checked only to choose the keys that
/// will check it; [`Claims::check`] compares it again.
fn issuer_of<'p>(
    token: &Unverified<'_>,
    policy: &'p Policy,
) -> Result<(usize, &'p Issuer), Denial> {
    policy
        .issuers
        .iter()
        .enumerate()
        .find(|(_, issuer)| Some(issuer.issuer.as_str()) == token.issuer())
        .ok_or(Denial::BadToken(TokenError::IssuerUnexpected))
}

fn expectation<'a>(issuer: &'a Issuer, world: &World) -> Expect<'a> {
    Expect {
        issuer: &issuer.issuer,
        audiences: &issuer.audiences,
        types: &issuer.token_types,
        now: world.now.seconds(),
        skew: issuer.skew_seconds,
        max_age: None,
    }
}

fn identity(claims: &Claims, issuer: &Issuer, policy: &Policy) -> Identity {
    let scopes: Vec<String> = claims.scopes().map(String::from).collect();
    let client = claims.client_id().map(String::from);
    Identity {
        issuer_name: issuer.name.clone(),
        pseudonym: pseudonym(
            &issuer.issuer,
            claims.subject().or(client.as_deref()).unwrap_or_default(),
        ),
        clearance: policy.clearances.of(&scopes),
        headers: policy
            .identity
            .iter()
            .filter_map(|header| Some((header.name.clone(), header.value(claims)?)))
            .collect(),
        client,
        scopes,
    }
}

fn pseudonym(issuer: &str, subject: &str) -> String {
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
    use crate::request::Headers;

    fn credential(values: &[&str]) -> String {
        let fields = values
            .iter()
            .map(|value| ("authorization".to_string(), value.as_bytes().to_vec()));
        let head = RequestHead {
            headers: Headers::new(fields.collect()),
            address: None,
        };
        match bearer(&head) {
            Credential::None => "none".into(),
            Credential::Malformed => "malformed".into(),
            Credential::Bearer(token) => token.into(),
        }
    }

    #[test]
    fn the_scheme_is_read_as_rfc_6750_writes_it() {
        assert_eq!(credential(&["Bearer a.b.c"]), "a.b.c");
        assert_eq!(credential(&["bEARER  a.b.c"]), "a.b.c");
        assert_eq!(credential(&["Basic dTpw"]), "none");
        assert_eq!(credential(&[]), "none");
    }

    #[test]
    fn a_credential_that_could_be_read_twice_is_malformed() {
        for values in [
            &["Bearer"][..],
            &["Bearer "],
            &["Bearer a b"],
            &["Bearer a,Bearer b"],
            &["Bearer a", "Bearer b"],
        ] {
            assert_eq!(credential(values), "malformed", "{values:?}");
        }
    }

    #[test]
    fn pseudonyms_tell_subjects_and_issuers_apart() {
        assert_ne!(pseudonym("i", "a"), pseudonym("i", "b"));
        assert_ne!(pseudonym("i", "a"), pseudonym("j", "a"));
        assert_eq!(pseudonym("i", "a").len(), 16);
    }
}
