//! Access tokens in the `Authorization` header: found, verified, remembered.

use std::rc::Rc;

use sha2::{Digest, Sha256};

use super::credential::{Credential, credential};
use super::identity::pseudonym;
use super::inquiries::About;
use super::keys::CONFIGURED;
use super::opaque;
use super::{Identity, KeysNeeded, Kind, Needed, Presented, Waited, cache};
use crate::denial::Denial;
use crate::engine::World;
use crate::jose::{Claims, Confirmation, Expect, TokenError, Unverified};
use crate::policy::{Issuer, IssuerKeys, Policy};
use crate::request::RequestHead;
use crate::revocation::{Mark, Marks};

/// The token of the request, if one of these issuers vouches for it.
///
/// # Errors
/// One came, and it is malformed or cannot be believed. `accused` is whom it names,
/// if its signature is good.
pub(super) fn present(
    head: &RequestHead,
    issuers: &[usize],
    world: &World,
    waited: Waited,
    accused: &mut Option<String>,
) -> Result<Presented, Denial> {
    let compact = match credential(head, world.policy.dpop.is_some()) {
        Credential::None => return Ok(Presented::Nothing),
        Credential::Malformed => return Err(Denial::BadCredential),
        Credential::Token(_, compact) => compact,
    };
    let digest: [u8; 32] = Sha256::digest(compact.as_bytes()).into();
    let known = world
        .tokens
        .borrow_mut()
        .find(&digest, world.keys, world.now);
    if let Some(identity) = known {
        return accepted(identity, issuers, "token verified before");
    }
    let ask = |issuer| opaque::present(compact, About { issuer, digest }, world, waited);
    let token = match Unverified::parse(compact, longest(issuers, world.policy)) {
        Ok(token) => token,
        Err(error) => {
            return match opaque::vouching(issuers, world.policy) {
                Some(issuer) if opaque::is_opaque(error) => ask(issuer),
                _ => Err(Denial::BadToken(error)),
            };
        }
    };
    let (index, issuer) = issuer_of(&token, issuers, world.policy)?;
    if compact.len() > issuer.max_token_bytes {
        return Err(Denial::BadToken(TokenError::TooLarge));
    }
    if opaque::is_asked_about_all(issuer) {
        return ask(index);
    }
    let (claims, version) = match verify(token, index, issuer, world, waited)? {
        Checked::Claims(claims, version) => (claims, version),
        Checked::Needed(needed) => return Ok(Presented::Needed(needed)),
    };
    if let Err(error) = claims.check(&expectation(issuer, world)) {
        *accused = Some(subject(&claims, issuer));
        return Err(Denial::BadToken(error));
    }
    let identity = identity(&claims, index, issuer, world.policy).map_err(Denial::BadToken)?;
    let identity = Rc::new(identity);
    let entry = cache::Entry {
        identity: Rc::clone(&identity),
        issuer: index,
        key_version: version,
        expires: claims.good_until(issuer.max_age),
    };
    world.tokens.borrow_mut().insert(digest, entry);
    accepted(identity, issuers, "token verified")
}

/// What checking a signature came to.
enum Checked {
    /// The claims, and the version of the keys that vouch for them.
    Claims(Box<Claims>, u64),
    /// The keys must be fetched first.
    Needed(Needed),
}

fn verify(
    token: Unverified<'_>,
    place: usize,
    issuer: &Issuer,
    world: &World,
    waited: Waited,
) -> Result<Checked, Denial> {
    if let IssuerKeys::Secrets(secrets) = &issuer.keys {
        if secrets.is_empty() {
            return Err(Denial::KeysUnavailable);
        }
        return match token.verify_mac(secrets) {
            Ok(claims) => Ok(Checked::Claims(Box::new(claims), CONFIGURED)),
            Err(error) => Err(Denial::BadToken(error)),
        };
    }
    let keys_needed = |unknown_key| {
        Checked::Needed(Needed::Keys(KeysNeeded {
            issuer: place,
            unknown_key,
        }))
    };
    let Some((keys, version)) = world.keys.usable(place, world.now) else {
        return if waited.keys {
            Err(Denial::KeysUnavailable)
        } else {
            Ok(keys_needed(false))
        };
    };
    let kid = token.kid().map(str::to_owned);
    match token.verify(keys, world.signatures, &issuer.algorithms) {
        Ok(claims) => Ok(Checked::Claims(Box::new(claims), version)),
        Err(TokenError::KeyUnknown)
            if !waited.keys && world.keys.may_appear(place, kid.as_deref(), world.now) =>
        {
            Ok(keys_needed(true))
        }
        Err(error) => Err(Denial::BadToken(error)),
    }
}

