//! The JSON form of a list: what `portcullis revoke` writes and the gateway fetches.
//!
//! ```json
//! {
//!   "issued_before": 1795381842,
//!   "jti": { "listed": ["f0e1"], "filter": { "hashes": 20, "entries": 9, "bits": "AAEC…" } },
//!   "sub": { "listed": ["alice"], "issued_before": { "bob": 1795381842 } },
//!   "client_id": { "listed": ["old-app"] }
//! }
//! ```
//!
//! Every member may be left out. A member that is not known is refused: it would be a
//! way to revoke that this gateway does not honour.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::bloom::Bloom;
use super::{List, Mark, Names};
use crate::strict_json;

/// A list as it is written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Document {
    /// Everything that was issued before this is revoked; seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued_before: Option<u64>,
    /// Single tokens.
    #[serde(skip_serializing_if = "Section::is_empty")]
    pub jti: Section,
    /// All tokens of a subject.
    #[serde(skip_serializing_if = "Section::is_empty")]
    pub sub: Section,
    /// All tokens of a client.
    #[serde(skip_serializing_if = "Section::is_empty")]
    pub client_id: Section,
}

/// What is revoked of one kind of name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Section {
    /// Ids, as they stand in tokens.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub listed: BTreeSet<String>,
    /// Many ids, as a Bloom filter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<Filter>,
    /// Ids whose tokens are revoked if they were issued before a time.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub issued_before: BTreeMap<String, u64>,
}

/// A Bloom filter as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// How many bits an entry sets.
    pub hashes: u32,
    /// How many ids are in it.
    pub entries: u64,
    /// The bits, in base64.
    pub bits: String,
}

/// Reads a list.
///
/// # Errors
/// What is wrong with it, in words.
pub fn parse(text: &[u8]) -> Result<List, String> {
    List::try_from(read(text)?)
}

/// Reads a list as it is written.
///
/// # Errors
/// What is wrong with it, in words.
pub fn read(text: &[u8]) -> Result<Document, String> {
    if text.len() > MAX_DOCUMENT_BYTES {
        return Err(format!(
            "the list has {} bytes; at most {MAX_DOCUMENT_BYTES} are read, and a filter takes fewer",
            text.len()
        ));
    }
    let members = strict_json::object(text)
        .map_err(|_| "is not one JSON object in which each name stands once".to_owned())?;
    serde_json::from_value(Value::Object(members))
        .map_err(|error| format!("is not a revocation list: {error}"))
}

impl TryFrom<Document> for List {
    type Error = String;

    fn try_from(document: Document) -> Result<Self, String> {
        Ok(List {
            issued_before: document.issued_before,
            ids: names(document.jti, "jti")?,
            subjects: names(document.sub, "sub")?,
            clients: names(document.client_id, "client_id")?,
        })
    }
}

impl Section {
    fn is_empty(&self) -> bool {
        self.listed.is_empty() && self.filter.is_none() && self.issued_before.is_empty()
    }
}

impl Filter {
    /// The filter that is written here; `at` names its place.
    ///
    /// # Errors
    /// It is none.
    pub fn filter(&self, at: &str) -> Result<Bloom, String> {
        STANDARD
            .decode(&self.bits)
            .ok()
            .and_then(|bits| Bloom::from_parts(bits, self.hashes, self.entries))
            .ok_or_else(|| {
                format!("`{at}.filter` is no Bloom filter: base64 `bits`, 1 to 64 `hashes`")
            })
    }
}

impl From<&Bloom> for Filter {
    fn from(filter: &Bloom) -> Self {
        Filter {
            hashes: filter.hashes(),
            entries: filter.entries(),
            bits: STANDARD.encode(filter.bits()),
        }
    }
}

fn names(section: Section, at: &str) -> Result<Names, String> {
    let filter = section.filter.map(|filter| filter.filter(at)).transpose()?;
    let times = section.issued_before.iter();
    Ok(Names {
        listed: section
            .listed
            .iter()
            .map(|id| Mark::of(id).short())
            .collect(),
        filter,
        issued_before: times
            .map(|(id, time)| (Mark::of(id).short(), *time))
            .collect(),
    })
}

/// The longest list that is read. Every worker holds what is in it: 16 bytes and the
/// table's share for each listed id, and the bits of the filters.
pub const MAX_DOCUMENT_BYTES: usize = 16 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::revocation::{Marks, Revoked};

    #[test]
    fn what_is_written_is_read() {
        let mut filter = Bloom::sized(10, 1e-6);
        filter.insert(Mark::of("t9"));
        let mut document = Document {
            issued_before: Some(7),
            ..Document::default()
        };
        document.jti.filter = Some(Filter::from(&filter));
        document.sub.listed.insert("alice".into());
        document.client_id.issued_before.insert("app".into(), 9);
        let text = serde_json::to_vec(&document).unwrap();
        assert_eq!(read(&text), Ok(document));
        let marks = Marks {
            id: Some(Mark::of("t9")),
            issued_at: Some(8),
            ..Marks::default()
        };
        assert_eq!(parse(&text).unwrap().covers(&marks), Some(Revoked::Id));
    }

    #[test]
    fn what_could_mean_something_else_is_refused() {
        for text in [
            "",
            "[]",
            r#"{"jti":["t1"]}"#,
            r#"{"kid":{"listed":["k"]}}"#,
            r#"{"jti":{"listed":["a"]},"jti":{}}"#,
            r#"{"sub":{"issued_before":{"a":9,"a":1}}}"#,
            r#"{"issued_before":"now"}"#,
            r#"{"issued_before":-1}"#,
            r#"{"jti":{"filter":{"hashes":20,"entries":1,"bits":"%"}}}"#,
            r#"{"jti":{"filter":{"hashes":0,"entries":1,"bits":"AA=="}}}"#,
            r#"{"jti":{"filter":{"hashes":3,"entries":1,"bits":""}}}"#,
            r#"{} {}"#,
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
        let long = format!("{{{}}}", " ".repeat(MAX_DOCUMENT_BYTES));
        assert!(parse(long.as_bytes()).is_err());
    }
}
