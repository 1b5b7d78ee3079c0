//! Which address a request came from, when proxies stand in front of the gateway.
//!
//! `X-Forwarded-For` is a list to which each proxy adds, on the right, the address it
//! was called from. Whatever a client wrote itself stands on the left of what the
//! first proxy of ours added, so the list is read from the right, and only for as long
//! as whoever wrote an entry is trusted. The first address that is no trusted proxy's
//! is the client's; what stands left of it is hearsay.

use std::fmt;
use std::net::IpAddr;

use super::NetworkSet;
use crate::request::parse_address;

/// The client's address, from the connection's and the fields of `X-Forwarded-For` in
/// the order in which they came. If all are trusted proxies, the leftmost is it.
///
/// # Errors
/// [`Untraceable`] where a trusted proxy passed on what cannot be followed. The
/// proxy's own address does not stand in for the client's: it is often one that may
/// do more.
pub fn client<'a>(
    peer: IpAddr,
    fields: impl DoubleEndedIterator<Item = &'a [u8]>,
    trusted: &NetworkSet,
) -> Result<IpAddr, Untraceable> {
    let mut address = peer.to_canonical();
    let entries = fields
        .rev()
        .flat_map(|field| field.rsplit(|byte| *byte == b','));
    for (hop, entry) in entries.enumerate() {
        if !trusted.contains(address) {
            return Ok(address);
        }
        if hop == MOST_HOPS {
            return Err(Untraceable::TooManyHops);
        }
        address = std::str::from_utf8(entry)
            .ok()
            .and_then(|entry| parse_address(entry.trim_matches([' ', '\t'])))
            .ok_or(Untraceable::NotAnAddress)?;
    }
    Ok(address)
}

/// Why nobody can say where a request came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Untraceable {
    /// A trusted proxy passed on an entry that is no address, or an empty one.
    NotAnAddress,
    /// More trusted proxies in a row than any deployment has.
    TooManyHops,
}

impl fmt::Display for Untraceable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Untraceable::NotAnAddress => {
                "a trusted proxy passed on an `x-forwarded-for` entry that is no address"
            }
            Untraceable::TooManyHops => "`x-forwarded-for` names more proxies than are followed",
        })
    }
}

/// Trusted entries followed before the request is refused.
const MOST_HOPS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(peer: &str, fields: &[&str]) -> Result<String, Untraceable> {
        let trusted = NetworkSet::parse(&["10.0.0.0/8", "2001:db8:ffff::/48"]).unwrap();
        client(
            peer.parse().unwrap(),
            fields.iter().map(|field| field.as_bytes()),
            &trusted,
        )
        .map(|address| address.to_string())
    }

    fn found(address: &str) -> Result<String, Untraceable> {
        Ok(address.to_string())
    }

    #[test]
    fn a_stranger_is_who_he_is_whatever_he_writes() {
        assert_eq!(trace("192.0.2.1", &["10.0.0.1"]), found("192.0.2.1"));
        assert_eq!(trace("192.0.2.1", &["x"]), found("192.0.2.1"));
        assert_eq!(trace("192.0.2.1", &[]), found("192.0.2.1"));
    }

    #[test]
    fn the_first_untrusted_address_from_the_right_is_the_clients() {
        let fields = ["10.9.9.9, 198.51.100.1, 192.0.2.1, 10.0.0.2"];
        assert_eq!(trace("10.0.0.1", &fields), found("192.0.2.1"));
        // What a client wrote itself is never reached, not even to find fault with it.
        assert_eq!(
            trace("10.0.0.1", &["nonsense, 192.0.2.1"]),
            found("192.0.2.1")
        );
    }

    #[test]
    fn several_fields_are_one_list() {
        let fields = ["198.51.100.1,10.1.1.1", "192.0.2.1", "10.0.0.2\t,10.0.0.3"];
        assert_eq!(trace("10.0.0.1", &fields), found("192.0.2.1"));
    }

    #[test]
    fn a_peer_that_envoy_appended_itself_changes_nothing() {
        assert_eq!(
            trace("10.0.0.1", &["192.0.2.1, 10.0.0.1"]),
            trace("10.0.0.1", &["192.0.2.1"])
        );
    }

    #[test]
    fn a_client_among_the_proxies_is_the_leftmost() {
        assert_eq!(
            trace("10.0.0.1", &["10.0.0.7, 10.0.0.2"]),
            found("10.0.0.7")
        );
        assert_eq!(trace("10.0.0.1", &[]), found("10.0.0.1"));
    }

    #[test]
    fn ports_brackets_and_mapped_addresses_are_read() {
        assert_eq!(trace("10.0.0.1", &["192.0.2.1:4711"]), found("192.0.2.1"));
        assert_eq!(
            trace("2001:db8:ffff::1", &["[2001:db8::1]:443, ::ffff:10.0.0.2"]),
            found("2001:db8::1")
        );
    }

    #[test]
    fn what_cannot_be_followed_is_no_address() {
        for entry in [
            "unknown",
            "_hidden",
            "",
            "192.0.2.1, ",
            "192.0.2.1,,10.0.0.2",
            "192.0.2.256",
            "for=192.0.2.1",
        ] {
            assert_eq!(
                trace("10.0.0.1", &[entry]),
                Err(Untraceable::NotAnAddress),
                "{entry}"
            );
        }
        assert_eq!(
            client(
                "10.0.0.1".parse().unwrap(),
                [&b"\xff"[..]].into_iter(),
                &NetworkSet::parse(&["10.0.0.0/8"]).unwrap()
            ),
            Err(Untraceable::NotAnAddress)
        );
    }

    #[test]
    fn nobody_makes_the_walk_long() {
        let proxies = |count: usize| vec!["10.0.0.2"; count].join(",");
        assert_eq!(trace("10.0.0.1", &[&proxies(MOST_HOPS)]), found("10.0.0.2"));
        assert_eq!(
            trace("10.0.0.1", &[&proxies(MOST_HOPS + 1)]),
            Err(Untraceable::TooManyHops)
        );
    }
}
