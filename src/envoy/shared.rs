//! What a decision asks of the host: shared values and signature checks.

use super::host::{self, Written};
use crate::jose::{Algorithm, Key, PureRust, Signatures, Verification, host_call};
use crate::store::{Conflict, Store, Version};

/// Envoy's shared data.
pub(super) struct SharedData;

impl Store for SharedData {
    fn read(&self, key: &str) -> Option<(Vec<u8>, Version)> {
        host::shared(key).map(|(value, version)| (value, Version(version)))
    }

    fn compare_and_swap(
        &self,
        key: &str,
        value: &[u8],
        expected: Option<Version>,
    ) -> Result<(), Conflict> {
        // On an absent key any version but 0 creates; on a present one this one,
        // which the host reaches after four thousand million writes, conflicts.
        let Version(version) = expected.unwrap_or(Version(u32::MAX));
        match host::cas(key, value, version) {
            Written::Yes => Ok(()),
            Written::Conflict => Err(Conflict),
        }
    }
}

/// Random bytes that all workers share, made by whichever comes first. Nobody else
/// knows them, so what is keyed by them cannot be foreseen or forged. `None`: the
/// host gives none.
pub(super) fn secret() -> Option<[u8; 32]> {
    for _ in 0..MOST_TRIES {
        if let Some((known, _)) = SharedData.read(SECRET)
            && let Ok(known) = known.try_into()
        {
            return Some(known);
        }
        let fresh = host::random()?;
        if SharedData.compare_and_swap(SECRET, &fresh, None).is_ok() {
            return Some(fresh);
        }
    }
    None
}

/// The host's BoringSSL where it knows the algorithm, Rust where it does not.
pub(super) struct HostSignatures;

impl Signatures for HostSignatures {
    fn verify(
        &self,
        key: &Key,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Verification {
        let answer = host_call::argument(key, algorithm, message, signature)
            .and_then(|argument| host::foreign(host_call::FUNCTION, &argument))
            .map(|answer| host_call::answer(&answer));
        match answer {
            Some(Verification::Valid) => Verification::Valid,
            Some(Verification::Invalid) => Verification::Invalid,
            Some(Verification::Unsupported) | None => {
                PureRust.verify(key, algorithm, message, signature)
            }
        }
    }
}

const SECRET: &str = "portcullis/secret";
const MOST_TRIES: u32 = 8;
