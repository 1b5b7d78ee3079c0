//! Every reason for which a token is not believed.
//!
//! The list is closed and each reason has a code, so that an audit line, a metric
//! and a test name the same thing. None of them carries anything out of the token.

use std::fmt;

/// Why a token was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenError {
    /// Longer than the limit; nothing of it was read.
    TooLarge,
    /// Five parts: an encrypted token (RFC 7516 §3.1), which a gateway cannot read.
    Encrypted,
    /// Not three parts (RFC 7515 §7.1).
    NotCompact,
    /// A part is not canonical base64url without padding (RFC 7515 §2).
    NotBase64url,
    /// Header or payload is not a JSON object (RFC 7519 §7.2).
    NotJson,
    /// A member name occurs twice (RFC 7515 §4, RFC 7519 §4).
    DuplicateMember,
    /// `alg` is missing, or `alg`, `kid` or `typ` is not a string (RFC 7515 §4.1).
    HeaderMalformed,
    /// `crit` or `b64` asks for an extension, and none is understood (RFC 7515 §4.1.11,
    /// RFC 7797 §6).
    HeaderCritical,
    /// `alg` is `none`, an HMAC, or something else that is not one of
    /// [`Algorithm`](super::Algorithm) (RFC 8725 §3.2).
    AlgorithmUnknown,
    /// The algorithm is known, but not wanted from this issuer (RFC 8725 §3.1).
    AlgorithmNotAllowed,
    /// No verifier at hand can compute the algorithm with the issuer's key.
    AlgorithmUnsupported,
    /// The set has no key of the token's `kid`, or none at all for a token without
    /// one. The issuer may have a new key: fetch the set again, but not for every token.
    KeyUnknown,
    /// The key that `kid` names is for another algorithm (RFC 8725 §3.1).
    KeyUnsuitable,
    /// Nobody who holds the issuer's key signed this (RFC 7515 §5.2).
    SignatureInvalid,
    /// A registered claim has the wrong type, or a date that is none (RFC 7519 §4.1).
    ClaimsMalformed,
    /// `typ` is missing or another kind of token (RFC 8725 §3.11, RFC 9068 §4).
    TypeUnexpected,
    /// `iss` is missing or another issuer (RFC 9068 §4).
    IssuerUnexpected,
    /// `aud` is missing or names only others (RFC 7519 §4.1.3).
    AudienceUnexpected,
    /// There is no `exp`, so that the token would be good for ever (RFC 9068 §2.2).
    ExpiryMissing,
    /// A claim that the issuer's tokens must have is not there (RFC 9068 §2.2).
    ClaimMissing,
    /// `exp` has passed (RFC 7519 §4.1.4).
    Expired,
    /// `nbf` is yet to come (RFC 7519 §4.1.5).
    NotYetValid,
    /// `iat` is yet to come. Nobody can have signed such a token, and by its date it
    /// would escape every revocation of what was issued before.
    IssuedInFuture,
    /// The age is limited and there is no `iat` to tell it.
    AgeUnknown,
    /// `iat` is longer ago than the age allowed.
    TooOld,
    /// The authorization server says that it is not active (RFC 7662 §2.2).
    Inactive,
}

impl TokenError {
    /// The stable name of the reason, for logs, metrics and tests.
    pub fn code(self) -> &'static str {
        match self {
            TokenError::TooLarge => "token_too_large",
            TokenError::Encrypted => "token_encrypted",
            TokenError::NotCompact => "token_not_compact",
            TokenError::NotBase64url => "token_not_base64url",
            TokenError::NotJson => "token_not_json",
            TokenError::DuplicateMember => "token_duplicate_member",
            TokenError::HeaderMalformed => "header_malformed",
            TokenError::HeaderCritical => "header_critical",
            TokenError::AlgorithmUnknown => "algorithm_unknown",
            TokenError::AlgorithmNotAllowed => "algorithm_not_allowed",
            TokenError::AlgorithmUnsupported => "algorithm_unsupported",
            TokenError::KeyUnknown => "key_unknown",
            TokenError::KeyUnsuitable => "key_unsuitable",
            TokenError::SignatureInvalid => "signature_invalid",
            TokenError::ClaimsMalformed => "claims_malformed",
            TokenError::TypeUnexpected => "type_unexpected",
            TokenError::IssuerUnexpected => "issuer_unexpected",
            TokenError::AudienceUnexpected => "audience_unexpected",
            TokenError::ExpiryMissing => "expiry_missing",
            TokenError::ClaimMissing => "claim_missing",
            TokenError::Expired => "token_expired",
            TokenError::NotYetValid => "token_not_yet_valid",
            TokenError::IssuedInFuture => "token_issued_in_future",
            TokenError::AgeUnknown => "token_age_unknown",
            TokenError::TooOld => "token_too_old",
            TokenError::Inactive => "token_inactive",
        }
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl std::error::Error for TokenError {}
