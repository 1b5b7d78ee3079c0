//! The gateway's assertion: a JWT by which a service knows that a request came
//! through the gate, and who the gate found its caller to be.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::engine::{Edits, World};
use crate::keyed;
use crate::policy::Assertion;
use crate::stage::authn::{Caller, Identity};
use crate::stage::hygiene::Screened;

/// The assertion for a request, new or, if it is bound to none, made lately. `None`:
/// this process does not have the key.
pub(super) fn of(
    written: &Assertion,
    screened: &Screened,
    caller: &Caller,
    world: &World,
    edits: &Edits,
) -> Option<String> {
    let key = written.key.as_ref()?;
    let mut claims = about(written, caller.identity());
    if written.binds_request {
        claims.insert("req".into(), request_hash(screened, edits).into());
    }
    let text = Value::Object(claims.clone()).to_string();
    let digest: [u8; 32] = Sha256::digest(&text).into();
    let now = world.now.seconds();
    if !written.binds_request {
        let tokens = world.tokens.borrow();
        if let Some(made) = tokens.assertions.find(&digest, now) {
            return Some(made);
        }
    }
    // Nobody can foresee it. Two are alike only if two workers say the same of the
    // same request in the same nanosecond.
    let moment = world.now.nanos().to_le_bytes();
    let request = screened.head().headers.first("x-request-id");
    let parts = [&digest[..], &moment, request.unwrap_or_default()];
    let id = keyed::hash(world.secret, PURPOSE, &parts);
    let id = URL_SAFE_NO_PAD.encode(id.get(..ID_BYTES).unwrap_or_default());
    claims.insert("jti".into(), id.into());
    claims.insert("iat".into(), now.into());
    let expires = now.saturating_add(written.lifetime_seconds);
    claims.insert("exp".into(), expires.into());
    let made = key.sign(ASSERTION_TYPE, &claims);
    if !written.binds_request {
        let until = now.saturating_add(written.lifetime_seconds / 2);
        let mut tokens = world.tokens.borrow_mut();
        tokens.assertions.insert(digest, made.clone(), until);
    }
    Some(made)
}

/// What it says, but for what differs each time.
fn about(written: &Assertion, identity: Option<&Identity>) -> Map<String, Value> {
    let audience = match written.audiences.as_slice() {
        [one] => json!(one),
        several => json!(several),
    };
    let mut claims = Map::new();
    claims.insert("iss".into(), written.issuer.clone().into());
    claims.insert("aud".into(), audience);
    let Some(identity) = identity else {
        claims.insert("credential".into(), "none".into());
        return claims;
    };
    claims.insert("credential".into(), identity.kind.name().into());
    claims.insert("source".into(), identity.source.clone().into());
    let subject = identity.claims.get("sub").and_then(Value::as_str);
    if let Some(subject) = subject.or(identity.client.as_deref()) {
        claims.insert("sub".into(), subject.into());
    }
    if let Some(client) = &identity.client {
        claims.insert("client_id".into(), client.clone().into());
    }
    if !identity.scopes.is_empty() {
        claims.insert("scope".into(), identity.scopes.join(" ").into());
    }
    for name in &written.claims {
        if let Some(value) = identity.claims.get(name) {
            claims.insert(name.clone(), value.clone());
        }
    }
    claims
}

/// base64url of the SHA-256 of method, authority and path with query, each on a line
/// of its own, as the upstream will get them.
fn request_hash(screened: &Screened, edits: &Edits) -> String {
    let headers = &screened.head().headers;
    let rewritten = edits.set.iter().rev().find(|(name, _)| name == ":path");
    let path = match rewritten {
        Some((_, path)) => path.as_bytes(),
        None => headers.first(":path").unwrap_or_default(),
    };
    let mut hash = Sha256::new();
    hash.update(screened.method());
    hash.update(b"\n");
    hash.update(headers.first(":authority").unwrap_or_default());
    hash.update(b"\n");
    hash.update(path);
    URL_SAFE_NO_PAD.encode(hash.finalize())
}

/// Assertions made lately, by what they say. Two generations, of which the older is
/// dropped when the younger is full.
#[derive(Default)]
pub struct Assertions {
    young: HashMap<[u8; 32], Made>,
    old: HashMap<[u8; 32], Made>,
}

struct Made {
    text: String,
    /// Until when it is used again, in seconds since 1970, exclusive.
    until: u64,
}

impl Assertions {
    fn find(&self, digest: &[u8; 32], now: u64) -> Option<String> {
        let made = self.young.get(digest).or_else(|| self.old.get(digest))?;
        (now < made.until).then(|| made.text.clone())
    }

    fn insert(&mut self, digest: [u8; 32], text: String, until: u64) {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(digest, Made { text, until });
    }
}

impl std::fmt::Debug for Assertions {
    /// Without the assertions, which are credentials.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Assertions").finish_non_exhaustive()
    }
}

/// `typ`: neither an access token nor anything else that somebody takes
/// (RFC 8725 §3.11).
const ASSERTION_TYPE: &str = "portcullis-assertion+jwt";
const PURPOSE: &str = "assertion";
const ID_BYTES: usize = 16;

/// Assertions a generation; one takes about a kilobyte.
const GENERATION: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_and_ends_in_time() {
        let mut made = Assertions::default();
        let digest = |number: usize| {
            let mut digest = [0; 32];
            digest[..8].copy_from_slice(&(number as u64).to_le_bytes());
            digest
        };
        for number in 0..5 * GENERATION {
            made.insert(digest(number), number.to_string(), 100);
            assert!(made.young.len() + made.old.len() <= 2 * GENERATION);
        }
        let last = digest(5 * GENERATION - 1);
        assert_eq!(made.find(&last, 99), Some((5 * GENERATION - 1).to_string()));
        assert_eq!(made.find(&last, 100), None);
        assert_eq!(made.find(&digest(0), 99), None);
        assert!(!format!("{made:?}").contains('1'));
    }
}
