//! One pass over a body: serde_json reads, this writes.
//!
//! Only objects and arrays with something to hide in them are taken apart; any
//! other value is copied as raw text. A scalar in a place where members or elements
//! are declared is read and written anew, so its escapes and the form of its
//! fractions may change, not its value as a 64-bit number.

use super::hide::{self, Hidden};
use super::{Hide, MaskError, Node, Rules, Table};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// Copies a body, hiding what the rules hide.
pub(super) fn walk(
    table: &Table,
    root: &Node,
    text: &str,
    rules: &Rules,
) -> Result<Copied, MaskError> {
    let mut writer = Writer {
        table,
        rules,
        out: Vec::with_capacity(text.len()),
        hidden: Vec::new(),
    };
    let place = Place {
        node: Some(root),
        inherited: rules.undeclared(),
        writer: &mut writer,
    };
    let mut input = serde_json::Deserializer::from_str(text);
    let kept = place
        .deserialize(&mut input)
        .and_then(|kept| input.end().map(|()| kept))
        .map_err(|error| MaskError::NotJson {
            line: error.line(),
            column: error.column(),
        })?;
    if !kept {
        writer.out.extend_from_slice(b"null");
    }
    writer.hidden.sort_unstable();
    Ok(Copied {
        body: writer.out,
        hidden: writer.hidden,
    })
}

/// The masked body and how much of each level was hidden.
pub(super) struct Copied {
    pub(super) body: Vec<u8>,
    pub(super) hidden: Vec<(u8, u32)>,
}

struct Writer<'t> {
    table: &'t Table,
    rules: &'t Rules,
    out: Vec<u8>,
    hidden: Vec<(u8, u32)>,
}

impl Writer<'_> {
    /// Writes what stands for a hidden value; `false` when nothing does.
    fn conceal(&mut self, level: u8, how: Hide, value: &Hidden<'_>) -> bool {
        match self.hidden.iter_mut().find(|(known, _)| *known == level) {
            Some((_, count)) => *count = count.saturating_add(1),
            None => self.hidden.push((level, 1)),
        }
        hide::write(&mut self.out, how, value)
    }
}

/// A place in the body; as a seed it writes its value and tells whether the place
/// is still there.
struct Place<'w, 't> {
    node: Option<&'t Node>,
    inherited: u8,
    writer: &'w mut Writer<'t>,
}

impl<'de> DeserializeSeed<'de> for Place<'_, '_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<bool, D::Error> {
        let rules = self.writer.rules;
        let own = self.node.and_then(|node| node.level);
        let level = own.unwrap_or(self.inherited);
        match (rules.hide(level), self.node) {
            // An object without a classification of its own may hold declared places
            // that are visible although undeclared ones are not.
            (Some(_), Some(node)) if own.is_none() && node.has_children() => {
                self.enter(node, level, input)
            }
            (Some(how), _) => self.hide_whole(level, how, input),
            (None, Some(node)) if rules.hides_any(node.reach) => self.enter(node, level, input),
            (None, _) => {
                let raw = <&RawValue>::deserialize(input)?;
                self.writer.out.extend_from_slice(raw.get().as_bytes());
                Ok(true)
            }
        }
    }
}

impl<'t> Place<'_, 't> {
    fn enter<'de, D: Deserializer<'de>>(
        self,
        node: &'t Node,
        level: u8,
        input: D,
    ) -> Result<bool, D::Error> {
        input.deserialize_any(Inside {
            node,
            level,
            writer: self.writer,
        })
    }

    /// Reads past a value, no further into it than its replacement needs.
    fn hide_whole<'de, D: Deserializer<'de>>(
        self,
        level: u8,
        how: Hide,
        input: D,
    ) -> Result<bool, D::Error> {
        if how != Hide::Last4 {
            IgnoredAny::deserialize(input)?;
            return Ok(self.writer.conceal(level, how, &Hidden::Other));
        }
        let raw = <&RawValue>::deserialize(input)?.get();
        let kept = match raw.bytes().next() {
            Some(b'"') => {
                let text = serde_json::from_str::<String>(raw).map_err(serde::de::Error::custom)?;
                self.writer.conceal(level, how, &Hidden::Text(&text))
            }
            Some(b'-' | b'0'..=b'9') => self.writer.conceal(level, how, &Hidden::Number(raw)),
            _ => self.writer.conceal(level, how, &Hidden::Other),
        };
        Ok(kept)
    }
}

