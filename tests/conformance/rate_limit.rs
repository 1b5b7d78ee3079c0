//! `RateLimit` and `RateLimit-Policy`, read by a parser of structured fields that is
//! not ours: what we write, and beside it the examples of the draft itself.

use portcullis::quota::fields::{Notice, Unit, legacy, policy, rate_limit, seconds};
use proptest::prelude::*;
use sfv::{BareItem, Item, List, ListEntry, Parser};

use super::suite;

proptest! {
    #[test]
    fn every_field_we_write_is_read_as_what_it_tells(notices in limits()) {
        let told = || notices.iter().map(|notice| notice.as_told());
        let (Some(policy), Some(rate_limit)) = (policy(told()), rate_limit(told())) else {
            prop_assert!(notices.is_empty());
            return Ok(());
        };
        let (policies, services) = (read(&policy), read(&rate_limit));
        prop_assert_eq!(policies.len(), notices.len());
        prop_assert_eq!(services.len(), notices.len());
        for ((notice, policy), service) in notices.iter().zip(policies).zip(services) {
            let bytes = match notice.unit {
                Unit::ContentBytes { each } => each,
                _ => 1,
            };
            let kept = |value: u64| i64::try_from(value.min(MOST)).unwrap();
            prop_assert_eq!(&policy.name, &notice.name);
            prop_assert_eq!(policy.integer("q"), Some(kept(notice.quota.saturating_mul(bytes))));
            prop_assert_eq!(policy.integer("w"), notice.window_ns.map(|window| {
                kept(window.div_ceil(1_000_000_000).max(1))
            }));
            let unit = policy.string("qu");
            prop_assert_eq!(unit.as_deref(), match notice.unit {
                Unit::Requests => None,
                Unit::ConcurrentRequests => Some("concurrent-requests"),
                Unit::ContentBytes { .. } => Some("content-bytes"),
            });
            prop_assert_eq!(&service.name, &notice.name);
            prop_assert_eq!(service.integer("r"), Some(kept(notice.left.saturating_mul(bytes))));
            prop_assert_eq!(service.integer("t"), notice.next_ns.map(|next| kept(seconds(next))));
        }
    }

    #[test]
    fn the_older_fields_are_whole_numbers(notices in limits()) {
        let told = legacy(notices.iter().map(|notice| notice.as_told()));
        for (_, value) in told.into_iter().flatten() {
            prop_assert!(value.parse::<u64>().is_ok(), "{}", value);
        }
    }
}

#[test]
fn the_drafts_own_examples_are_read_alike() {
    let Some(folder) = suite("http-ratelimit-draft") else {
        return;
    };
    let text = folder.join("draft-ietf-httpapi-ratelimit-headers.md");
    let text = std::fs::read_to_string(text).unwrap();
    let (mut policies, mut services) = (0, 0);
    // Its questions and answers have four that are older than its rules: their names are
    // tokens, and one parameter that is required is missing.
    let is_of_today = |line: &&str| !line.contains(": quota;");
    for line in text.lines().map(str::trim).filter(is_of_today) {
        if let Some(value) = line.strip_prefix("RateLimit-Policy: ") {
            policies += 1;
            for item in read(value) {
                assert!(item.integer("q").is_some_and(|q| q >= 0), "{line}");
                assert!(item.integer("w").is_none_or(|w| w > 0), "{line}");
            }
        } else if let Some(value) = line.strip_prefix("RateLimit: ") {
            services += 1;
            for item in read(value) {
                assert!(item.integer("r").is_some_and(|r| r >= 0), "{line}");
                assert!(item.integer("t").is_none_or(|t| t >= 0), "{line}");
            }
        }
    }
    assert!(policies > 5 && services > 5, "{policies} and {services}");
}

#[test]
fn what_an_example_of_the_draft_tells_is_written_like_it() {
    let notice = |name, quota, window: u64, left, next: u64| Notice {
        name,
        unit: Unit::Requests,
        quota,
        window_ns: Some(window * 1_000_000_000),
        left,
        next_ns: Some(next * 1_000_000_000),
    };
    let written = policy([
        notice("permin", 50, 60, 0, 0),
        notice("perhr", 1000, 3600, 0, 0),
    ]);
    let example = read("\"permin\";q=50;w=60,\"perhr\";q=1000;w=3600");
    assert_eq!(read(&written.unwrap()), example);
    let written = rate_limit([notice("default", 100, 60, 50, 30)]);
    assert_eq!(read(&written.unwrap()), read("\"default\";r=50;t=30"));
}

/// One item of either list.
#[derive(Debug, PartialEq)]
struct Told {
    name: String,
    item: Item,
}

impl Told {
    fn integer(&self, parameter: &str) -> Option<i64> {
        match self.item.params.get(parameter)? {
            BareItem::Integer(value) => Some(i64::from(*value)),
            other => panic!("`{parameter}` is no integer: {other:?}"),
        }
    }

    fn string(&self, parameter: &str) -> Option<String> {
        match self.item.params.get(parameter)? {
            BareItem::String(value) => Some(value.as_str().to_owned()),
            other => panic!("`{parameter}` is no string: {other:?}"),
        }
    }
}

/// A list of strings with parameters, which both fields are.
fn read(value: &str) -> Vec<Told> {
    let list: List = Parser::new(value).parse().unwrap();
    let items = list.into_iter().map(|entry| match entry {
        ListEntry::Item(item) => item,
        ListEntry::InnerList(_) => panic!("{value} has a list within"),
    });
    items
        .map(|item| match &item.bare_item {
            BareItem::String(name) => Told {
                name: name.as_str().to_owned(),
                item,
            },
            other => panic!("{other:?} is no string"),
        })
        .collect()
}

/// A limit with a name of its own.
#[derive(Debug, Clone)]
struct Limit {
    name: String,
    unit: Unit,
    quota: u64,
    window_ns: Option<u64>,
    left: u64,
    next_ns: Option<u64>,
}

impl Limit {
    fn as_told(&self) -> Notice<'_> {
        Notice {
            name: &self.name,
            unit: self.unit,
            quota: self.quota,
            window_ns: self.window_ns,
            left: self.left,
            next_ns: self.next_ns,
        }
    }
}

fn limits() -> impl Strategy<Value = Vec<Limit>> {
    let unit = prop_oneof![
        Just(Unit::Requests),
        Just(Unit::ConcurrentRequests),
        any::<u64>().prop_map(|each| Unit::ContentBytes { each }),
    ];
    let limit = (
        "[ -~]{0,12}",
        unit,
        any::<u64>(),
        proptest::option::of(any::<u64>()),
        any::<u64>(),
        proptest::option::of(any::<u64>()),
    );
    let limit = limit.prop_map(|(name, unit, quota, window_ns, left, next_ns)| Limit {
        name,
        unit,
        quota,
        window_ns,
        left,
        next_ns,
    });
    proptest::collection::vec(limit, 0..6)
}

/// The greatest integer of a structured field.
const MOST: u64 = 999_999_999_999_999;
