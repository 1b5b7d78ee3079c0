//! The form of the keys that `portcullis key new` makes: `<prefix>_<id>_<secret>`.
//!
//! The prefix lets a scanner find a key in a repository or a log where it does not
//! belong, and the id lets a person say which key it was without knowing it. The
//! secret is letters and digits alone, so that a double click takes the whole.
//! The gateway accepts keys of any other form as well.

/// A prefix or an id: lower-case letters, digits and inner hyphens, at most 64 of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// Reads a name; `None` unless it is one.
    pub fn parse(text: &str) -> Option<Name> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let good = (1..=LONGEST_NAME).contains(&text.len())
            && text.bytes().all(plain)
            && !text.starts_with('-')
            && !text.ends_with('-');
        good.then(|| Name(text.to_owned()))
    }

    /// The name's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Writes a key from random bytes, at least [`RANDOM_BYTES`] of them.
///
/// Of each byte that is too great to be spread evenly over the characters nothing
/// is taken. `None`: too few bytes were left; come again with others.
pub fn render(prefix: &Name, id: &Name, random: &[u8]) -> Option<String> {
    let mut secret = String::with_capacity(SECRET_LENGTH);
    for byte in random {
        let usable = usize::from(*byte) < CHARACTERS.len() * 4;
        let index = usize::from(*byte) % CHARACTERS.len();
        if let (true, Some(character)) = (usable, CHARACTERS.get(index)) {
            secret.push(char::from(*character));
        }
        if secret.len() == SECRET_LENGTH {
            return Some(format!("{}_{}_{secret}", prefix.0, id.0));
        }
    }
    None
}

/// The id in a key of this form, whatever its secret.
pub fn id_of(key: &str) -> Option<&str> {
    let mut parts = key.splitn(3, '_');
    let (_, id, secret) = (parts.next()?, parts.next()?, parts.next()?);
    (!id.is_empty() && !secret.is_empty()).then_some(id)
}

/// How many random bytes [`render`] should be given: far more than it can need.
pub const RANDOM_BYTES: usize = 128;

const CHARACTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// 43 characters of 62 are 256.03 bits.
const SECRET_LENGTH: usize = 43;

const LONGEST_NAME: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    #[test]
    fn a_key_names_its_id_and_hides_its_secret() {
        let bytes: Vec<u8> = (0..=255).collect();
        let key = render(&name("pk"), &name("north-sea"), &bytes).unwrap();
        assert_eq!(
            key,
            "pk_north-sea_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg"
        );
        assert_eq!(id_of(&key), Some("north-sea"));
    }

    #[test]
    fn every_character_of_a_secret_is_as_likely_as_any_other() {
        let mut counts = std::collections::BTreeMap::new();
        for byte in 0..=255u8 {
            if let Some(key) = render(&name("p"), &name("i"), &[byte; 43]) {
                *counts.entry(key).or_insert(0) += 1;
            }
        }
        assert_eq!(counts.len(), 62);
        assert!(counts.values().all(|count| *count == 4));
        assert!((62f64.powi(43)).log2() > 256.0);
    }

    #[test]
    fn too_little_randomness_makes_no_key() {
        assert_eq!(render(&name("pk"), &name("i"), &[7; 42]), None);
        assert_eq!(render(&name("pk"), &name("i"), &[255; 128]), None);
    }

    #[test]
    fn names_are_short_and_plain() {
        assert!(Name::parse(&"a".repeat(64)).is_some());
        for text in ["", "-a", "a-", "A", "a_b", "a b", "\u{e9}", &"a".repeat(65)] {
            assert_eq!(Name::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_text_of_another_form_names_no_id() {
        for text in ["", "a", "a_b", "a__c", "a_b_"] {
            assert_eq!(id_of(text), None, "{text}");
        }
        assert_eq!(id_of("a_b_c_d"), Some("b"));
    }
}
