//! A set that is small for what it holds, and sometimes says yes for no.
//!
//! For `n` entries in `m` bits with `k` hashes the rate of such errors is about
//! `(1 - e^(-kn/m))^k`; it is least for `k = m/n ln 2`, where an entry takes
//! `-ln(rate) / (ln 2)^2` bits: 28.8 for one in a million, whatever the ids' length.
//!
//! An id is hashed once, by SHA-256. With its first eight bytes as `a` and the next
//! eight as `b`, both little-endian, the entry's bits are `(a + i b) mod m` for `i`
//! from 0 to `k - 1`, sums taken modulo 2^64; bit `j` is bit `j mod 8` of byte `j / 8`.

use super::Mark;

/// A Bloom filter.
#[derive(Clone, PartialEq, Eq)]
pub struct Bloom {
    bits: Vec<u8>,
    hashes: u32,
    entries: u64,
}

impl Bloom {
    /// An empty filter in which `entries` ids will be mistaken for others at about this
    /// `rate`, which must lie between 0 and 1.
    pub fn sized(entries: u64, rate: f64) -> Self {
        let rate = rate.clamp(LEAST_RATE, 0.5);
        let bits_each = -rate.ln() / std::f64::consts::LN_2.powi(2);
        let bytes = (entries.max(1) as f64 * bits_each / 8.0).ceil();
        Bloom {
            // The greatest filter stays far below what the cast can hold.
            bits: vec![0; bytes as usize],
            hashes: (bits_each * std::f64::consts::LN_2).round().max(1.0) as u32,
            entries: 0,
        }
    }

    /// A filter as it was written. `None`: no bits, or hashes that nobody would choose.
    pub fn from_parts(bits: Vec<u8>, hashes: u32, entries: u64) -> Option<Self> {
        let sane = !bits.is_empty() && (1..=MOST_HASHES).contains(&hashes);
        sane.then_some(Bloom {
            bits,
            hashes,
            entries,
        })
    }

    /// Puts an id in.
    pub fn insert(&mut self, mark: Mark) {
        for bit in self.bits_of(mark) {
            if let Some(byte) = self.bits.get_mut(bit / 8) {
                *byte |= 1 << (bit % 8);
            }
        }
        self.entries += 1;
    }

    /// Whether an id was put in; sometimes true though it was not.
    pub fn contains(&self, mark: Mark) -> bool {
        self.bits_of(mark).all(|bit| {
            let byte = self.bits.get(bit / 8).copied().unwrap_or_default();
            byte & (1 << (bit % 8)) != 0
        })
    }

    /// How often an id that was not put in is said to be, as the formula has it.
    pub fn rate(&self) -> f64 {
        let bits = self.bits.len() as f64 * 8.0;
        let hashes = f64::from(self.hashes);
        let full = 1.0 - (-hashes * self.entries as f64 / bits).exp();
        full.powf(hashes)
    }

    /// The bits, eight a byte.
    pub fn bits(&self) -> &[u8] {
        &self.bits
    }

    /// How many bits an entry sets.
    pub fn hashes(&self) -> u32 {
        self.hashes
    }

    /// How many ids were put in.
    pub fn entries(&self) -> u64 {
        self.entries
    }

    fn bits_of(&self, mark: Mark) -> impl Iterator<Item = usize> + use<> {
        let size = self.bits.len() as u64 * 8;
        let (start, step) = mark.halves();
        (0..u64::from(self.hashes)).map(move |index| {
            let bit = start.wrapping_add(index.wrapping_mul(step)) % size;
            // Below eight times a length in memory; the module's is at most 2^32 bytes.
            bit as usize
        })
    }
}

impl std::fmt::Debug for Bloom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Bloom {
            bits,
            hashes,
            entries,
        } = self;
        let bytes = bits.len();
        write!(
            f,
            "Bloom({entries} entries, {bytes} bytes, {hashes} hashes)"
        )
    }
}

