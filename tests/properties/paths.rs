//! Hygiene: one reading, and that reading is safe.

use std::cell::LazyCell;

use portcullis::policy::Policy;
use portcullis::policy::route::template::decode;
use proptest::prelude::*;

use crate::shop::{policy, screened};

/// Paths made of what makes paths ambiguous.
fn targets() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop_oneof![
        4 => prop::sample::select(vec![
            "/", ".", "..", "%", "%2", "%25", "%2e", "%2E", "%2f", "%5c", "%3b", "%00", "%c0%ae",
            "%C3%A9", "%41", "%7e", ";", "?", "=", "&", "#", "\\", "//", "a", "v1", "orders", "~",
            "+", " ", "%2525", "252e", "2e", "%e2%80%ae",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 1..3),
    ];
    prop::collection::vec(pieces, 0..12).prop_map(|pieces| [&b"/"[..], &pieces.concat()].concat())
}

thread_local! {
    static POLICY: LazyCell<Policy> = LazyCell::new(|| policy(|_| {}));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_canonical_form_is_its_own(target in targets()) {
        POLICY.with(|policy| {
            let Some(first) = screened(&target, "192.0.2.1", policy) else {
                return Ok(());
            };
            let sent = first.rewritten_path().map_or(target, |path| path.as_bytes().to_vec());
            let again = screened(&sent, "192.0.2.1", policy);
            prop_assert!(again.is_some(), "{:?} is refused", String::from_utf8_lossy(&sent));
            let again = again.unwrap();
            prop_assert_eq!(again.rewritten_path(), None);
            prop_assert_eq!(again.path(), first.path());
            let query = |of: &portcullis::stage::hygiene::Screened| -> Vec<(Vec<u8>, Vec<u8>)> {
                of.query().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
            };
            prop_assert_eq!(query(&again), query(&first));
            Ok(())
        })?;
    }

    #[test]
    fn no_reading_of_an_accepted_path_climbs(target in targets()) {
        POLICY.with(|policy| {
            let Some(screened) = screened(&target, "192.0.2.1", policy) else {
                return Ok(());
            };
            // Whoever decodes once, twice or until nothing changes finds the same segments.
            let segments = screened.path().split('/').count();
            let mut path = screened.path().as_bytes().to_vec();
            loop {
                let parts: Vec<&[u8]> = path.split(|byte| matches!(byte, b'/' | b'\\')).collect();
                prop_assert_eq!(parts.len(), segments, "{:?}", String::from_utf8_lossy(&path));
                for part in parts {
                    let name = part.split(|byte| *byte == b';').next().unwrap();
                    prop_assert!(name != b"." && name != b"..", "{:?}", String::from_utf8_lossy(&path));
                    prop_assert!(!part.iter().any(u8::is_ascii_control));
                }
                let text = String::from_utf8(path.clone());
                prop_assert!(text.is_ok(), "{:?}", path);
                let next = decode(&text.unwrap()).into_owned();
                if next == path {
                    return Ok(());
                }
                path = next;
            }
        })?;
    }
}
