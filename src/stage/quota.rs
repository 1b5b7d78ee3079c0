//! How much a caller may ask for: a token bucket that all workers share.
//!
//! Shared data can neither delete nor list, so buckets live in a fixed number of
//! slots and a client cannot make memory grow. A slot holds the tag of its owner
//! and one time: when the bucket will be full again. That one number is the whole
//! bucket (the generic cell rate algorithm), so one compare-and-swap spends from
//! it, and a bucket that is full again is a slot that is free again.

use sha2::{Digest, Sha256};

use crate::denial::Denial;
use crate::policy::source::QuotaKey;
use crate::policy::{Plan, Policy};
use crate::stage::authn::Caller;
use crate::stage::hygiene::Screened;
use crate::store::{Store, Version};
use crate::time::Time;
use crate::trail::{Stage, Trail};

/// Takes one request out of the caller's bucket.
///
/// # Errors
/// [`Denial::QuotaExceeded`] when the bucket is empty, [`Denial::QuotaUncounted`]
/// when other workers were faster too often; both only if the stage enforces.
pub fn spend(
    plan: &Plan,
    screened: &Screened,
    caller: &Caller,
    policy: &Policy,
    store: &dyn Store,
    now: Time,
    trail: &mut Trail,
) -> Result<(), Denial> {
    let owner = owner(plan, screened, caller);
    match take(plan, &owner, policy.slots, store, now) {
        Taken::Yes { left } => {
            trail.pass(
                Stage::Quota,
                format!("plan `{}`, {left} of {} left", plan.name, plan.burst),
            );
            Ok(())
        }
        Taken::No { wait_ns } => {
            let denial = Denial::QuotaExceeded {
                retry_after_seconds: wait_ns.div_ceil(1_000_000_000).max(1),
            };
            trail.object(Stage::Quota, policy.stages.quota, denial)
        }
        Taken::Uncounted => trail.object(Stage::Quota, policy.stages.quota, Denial::QuotaUncounted),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Taken {
    Yes { left: u64 },
    No { wait_ns: u64 },
    Uncounted,
}

/// Who owns the bucket. An address stands in where there is no caller.
fn owner(plan: &Plan, screened: &Screened, caller: &Caller) -> Tag {
    let mut hash = Sha256::new();
    hash.update(plan.name.as_bytes());
    let identity = caller.identity();
    match (plan.key, identity) {
        (QuotaKey::Client, Some(identity)) => {
            hash.update(b"\0client\0");
            hash.update(identity.source.as_bytes());
            hash.update(b"\0");
            hash.update(
                identity
                    .client
                    .as_deref()
                    .unwrap_or(&identity.pseudonym)
                    .as_bytes(),
            );
        }
        (QuotaKey::Subject, Some(identity)) => {
            hash.update(b"\0subject\0");
            hash.update(identity.pseudonym.as_bytes());
        }
        (QuotaKey::Address, _) | (_, None) => {
            hash.update(b"\0address\0");
            if let Some(address) = screened.address() {
                hash.update(address.to_string().as_bytes());
            }
        }
    }
    let digest: [u8; 32] = hash.finalize().into();
    let (tag, rest) = digest.split_at(16);
    Tag {
        tag: array(tag),
        home: u64::from_le_bytes(array(rest.get(..8).unwrap_or_default())),
    }
}

/// 128 bits name the owner, 64 others choose the slot.
struct Tag {
    tag: [u8; 16],
    home: u64,
}

fn take(plan: &Plan, owner: &Tag, slots: u32, store: &dyn Store, now: Time) -> Taken {
    for _ in 0..MOST_TRIES {
        let slot = find(owner, slots, store, now);
        // In the past, the bucket is full now. Further ahead than an empty bucket
        // needs, the clock went backwards, and nobody shall wait for that.
        let capacity = plan.interval_ns.saturating_mul(plan.burst);
        let latest = now.nanos().saturating_add(capacity);
        let full_at = slot.full_at.clamp(now.nanos(), latest);
        let after = (full_at - now.nanos()).saturating_add(plan.interval_ns);
        if after > capacity {
            if slot.full_at > latest {
                // Else the bucket would look empty until the clock has caught up. If
                // another worker writes first, it has done the same.
                let empty = encode(&owner.tag, latest);
                let _ = store.compare_and_swap(&slot.key, &empty, slot.version);
            }
            return Taken::No {
                wait_ns: after - capacity,
            };
        }
        let value = encode(&owner.tag, full_at.saturating_add(plan.interval_ns));
        if store
            .compare_and_swap(&slot.key, &value, slot.version)
            .is_ok()
        {
            return Taken::Yes {
                left: (capacity - after) / plan.interval_ns,
            };
        }
    }
    Taken::Uncounted
}

struct Slot {
    key: String,
    version: Option<Version>,
    full_at: u64,
}

/// The owner's slot, or the one to take over: a slot never used, else one whose
/// bucket is full again, else the one that will be full first. The last costs its
/// owner nothing but the part of a burst it had spent.
fn find(owner: &Tag, slots: u32, store: &dyn Store, now: Time) -> Slot {
    let mut best: Option<Slot> = None;
    for probe in 0..PROBES {
        let index = owner.home.wrapping_add(probe) % u64::from(slots.max(1));
        let key = format!("portcullis/quota/{index}");
        let Some((value, version)) = store.read(&key) else {
            let fresh = Slot {
                key,
                version: None,
                full_at: 0,
            };
            return match best {
                Some(best) if best.full_at <= now.nanos() => best,
                _ => fresh,
            };
        };
        let (tag, full_at) = decode(&value);
        if tag == owner.tag {
            return Slot {
                key,
                version: Some(version),
                full_at,
            };
        }
        if best.as_ref().is_none_or(|best| full_at < best.full_at) {
            best = Some(Slot {
                key,
                version: Some(version),
                full_at,
            });
        }
    }
    match best {
        Some(slot) => Slot { full_at: 0, ..slot },
        None => Slot {
            key: "portcullis/quota/0".into(),
            version: None,
            full_at: 0,
        },
    }
}

fn encode(tag: &[u8; 16], full_at: u64) -> [u8; 24] {
    let mut value = [0; 24];
    let (head, tail) = value.split_at_mut(16);
    head.copy_from_slice(tag);
    tail.copy_from_slice(&full_at.to_le_bytes());
    value
}

fn decode(value: &[u8]) -> ([u8; 16], u64) {
    let (tag, time) = value.split_at_checked(16).unwrap_or_default();
    (array(tag), u64::from_le_bytes(array(time)))
}

/// The bytes, if there are as many as asked for; zeros otherwise.
fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().unwrap_or([0; N])
}

/// Slots looked at before one is taken over.
const PROBES: u64 = 8;

/// Writes tried before the stage gives up; other workers can interfere with each.
const MOST_TRIES: u32 = 128;
