//! Limits of failing, and pardons.

use super::network;
use crate::lockout::Limits;
use crate::policy::lockout::Lockout;
use crate::policy::problem::Problems;
use crate::policy::source::{self, LockoutLimits};

pub(super) fn lockout(written: &source::Lockout, problems: &mut Problems) -> Lockout {
    if written.by_address.is_none() && written.by_key.is_none() && written.by_account.is_none() {
        problems.add(
            "policy.lockout",
            "counts nothing",
            "add `by_address`, `by_key` or `by_account`, or leave `lockout` out",
        );
    }
    let mut of = |limits: &Option<LockoutLimits>, field: &str| {
        let path = format!("policy.lockout.{field}");
        limits
            .as_ref()
            .map(|limits| self::limits(limits, &path, problems))
    };
    Lockout {
        by_address: of(&written.by_address, "by_address"),
        by_key: of(&written.by_key, "by_key"),
        by_account: of(&written.by_account, "by_account"),
        pardoned_networks: network::set(
            &written.pardon.networks,
            "policy.lockout.pardon.networks",
            problems,
        ),
        pardoned_keys: written.pardon.keys.iter().cloned().collect(),
        pardoned_accounts: written.pardon.accounts.iter().cloned().collect(),
        epoch: written.epoch.clone(),
    }
}

fn limits(written: &LockoutLimits, path: &str, problems: &mut Problems) -> Limits {
    if written.ban_after < written.failures {
        problems.add(
            format!("{path}.ban_after"),
            format!(
                "is less than the {} failures that are free",
                written.failures
            ),
            "write at least as many",
        );
    }
    for (span, field) in [
        (written.window, "window"),
        (written.delay, "delay"),
        (written.ban, "ban"),
    ] {
        if span.duration().is_zero() {
            problems.add(
                format!("{path}.{field}"),
                "is no time at all",
                "write a length of time such as `1s`",
            );
        }
    }
    if written.ban < written.delay {
        problems.add(
            format!("{path}.ban"),
            "is shorter than the first delay",
            "write a longer ban or a shorter `delay`",
        );
    }
    Limits {
        failures: written.failures,
        window: written.window.duration(),
        delay: written.delay.duration(),
        ban_after: written.ban_after,
        ban: written.ban.duration(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::policy::compile::tests::{compiled, sample};
    use crate::policy::plugin::load;
    use crate::policy::source::Environment;

    fn with(lockout: Value) -> Value {
        let mut document = sample();
        document["policy"]["lockout"] = lockout;
        document
    }

    #[test]
    fn nothing_is_counted_unless_it_is_asked_for() {
        assert!(compiled(&sample()).lockout.is_none());
        let lockout = compiled(&with(json!({ "by_address": {} })))
            .lockout
            .unwrap();
        let limits = lockout.by_address.unwrap();
        assert_eq!((limits.failures, limits.ban_after), (10, 18));
        assert!(lockout.by_key.is_none() && lockout.by_account.is_none());
    }

    #[test]
    fn whatever_is_wrong_is_named_where_it_stands() {
        for (lockout, path) in [
            (json!({}), ""),
            (json!({ "epoch": "2" }), ""),
            (json!({ "by_key": { "failures": 20 } }), ".by_key.ban_after"),
            (json!({ "by_key": { "window": "0s" } }), ".by_key.window"),
            (
                json!({ "by_account": { "delay": "0s" } }),
                ".by_account.delay",
            ),
            (
                json!({ "by_address": { "delay": "1m", "ban": "30s" } }),
                ".by_address.ban",
            ),
            (json!({ "by_key": { "failures": 0 } }), ".by_key.failures"),
            (
                json!({ "by_key": {}, "pardon": { "networks": ["10.0.0.1/8"] } }),
                ".pardon.networks[0]",
            ),
        ] {
            let document = with(lockout).to_string();
            let problems = load(document.as_bytes(), Environment::Elsewhere).unwrap_err();
            let paths: Vec<&str> = problems.iter().map(|one| one.path.as_str()).collect();
            assert_eq!(paths, [format!("policy.lockout{path}")], "{document}");
        }
    }
}
