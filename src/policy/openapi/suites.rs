//! Documents that others wrote: good, bad, hostile and huge. Each must compile or be
//! refused with problems that say where; none may panic or hang.

use super::{Options, compile, read};
use crate::policy::problem::Problem;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What became of one document.
struct Outcome {
    name: String,
    /// Whether it is OpenAPI 3: pieces of documents and Swagger lie between them.
    openapi: bool,
    /// How many operations it has, or why it was refused.
    result: Result<usize, Vec<Problem>>,
    seconds: f64,
}

#[test]
fn every_document_of_the_suites_compiles_or_is_refused_with_reasons() {
    let Some(suites) = suites() else {
        println!("skipped: neither `PORTCULLIS_SUITES` nor `../shared/suites` names the suites");
        return;
    };
    let mut outcomes = Vec::new();
    for suite in SUITES {
        for file in documents(&suites.join(suite)) {
            outcomes.extend(outcome(&suites, &file));
        }
    }
    assert!(!outcomes.is_empty(), "the suites hold no document");
    let compiled = outcomes.iter().filter(|one| one.result.is_ok()).count();
    for one in &outcomes {
        match &one.result {
            Ok(operations) => {
                println!("{:.2} s {}: {operations} operations", one.seconds, one.name)
            }
            Err(problems) => {
                println!("{:.2} s {}: refused", one.seconds, one.name);
                assert!(
                    !problems.is_empty(),
                    "{} refused without a reason",
                    one.name
                );
                for problem in problems.iter().take(3) {
                    println!("    {problem}");
                    assert!(problem.path.starts_with("openapi"), "{problem}");
                    assert!(!problem.message.is_empty() && !problem.hint.is_empty());
                }
            }
        }
    }
    println!("{compiled} of {} documents compiled", outcomes.len());
    let passing = outcomes
        .iter()
        .filter(|one| one.openapi && one.name.contains("/pass/"));
    let wrong: Vec<String> = passing
        .filter_map(|one| {
            let problems = one.result.as_ref().err()?;
            let known = KNOWN.iter().any(|(name, told)| {
                one.name.ends_with(name) && problems.iter().any(|p| p.to_string().contains(told))
            });
            (!known).then(|| format!("{}: {}", one.name, problems[0]))
        })
        .collect();
    assert!(
        wrong.is_empty(),
        "good documents were refused:\n{}",
        wrong.join("\n")
    );
}

/// Where the suites are, if they are anywhere.
fn suites() -> Option<PathBuf> {
    let named = std::env::var_os("PORTCULLIS_SUITES").map(PathBuf::from);
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/suites");
    named.or(Some(beside)).filter(|path| path.is_dir())
}

fn documents(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|ending| {
                ["json", "yaml", "yml", "oas3", "xz"]
                    .iter()
                    .any(|e| ending == *e)
            }) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Reads and compiles one file; nothing if it cannot be unpacked.
#[expect(clippy::disallowed_methods, reason = "a measurement needs a clock")]
fn outcome(suites: &Path, file: &Path) -> Option<Outcome> {
    let bytes = if file.extension().is_some_and(|ending| ending == "xz") {
        Command::new("xz")
            .arg("-dc")
            .arg(file)
            .output()
            .ok()?
            .stdout
    } else {
        std::fs::read(file).ok()?
    };
    let text = String::from_utf8_lossy(&bytes);
    let start = std::time::Instant::now();
    let mut openapi = false;
    let result = read(&text).and_then(|mut document| {
        openapi = document["openapi"].is_string();
        ask_for_bearer_tokens(&mut document);
        compile(&document, &Options::default()).map(|api| api.operations.len())
    });
    Some(Outcome {
        name: file
            .strip_prefix(suites)
            .unwrap_or(file)
            .display()
            .to_string(),
        openapi,
        result,
        seconds: start.elapsed().as_secs_f64(),
    })
}

/// Many documents say nothing of security, or ask for credentials that the gateway
/// does not verify. Both are refused, are not in question here, and must not hide the
/// rest.
fn ask_for_bearer_tokens(document: &mut Value) {
    if let Some(members) = document.as_object_mut() {
        members.entry("security").or_insert_with(|| json!([]));
    }
    let schemes = document.pointer_mut("/components/securitySchemes");
    for scheme in schemes
        .and_then(Value::as_object_mut)
        .into_iter()
        .flat_map(|schemes| schemes.values_mut())
    {
        if scheme
            .get("type")
            .is_some_and(|kind| kind == "apiKey" || kind == "http" || kind == "mutualTLS")
        {
            *scheme = json!({"type": "http", "scheme": "bearer"});
        }
    }
}

const SUITES: [&str; 4] = [
    "openapi-oai-examples",
    "openapi-readme-examples",
    "openapi-mermade-passfail",
    "openapi-real-a",
];

/// Documents meant to pass that do not here, and why.
const KNOWN: [(&str, &str); 2] = [
    (
        "pass/externalPathItemRef.yaml",
        "points outside the document",
    ),
    // A plus sign is no space in a URI fragment (RFC 3986 §2.2).
    ("pass/fiendish/ref-encoding3.yaml", "has no `with+space`"),
];
