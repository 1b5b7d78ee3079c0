//! What the upstream learns of the caller, in words.

use crate::policy::Policy;
use crate::policy::source::TokenHandOver;

/// One sentence for what differs from passing the token on.
pub(super) fn sentences(policy: &Policy) -> Vec<String> {
    let mut sentences = Vec::new();
    match policy.hand_over.token {
        TokenHandOver::Keep => {}
        TokenHandOver::Remove => sentences.push("upstream: gets no token".to_string()),
        TokenHandOver::Replace => {
            sentences.push("upstream: gets the gateway's assertion for the token".to_string());
        }
    }
    if let Some(assertion) = &policy.hand_over.assertion {
        let header = match &assertion.header {
            Some(header) => format!(" in `{header}`"),
            None => String::new(),
        };
        let bound = match assertion.binds_request {
            true => ", for this request alone",
            false => "",
        };
        sentences.push(format!(
            "upstream: an assertion of `{}` for `{}`{header}, good for {} seconds{bound}",
            assertion.issuer,
            assertion.audiences.join("`, `"),
            assertion.lifetime_seconds
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
    fn says_what_the_upstream_gets() {
        let mut document = sample();
        let said = |document: &serde_json::Value| sentences(&compiled(document));
        assert_eq!(said(&document), [""; 0]);
        document["policy"]["hand_over"] = json!({
            "token": "remove",
            "assertion": {
                "issuer": "gate", "audiences": ["a", "b"], "bind": true, "keys": [{ "env": "KEY" }],
            },
        });
        assert_eq!(
            said(&document),
            [
                "upstream: gets no token",
                "upstream: an assertion of `gate` for `a`, `b` in `x-portcullis-assertion`, good \
                 for 60 seconds, for this request alone",
            ]
        );
    }
}
