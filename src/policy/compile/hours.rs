//! Hours, maintenance, and operations that are closed.

use std::collections::BTreeSet;

use super::known_names;
use crate::calendar::Zone;
use crate::calendar::opening::Opening;
use crate::policy::api::{self, Api};
use crate::policy::availability::{self, Availability, Window};
use crate::policy::problem::Problems;
use crate::policy::source::{Hours, Maintenance, Source};
use crate::time::rfc3339;

/// All that the policy says of times.
pub(super) struct Times {
    /// Hours that have names.
    pub(super) hours: Vec<availability::Hours>,
    /// When operations are maintained, and which; `None`: all.
    windows: Vec<(Window, Option<Vec<String>>)>,
    closed: Vec<String>,
}

impl Times {
    pub(super) fn new(source: &Source, api: &Api, problems: &mut Problems) -> Self {
        let mut windows = Vec::new();
        for (index, written) in source.maintenance.iter().enumerate() {
            let path = format!("policy.maintenance[{index}]");
            for (place, id) in written.operations.iter().flatten().enumerate() {
                declared(id, &format!("{path}.operations[{place}]"), api, problems);
            }
            let window = window(written, &path, problems);
            windows.extend(window.map(|window| (window, written.operations.clone())));
        }
        for (place, id) in source.closed.iter().enumerate() {
            declared(id, &format!("policy.closed[{place}]"), api, problems);
        }
        let hours = source.hours.iter().map(|(name, hours)| {
            let path = format!("policy.hours.{name}");
            availability::Hours {
                name: name.clone(),
                time_zone: hours.time_zone.clone(),
                opening: opening(hours, &path, problems),
            }
        });
        Times {
            hours: hours.collect(),
            windows,
            closed: source.closed.clone(),
        }
    }

    /// Of operations that the document does not declare.
    pub(super) fn undeclared(&self) -> Availability {
        Availability {
            maintenance: self.maintenance(None),
            ..Availability::default()
        }
    }

    /// Of an operation.
    pub(super) fn of(
        &self,
        operation: &api::Operation,
        path: &str,
        problems: &mut Problems,
    ) -> Availability {
        let found = operation.hours.as_ref().map(|wanted| {
            let place = self.hours.iter().position(|known| known.name == *wanted);
            if place.is_none() {
                let known: Vec<String> = self.hours.iter().map(|one| one.name.clone()).collect();
                problems.add(
                    format!("{path}.hours"),
                    format!("`{wanted}` is not one of the hours"),
                    known_names(&known),
                );
            }
            place
        });
        Availability {
            closed: self.closed.contains(&operation.id),
            maintenance: self.maintenance(Some(&operation.id)),
            hours: found.flatten(),
        }
    }

    fn maintenance(&self, id: Option<&String>) -> Vec<Window> {
        let concerns = |operations: &Option<Vec<String>>| match (operations, id) {
            (None, _) => true,
            (Some(ids), Some(id)) => ids.contains(id),
            (Some(_), None) => false,
        };
        self.windows
            .iter()
            .filter(|(_, operations)| concerns(operations))
            .map(|(window, _)| *window)
            .collect()
    }
}

fn opening(written: &Hours, path: &str, problems: &mut Problems) -> Opening {
    let zone = Zone::parse(&written.time_zone).unwrap_or_else(|| {
        problems.add(
            format!("{path}.time_zone"),
            format!("`{}` is no time zone", written.time_zone),
            "write a zone of the tz database, such as `Europe/Berlin`",
        );
        Zone::utc()
    });
    let mut days = [false; 7];
    for (index, text) in written.days.iter().enumerate() {
        match days_of(text) {
            Some(named) => {
                for (day, is) in days.iter_mut().zip(named) {
                    *day |= is;
                }
            }
            None => problems.add(
                format!("{path}.days[{index}]"),
                format!("`{text}` is neither a day nor a range of days"),
                "write `mon`, `tue`, `wed`, `thu`, `fri`, `sat`, `sun`, or two of them as in `mon-fri`",
            ),
        }
    }
    let mut minute = |text: &str, field: &str, most: u16| {
        let minute = minute_of(text).filter(|minute| *minute <= most);
        if minute.is_none() {
            problems.add(
                format!("{path}.{field}"),
                format!("`{text}` is no time of day"),
                "write hours and minutes, such as `08:00`",
            );
        }
        minute.unwrap_or_default()
    };
    let from = minute(&written.from, "from", 1_439);
    let to = minute(&written.to, "to", 1_440);
    let mut except = BTreeSet::new();
    for (index, text) in written.except.iter().enumerate() {
        let day = (text.len() == 10)
            .then(|| rfc3339::parse(text))
            .flatten()
            .map(|midnight| Zone::utc().local(midnight));
        match day {
            Some(day) => {
                except.insert((day.year, day.month, day.day));
            }
            None => problems.add(
                format!("{path}.except[{index}]"),
                format!("`{text}` is no date"),
                "write year, month and day, such as `2026-12-25`",
            ),
        }
    }
    Opening {
        zone,
        days,
        from,
        to,
        except,
    }
}

fn window(written: &Maintenance, path: &str, problems: &mut Problems) -> Option<Window> {
    let mut moment = |text: &str, field: &str| {
        let moment = rfc3339::parse(text).filter(|_| text.len() > 10);
        if moment.is_none() {
            problems.add(
                format!("{path}.{field}"),
                format!("`{text}` is no moment"),
                "write date, time and offset (RFC 3339), such as `2026-12-01T22:00:00+01:00`",
            );
        }
        moment
    };
    let (from, to) = (moment(&written.from, "from"), moment(&written.to, "to"));
    let window = Window {
        from: from?,
        to: to?,
    };
    if window.to <= window.from {
        problems.add(
            format!("{path}.to"),
            "is not after `from`",
            "write when the maintenance is over",
        );
    }
    Some(window)
}

