//! Who calls: credentials become a [`Caller`], or the request goes no further.
//!
//! Nobody but this stage can make a [`Caller`], so whatever needs an authenticated
//! caller takes one and cannot be reached without authentication. Authentication
//! always enforces; there is no mode in which a bad credential passes.
//!
//! A credential that is presented for a scheme which the operation names must be
//! good, even where another alternative would do: who sends one means it to count.

mod api_key;
mod bearer;
pub mod cache;
mod certificate;
mod credential;
mod dpop;
mod identity;
pub mod inquiries;
pub mod introspection;
pub mod keys;
mod nonce;
pub mod opaque;
mod replay;
pub mod revocations;
mod sought;

use std::rc::Rc;

pub use identity::{Identity, Kind};
pub use inquiries::Freshness;
pub use opaque::Inquiry;

use crate::denial::Denial;
use crate::engine::{Edits, World};
use crate::policy::credential::Carrier;
use crate::policy::{Access, Demand, Proof, Requirement};
use crate::stage::hygiene::Screened;
use crate::trail::{Stage, Trail};

/// The caller of an operation: what its credentials say, by the schemes they
/// satisfy, or nobody where the operation is public.
#[derive(Debug, Clone, Default)]
pub struct Caller {
    /// In the order of rank: a token says more than a key, a key more than a certificate.
    identities: Vec<(usize, Rc<Identity>)>,
    /// Where API keys lay. They are the gateway's to know and go no further.
    spent: Vec<Carrier>,
}

impl Caller {
    /// Who it is, by the credential that says most; `None`: nobody in particular.
    pub fn identity(&self) -> Option<&Identity> {
        self.identities
            .first()
            .map(|(_, identity)| identity.as_ref())
    }

    /// Every identity, the one that says most first.
    pub fn identities(&self) -> impl Iterator<Item = &Identity> {
        self.identities
            .iter()
            .map(|(_, identity)| identity.as_ref())
    }

    /// Changes to the request by which the caller's API keys go no further.
    pub fn conceal_keys(&self, screened: &Screened, edits: &mut Edits) {
        api_key::conceal(&self.spent, screened, edits);
    }

    /// Whether every scheme of a requirement is satisfied, whatever the scopes.
    pub fn satisfies(&self, requirement: &Requirement) -> bool {
        requirement
            .iter()
            .all(|demand| self.by_scheme(demand.scheme).is_some())
    }

    /// Whether a demand is met, scopes included.
    pub fn meets(&self, demand: &Demand) -> bool {
        self.by_scheme(demand.scheme).is_some_and(|identity| {
            let held = |scope| identity.scopes.contains(scope);
            demand.scopes.iter().all(held)
        })
    }

    fn by_scheme(&self, scheme: usize) -> Option<&Identity> {
        self.identities
            .iter()
            .find(|(satisfied, _)| *satisfied == scheme)
            .map(|(_, identity)| identity.as_ref())
    }
}

/// What authentication came to.
#[derive(Debug)]
pub enum Authenticated {
    /// The caller is known.
    Known(Caller),
    /// Something must be fetched before anything can be said.
    Needed(Needed),
}

/// What must be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Needed {
    /// An issuer's keys.
    Keys(KeysNeeded),
    /// A server's word about a token.
    Introspection(Inquiry),
    /// The list of what is revoked.
    Revocations,
}

/// Why keys are needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeysNeeded {
    /// The issuer's place in the policy.
    pub issuer: usize,
    /// There are keys, and the token names another.
    pub unknown_key: bool,
}

/// What a request has waited for already; nothing is awaited twice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Waited {
    /// An issuer's keys.
    pub keys: bool,
    /// A server's word about its token.
    pub introspection: bool,
    /// The list of what is revoked.
    pub revocations: bool,
}

impl Waited {
    /// The same, and for this.
    pub fn and(self, needed: &Needed) -> Waited {
        let mut waited = self;
        match needed {
            Needed::Keys(_) => waited.keys = true,
            Needed::Introspection(_) => waited.introspection = true,
            Needed::Revocations => waited.revocations = true,
        }
        waited
    }
}

/// Finds out who calls. What was `waited` for is not asked for again.
///
/// # Errors
/// The operation needs a credential and none came, or one that came is not good.
pub fn authenticate(
    screened: &Screened,
    access: &Access,
    world: &World,
    waited: Waited,
    trail: &mut Trail,
) -> Result<Authenticated, Denial> {
    match identify(screened, access, world, waited, trail) {
        Ok(Found::Caller(caller, note)) => {
            if let Some(identity) = caller.identity() {
                identity.sign(trail);
            }
            let revoked = |identity| revocations::check(identity, world);
            if let Err(denial) = caller.identities().try_for_each(revoked) {
                trail.deny(Stage::Authentication, &denial);
                return Err(denial);
            }
            trail.pass(Stage::Authentication, note);
            Ok(Authenticated::Known(caller))
        }
        Ok(Found::Needed(needed)) => Ok(Authenticated::Needed(needed)),
        Err(denial) => {
            trail.deny(Stage::Authentication, &denial);
            Err(denial)
        }
    }
}