/// The cache knows the tokens of every issuer; this operation may take fewer.
fn accepted(
    identity: Rc<Identity>,
    issuers: &[usize],
    note: &'static str,
) -> Result<Presented, Denial> {
    if identity
        .issuer
        .is_some_and(|issuer| issuers.contains(&issuer))
    {
        Ok(Presented::Good(identity, note))
    } else {
        Err(Denial::BadToken(TokenError::IssuerUnexpected))
    }
}

/// `iss` is read before the signature is checked only to choose the keys that
/// will check it; [`Claims::check`] compares it again.
fn issuer_of<'p>(
    token: &Unverified<'_>,
    issuers: &[usize],
    policy: &'p Policy,
) -> Result<(usize, &'p Issuer), Denial> {
    issuers
        .iter()
        .filter_map(|place| Some((*place, policy.issuers.get(*place)?)))
        .find(|(_, issuer)| Some(issuer.issuer.as_str()) == token.issuer())
        .ok_or(Denial::BadToken(TokenError::IssuerUnexpected))
}

/// Whose token it is can be told only once it was read, so the longest that any of
/// these issuers may write is read.
fn longest(issuers: &[usize], policy: &Policy) -> usize {
    issuers
        .iter()
        .filter_map(|place| policy.issuers.get(*place))
        .map(|issuer| issuer.max_token_bytes)
        .max()
        .unwrap_or_default()
}

fn expectation<'a>(issuer: &'a Issuer, world: &World) -> Expect<'a> {
    Expect {
        issuer: &issuer.issuer,
        audiences: &issuer.audiences,
        types: &issuer.token_types,
        now: world.now,
        skew: issuer.skew,
        max_age: issuer.max_age,
        required: &issuer.required_claims,
    }
}

fn subject(claims: &Claims, issuer: &Issuer) -> String {
    let subject = claims.subject().or(claims.client_id());
    pseudonym(&issuer.issuer, subject.unwrap_or_default())
}

/// What good claims of an issuer say of their bearer.
pub(super) fn identity(
    claims: &Claims,
    place: usize,
    issuer: &Issuer,
    policy: &Policy,
) -> Result<Identity, TokenError> {
    let scopes: Vec<String> = claims.scopes().map(String::from).collect();
    let client = claims.client_id().map(String::from);
    Ok(Identity {
        kind: Kind::Token,
        issuer: Some(place),
        source: issuer.name.clone(),
        pseudonym: subject(claims, issuer),
        clearance: policy.clearances.of(&scopes),
        claims: kept(claims, policy),
        headers: policy
            .identity
            .iter()
            .filter_map(|header| Some((header.name.clone(), header.value(claims)?)))
            .collect(),
        marks: Marks {
            id: claims.id().map(Mark::of),
            subject: claims.subject().map(Mark::of),
            client: client.as_deref().map(Mark::of),
            issued_at: claims.issued_at(),
        },
        client,
        scopes,
        confirmation: Confirmation::read(claims.claim(&["cnf"]))?,
    })
}

/// Tokens may be long and are remembered by the thousand, so only what the policy
/// asks about is kept.
fn kept(claims: &Claims, policy: &Policy) -> serde_json::Map<String, serde_json::Value> {
    let keep = |name: &String| Some((name.clone(), claims.claim(&[name])?.clone()));
    policy.kept_claims.iter().filter_map(keep).collect()
}
