//! Where requests come from, and how often they failed.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use portcullis::lockout::{self, Kind, Limits, Subject};
use portcullis::network::{NetworkSet, forwarded};
use portcullis::store::MemoryStore;
use portcullis::time::Time;

use super::Result;

/// Ten thousand networks, a list of proxies, and the counters of failures.
pub(crate) fn lines(mut line: impl FnMut(&str, &mut dyn FnMut())) -> Result<()> {
    let entries = entries();
    let read = || NetworkSet::parse(&entries).map_err(|errors| format!("{errors:?}"));
    let set = read()?;
    line("10,000 networks, parse", &mut || drop(black_box(read())));
    for (name, address) in [
        ("10,000 networks, IPv4 inside", v4(5_000)),
        ("10,000 networks, IPv6 inside", v6(4_000)),
        ("10,000 networks, outside", IpAddr::from([192, 0, 2, 1])),
    ] {
        line(name, &mut || {
            black_box(set.contains(black_box(address)));
        });
    }
    let trusted = NetworkSet::parse(&["10.0.0.0/8"]).map_err(|errors| format!("{errors:?}"))?;
    let peer = IpAddr::from([10, 0, 0, 1]);
    line("x-forwarded-for, three hops", &mut || {
        let field = black_box(&b"192.0.2.1, 10.0.0.3, 10.0.0.2"[..]);
        let _ = black_box(forwarded::client(peer, std::iter::once(field), &trusted));
    });
    failures(&mut line);
    Ok(())
}

fn failures(line: &mut impl FnMut(&str, &mut dyn FnMut())) {
    let limits = Limits {
        failures: 10,
        window: Duration::from_secs(600),
        delay: Duration::from_secs(1),
        ban_after: 18,
        ban: Duration::from_secs(900),
    };
    let (store, now) = (MemoryStore::default(), Time::from_millis(1_795_305_600_000));
    let subject = Subject::new(Kind::Key, b"known", "", &[7; 32]);
    lockout::fail(&subject, &limits, &store, now);
    line("lockout, who has not failed", &mut || {
        let stranger = Subject::address(black_box(v4(1)), "", &[7; 32]);
        black_box(lockout::standing(&stranger, &limits, &store, now));
    });
    line("lockout, who has failed", &mut || {
        black_box(lockout::standing(&subject, &limits, &store, now));
    });
    line("lockout, one more failure", &mut || {
        black_box(lockout::fail(&subject, &limits, &store, now));
    });
}

/// Half of them IPv4, half IPv6, none beside another, so that nothing merges.
fn entries() -> Vec<String> {
    (0..5_000)
        .flat_map(|index| {
            [
                format!("{}/24", v4(2 * index)),
                format!("{}/48", v6(2 * index)),
            ]
        })
        .collect()
}

fn v4(index: u32) -> IpAddr {
    Ipv4Addr::from_bits(0x0b00_0000 + (index << 8)).into()
}

fn v6(index: u32) -> IpAddr {
    Ipv6Addr::from_bits(0x2a00_u128 << 112 | u128::from(index) << 80).into()
}
