//! What a response tells its client of its limits.

use crate::engine::World;
use crate::quota::fields::{POLICY, RATE_LIMIT};
use crate::quota::table::Table;
use crate::request::Headers;
use crate::trail::Trail;

/// The header fields that a response gets, read anew: the upstream may have taken
/// its time. What the upstream itself says of its limits is joined, for theirs hold as
/// well, and both fields are lists.
pub fn announce(response: &Headers, world: &World, trail: &mut Trail) -> Vec<(String, String)> {
    let table = Table::new(world.store, world.policy.quotas.size);
    let told = trail.account.with_response(&table, world.now);
    let fields = told
        .iter()
        .map(|(name, value)| ((*name).to_owned(), joined(response, name, value)))
        .collect();
    trail.account.told = Some(told);
    fields
}

fn joined(response: &Headers, name: &str, value: &str) -> String {
    if ![POLICY, RATE_LIMIT].contains(&name) {
        return value.to_owned();
    }
    let plain = |value: &[u8]| {
        let text = std::str::from_utf8(value).ok()?.trim();
        let visible = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        (visible && !text.is_empty()).then(|| text.to_owned())
    };
    let theirs = response
        .iter()
        .filter(|(other, _)| *other == name)
        .filter_map(|(_, value)| plain(value));
    let mut lists: Vec<String> = theirs.collect();
    lists.push(value.to_owned());
    lists.join(", ")
}
