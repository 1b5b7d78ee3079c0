//! What a client may know of a refusal: the fixed members of the problem document
//! (RFC 9457 §3.1). `docs/problems.md` lists them.

/// A type of problem.
#[derive(Debug, Clone, Copy)]
pub(super) struct Problem {
    /// The last part of the type's URI.
    pub(super) kind: &'static str,
    /// A few words.
    pub(super) title: &'static str,
    /// What the client can do about it.
    pub(super) detail: &'static str,
}

const fn problem(kind: &'static str, title: &'static str, detail: &'static str) -> Problem {
    Problem {
        kind,
        title,
        detail,
    }
}

pub(super) const MALFORMED_REQUEST: Problem = problem(
    "malformed-request",
    "Malformed request",
    "The request is malformed or ambiguous.",
);

pub(super) const MALFORMED_CREDENTIAL: Problem = problem(
    "malformed-credential",
    "Malformed credential",
    "Send each credential once and whole, a token as `Authorization: Bearer <token>`.",
);

pub(super) const PATH_NOT_DECLARED: Problem = problem(
    "path-not-declared",
    "Not found",
    "The API declares no operation at this path.",
);

pub(super) const METHOD_NOT_DECLARED: Problem = problem(
    "method-not-declared",
    "Method not allowed",
    "The API declares other methods for this path.",
);

pub(super) const FORBIDDEN: Problem =
    problem("forbidden", "Forbidden", "This request is not allowed.");

pub(super) const OPERATION_CLOSED: Problem = problem(
    "operation-closed",
    "Operation closed",
    "This operation is closed for the time being.",
);

pub(super) const UNDER_MAINTENANCE: Problem = problem(
    "under-maintenance",
    "Under maintenance",
    "This operation is being maintained; try again after the time in `Retry-After`.",
);

pub(super) const OUTSIDE_HOURS: Problem = problem(
    "outside-hours",
    "Outside hours",
    "This operation is not open at this time.",
);

pub(super) const LOCKED_OUT: Problem = problem(
    "locked-out",
    "Too many failed attempts",
    "Authentication failed too often; try again after the time in `Retry-After`.",
);

pub(super) const CREDENTIAL_MISSING: Problem = problem(
    "credential-missing",
    "Authentication required",
    "This operation needs a credential that the request does not carry.",
);

pub(super) const API_KEY_INVALID: Problem = problem(
    "api-key-invalid",
    "Invalid API key",
    "The API key is unknown, expired or not meant for this use.",
);

pub(super) const TOKEN_INVALID: Problem = problem(
    "token-invalid",
    "Invalid token",
    "The access token is expired, revoked, malformed or not meant for this API.",
);

pub(super) const PROOF_INVALID: Problem = problem(
    "proof-invalid",
    "Invalid proof of possession",
    "The access token is bound to a key; send exactly one new DPoP proof for this request.",
);

pub(super) const PROOF_UNCOUNTED: Problem = problem(
    "proof-unavailable",
    "Authentication unavailable",
    "The proof of possession cannot be checked at the moment; send a new one.",
);

pub(super) const KEYS_UNAVAILABLE: Problem = problem(
    "keys-unavailable",
    "Authentication unavailable",
    "The token cannot be verified at the moment.",
);

pub(super) const INTROSPECTION_UNAVAILABLE: Problem = problem(
    "introspection-unavailable",
    "Authentication unavailable",
    "The token cannot be checked at the moment.",
);

pub(super) const REVOCATIONS_UNAVAILABLE: Problem = problem(
    "revocations-unavailable",
    "Authentication unavailable",
    "Whether the credential was revoked cannot be said at the moment.",
);

pub(super) const INSUFFICIENT_SCOPE: Problem = problem(
    "insufficient-scope",
    "Insufficient scope",
    "The access token lacks a scope that this operation needs.",
);

pub(super) const QUOTA_EXCEEDED: Problem = problem(
    "quota-exceeded",
    "Too many requests",
    "The quota is spent; try again later, and not before the time in `Retry-After` if it is there.",
);

pub(super) const LENGTH_REQUIRED: Problem = problem(
    "length-required",
    "Length required",
    "Send the body with `Content-Length`: what it costs depends on its length.",
);

pub(super) const QUOTA_UNAVAILABLE: Problem = problem(
    "quota-unavailable",
    "Quota unavailable",
    "The request could not be counted at the moment.",
);

pub(super) const REQUEST_REFUSED: Problem = problem(
    "request-refused",
    "Request refused",
    "The request is unlike those this API receives.",
);

pub(super) const RESPONSE_WITHHELD: Problem = problem(
    "response-withheld",
    "Response withheld",
    "The upstream's response could not be made safe to pass on.",
);

pub(super) const INTERNAL_ERROR: Problem = problem(
    "internal-error",
    "Internal error",
    "The gateway could not decide about this request.",
);

pub(super) const STEP_UP_NEEDED: Problem = problem(
    "step-up-needed",
    "Another log-in required",
    "This operation needs a token of a stronger or more recent log-in.",
);

pub(super) const OBJECT_FORBIDDEN: Problem = problem(
    "object-forbidden",
    "Not yours",
    "The request names an object that the caller may not use.",
);

pub(super) const ROLE_MISSING: Problem = problem(
    "role-missing",
    "Not allowed",
    "The caller has none of the roles that this operation needs.",
);

pub(super) const RULE_REFUSED: Problem = problem(
    "rule-refused",
    "Not allowed",
    "A rule of this operation does not let the request pass.",
);
