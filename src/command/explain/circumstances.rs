//! When, from where and after how many failures an operation may be called, in words.

use super::operation::one_of;
use crate::calendar::opening::Opening;
use crate::lockout::Kind;
use crate::policy::availability::Availability;
use crate::policy::network::{Agents, Countries, Territory};
use crate::policy::{Access, Operation, Policy};
use crate::trail::timestamp;

/// What holds for an operation whoever calls it.
pub(super) fn sentences(operation: &Operation, policy: &Policy, sentences: &mut Vec<String>) {
    let networks = &policy.networks;
    territory(&operation.territory, policy, sentences);
    sentences.extend(networks.countries.as_ref().map(countries));
    sentences.extend(networks.agents.as_ref().map(agents));
    availability(&operation.availability, policy, sentences);
}

/// How often one may fail before one must wait.
pub(super) fn lockout(access: &Access, policy: &Policy, sentences: &mut Vec<String>) {
    let Some(lockout) = policy
        .lockout
        .as_ref()
        .filter(|_| !access.alternatives.is_empty())
    else {
        return;
    };
    for kind in [Kind::Address, Kind::Key, Kind::Account] {
        if let Some(limits) = lockout.limits(kind) {
            sentences.push(format!(
                "lockout: after {} failures in {} s {} {} waits {} s, twice as long after each \
                 further one, and {} s after {}",
                limits.failures,
                limits.window.as_secs_f64(),
                if kind == Kind::Key { "a" } else { "an" },
                kind.name(),
                limits.delay.as_secs_f64(),
                limits.ban.as_secs_f64(),
                limits.ban_after,
            ));
        }
    }
}

fn availability(availability: &Availability, policy: &Policy, sentences: &mut Vec<String>) {
    if availability.closed {
        sentences.push("closed: for everybody, by `closed` of the policy".into());
    }
    for window in &availability.maintenance {
        sentences.push(format!(
            "maintenance: from {} to {}",
            timestamp(window.from.millis()),
            timestamp(window.to.millis())
        ));
    }
    if let Some(hours) = availability.hours.and_then(|place| policy.hours.get(place)) {
        sentences.push(format!(
            "hours: `{}`, {}, time zone `{}`",
            hours.name,
            opening(&hours.opening),
            hours.time_zone
        ));
    }
}

fn opening(hours: &Opening) -> String {
    let days = [
        "Sunday",
        "Monday",
        "Tuesday",
        "Wednesday",
        "Thursday",
        "Friday",
        "Saturday",
    ];
    let open = days
        .iter()
        .zip(hours.days)
        .filter_map(|(day, open)| open.then_some(*day));
    let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
    let next = if hours.to <= hours.from {
        " of the next day"
    } else {
        ""
    };
    let mut said = format!(
        "{} from {} to {}{next}",
        open.collect::<Vec<_>>().join(", "),
        clock(hours.from),
        clock(hours.to),
    );
    let dates = hours.except.iter();
    let dates: Vec<String> = dates
        .map(|(year, month, day)| format!("{year}-{month:02}-{day:02}"))
        .collect();
    if !dates.is_empty() {
        said.push_str(&format!(", not on {}", dates.join(", ")));
    }
    said
}

fn territory(territory: &Territory, policy: &Policy, sentences: &mut Vec<String>) {
    let lists = |places: &[usize]| {
        let names = places
            .iter()
            .filter_map(|place| policy.networks.lists.get(*place))
            .map(|(name, _)| format!("`{name}`"));
        one_of(names.collect())
    };
    let denied = match territory.deny.as_slice() {
        [] => String::new(),
        denied => format!("not from {}", lists(denied)),
    };
    match &territory.allow {
        None if denied.is_empty() => {}
        None => sentences.push(format!("networks: {denied}")),
        Some(allowed) if denied.is_empty() => {
            sentences.push(format!("networks: from {}", lists(allowed)));
        }
        Some(allowed) => sentences.push(format!("networks: from {}, {denied}", lists(allowed))),
    }
}

fn countries(countries: &Countries) -> String {
    let mut said = Vec::new();
    let allowed = countries.allow.clone();
    said.extend(allowed.map(|allow| format!("from {}", one_of(allow))));
    if !countries.deny.is_empty() {
        said.push(format!("not from {}", one_of(countries.deny.clone())));
    }
    let header = &countries.header;
    format!("countries: {}, by the header `{header}`", said.join(", "))
}

fn agents(agents: &Agents) -> String {
    let mut said = Vec::new();
    if agents.require {
        said.push("one that gives its name".to_owned());
    }
    let names: Vec<String> = agents.deny.iter().map(|name| format!("`{name}`")).collect();
    if !names.is_empty() {
        said.push(format!("not {}", one_of(names)));
    }
    format!("programs: {}", said.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::compile::tests::{compiled, sample};
    use serde_json::json;

    fn said(document: &serde_json::Value, index: usize) -> Vec<String> {
        let policy = compiled(document);
        let operation = &policy.operations[index];
        let mut said = Vec::new();
        sentences(operation, &policy, &mut said);
        lockout(&operation.access, &policy, &mut said);
        said
    }

    #[test]
    fn says_when() {
        let mut document = sample();
        document["policy"]["hours"] = json!({ "day": {
            "time_zone": "CET-1CEST,M3.5.0,M10.5.0/3", "days": ["mon-tue"], "from": "08:00",
            "to": "06:30", "except": ["2026-12-25"],
        } });
        document["policy"]["maintenance"] =
            json!([{ "from": "2026-12-01T22:00:00+01:00", "to": "2026-12-02T00:00:00+01:00" }]);
        document["policy"]["closed"] = json!(["getB"]);
        document["api"]["operations"][1]["hours"] = "day".into();
        assert_eq!(
            said(&document, 1),
            [
                "closed: for everybody, by `closed` of the policy",
                "maintenance: from 2026-12-01T21:00:00.000Z to 2026-12-01T23:00:00.000Z",
                "hours: `day`, Monday, Tuesday from 08:00 to 06:30 of the next day, not on \
                 2026-12-25, time zone `CET-1CEST,M3.5.0,M10.5.0/3`",
            ]
        );
    }

    #[test]
    fn says_from_where_and_how_often_one_may_fail() {
        let mut document = sample();
        document["policy"]["networks"] = json!({
            "lists": { "office": { "inline": ["10.0.0.0/8"] }, "abusers": { "inline": ["::1"] } },
            "allow": ["office"],
            "countries": { "header": "x-country", "allow": ["DE", "AT"], "deny": ["XX"] },
            "user_agents": { "deny": ["curl/*", "*bot*"], "require": true },
        });
        document["policy"]["lockout"] = json!({ "by_address": {} });
        document["api"]["operations"][0]["networks"] = json!({ "deny": ["abusers"] });
        assert_eq!(
            said(&document, 0)[0],
            "networks: from `office`, not from `abusers`"
        );
        assert_eq!(
            said(&document, 1),
            [
                "networks: from `office`",
                "countries: from DE or AT, not from XX, by the header `x-country`",
                "programs: one that gives its name, not `curl/*` or `*bot*`",
                "lockout: after 10 failures in 600 s an address waits 1 s, twice as long after \
                 each further one, and 900 s after 18",
            ]
        );
    }
}
