//! What comes from the rate limit service is read without harm, whatever it is.

use portcullis::ratelimit::Answer;
use proptest::collection::vec;
use proptest::prelude::*;

/// An answer that says all there is to say of two limits.
const GOOD: &[u8] = b"\x08\x02\x12\x12\x08\x02\x12\x04\x08\x0a\x10\x01\x22\x08\x08\x01\x10\x80\xca\xb5\xee\x01\x12\x02\x08\x01";

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read(bytes in vec(any::<u8>(), 0..200)) {
        let _ = Answer::decode(&bytes);
    }

    /// One changed byte, and an end that came early, are found or make another answer.
    #[test]
    fn a_damaged_answer_is_read(place in 0..GOOD.len(), byte in any::<u8>(), length in 0..=GOOD.len()) {
        let mut bytes = GOOD.to_vec();
        bytes[place] = byte;
        bytes.truncate(length);
        if let Some(answer) = Answer::decode(&bytes) {
            prop_assert!(answer.statuses.len() <= length / 2);
        }
    }
}

#[test]
fn an_answer_of_very_many_limits_is_cut_off() {
    let bytes: Vec<u8> = [&b"\x08\x01"[..], &b"\x12\x02\x08\x01".repeat(10_000)].concat();
    assert!(Answer::decode(&bytes).unwrap().statuses.len() < 100);
}