fn declared(id: &str, path: &str, api: &Api, problems: &mut Problems) {
    if !api.operations.iter().any(|operation| operation.id == id) {
        problems.add(
            path,
            format!("the document declares no operation `{id}`"),
            "`portcullis explain --operation all` lists every one",
        );
    }
}

/// `mon`, `mon-fri`, `fri-mon`.
fn days_of(text: &str) -> Option<[bool; 7]> {
    let place = |name: &str| DAYS.iter().position(|day| *day == name);
    let (first, last) = match text.split_once('-') {
        None => (place(text)?, place(text)?),
        Some((first, last)) => (place(first)?, place(last)?),
    };
    let length = (last + DAYS.len() - first) % DAYS.len();
    let mut days = [false; 7];
    for (day, is) in days.iter_mut().enumerate() {
        *is = (day + DAYS.len() - first) % DAYS.len() <= length;
    }
    Some(days)
}

/// Minutes since midnight: `08:00`, at most `24:00`.
fn minute_of(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |text: &str| {
        let plain = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| text.parse::<u16>().ok())?
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (minutes < 60).then_some(hours * 60 + minutes)
}

/// As clocks count them.
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::compile::tests::{compiled, sample};
    use crate::policy::plugin::load;
    use crate::policy::source::Environment;
    use serde_json::{Value, json};

    #[test]
    fn days_are_named_one_by_one_or_by_their_ends() {
        let days = |text| days_of(text).map(|days| days.map(u8::from));
        assert_eq!(days("wed"), Some([0, 0, 0, 1, 0, 0, 0]));
        assert_eq!(days("mon-fri"), Some([0, 1, 1, 1, 1, 1, 0]));
        assert_eq!(days("sat-mon"), Some([1, 1, 0, 0, 0, 0, 1]));
        assert_eq!(days("mon-sun"), Some([1; 7]));
        for text in ["", "monday", "mon-", "-fri", "mon-tue-wed", "MON"] {
            assert_eq!(days(text), None, "{text}");
        }
    }

    #[test]
    fn maintenance_and_closing_find_their_operations() {
        let mut document = sample();
        document["policy"]["hours"] = json!({ "day": { "from": "08:00", "to": "18:00" } });
        document["policy"]["maintenance"] = json!([
            { "from": "2026-12-01T22:00:00Z", "to": "2026-12-01T23:00:00Z" },
            { "from": "2026-12-02T22:00:00Z", "to": "2026-12-02T23:00:00Z", "operations": ["getB"] },
        ]);
        document["policy"]["closed"] = json!(["getA"]);
        document["api"]["operations"][1]["hours"] = "day".into();
        let policy = compiled(&document);
        let [a, b] = [0, 1].map(|index: usize| policy.operations[index].availability.clone());
        assert_eq!((a.closed, a.maintenance.len(), a.hours), (true, 1, None));
        assert_eq!(
            (b.closed, b.maintenance.len(), b.hours),
            (false, 2, Some(0))
        );
        assert_eq!(policy.undeclared_availability.maintenance, a.maintenance);
        let opening = &policy.hours[0].opening;
        assert_eq!((opening.from, opening.to), (480, 1_080));
    }

    #[test]
    fn whatever_is_wrong_is_named_where_it_stands() {
        let hours = |hours: Value| json!({ "hours": { "day": hours } });
        let window = |from: &str, to: &str| json!({ "maintenance": [{ "from": from, "to": to }] });
        for (change, path) in [
            (
                hours(json!({ "time_zone": "Europe/Atlantis" })),
                "hours.day.time_zone",
            ),
            (
                hours(json!({ "days": ["mon", "may"] })),
                "hours.day.days[1]",
            ),
            (hours(json!({ "from": "24:00" })), "hours.day.from"),
            (hours(json!({ "to": "24:01" })), "hours.day.to"),
            (hours(json!({ "to": "8:00" })), "hours.day.to"),
            (hours(json!({ "to": "08:60" })), "hours.day.to"),
            (
                hours(json!({ "except": ["2026-02-29"] })),
                "hours.day.except[0]",
            ),
            (
                hours(json!({ "except": ["2026-02-28T00:00:00Z"] })),
                "hours.day.except[0]",
            ),
            (
                window("2026-12-01", "2026-12-02T00:00:00Z"),
                "maintenance[0].from",
            ),
            (window("2026-12-01T00:00:00Z", "later"), "maintenance[0].to"),
            (
                window("2026-12-01T00:00:00Z", "2026-12-01T00:00:00Z"),
                "maintenance[0].to",
            ),
            (json!({ "closed": ["getA", "getC"] }), "closed[1]"),
        ] {
            let mut document = sample();
            for (name, value) in change.as_object().unwrap() {
                document["policy"][name] = value.clone();
            }
            let problems =
                load(document.to_string().as_bytes(), Environment::Elsewhere).unwrap_err();
            let paths: Vec<&str> = problems.iter().map(|one| one.path.as_str()).collect();
            assert_eq!(paths, [format!("policy.{path}")], "{change}");
        }
        let mut document = sample();
        document["api"]["operations"][1]["hours"] = "night".into();
        let problems = load(document.to_string().as_bytes(), Environment::Elsewhere).unwrap_err();
        assert_eq!(problems[0].path, "api.operations[1].hours");
    }
}
