//! Sets of networks: which addresses are inside, out of thousands of entries.
//!
//! Entries become ranges that are sorted and merged once, so that membership is one
//! binary search over numbers that lie side by side, however many entries there were
//! and however they overlap. IPv4 and IPv6 are two sets; an address mapped into IPv6
//! (RFC 4291 §2.5.5.2) is the IPv4 address that it stands for, so that no other
//! spelling of an address gets round a list.

pub mod forwarded;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// One entry of a list: an address, or a block of them in CIDR notation (RFC 4632
/// §3.1, RFC 4291 §2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network {
    first: IpAddr,
    prefix: u8,
}

impl Network {
    /// The block of `prefix` leading bits that holds the address; all of the address
    /// when there are not as many bits. A mapped address is an IPv4 address first.
    pub fn around(address: IpAddr, prefix: u8) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => {
                let prefix = prefix.min(32);
                let first = Ipv4Addr::from_bits(address.to_bits() & !host_bits_v4(prefix));
                Network {
                    first: first.into(),
                    prefix,
                }
            }
            IpAddr::V6(address) => {
                let prefix = prefix.min(128);
                let first = Ipv6Addr::from_bits(address.to_bits() & !host_bits_v6(prefix));
                Network {
                    first: first.into(),
                    prefix,
                }
            }
        }
    }

    /// Its lowest address.
    pub fn first(&self) -> IpAddr {
        self.first
    }

    /// How many leading bits its addresses share.
    pub fn prefix(&self) -> u8 {
        self.prefix
    }

    /// Whether the address lies in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.first.is_ipv4()
            && Network::around(address, self.prefix).first == self.first
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, prefix) = match text.split_once('/') {
            None => (text, None),
            Some((address, prefix)) => (address, Some(prefix)),
        };
        let address: IpAddr = address.parse().map_err(|_| NetworkError::NotANetwork)?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => bits,
            Some(prefix) => number(prefix).ok_or(NetworkError::NotANetwork)?,
        };
        if prefix > bits {
            return Err(NetworkError::PrefixTooLong { most: bits });
        }
        let network = match (address, address.to_canonical()) {
            // `::ffff:0:0/96` is where IPv4 lies within IPv6. A shorter prefix leaves it.
            (IpAddr::V6(_), IpAddr::V4(mapped)) if prefix >= 96 => {
                Network::around(mapped.into(), prefix - 96)
            }
            (IpAddr::V6(address), _) => Network {
                first: Ipv6Addr::from_bits(address.to_bits() & !host_bits_v6(prefix)).into(),
                prefix,
            },
            (IpAddr::V4(_), _) => Network::around(address, prefix),
        };
        let written = match network.first {
            IpAddr::V4(_) => address.to_canonical(),
            IpAddr::V6(_) => address,
        };
        if network.first == written {
            Ok(network)
        } else {
            Err(NetworkError::HostBits { meant: network })
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

/// Why a text is no entry of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetworkError {
    /// Neither an address nor an address with a prefix.
    NotANetwork,
    /// More bits than an address has.
    PrefixTooLong {
        /// How many it has.
        most: u8,
    },
    /// The address is not the first of its block. Refused, since one of two things
    /// was meant, the block or the host, and they differ by all that lies between.
    HostBits {
        /// The block that holds the address.
        meant: Network,
    },
}

impl NetworkError {
    /// What is wrong, to follow the entry.
    pub fn message(&self) -> String {
        match self {
            NetworkError::NotANetwork => "is no network".into(),
            NetworkError::PrefixTooLong { most } => {
                format!("has a longer prefix than {most} bits")
            }
            NetworkError::HostBits { .. } => "is an address inside a network".into(),
        }
    }

    /// How to mend it.
    pub fn hint(&self) -> String {
        match self {
            NetworkError::NotANetwork => {
                "write `192.0.2.0/24`, `2001:db8::/32` or an address".into()
            }
            NetworkError::PrefixTooLong { most } => format!("write at most `/{most}`"),
            NetworkError::HostBits { meant } => {
                format!("write `{meant}`, or the address without `/`")
            }
        }
    }
}

/// Addresses, by the networks that hold them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NetworkSet {
    v4: Ranges<u32>,
    v6: Ranges<u128>,
}

impl NetworkSet {
    /// Reads a list.
    ///
    /// # Errors
    /// Every entry that is no network, with its index.
    pub fn parse<T: AsRef<str>>(entries: &[T]) -> Result<Self, Vec<(usize, NetworkError)>> {
        let mut errors = Vec::new();
        let networks: Vec<Network> = entries
            .iter()
            .enumerate()
            .filter_map(|(index, entry)| match entry.as_ref().parse() {
                Ok(network) => Some(network),
                Err(error) => {
                    errors.push((index, error));
                    None
                }
            })
            .collect();
        if errors.is_empty() {
            Ok(networks.into_iter().collect())
        } else {
            Err(errors)
        }
    }

