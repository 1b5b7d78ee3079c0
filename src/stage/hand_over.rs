//! What the upstream gets of the caller's credentials, or in their place.
//!
//! It comes last: the request is as it will be sent, and an assertion that is bound
//! to it must hash what the upstream will see.

pub mod assertion;

use crate::engine::{Edits, World};
use crate::policy::source::TokenHandOver;
use crate::stage::authn::Caller;
use crate::stage::hygiene::Screened;

/// Adds to the edits of an admitted request what the policy says of credentials.
pub fn apply(screened: &Screened, caller: &Caller, world: &World, edits: &mut Edits) {
    let hand_over = &world.policy.hand_over;
    let made = hand_over.assertion.as_ref().and_then(|written| {
        let text = assertion::of(written, screened, caller, world, edits)?;
        Some((written, text))
    });
    if hand_over.token != TokenHandOver::Keep {
        edits.remove.extend(CREDENTIALS.map(String::from));
    }
    let Some((written, text)) = made else {
        return;
    };
    if hand_over.token == TokenHandOver::Replace {
        let value = format!("Bearer {text}");
        edits.set.push(("authorization".into(), value));
    }
    if let Some(header) = &written.header {
        edits.set.push((header.clone(), text));
    }
}

/// The token, and the proof that its sender holds its key.
const CREDENTIALS: [&str; 2] = ["authorization", "dpop"];
