//! A MaxMind database that is just large enough for Envoy's geoip filter.
//!
//! The format is MaxMind DB 2.0: a binary trie over the bits of an address, the data
//! that its leaves point to, and a map that describes both. IPv4 addresses lie at the
//! first leaf under 96 zero bits, as in the databases that are sold.

use std::net::Ipv4Addr;

/// The file's bytes: the countries of these IPv4 blocks, and of no others.
pub(crate) fn countries(blocks: &[(&str, &str)]) -> Vec<u8> {
    let mut data = Vec::new();
    let mut nodes = vec![[Record::Nothing; 2]];
    for (block, country) in blocks {
        let (address, length) = block.split_once('/').unwrap();
        let address: Ipv4Addr = address.parse().unwrap();
        let length: u32 = length.parse().unwrap();
        let bits = (0..96)
            .map(|_| 0)
            .chain((0..length).map(|bit| (address.to_bits() >> (31 - bit) & 1) as usize));
        let place = data.len();
        data.extend(map(&[("country", map(&[("iso_code", text(country))]))]));
        insert(&mut nodes, bits, place);
    }
    let count = nodes.len();
    let mut file = Vec::new();
    for record in nodes.iter().flatten() {
        let value = match record {
            Record::Nothing => count,
            Record::Node(node) => *node,
            Record::Data(place) => count + SEPARATOR.len() + place,
        };
        file.extend_from_slice(&u32::try_from(value).unwrap().to_be_bytes()[1..]);
    }
    file.extend_from_slice(&SEPARATOR);
    file.extend(data);
    file.extend_from_slice(b"\xab\xcd\xefMaxMind.com");
    file.extend(map(&[
        ("binary_format_major_version", number(5, 2)),
        ("binary_format_minor_version", number(5, 0)),
        ("build_epoch", number(9, 1_795_305_600)),
        ("database_type", text("GeoLite2-Country")),
        ("description", map(&[("en", text("a test"))])),
        ("ip_version", number(5, 6)),
        ("languages", vec![0x00, 0x04]),
        ("node_count", number(6, count as u64)),
        ("record_size", number(5, 24)),
    ]));
    file
}

#[derive(Clone, Copy)]
enum Record {
    Nothing,
    Node(usize),
    Data(usize),
}

fn insert(nodes: &mut Vec<[Record; 2]>, bits: impl Iterator<Item = usize>, place: usize) {
    let mut bits = bits.peekable();
    let mut node = 0;
    while let Some(bit) = bits.next() {
        if bits.peek().is_none() {
            nodes[node][bit] = Record::Data(place);
            return;
        }
        node = match nodes[node][bit] {
            Record::Node(next) => next,
            _ => {
                nodes.push([Record::Nothing; 2]);
                nodes[node][bit] = Record::Node(nodes.len() - 1);
                nodes.len() - 1
            }
        };
    }
}

/// A map of type 7, with fewer than 29 entries.
fn map(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = vec![0xe0 | entries.len() as u8];
    for (name, value) in entries {
        bytes.extend(text(name));
        bytes.extend(value);
    }
    bytes
}

/// A text of type 2, shorter than 29 bytes.
fn text(text: &str) -> Vec<u8> {
    [&[0x40 | text.len() as u8], text.as_bytes()].concat()
}

/// A number of type 5, 6 or 9 (16, 32 or 64 bits), of which 9 is an extended type.
fn number(kind: u8, value: u64) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    let digits = &bytes[value.leading_zeros() as usize / 8..];
    let length = digits.len() as u8;
    let head = match kind {
        9 => vec![length, 9 - 7],
        kind => vec![kind << 5 | length],
    };
    [head, digits.to_vec()].concat()
}

const SEPARATOR: [u8; 16] = [0; 16];
