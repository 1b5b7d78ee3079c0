//! What the policy asks of tokens that are bound to their sender, in words.

use crate::policy::source::SenderConstraint;
use crate::policy::{Access, Policy, Proof};

/// One sentence for each issuer of the operation's tokens that asks for something,
/// and one on how it is proven.
pub(super) fn sentences(access: &Access, policy: &Policy) -> Vec<String> {
    let mut issuers: Vec<usize> = Vec::new();
    for scheme in &access.schemes {
        if let Some(Proof::Token { issuers: theirs }) =
            policy.schemes.get(*scheme).map(|scheme| &scheme.proof)
        {
            issuers.extend(theirs);
        }
    }
    issuers.sort_unstable();
    issuers.dedup();
    let mut sentences: Vec<String> = issuers
        .iter()
        .filter_map(|place| policy.issuers.get(*place))
        .filter_map(|issuer| {
            let to = match issuer.sender_constraint {
                SenderConstraint::Optional => return None,
                SenderConstraint::Required => "a key or a client certificate",
                SenderConstraint::Dpop => "a key (DPoP)",
                SenderConstraint::Mtls => "a client certificate",
            };
            let name = &issuer.name;
            Some(format!(
                "possession: a token of `{name}` must be bound to {to}"
            ))
        })
        .collect();
    if let (Some(dpop), false) = (&policy.dpop, issuers.is_empty()) {
        let nonce = match dpop.asks_for_nonce {
            true => " and repeats the gateway's nonce",
            false => "",
        };
        sentences.push(format!(
            "possession: a token that is bound to a key needs a new DPoP proof, which is at most \
             {} seconds old{nonce}",
            dpop.max_age_seconds
        ));
    }
    sentences
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::compile::tests::{compiled, sample};
    use serde_json::json;

    #[test]
    fn says_what_tokens_are_bound_to() {
        let mut document = sample();
        let said = |document: &serde_json::Value| {
            let policy = compiled(document);
            sentences(&policy.operations[1].access, &policy)
        };
        assert_eq!(said(&document), [""; 0]);
        document["policy"]["dpop"] = json!({ "origins": ["https://a"], "nonce": "required" });
        document["policy"]["issuers"][0]["sender_constraint"] = json!("dpop");
        assert_eq!(
            said(&document),
            [
                "possession: a token of `id` must be bound to a key (DPoP)",
                "possession: a token that is bound to a key needs a new DPoP proof, which is at \
                 most 60 seconds old and repeats the gateway's nonce",
            ]
        );
    }
}
