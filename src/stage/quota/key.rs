//! Who is counted.

use std::borrow::Cow;
use std::net::IpAddr;

use serde_json::Value;

use super::Request;
use crate::hex::Hex;
use crate::keyed;
use crate::policy::quota::{KeyPart, Limit};
use crate::policy::source::Prefixes;
use crate::quota::table::Owner;
use crate::rule::key;
use crate::stage::authn::Kind;
use crate::stage::facts::Asked;

/// Who is counted by a limit. Where a request lacks what the limit counts apart, its
/// address stands in, so that no two clients share what neither of them has.
pub(super) fn owner(limit: &Limit, request: &Request<'_>) -> Owner {
    let named = named(limit, request);
    let parts: Vec<&[u8]> = named.iter().map(AsRef::as_ref).collect();
    Owner::new(&limit.full_name, &parts, request.world.secret)
}

/// By what name a rate limit service knows who is counted: the same in all gateways, so
/// under no secret, and nothing that could be read.
pub(super) fn shared_name(limit: &Limit, request: &Request<'_>) -> String {
    let named = named(limit, request);
    let parts: Vec<&[u8]> = named.iter().map(AsRef::as_ref).collect();
    let digest = keyed::hash(&[0; 32], "shared quota", &parts);
    let (name, _) = digest.split_at(16);
    Hex(name).to_string()
}

fn named<'a>(limit: &Limit, request: &Request<'a>) -> Vec<Cow<'a, [u8]>> {
    let mut named: Vec<Cow<'a, [u8]>> = Vec::with_capacity(2 * limit.key.len());
    for part in &limit.key {
        let (kind, values) = match value(part, request) {
            Some(found) => found,
            None => {
                let prefixes = match part {
                    KeyPart::Network(prefixes) => *prefixes,
                    _ => ONE_ADDRESS,
                };
                let address = request.screened.address();
                let network = address.map(|address| network(address, prefixes));
                ("network", vec![Cow::Owned(network.unwrap_or_default())])
            }
        };
        named.push(kind.as_bytes().into());
        named.extend(values);
    }
    named
}

type Values<'a> = Vec<Cow<'a, [u8]>>;

fn value<'a>(part: &KeyPart, request: &Request<'a>) -> Option<(&'static str, Values<'a>)> {
    let bytes = |text: &'a str| Cow::Borrowed(text.as_bytes());
    let caller = request.caller;
    let identity = caller.identity();
    Some(match part {
        KeyPart::Network(_) => return None,
        KeyPart::ApiKey => {
            let key = caller
                .identities()
                .find(|identity| identity.kind == Kind::ApiKey)?;
            ("api_key", vec![bytes(&key.source)])
        }
        KeyPart::Subject => ("subject", vec![bytes(&identity?.pseudonym)]),
        KeyPart::Client => {
            let identity = identity?;
            match &identity.client {
                Some(client) => ("client", vec![bytes(&identity.source), bytes(client)]),
                None => ("subject", vec![bytes(&identity.pseudonym)]),
            }
        }
        KeyPart::Claim(path) => {
            let claim = caller
                .identities()
                .find_map(|identity| identity.claim(path))?;
            let scalar = match claim {
                Value::String(text) => bytes(text),
                Value::Number(_) | Value::Bool(_) => claim.to_string().into_bytes().into(),
                Value::Null | Value::Array(_) | Value::Object(_) => return None,
            };
            let name = path.iter().map(|name| bytes_of(name));
            ("claim", name.chain([scalar]).collect())
        }
        KeyPart::Operation => ("operation", vec![bytes(&request.route?.0.id)]),
        KeyPart::Expression { checked, .. } => {
            let facts = Asked::of(request.screened, request.route, caller, request.world);
            // Without an answer the address stands in, as for all else that is lacking.
            let found = key(checked, &facts).ok().flatten()?;
            ("expression", vec![found.into()])
        }
    })
}

fn bytes_of<'a>(text: &str) -> Cow<'a, [u8]> {
    text.as_bytes().to_vec().into()
}

/// What one client can have of addresses.
pub(super) fn one_client(address: IpAddr) -> Vec<u8> {
    network(address, ONE_ADDRESS)
}

/// The address without the bits behind the prefix.
fn network(address: IpAddr, prefixes: Prefixes) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefixes.ipv4.min(32)));
            (u32::from(address) & mask.unwrap_or(0))
                .to_be_bytes()
                .into()
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefixes.ipv6.min(128)));
            (u128::from(address) & mask.unwrap_or(0))
                .to_be_bytes()
                .into()
        }
    }
}

const ONE_ADDRESS: Prefixes = Prefixes { ipv4: 32, ipv6: 64 };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_what_its_prefix_leaves() {
        let network = |address: &str, ipv4, ipv6| {
            super::network(address.parse().unwrap(), Prefixes { ipv4, ipv6 })
        };
        assert_eq!(network("192.0.2.77", 24, 0), [192, 0, 2, 0]);
        assert_eq!(network("192.0.2.77", 0, 0), [0; 4]);
        assert_eq!(network("192.0.2.77", 32, 0), [192, 0, 2, 77]);
        assert_eq!(network("2001:db8::1", 0, 0), [0; 16]);
        assert_eq!(
            network("2001:db8:1:2:3::1", 0, 56),
            network("2001:db8:1:2f::", 0, 56)
        );
        assert_ne!(
            network("2001:db8:1:2::", 0, 64),
            network("2001:db8:1:3::", 0, 64)
        );
    }
}