/// What was found for one kind of credential.
enum Presented {
    /// None came.
    Nothing,
    /// A good one came; the note says how it was found good.
    Good(Rc<Identity>, &'static str),
    /// One came of which nothing can be said yet.
    Needed(Needed),
}

enum Found {
    Caller(Caller, String),
    Needed(Needed),
}

fn identify(
    screened: &Screened,
    access: &Access,
    world: &World,
    waited: Waited,
    trail: &mut Trail,
) -> Result<Found, Denial> {
    let mut caller = Caller::default();
    let mut notes = Vec::new();
    if !access.alternatives.is_empty()
        && let Some(needed) = revocations::await_list(screened.head(), world, waited)?
    {
        return Ok(Found::Needed(needed));
    }
    let issuers = token_issuers(access, world);
    if !issuers.is_empty() {
        match bearer::present(screened.head(), &issuers, world, waited, &mut trail.accused)? {
            Presented::Nothing => {}
            Presented::Needed(needed) => return Ok(Found::Needed(needed)),
            Presented::Good(identity, note) => {
                notes.push(note);
                let bound = bindings(&identity, screened, world);
                notes.extend(
                    bound.inspect_err(|_| trail.accused = Some(identity.pseudonym.clone()))?,
                );
                for (scheme, issuers) in token_schemes(access, world) {
                    if identity
                        .issuer
                        .is_some_and(|issuer| issuers.contains(&issuer))
                    {
                        caller.identities.push((scheme, Rc::clone(&identity)));
                    }
                }
            }
        }
    }
    if api_keys(screened, access, world, &mut caller, trail)? {
        notes.push("API key known");
    }
    let mapped = certificates(screened, access, world, &mut caller)?;
    if mapped == Some(true) {
        notes.push("certificate known");
    }
    let enough = access
        .alternatives
        .iter()
        .any(|requirement| caller.satisfies(requirement));
    if !enough && !access.public {
        return Err(match (mapped, caller.identities.is_empty()) {
            (Some(false), true) => Denial::UnknownCertificate,
            _ => Denial::NoCredential,
        });
    }
    if notes.is_empty() {
        notes.push("public operation");
    }
    Ok(Found::Caller(caller, notes.join(", ")))
}

/// Whether the sender holds what the token is bound to; in words, how that was found.
fn bindings(
    identity: &Identity,
    screened: &Screened,
    world: &World,
) -> Result<Vec<&'static str>, Denial> {
    let mut notes = Vec::new();
    if let Some(thumbprint) = &identity.confirmation.certificate {
        let certificate = certificate::of_client(screened.head(), world.policy)?;
        certificate::check_binding(thumbprint, certificate.as_deref())?;
        notes.push("bound to the client's certificate");
    }
    notes.extend(dpop::check(identity, screened, world)?);
    Ok(notes)
}

/// The schemes of an operation that a token satisfies, and whose.
fn token_schemes<'a>(
    access: &'a Access,
    world: &'a World<'_>,
) -> impl Iterator<Item = (usize, &'a [usize])> {
    access
        .schemes
        .iter()
        .filter_map(|scheme| match &world.policy.schemes.get(*scheme)?.proof {
            Proof::Token { issuers } => Some((*scheme, issuers.as_slice())),
            _ => None,
        })
}

/// Takes in the API keys of the request; whether there is any. A key satisfies every
/// scheme that reads it from the same place and takes its set.
fn api_keys(
    screened: &Screened,
    access: &Access,
    world: &World,
    caller: &mut Caller,
    trail: &mut Trail,
) -> Result<bool, Denial> {
    let schemes = || {
        let proof = |scheme: &usize| Some((*scheme, &world.policy.schemes.get(*scheme)?.proof));
        let proofs = access.schemes.iter().filter_map(proof);
        proofs.filter_map(|(scheme, proof)| match proof {
            Proof::ApiKey { carrier, sets } => Some((scheme, carrier, sets)),
            _ => None,
        })
    };
    let mut carriers: Vec<&Carrier> = Vec::new();
    for (_, carrier, _) in schemes() {
        if carriers.contains(&carrier) {
            continue;
        }
        carriers.push(carrier);
        let alike = || schemes().filter(|(_, other, _)| *other == carrier);
        let sets: Vec<usize> = alike().flat_map(|(_, _, sets)| sets).copied().collect();
        let present = api_key::present(screened, carrier, &sets, world, trail)?;
        let Some((identity, set)) = present else {
            continue;
        };
        caller.spent.push(carrier.clone());
        for (scheme, _, _) in alike().filter(|(_, _, sets)| sets.contains(&set)) {
            caller.identities.push((scheme, Rc::clone(&identity)));
        }
    }
    Ok(!caller.spent.is_empty())
}

/// Takes in the client's certificate; whether somebody is known by it, unless there
/// is none or no scheme asks for one.
fn certificates(
    screened: &Screened,
    access: &Access,
    world: &World,
    caller: &mut Caller,
) -> Result<Option<bool>, Denial> {
    let mut known = None;
    for scheme in &access.schemes {
        let declared = world.policy.schemes.get(*scheme);
        let Some(Proof::Certificate { entries }) = declared.map(|scheme| &scheme.proof) else {
            continue;
        };
        let certificate = certificate::of_client(screened.head(), world.policy)?;
        let Some(certificate) = certificate.as_deref() else {
            return Ok(None);
        };
        let holder = certificate::holder(certificate, entries, world);
        known = Some(known == Some(true) || holder.is_some());
        caller
            .identities
            .extend(holder.map(|identity| (*scheme, identity)));
    }
    Ok(known)
}

fn token_issuers(access: &Access, world: &World) -> Vec<usize> {
    token_schemes(access, world)
        .flat_map(|(_, issuers)| issuers.iter().copied())
        .collect()
}
