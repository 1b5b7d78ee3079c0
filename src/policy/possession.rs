//! Which tokens must be bound to something that their sender proves to hold.

use crate::jose::{Algorithm, Confirmation};
use crate::policy::source::SenderConstraint;
use crate::uri::Origin;

/// How DPoP proofs are checked (RFC 9449 §4.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dpop {
    /// The origins at which clients know this API.
    pub origins: Vec<Origin>,
    /// The accepted algorithms.
    pub algorithms: Vec<Algorithm>,
    /// How old a proof may be, in seconds.
    pub max_age_seconds: u64,
    /// How far in the future it may have been made, in seconds.
    pub leeway_seconds: u64,
    /// Whether a proof must repeat a nonce of the gateway's.
    pub asks_for_nonce: bool,
    /// In how many slots the proofs that were seen lie.
    pub slots: u32,
}

impl SenderConstraint {
    /// Whether a token that is bound so may be sent.
    pub fn is_met(self, confirmation: &Confirmation) -> bool {
        let key = confirmation.key.is_some();
        let certificate = confirmation.certificate.is_some();
        match self {
            SenderConstraint::Optional => true,
            SenderConstraint::Required => key || certificate,
            SenderConstraint::Dpop => key,
            SenderConstraint::Mtls => certificate,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constraint_says_what_a_token_must_be_bound_to() {
        use SenderConstraint::{Dpop, Mtls, Optional, Required};
        for (key, certificate, met) in [
            (false, false, &[Optional][..]),
            (true, false, &[Optional, Required, Dpop]),
            (false, true, &[Optional, Required, Mtls]),
            (true, true, &[Optional, Required, Dpop, Mtls]),
        ] {
            let confirmation = Confirmation {
                key: key.then_some([1; 32]),
                certificate: certificate.then_some([2; 32]),
            };
            for constraint in [Optional, Required, Dpop, Mtls] {
                assert_eq!(
                    constraint.is_met(&confirmation),
                    met.contains(&constraint),
                    "{constraint:?} {confirmation:?}"
                );
            }
        }
    }
}
