//! Nonces for DPoP proofs that need no memory (RFC 9449 §8).
//!
//! A nonce is a hash of the time, in periods, under a secret of all workers. Who
//! repeats one has spoken with this gateway lately, and cannot have made the proof
//! long before: that, and nothing else, is what it is for. It is no protection
//! against sending a proof twice.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::keyed;
use crate::time::Time;

/// The nonce to give out now.
pub(super) fn current(secret: &[u8; 32], now: Time) -> String {
    let hash = keyed::hash(secret, PURPOSE, &[&period(now).to_le_bytes()]);
    URL_SAFE_NO_PAD.encode(hash.get(..NONCE_BYTES).unwrap_or_default())
}

/// Whether a nonce was given out in this period or the one before.
pub(super) fn is_fresh(nonce: &str, secret: &[u8; 32], now: Time) -> bool {
    let Ok(nonce) = URL_SAFE_NO_PAD.decode(nonce) else {
        return false;
    };
    let given_out = |period: u64| {
        nonce.len() == NONCE_BYTES
            && keyed::is_hash(secret, PURPOSE, &[&period.to_le_bytes()], &nonce)
    };
    let current = period(now);
    given_out(current) || current.checked_sub(1).is_some_and(given_out)
}

fn period(now: Time) -> u64 {
    now.seconds() / PERIOD_SECONDS
}

const PURPOSE: &str = "dpop nonce";

/// A nonce is good for as long, and at most for twice as long.
const PERIOD_SECONDS: u64 = 120;

/// Of 128 bits none is guessed.
const NONCE_BYTES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: [u8; 32] = [3; 32];

    fn at(seconds: u64) -> Time {
        Time::from_millis(seconds * 1_000)
    }

    #[test]
    fn a_nonce_is_good_in_its_period_and_the_next() {
        let nonce = current(&SECRET, at(1_200));
        assert_eq!(nonce, current(&SECRET, at(1_319)));
        for (time, good) in [(1_199, false), (1_200, true), (1_439, true), (1_440, false)] {
            assert_eq!(is_fresh(&nonce, &SECRET, at(time)), good, "{time}");
        }
        let first = current(&SECRET, at(0));
        assert!(is_fresh(&first, &SECRET, at(0)));
    }

    #[test]
    fn nobody_else_makes_one() {
        let nonce = current(&SECRET, at(0));
        assert!(!is_fresh(&nonce, &[4; 32], at(0)));
        for other in [
            "",
            "AAAA",
            &nonce[1..],
            &format!("{nonce}A"),
            &"A".repeat(22),
        ] {
            assert!(!is_fresh(other, &SECRET, at(0)), "{other}");
        }
    }
}
