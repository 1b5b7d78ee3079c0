//! API keys in a header, the query or a cookie: found, and known by their hash.

use std::borrow::Cow;
use std::rc::Rc;

use super::{Identity, Kind};
use crate::api_key::Fault;
use crate::denial::Denial;
use crate::engine::{Edits, World};
use crate::policy::api::Location;
use crate::policy::credential::{ApiKey, Carrier};
use crate::stage::hygiene::Screened;
use crate::trail::Trail;

/// Whose key the request carries there, and the place of the set that the key
/// belongs to; `None`: it carries none.
///
/// # Errors
/// One came, and it is empty, repeated, or none that is good here and now. The trail
/// then says which key it was or named.
pub(super) fn present(
    screened: &Screened,
    carrier: &Carrier,
    sets: &[usize],
    world: &World,
    trail: &mut Trail,
) -> Result<Option<(Rc<Identity>, usize)>, Denial> {
    let mut values = values(screened, carrier);
    let presented = match (values.pop(), values.is_empty()) {
        (None, _) => return Ok(None),
        (Some(value), true) if !value.trim_ascii().is_empty() => value,
        _ => return Err(Denial::BadCredential),
    };
    let keys = &world.policy.api_keys;
    let found = keys.index.find(presented.trim_ascii(), world.now);
    let key = |place: usize| keys.keys.get(place);
    let mut refuse = |fault, key: Option<&ApiKey>| {
        trail.claimed = key.map(|key| key.bearer.name.clone());
        Err(Denial::BadApiKey(fault))
    };
    let key = match found {
        Ok(place) => key(place),
        Err(refused) => return refuse(refused.fault, refused.place.and_then(key)),
    };
    // What is good elsewhere is unknown here.
    let Some(key) = key.filter(|key| sets.contains(&key.set)) else {
        return refuse(Fault::Unknown, key);
    };
    let address = screened.address();
    let may = |networks: &crate::network::NetworkSet| {
        address.is_some_and(|address| networks.contains(address))
    };
    if !key.networks.as_ref().is_none_or(may) {
        return refuse(Fault::Elsewhere, Some(key));
    }
    let claims = key.bearer.claims.clone();
    let identity = Identity::of(Kind::ApiKey, &key.bearer, claims, world.policy);
    Ok(Some((Rc::new(identity), key.set)))
}

/// Changes to the request that take keys out of these places.
pub(super) fn conceal(spent: &[Carrier], screened: &Screened, edits: &mut Edits) {
    let named = |location| {
        let here = spent.iter().filter(move |one| one.location == location);
        here.map(|one| one.name.as_str()).collect::<Vec<_>>()
    };
    edits
        .remove
        .extend(named(Location::Header).into_iter().map(String::from));
    let parameters = named(Location::Query);
    if !parameters.is_empty() {
        edits.set.retain(|(name, _)| name != ":path");
        let path = screened.path_without(&parameters);
        edits.set.push((":path".into(), path));
    }
    let names = named(Location::Cookie);
    if !names.is_empty() {
        edits.remove.push("cookie".into());
        let left = other_cookies(screened, &names);
        if !left.is_empty() {
            edits.set.push(("cookie".into(), left));
        }
    }
}

fn other_cookies(screened: &Screened, names: &[&str]) -> String {
    let headers = screened.head().headers.all("cookie");
    let pairs = headers.flat_map(|header| header.split(|byte| *byte == b';'));
    let left = pairs.filter(|pair| {
        let spent = |(name, _): (&[u8], &[u8])| names.iter().any(|one| one.as_bytes() == name);
        !cookies(pair).any(spent)
    });
    let left: Vec<Cow<'_, str>> = left
        .map(|pair| String::from_utf8_lossy(pair.trim_ascii()))
        .collect();
    left.join("; ")
}

/// Every value that the request has there.
fn values<'a>(screened: &'a Screened, carrier: &Carrier) -> Vec<Cow<'a, [u8]>> {
    let name = carrier.name.as_bytes();
    let headers = &screened.head().headers;
    match carrier.location {
        Location::Header => headers.all(&carrier.name).map(Cow::Borrowed).collect(),
        Location::Query => screened
            .query()
            .filter(|(other, _)| other.as_ref() == name)
            .map(|(_, value)| value)
            .collect(),
        Location::Cookie => headers
            .all("cookie")
            .flat_map(cookies)
            .filter(|(other, _)| *other == name)
            .map(|(_, value)| Cow::Borrowed(value))
            .collect(),
        Location::Path => Vec::new(),
    }
}

/// The cookies of a header (RFC 6265 §4.2.1). What has no `=` is a name without a value.
fn cookies(header: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    header.split(|byte| *byte == b';').map(|pair| {
        let pair = pair.trim_ascii();
        let end = pair.iter().position(|byte| *byte == b'=');
        match end.and_then(|end| pair.split_at_checked(end)) {
            Some((name, value)) => (name, value.get(1..).unwrap_or_default()),
            None => (pair, &[][..]),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_pairs() {
        let read = |text: &'static str| cookies(text.as_bytes()).collect::<Vec<_>>();
        assert_eq!(
            read("a=1;  b==2=; c"),
            [
                (&b"a"[..], &b"1"[..]),
                (&b"b"[..], &b"=2="[..]),
                (&b"c"[..], &b""[..])
            ]
        );
    }
}
