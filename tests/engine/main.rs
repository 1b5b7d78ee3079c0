//! Every case of `tests/cases` through the pure engine.
//!
//! Here a case has what Envoy cannot give it: a clock that jumps, an address, keys
//! of a given age, a store that others always write to first. `tests/e2e/cases.rs`
//! runs the same files through the module in a real Envoy.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test meets the unexpected by failing"
)]

#[path = "../cases/case.rs"]
mod case;
#[path = "../cases/model.rs"]
mod model;
#[path = "../cases/outcome.rs"]
mod outcome;
#[path = "../cases/proof.rs"]
mod proof;
#[path = "../cases/token.rs"]
mod token;

mod coverage;
mod replay;

use case::Case;
use replay::Replay;

#[test]
fn every_case_ends_as_it_must() {
    let folder = tempfile::tempdir().unwrap();
    let replay = Replay::new(folder.path());
    let cases = Case::all();
    let mut failures = Vec::new();
    for case in &cases {
        let differences = replay.run(case);
        if !differences.is_empty() {
            failures.push(format!(
                "tests/cases/{}.yaml: {}\n  {}",
                case.name,
                case.why,
                differences.join("\n  ")
            ));
        }
    }
    println!("{} cases through the engine", cases.len());
    assert!(
        failures.is_empty(),
        "{} of {} cases fail\n{}",
        failures.len(),
        cases.len(),
        failures.join("\n")
    );
}

#[test]
fn a_case_that_envoy_cannot_run_says_so() {
    for case in Case::all() {
        if let Some(obstacle) = case.obstacle() {
            assert!(
                case.skipped().is_some(),
                "tests/cases/{}.yaml needs {obstacle}, which a real Envoy does not give; \
                 add `envoy: {{ skip: why }}`",
                case.name
            );
        }
    }
}