    /// Whether the address lies in any of the networks. IPv4 lies in no IPv6 network,
    /// not even in `::/0`.
    pub fn contains(&self, address: IpAddr) -> bool {
        match address.to_canonical() {
            IpAddr::V4(address) => self.v4.contains(address.to_bits()),
            IpAddr::V6(address) => self.v6.contains(address.to_bits()),
        }
    }

    /// Whether no address lies in it.
    pub fn is_empty(&self) -> bool {
        self.v4.first.is_empty() && self.v6.first.is_empty()
    }
}

impl FromIterator<Network> for NetworkSet {
    fn from_iter<I: IntoIterator<Item = Network>>(networks: I) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for network in networks {
            match network.first {
                IpAddr::V4(first) => {
                    let last = first.to_bits() | host_bits_v4(network.prefix);
                    v4.push((first.to_bits().into(), last.into()));
                }
                IpAddr::V6(first) => {
                    let first = first.to_bits();
                    v6.push((first, first | host_bits_v6(network.prefix)));
                }
            }
        }
        NetworkSet {
            v4: Ranges::new(v4, |bits| u32::try_from(bits).unwrap_or(u32::MAX)),
            v6: Ranges::new(v6, |bits| bits),
        }
    }
}

/// Ranges that do not overlap, in order. Beginnings and ends are apart, since the
/// search reads beginnings alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Ranges<T> {
    first: Vec<T>,
    last: Vec<T>,
}

impl<T: Copy + Ord> Ranges<T> {
    /// Both kinds of address are sorted as the wider one, since a sort is some ten
    /// kilobytes of module.
    fn new(ranges: Vec<(u128, u128)>, narrow: fn(u128) -> T) -> Self {
        let merged = merged(ranges);
        Ranges {
            first: merged.iter().map(|(first, _)| narrow(*first)).collect(),
            last: merged.iter().map(|(_, last)| narrow(*last)).collect(),
        }
    }

    fn contains(&self, value: T) -> bool {
        self.first
            .partition_point(|first| *first <= value)
            .checked_sub(1)
            .and_then(|index| self.last.get(index))
            .is_some_and(|last| value <= *last)
    }
}

fn merged(mut ranges: Vec<(u128, u128)>) -> Vec<(u128, u128)> {
    ranges.sort_unstable();
    let mut merged: Vec<(u128, u128)> = Vec::new();
    for (first, last) in ranges {
        match merged.last_mut() {
            Some((_, open)) if first <= *open => *open = last.max(*open),
            _ => merged.push((first, last)),
        }
    }
    merged
}

fn host_bits_v4(prefix: u8) -> u32 {
    u32::MAX.checked_shr(prefix.into()).unwrap_or(0)
}

fn host_bits_v6(prefix: u8) -> u128 {
    u128::MAX.checked_shr(prefix.into()).unwrap_or(0)
}

