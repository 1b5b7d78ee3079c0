//! Whether there is a case for everything that can be concluded. The codes are
//! read from the source, so that a new refusal asks for a case of its own.

use std::collections::BTreeSet;

use crate::case::Case;

#[test]
fn every_refusal_has_a_case() {
    let denial = include_str!("../../src/denial.rs");
    let mut codes = literals(denial, "fn facts(");
    codes.append(&mut literals(denial, "fn code(self)"));
    codes.append(&mut literals(
        include_str!("../../src/jose/error.rs"),
        "pub fn code(",
    ));
    codes.append(&mut literals(
        include_str!("../../src/api_key.rs"),
        "pub fn code(",
    ));
    codes.append(&mut literals(
        include_str!("../../src/jose/proof.rs"),
        "pub fn code(",
    ));
    assert!(codes.len() > 30, "the codes are no longer where they were");
    let cases = Case::all();
    let refused: BTreeSet<&str> = cases
        .iter()
        .flat_map(Case::exchanges)
        .filter_map(|exchange| exchange.expect.reason.as_deref())
        .collect();
    for code in codes {
        let exempt = EXEMPT.iter().find(|(name, _)| *name == code);
        match (exempt, refused.contains(code)) {
            (None, false) => panic!("no case is refused for `{code}`"),
            (Some((_, why)), true) => panic!("`{code}` has a case, though {why}"),
            _ => {}
        }
    }
}

#[test]
fn every_stage_has_a_case_in_either_mode() {
    let cases = Case::all();
    let concluded: BTreeSet<&str> = cases
        .iter()
        .flat_map(Case::exchanges)
        .flat_map(|exchange| &exchange.expect.stages)
        .map(|sentence| sentence.split(": ").next().unwrap())
        .collect();
    for stage in [
        "hygiene",
        "routing",
        "network",
        "availability",
        "lockout",
        "authorization",
        "quota",
        "anomaly",
        "masking",
    ] {
        for outcome in ["passed", "denied", "would_deny"] {
            let sentence = format!("{stage} {outcome}");
            assert!(
                concluded.contains(sentence.as_str()),
                "no case says `{sentence}`"
            );
        }
    }
    // It has no mode.
    assert!(!concluded.contains("authentication would_deny"));
}

/// The string literals in the body of a function.
fn literals<'a>(source: &'a str, function: &str) -> BTreeSet<&'a str> {
    let (_, body) = source.split_once(function).unwrap();
    let (body, _) = body.split_once("\n    }\n").unwrap();
    body.split('"').skip(1).step_by(2).collect()
}

/// Refusals that no request can bring about, and why.
const EXEMPT: [(&str, &str); 2] = [
    (
        "unexpected_event",
        "only a host that breaks its word sends such events: see properties",
    ),
    (
        "algorithm_unsupported",
        "pure Rust computes every algorithm that a policy may accept",
    ),
];
