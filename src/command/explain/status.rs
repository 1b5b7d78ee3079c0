//! Where the gateway asks whether a credential is still good, in words.

use super::operation::one_of;
use crate::policy::source::OnUnavailable;
use crate::policy::{Access, IssuerKeys, Policy, Proof, RevocationSource};
use crate::stage::authn::Freshness;

/// Who is asked about the tokens of an operation, and which list names revoked ones.
pub(super) fn sentences(access: &Access, policy: &Policy, sentences: &mut Vec<String>) {
    let proofs = access.schemes.iter().filter_map(|place| {
        let scheme = policy.schemes.get(*place)?;
        Some(&scheme.proof)
    });
    let mut asked: Vec<usize> = proofs
        .flat_map(|proof| match proof {
            Proof::Token { issuers } => issuers.as_slice(),
            Proof::ApiKey { .. } | Proof::Certificate { .. } => &[],
        })
        .copied()
        .collect();
    asked.sort_unstable();
    asked.dedup();
    for issuer in asked
        .into_iter()
        .filter_map(|place| policy.issuers.get(place))
    {
        if let Some(server) = &issuer.introspection {
            let which = match issuer.keys {
                IssuerKeys::None => "every token",
                _ => "a token that is no JWT",
            };
            let Freshness { active, stale, .. } = server.freshness;
            let stale = stale.map_or_else(String::new, |stale| {
                format!(", and for {stale:?} if it does not answer")
            });
            sentences.push(format!(
                "introspection: `{}` is asked about {which}; its word holds for {active:?} at most{stale}",
                issuer.name
            ));
        }
    }
    let Some(revocation) = policy
        .revocation
        .as_ref()
        .filter(|_| !access.alternatives.is_empty())
    else {
        return;
    };
    let list = match &revocation.source {
        RevocationSource::Fixed(_) => "the list in the policy".into(),
        RevocationSource::Remote { list, .. } => format!(
            "the list at {}, {} old at most, or {} if it is out of reach; then {}",
            list.uri,
            list.refresh,
            list.max_stale,
            match list.on_unavailable {
                OnUnavailable::Deny => "nobody passes",
                OnUnavailable::Allow => "the last one goes on",
            }
        ),
    };
    let whose = match &revocation.issuers {
        None => "tokens".into(),
        Some(places) => {
            let names = places.iter().filter_map(|place| policy.issuers.get(*place));
            let names = names.map(|issuer| format!("`{}`", issuer.name)).collect();
            format!("tokens of {}", one_of(names))
        }
    };
    sentences.push(format!("revocation: {whose} are looked up in {list}"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::compile::tests::{compiled, sample};
    use serde_json::json;

    #[test]
    fn says_who_is_asked_whether_a_token_is_still_good() {
        let mut document = sample();
        document["policy"]["issuers"][0]["introspection"] = json!({
            "uri": "https://id.example/introspect", "cluster": "id", "serve_stale": "5m",
            "client": { "id": "gateway", "secret": { "env": "SECRET" } },
        });
        document["policy"]["revocation"] = json!({ "issuers": ["id"], "list": { "remote": {
            "uri": "https://id.example/revoked", "cluster": "id",
        } } });
        let policy = compiled(&document);
        let mut said = Vec::new();
        sentences(&policy.operations[1].access, &policy, &mut said);
        assert_eq!(
            said,
            [
                "introspection: `id` is asked about a token that is no JWT; its word holds for \
                 60s at most, and for 300s if it does not answer",
                "revocation: tokens of `id` are looked up in the list at \
                 https://id.example/revoked, 10s old at most, or 300s if it is out of reach; \
                 then nobody passes"
            ]
        );
    }
}