/// A value whose members or elements must be looked at.
struct Inside<'w, 't> {
    node: &'t Node,
    level: u8,
    writer: &'w mut Writer<'t>,
}

impl Inside<'_, '_> {
    /// A scalar where something else was declared.
    fn scalar(self, value: &Hidden<'_>, text: &str) -> bool {
        match self.writer.rules.hide(self.level) {
            Some(how) => self.writer.conceal(self.level, how, value),
            None => {
                self.writer.out.extend_from_slice(text.as_bytes());
                true
            }
        }
    }
}

impl<'de> Visitor<'de> for Inside<'_, '_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(self.scalar(&Hidden::Other, "null"))
    }

    fn visit_bool<E>(self, value: bool) -> Result<bool, E> {
        Ok(self.scalar(&Hidden::Other, if value { "true" } else { "false" }))
    }

    fn visit_u64<E>(self, value: u64) -> Result<bool, E> {
        let text = value.to_string();
        Ok(self.scalar(&Hidden::Number(&text), &text))
    }

    fn visit_i64<E>(self, value: i64) -> Result<bool, E> {
        let text = value.to_string();
        Ok(self.scalar(&Hidden::Number(&text), &text))
    }

    fn visit_f64<E>(self, value: f64) -> Result<bool, E> {
        let text = serde_json::Value::from(value).to_string();
        Ok(self.scalar(&Hidden::Number(&text), &text))
    }

    fn visit_str<E>(self, value: &str) -> Result<bool, E> {
        Ok(match self.writer.rules.hide(self.level) {
            Some(how) => self.writer.conceal(self.level, how, &Hidden::Text(value)),
            None => {
                hide::write_string(&mut self.writer.out, value);
                true
            }
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<bool, A::Error> {
        let Self {
            node,
            level,
            writer,
        } = self;
        // Undeclared, the array is one of the objects that are.
        let node = match node.items {
            Some(items) => writer.table.node(items),
            None => Some(node),
        };
        let start = writer.out.len();
        writer.out.push(b'[');
        loop {
            let before = writer.out.len();
            if before > start + 1 {
                writer.out.push(b',');
            }
            let place = Place {
                node,
                inherited: level,
                writer: &mut *writer,
            };
            match elements.next_element_seed(place)? {
                Some(true) => {}
                Some(false) => writer.out.truncate(before),
                None => {
                    writer.out.truncate(before);
                    break;
                }
            }
        }
        writer.out.push(b']');
        Ok(true)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<bool, A::Error> {
        let Self {
            node,
            level,
            writer,
        } = self;
        if !node.declares_members() {
            while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            let (level, how) = match writer.rules.hide(level) {
                Some(how) => (level, how),
                None => (writer.rules.worst(node.reach), Hide::Redact),
            };
            return Ok(writer.conceal(level, how, &Hidden::Other));
        }
        let start = writer.out.len();
        writer.out.push(b'{');
        while let Some(name) = members.next_key_seed(Name)? {
            let before = writer.out.len();
            if before > start + 1 {
                writer.out.push(b',');
            }
            hide::write_string(&mut writer.out, &name);
            writer.out.push(b':');
            let place = Place {
                node: node
                    .member(&name)
                    .and_then(|child| writer.table.node(child)),
                inherited: level,
                writer: &mut *writer,
            };
            if !members.next_value_seed(place)? {
                writer.out.truncate(before);
            }
        }
        writer.out.push(b'}');
        Ok(true)
    }
}

/// A member's name, borrowed from the body unless it holds escapes.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Self::Value, D::Error> {
        input.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}
