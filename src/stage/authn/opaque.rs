//! Access tokens that say nothing by themselves: the server that gave them is asked.
//!
//! What the server said is kept in [`Inquiries`]; what is not known there is an
//! [`Inquiry`], which the host carries to the server. Its answer comes back through
//! [`settle`], and the request that waits for it is tried once more.

use std::fmt;

use super::bearer;
use super::inquiries::{About, Inquiries, Known};
use super::introspection::{self, Answer, ClientAuth, Expected, Question};
use super::{Identity, Needed, Presented, Waited};
use crate::denial::Denial;
use crate::engine::World;
use crate::jose::{Claims, TokenError};
use crate::policy::source::{self, Resolved};
use crate::policy::{Introspection, Issuer, IssuerKeys, Policy};
use crate::time::Time;

/// What this worker was told of tokens.
pub type Told = Inquiries<Identity, TokenError>;

/// A question that must be put to a server.
#[derive(Clone, PartialEq, Eq)]
pub struct Inquiry {
    /// What about.
    pub about: About,
    /// The token.
    token: String,
}

impl Inquiry {
    /// The question, and whom to ask. `None`: the secret is elsewhere, so nobody can be.
    pub fn question<'p>(&self, policy: &'p Policy) -> Option<(&'p Introspection, Question)> {
        let server = server(policy, self.about.issuer)?;
        let Resolved::Known(secret) = &server.client.secret else {
            return None;
        };
        let id = &server.client.id;
        let auth = match server.client.auth {
            source::ClientAuth::Basic => ClientAuth::Basic { id, secret },
            source::ClientAuth::Post => ClientAuth::Post { id, secret },
            source::ClientAuth::Bearer => ClientAuth::Bearer { token: secret },
        };
        Some((server, introspection::question(&self.token, auth)))
    }
}

impl fmt::Debug for Inquiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Inquiry about a token of issuer {}", self.about.issuer)
    }
}

/// The issuer that answers for a token which is no JWT for one of them to check.
pub(super) fn vouching(issuers: &[usize], policy: &Policy) -> Option<usize> {
    issuers
        .iter()
        .copied()
        .find(|place| server(policy, *place).is_some())
}

/// Whether an issuer's JWTs, too, are opaque to the gateway.
pub(super) fn is_asked_about_all(issuer: &Issuer) -> bool {
    matches!(issuer.keys, IssuerKeys::None)
}

/// Whether a token is no JWT, rather than a bad one.
pub(super) fn is_opaque(error: TokenError) -> bool {
    matches!(
        error,
        TokenError::NotCompact | TokenError::NotBase64url | TokenError::NotJson
    )
}

/// What is known of a token of this issuer.
///
/// # Errors
/// The server says that it is not active, or active for somebody else; or the server
/// was asked and does not answer.
pub(super) fn present(
    token: &str,
    about: About,
    world: &World,
    waited: Waited,
) -> Result<Presented, Denial> {
    let Some(server) = server(world.policy, about.issuer) else {
        return Err(Denial::BadToken(TokenError::IssuerUnexpected));
    };
    let waited = waited.introspection;
    let mut told = world.told.borrow_mut();
    match told.find(&about, server.freshness, waited, world.now) {
        Known::Active(identity) => Ok(Presented::Good(identity, "token introspected")),
        Known::Stale(identity) => Ok(Presented::Good(
            identity,
            "token introspected before, and the server does not answer",
        )),
        Known::Refused(error) => Err(Denial::BadToken(error)),
        Known::Nothing if waited => Err(Denial::IntrospectionUnavailable),
        Known::Nothing => {
            let token = token.to_owned();
            Ok(Presented::Needed(Needed::Introspection(Inquiry {
                about,
                token,
            })))
        }
    }
}

/// Takes in what the server answered, or that it did not.
///
/// # Errors
/// The answer says nothing; in words, for the log.
pub fn settle(about: About, answer: Option<&[u8]>, world: &World) -> Result<(), String> {
    let mut told = world.told.borrow_mut();
    let issuer = world.policy.issuers.get(about.issuer);
    let (Some(issuer), Some(body)) = (issuer, answer) else {
        told.failed(&about, world.now);
        return Ok(());
    };
    match introspection::answer(body) {
        Err(unreadable) => {
            told.failed(&about, world.now);
            Err(unreadable.to_string())
        }
        Ok(Answer::Inactive) => {
            told.refused(about, TokenError::Inactive, world.now);
            Ok(())
        }
        Ok(Answer::Active(claims)) => {
            match accept(&claims, about, issuer, world) {
                Ok(identity) => {
                    let expires = claims.expires_at().map_or(NEVER, |seconds| {
                        Time::from_millis(seconds.saturating_mul(1_000))
                    });
                    // Claims are kept in parts only, and headers repeat them.
                    told.active(about, identity, body.len() * 2, expires, world.now);
                }
                Err(error) => told.refused(about, error, world.now),
            }
            Ok(())
        }
    }
}

fn accept(
    claims: &Claims,
    about: About,
    issuer: &Issuer,
    world: &World,
) -> Result<Identity, TokenError> {
    let expected = Expected {
        issuer: &issuer.issuer,
        audiences: &issuer.audiences,
        audience_optional: issuer
            .introspection
            .as_ref()
            .is_some_and(|server| server.audience_optional),
        now: world.now,
        skew: issuer.skew,
    };
    introspection::check(claims, &expected)?;
    bearer::identity(claims, about.issuer, issuer, world.policy)
}

fn server(policy: &Policy, issuer: usize) -> Option<&Introspection> {
    policy.issuers.get(issuer)?.introspection.as_ref()
}

/// A token without `exp` is asked about again as often as the policy says.
const NEVER: Time = Time::from_nanos(u64::MAX);