/// More would only be slower.
const MOST_HASHES: u32 = 64;

/// The rate below which `MOST_HASHES` would not do.
const LEAST_RATE: f64 = 1e-18;

#[cfg(test)]
mod tests {
    use super::*;

    /// Marks look random, so random ones measure a filter; SHA-256 of millions of ids
    /// would only make the test slow.
    fn random_marks(seed: u64) -> impl Iterator<Item = Mark> {
        let mut state = seed;
        let mut next = move || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = state;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ (mixed >> 31)
        };
        std::iter::repeat_with(move || {
            let mut mark = [0; 32];
            mark[..8].copy_from_slice(&next().to_le_bytes());
            mark[8..16].copy_from_slice(&next().to_le_bytes());
            Mark(mark)
        })
    }

    #[test]
    fn what_was_put_in_is_always_found() {
        let mut filter = Bloom::sized(2_000, 1e-3);
        let ids: Vec<String> = (0..2_000).map(|id| format!("token-{id}")).collect();
        for id in &ids {
            filter.insert(Mark::of(id));
        }
        assert!(ids.iter().all(|id| filter.contains(Mark::of(id))));
        assert_eq!(filter.entries(), 2_000);
    }

    #[test]
    fn errors_are_as_rare_as_was_asked_for() {
        let mut filter = Bloom::sized(10_000, 1e-3);
        for mark in random_marks(1).take(10_000) {
            filter.insert(mark);
        }
        assert!(
            (filter.rate() / 1e-3 - 1.0).abs() < 0.05,
            "{}",
            filter.rate()
        );
        let wrong = random_marks(2).take(200_000);
        let wrong = wrong.filter(|mark| filter.contains(*mark)).count();
        // 200 are expected; six standard deviations are 85.
        assert!((115..=285).contains(&wrong), "{wrong}");
    }

    #[cfg(not(target_family = "wasm"))]
    #[test]
    fn a_million_entries_at_one_in_a_million_take_three_and_a_half_megabytes() {
        let mut filter = Bloom::sized(1_000_000, 1e-6);
        for mark in random_marks(1).take(1_000_000) {
            filter.insert(mark);
        }
        assert_eq!((filter.bits().len(), filter.hashes()), (3_594_397, 20));
        assert!(
            (filter.rate() / 1e-6 - 1.0).abs() < 0.05,
            "{}",
            filter.rate()
        );
        let wrong = random_marks(2).take(5_000_000);
        let wrong = wrong.filter(|mark| filter.contains(*mark)).count();
        // 5 are expected; more than 20 come once in ten million runs.
        assert!(wrong <= 20, "{wrong}");
        println!("{wrong} of 5,000,000 were wrong, {filter:?}");
    }

    #[test]
    fn the_bits_of_an_id_are_where_the_format_says() {
        // SHA-256("abc") begins ba7816bf8f01cfea 414140de5dae2223.
        let filter = Bloom::from_parts(vec![0; 125], 3, 0).unwrap();
        let (a, b) = (0xeacf_018f_bf16_78ba_u128, 0x2322_ae5d_de40_4141_u128);
        let expected: Vec<usize> = (0..3)
            .map(|i| (((a + i * b) % (1 << 64)) % 1_000) as usize)
            .collect();
        let bits: Vec<usize> = filter.bits_of(Mark::of("abc")).collect();
        assert_eq!(bits, expected);
    }

    #[test]
    fn parts_that_are_no_filter_are_refused() {
        assert!(Bloom::from_parts(Vec::new(), 3, 0).is_none());
        assert!(Bloom::from_parts(vec![0], 0, 0).is_none());
        assert!(Bloom::from_parts(vec![0], 65, 0).is_none());
        // Hopeless demands still give a filter that can be written and read.
        let odd = Bloom::sized(0, 0.0);
        assert!(Bloom::from_parts(odd.bits().to_vec(), odd.hashes(), 0).is_some());
    }
}
