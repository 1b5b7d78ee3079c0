//! DPoP: where clients know the API, and what a proof must be.

use crate::jose::Algorithm;
use crate::policy::Dpop;
use crate::policy::problem::Problems;
use crate::policy::source::{self, SenderConstraint, Source};
use crate::uri::Origin;

pub(super) fn dpop(source: &Source, problems: &mut Problems) -> Option<Dpop> {
    let Some(written) = &source.dpop else {
        for (index, issuer) in source.issuers.iter().enumerate() {
            if issuer.sender_constraint == SenderConstraint::Dpop {
                problems.add(
                    format!("policy.issuers[{index}].sender_constraint"),
                    "asks for DPoP, and nothing says how proofs are checked",
                    "add `policy.dpop` with the `origins` at which clients know this API",
                );
            }
        }
        return None;
    };
    let mut origins = Vec::new();
    for (index, text) in written.origins.iter().enumerate() {
        match Origin::parse(text) {
            Some(origin) => origins.push(origin),
            None => problems.add(
                format!("policy.dpop.origins[{index}]"),
                format!("`{text}` is not an origin"),
                "write scheme, host and port alone, such as `https://api.example.com`",
            ),
        }
    }
    if written.max_age.seconds() == 0 {
        problems.add(
            "policy.dpop.max_age",
            "is less than a second, so that every proof is too old",
            "write a time such as `60s`",
        );
    }
    Some(Dpop {
        origins,
        algorithms: algorithms(&written.algorithms, "policy.dpop.algorithms", problems),
        max_age_seconds: written.max_age.seconds(),
        leeway_seconds: written.clock_skew.seconds(),
        asks_for_nonce: written.nonce == source::Nonce::Required,
        slots: written.slots,
    })
}

fn algorithms(names: &[String], path: &str, problems: &mut Problems) -> Vec<Algorithm> {
    let mut algorithms = Vec::new();
    for (index, name) in names.iter().enumerate() {
        match name.parse() {
            Ok(algorithm) => algorithms.push(algorithm),
            Err(_) => problems.add(
                format!("{path}[{index}]"),
                format!("`{name}` is not a signature algorithm with a public key"),
                "use ES256, EdDSA, or another that clients can sign by with a key of their own",
            ),
        }
    }
    algorithms
}

#[cfg(test)]
mod tests {
    use crate::policy::compile::tests::{compiled, complaints, sample};
    use serde_json::json;

    #[test]
    fn proofs_are_for_origins_and_no_more() {
        let mut document = sample();
        document["policy"]["dpop"] = json!({ "origins": ["https://A.example:443"] });
        let dpop = compiled(&document).dpop.unwrap();
        assert_eq!(dpop.origins[0].to_string(), "https://a.example");
        assert_eq!((dpop.max_age_seconds, dpop.leeway_seconds), (60, 10));
        let found = complaints(|document| {
            document["policy"]["dpop"] = json!({
                "origins": ["https://a.example/v1", "a.example"],
                "algorithms": ["HS256"],
                "max_age": "1ms",
            });
        });
        assert_eq!(
            found,
            [
                "policy.dpop.origins[0]",
                "policy.dpop.origins[1]",
                "policy.dpop.max_age",
                "policy.dpop.algorithms[0]",
            ]
        );
    }

    #[test]
    fn a_constraint_that_nothing_can_meet_is_a_problem() {
        let demand = |document: &mut serde_json::Value| {
            document["policy"]["issuers"][0]["sender_constraint"] = json!("dpop");
        };
        assert_eq!(complaints(demand), ["policy.issuers[0].sender_constraint"]);
        let mut document = sample();
        demand(&mut document);
        document["policy"]["dpop"] = json!({ "origins": ["https://a.example"] });
        compiled(&document);
    }
}