/// A prefix in the one way to write it: `str::parse` would take a sign and zeros.
fn number(text: &str) -> Option<u8> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    (plain && (text == "0" || !text.starts_with('0'))).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn set(entries: &[&str]) -> NetworkSet {
        NetworkSet::parse(entries).unwrap()
    }

    #[test]
    fn a_block_holds_its_first_and_last_address_and_no_more() {
        let set = set(&["192.0.2.64/26", "2001:db8:0:8000::/49"]);
        for inside in [
            "192.0.2.64",
            "192.0.2.127",
            "2001:db8:0:8000::",
            "2001:db8:0:ffff:ffff:ffff:ffff:ffff",
        ] {
            assert!(set.contains(ip(inside)), "{inside}");
        }
        for outside in [
            "192.0.2.63",
            "192.0.2.128",
            "2001:db8:0:7fff:ffff:ffff:ffff:ffff",
            "2001:db8:1::",
        ] {
            assert!(!set.contains(ip(outside)), "{outside}");
        }
    }

    #[test]
    fn blocks_may_be_everything_or_one_address() {
        assert!(set(&["0.0.0.0/0"]).contains(ip("255.255.255.255")));
        assert!(set(&["::/0"]).contains(ip("ffff::1")));
        assert!(set(&["192.0.2.1"]).contains(ip("192.0.2.1")));
        assert!(!set(&["192.0.2.1/32"]).contains(ip("192.0.2.2")));
        assert!(set(&[]).is_empty());
        assert!(!set(&[]).contains(ip("192.0.2.1")));
        assert!(!set(&["::1"]).is_empty());
    }

    #[test]
    fn a_mapped_address_is_the_address_it_stands_for() {
        let written_plain = set(&["10.0.0.0/8"]);
        let written_mapped = set(&["::ffff:10.0.0.0/104"]);
        assert_eq!(written_plain, written_mapped);
        for spelling in ["10.1.2.3", "::ffff:10.1.2.3", "::ffff:a01:203"] {
            assert!(written_mapped.contains(ip(spelling)), "{spelling}");
        }
        // The other direction: who lists all of IPv6 has not listed IPv4.
        assert!(!set(&["::/0"]).contains(ip("::ffff:10.1.2.3")));
        assert!(!set(&["0.0.0.0/0"]).contains(ip("::1")));
    }

    #[test]
    fn overlaps_and_repetitions_change_nothing() {
        let merged = set(&["10.0.0.0/8", "10.1.0.0/16", "10.0.0.0/8", "10.255.255.255"]);
        assert_eq!(merged, set(&["10.0.0.0/8"]));
    }

    #[test]
    fn what_is_no_network_is_named_by_its_index() {
        let errors = NetworkSet::parse(&["10.0.0.0/8", "10.0.0.1/8", "x", "::/129"]).unwrap_err();
        let places: Vec<usize> = errors.iter().map(|(index, _)| *index).collect();
        assert_eq!(places, [1, 2, 3]);
        assert_eq!(
            errors[0].1.hint(),
            "write `10.0.0.0/8`, or the address without `/`"
        );
        assert_eq!(errors[1].1.message(), "is no network");
        assert_eq!(errors[2].1.hint(), "write at most `/128`");
    }

    #[test]
    fn a_network_is_spelt_in_one_way() {
        for text in [
            "",
            "/",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "10.0.0.0/08",
            "10.0.0.0/256",
            "10.0.0/8",
            "010.0.0.0/8",
            "10.0.0.0/8/8",
            " 10.0.0.0/8",
            "fe80::1%eth0",
            "10.0.0.0-10.0.0.255",
        ] {
            assert_eq!(
                text.parse::<Network>(),
                Err(NetworkError::NotANetwork),
                "{text}"
            );
        }
        assert_eq!(
            "10.0.0.0/33".parse::<Network>(),
            Err(NetworkError::PrefixTooLong { most: 32 })
        );
        assert!(matches!(
            "::ffff:10.0.0.0/8".parse::<Network>(),
            Err(NetworkError::HostBits { .. })
        ));
        let network: Network = "2001:db8::/32".parse().unwrap();
        assert_eq!(network.to_string(), "2001:db8::/32");
        assert!(network.contains(ip("2001:db8::1")));
        assert!(!network.contains(ip("32.1.13.184")));
    }

    #[test]
    fn an_address_has_a_block_around_it() {
        let around = |address: &str, prefix| Network::around(ip(address), prefix).to_string();
        assert_eq!(around("2001:db8:1:2:3:4:5:6", 64), "2001:db8:1:2::/64");
        assert_eq!(around("192.0.2.9", 64), "192.0.2.9/32");
        assert_eq!(around("::ffff:192.0.2.9", 24), "192.0.2.0/24");
    }

    #[cfg(not(target_family = "wasm"))]
    mod properties {
        use super::*;
        use proptest::prelude::*;

        /// Addresses close enough to each other that blocks meet, overlap and touch.
        fn address() -> impl Strategy<Value = IpAddr> {
            prop_oneof![
                (0u32..1024).prop_map(|low| IpAddr::from(Ipv4Addr::from_bits(0xc000_0000 | low))),
                (0u128..1024).prop_map(|low| IpAddr::from(Ipv6Addr::from_bits(
                    0x2001_0db8_u128 << 96 | low
                ))),
                any::<u32>().prop_map(|bits| IpAddr::from(Ipv4Addr::from_bits(bits))),
                (0u32..1024).prop_map(|low| {
                    IpAddr::from(Ipv4Addr::from_bits(0xc000_0000 | low).to_ipv6_mapped())
                }),
                any::<u128>().prop_map(|bits| IpAddr::from(Ipv6Addr::from_bits(bits))),
            ]
        }

        fn network() -> impl Strategy<Value = Network> {
            (address(), prop_oneof![0u8..=128, 20u8..=32, 116u8..=128])
                .prop_map(|(address, prefix)| Network::around(address, prefix))
        }

        proptest! {
            #[test]
            fn the_set_holds_what_any_of_its_networks_holds(
                networks in prop::collection::vec(network(), 0..40),
                addresses in prop::collection::vec(address(), 1..40),
            ) {
                let set: NetworkSet = networks.iter().copied().collect();
                for address in addresses {
                    let naive = networks.iter().any(|network| network.contains(address));
                    prop_assert_eq!(set.contains(address), naive, "{}", address);
                }
            }

            #[test]
            fn what_is_written_is_read_again(network in network()) {
                prop_assert_eq!(network.to_string().parse(), Ok(network));
            }
        }
    }
}
