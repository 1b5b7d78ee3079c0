//! The parser by which our fields are judged, held against the suite of the HTTP
//! working group. `PORTCULLIS_SUITES` names where `http-structured-fields` lies.

use std::path::Path;

use serde_json::{Value, json};
use sfv::{BareItem, Dictionary, InnerList, Item, List, ListEntry, Parameters, Parser};

use super::suite;

#[test]
fn the_parser_reads_structured_fields_as_the_suite_says() {
    let Some(folder) = suite("http-structured-fields") else {
        return;
    };
    let mut cases = 0;
    let mut wrong = Vec::new();
    for file in files(&folder) {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let records: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        for case in records.as_array().unwrap() {
            cases += 1;
            if let Err(why) = verdict(case) {
                wrong.push(format!("{name}: {}: {why}", case["name"]));
            }
        }
    }
    assert!(cases > 1_000, "only {cases} cases were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().flatten();
    let mut files: Vec<_> = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
        .collect();
    files.sort();
    files
}

/// Whether one case is read as it should be.
fn verdict(case: &Value) -> Result<(), String> {
    let lines: Vec<&str> = case["raw"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line.as_str().unwrap())
        .collect();
    // Several lines of a field are one with commas between (RFC 9110 §5.3).
    let raw = lines.join(", ");
    let read = match case["header_type"].as_str().unwrap() {
        "item" => Parser::new(&raw).parse::<Item>().map(|item| of_item(&item)),
        "list" => Parser::new(&raw).parse::<List>().map(|list| of_list(&list)),
        _ => Parser::new(&raw)
            .parse::<Dictionary>()
            .map(|dictionary| of_dictionary(&dictionary)),
    };
    let (must_fail, can_fail) = (case["must_fail"] == true, case["can_fail"] == true);
    match read {
        Err(_) if must_fail || can_fail => Ok(()),
        Err(error) => Err(format!("{raw:?} is refused: {error}")),
        Ok(read) if must_fail => Err(format!("{raw:?} is read as {read}")),
        Ok(read) if same(&read, &case["expected"]) => Ok(()),
        Ok(read) => Err(format!("{raw:?} is read as {read}")),
    }
}

/// A decimal may be written with fewer digits than it is kept with.
fn same(read: &Value, expected: &Value) -> bool {
    match (read, expected) {
        (Value::Array(read), Value::Array(expected)) => {
            read.len() == expected.len()
                && std::iter::zip(read, expected).all(|(read, expected)| same(read, expected))
        }
        (Value::Number(read), Value::Number(expected)) => {
            read == expected || (read.as_f64().unwrap() - expected.as_f64().unwrap()).abs() < 0.0001
        }
        _ => read == expected,
    }
}

fn of_list(list: &List) -> Value {
    list.iter().map(of_entry).collect()
}

fn of_dictionary(dictionary: &Dictionary) -> Value {
    let members = dictionary.iter();
    members
        .map(|(name, entry)| json!([name.as_str(), of_entry(entry)]))
        .collect()
}

fn of_entry(entry: &ListEntry) -> Value {
    match entry {
        ListEntry::Item(item) => of_item(item),
        ListEntry::InnerList(list) => of_inner_list(list),
    }
}

fn of_inner_list(list: &InnerList) -> Value {
    let items: Value = list.items.iter().map(of_item).collect();
    json!([items, of_parameters(&list.params)])
}

fn of_item(item: &Item) -> Value {
    json!([of_bare(&item.bare_item), of_parameters(&item.params)])
}

fn of_parameters(parameters: &Parameters) -> Value {
    let parameters = parameters.iter();
    parameters
        .map(|(name, value)| json!([name.as_str(), of_bare(value)]))
        .collect()
}

fn of_bare(item: &BareItem) -> Value {
    let typed = |kind: &str, value: Value| json!({"__type": kind, "value": value});
    match item {
        BareItem::Integer(value) => json!(i64::from(*value)),
        BareItem::Decimal(value) => json!(f64::from(*value)),
        BareItem::String(value) => json!(value.as_str()),
        BareItem::Boolean(value) => json!(value),
        BareItem::Token(value) => typed("token", json!(value.as_str())),
        BareItem::Date(value) => typed("date", json!(i64::from(value.unix_seconds()))),
        BareItem::DisplayString(value) => typed("displaystring", json!(value)),
        BareItem::ByteSequence(bytes) => typed("binary", json!(base32(bytes))),
    }
}

/// The suite writes bytes in base 32 (RFC 4648 §6).
fn base32(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut text = String::new();
    for group in bytes.chunks(5) {
        let mut bits = [0; 8];
        bits[3..3 + group.len()].copy_from_slice(group);
        let bits = u64::from_be_bytes(bits);
        let digits = (group.len() * 8).div_ceil(5);
        for place in 0..8 {
            let digit = (bits >> (35 - 5 * place)) & 31;
            text.push(match place < digits {
                true => char::from(ALPHABET[usize::try_from(digit).unwrap()]),
                false => '=',
            });
        }
    }
    text
}
