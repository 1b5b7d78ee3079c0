//! The shape of a value: which kinds of characters it is made of, not which ones.
//!
//! Anomaly detection has to see that an identifier suddenly holds quotes and
//! spaces, and must not keep the identifier. Each byte becomes one of 38 classes
//! (lower case, upper case, digit, each ASCII punctuation mark by itself, space,
//! control, non-ASCII), so a shape tells `aaaa@aaaa.aa` and no address.

use serde::{Deserialize, Serialize};

/// One of the [`CLASSES`] kinds of bytes, as an index below [`CLASSES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Class(u8);

impl Class {
    /// The class of a byte of a value.
    #[must_use]
    pub const fn of(byte: u8) -> Self {
        Self(match byte {
            b'a'..=b'z' => 0,
            b'A'..=b'Z' => 1,
            b'0'..=b'9' => 2,
            b' ' => 3,
            b'!'..=b'/' => 4 + (byte - b'!'),
            b':'..=b'@' => 19 + (byte - b':'),
            b'['..=b'`' => 26 + (byte - b'['),
            b'{'..=b'~' => 32 + (byte - b'{'),
            0x00..=0x1f | 0x7f => 36,
            0x80..=0xff => 37,
        })
    }

    /// The class that a letter of a shape stands for; `None` for a byte that
    /// no shape holds.
    #[must_use]
    pub const fn of_letter(letter: u8) -> Option<Self> {
        match letter {
            b'a' => Some(Self(0)),
            b'A' => Some(Self(1)),
            b'0' => Some(Self(2)),
            CONTROL => Some(Self(36)),
            NON_ASCII => Some(Self(37)),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => None,
            b' '..=b'~' => Some(Self::of(letter)),
            _ => None,
        }
    }

    /// The printable ASCII letter that stands for this class in a shape.
    #[must_use]
    pub const fn letter(self) -> u8 {
        match self.0 {
            0 => b'a',
            1 => b'A',
            2 => b'0',
            3 => b' ',
            4..19 => b'!' + (self.0 - 4),
            19..26 => b':' + (self.0 - 19),
            26..32 => b'[' + (self.0 - 26),
            32..36 => b'{' + (self.0 - 32),
            36 => CONTROL,
            _ => NON_ASCII,
        }
    }

    /// Its index, below [`CLASSES`].
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// What people call it, for explanations: `digits`, `` `'` ``.
    #[must_use]
    pub fn name(self) -> String {
        match self.0 {
            0 => "lower-case letters".to_owned(),
            1 => "upper-case letters".to_owned(),
            2 => "digits".to_owned(),
            3 => "spaces".to_owned(),
            36 => "control characters".to_owned(),
            37 => "non-ASCII bytes".to_owned(),
            _ => format!("`{}`", char::from(self.letter())),
        }
    }
}

/// A set of classes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClassSet(u64);

impl ClassSet {
    /// Adds a class.
    pub const fn insert(&mut self, class: Class) {
        self.0 |= 1 << class.0;
    }

    /// Whether the class is in the set.
    #[must_use]
    pub const fn contains(self, class: Class) -> bool {
        self.0 & (1 << class.0) != 0
    }

    /// Whether the set holds nothing.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The classes of either set.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The classes of this set that are not in the other.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// How many classes it holds.
    #[must_use]
    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// The classes, in order.
    pub fn iter(self) -> impl Iterator<Item = Class> {
        (0_u8..)
            .take(CLASSES)
            .map(Class)
            .filter(move |class| self.contains(*class))
    }
}

impl FromIterator<Class> for ClassSet {
    fn from_iter<I: IntoIterator<Item = Class>>(classes: I) -> Self {
        let mut set = Self::default();
        for class in classes {
            set.insert(class);
        }
        set
    }
}

/// Letters of classes, at most [`SHAPE_LIMIT`] of them: `aaa-0000`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Shape(String);

impl Shape {
    /// The shape of a value's first [`SHAPE_LIMIT`] bytes.
    #[must_use]
    pub fn of(value: &[u8]) -> Self {
        let letters = value.iter().take(SHAPE_LIMIT);
        Self(
            letters
                .map(|byte| char::from(Class::of(*byte).letter()))
                .collect(),
        )
    }

    /// The shape that lists each class of a set once.
    #[must_use]
    pub fn listing(set: ClassSet) -> Self {
        Self(set.iter().map(|class| char::from(class.letter())).collect())
    }

    /// The classes in order.
    pub fn classes(&self) -> impl Iterator<Item = Class> + '_ {
        self.0.bytes().filter_map(Class::of_letter)
    }

    /// The letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it has no letter: the value was empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many bytes of the value it shows, at most [`SHAPE_LIMIT`].
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl TryFrom<String> for Shape {
    type Error = String;

    fn try_from(letters: String) -> Result<Self, Self::Error> {
        if letters.len() > SHAPE_LIMIT {
            return Err(format!(
                "a shape has {} letters; at most {SHAPE_LIMIT} are allowed",
                letters.len()
            ));
        }
        match letters.bytes().find(|b| Class::of_letter(*b).is_none()) {
            Some(byte) => Err(format!(
                "a shape holds the byte {byte:#04x}, which stands for no class"
            )),
            None => Ok(Self(letters)),
        }
    }
}

impl From<Shape> for String {
    fn from(shape: Shape) -> Self {
        shape.0
    }
}

/// How many classes there are.
pub const CLASSES: usize = 38;

/// How many bytes of a value a shape shows. Longer values gain little and every
/// audit line pays for them.
pub const SHAPE_LIMIT: usize = 64;

const CONTROL: u8 = b'c';
const NON_ASCII: u8 = b'n';

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_a_class_and_every_class_a_letter_of_its_own() {
        let all: ClassSet = (0..=255).map(Class::of).collect();
        assert_eq!(all.len() as usize, CLASSES);
        let mut letters: Vec<u8> = all.iter().map(Class::letter).collect();
        for class in all.iter() {
            assert_eq!(Class::of_letter(class.letter()), Some(class));
            assert!((b' '..=b'~').contains(&class.letter()));
        }
        letters.sort_unstable();
        letters.dedup();
        assert_eq!(letters.len(), CLASSES);
    }

    #[test]
    fn punctuation_is_itself_and_the_rest_is_hidden() {
        let shape = Shape::of("ord-1234 'Ü\n\"".as_bytes());
        assert_eq!(shape.as_str(), "aaa-0000 'nnc\"");
    }

    #[test]
    fn a_shape_is_cut() {
        assert_eq!(Shape::of(&[b'x'; 1000]).len(), SHAPE_LIMIT);
    }

    #[test]
    fn a_shape_that_would_carry_content_is_refused() {
        assert!(serde_json::from_str::<Shape>("\"alice\"").is_err());
        assert!(serde_json::from_str::<Shape>("\"aaaaa\"").is_ok());
        let long = format!("\"{}\"", "a".repeat(SHAPE_LIMIT + 1));
        assert!(serde_json::from_str::<Shape>(&long).is_err());
    }
}
