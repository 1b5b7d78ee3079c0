//! `portcullis check`: every problem at once, and nothing written.

use std::path::PathBuf;
use std::process::ExitCode;

use super::assemble::assemble;
use super::report;

/// Check a policy, its OpenAPI document, keys and model, and report every problem.
///
/// Each line names the place, what is wrong and how to mend it; the filter says the
/// same words. A configuration that `build` wrote can be checked as well. The exit
/// code is 0 when Envoy would take the policy, and 2 when it would not.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  portcullis check policy.yaml\n  portcullis check --json plugin.json"
)]
pub struct Check {
    /// The policy, or a configuration that was built from one.
    policy: PathBuf,
    /// Print problems as JSON on standard output.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(args: &Check) -> ExitCode {
    let policy = match assemble(&args.policy) {
        Ok(assembled) => assembled.policy,
        Err(problems) => return report::refused(&args.policy, &problems, args.json),
    };
    if args.json {
        println!(
            "{}",
            serde_json::json!({"problems": [], "policy": policy.fingerprint, "operations": policy.operations.len()})
        );
        return ExitCode::SUCCESS;
    }
    let public = policy
        .operations
        .iter()
        .filter(|operation| operation.access.public)
        .count();
    println!(
        "{} is good (policy {})",
        args.policy.display(),
        policy.fingerprint
    );
    println!(
        "  {} operations, {public} of them public",
        policy.operations.len()
    );
    println!(
        "  {} issuers, {} classifications, {} quota plans",
        policy.issuers.len(),
        policy.clearances.names.len(),
        policy.quotas.plans.len()
    );
    if !policy.quotas.plans.is_empty() {
        let size = policy.quotas.size;
        println!(
            "  {} slots to count in, at most {:.1} MiB of memory",
            size.slots,
            size.bytes() as f64 / f64::from(1 << 20)
        );
    }
    ExitCode::SUCCESS
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::assemble;

    /// The policies under `envoy/` that stand on their own; the demo's needs the keys
    /// that the demo makes.
    #[test]
    fn the_examples_are_good() {
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("envoy");
        for name in ["docker", "mtls"] {
            let policy = examples.join(name).join("policy.yaml");
            if let Err(problems) = assemble(&policy) {
                panic!("{}: {problems:#?}", policy.display());
            }
        }
    }
}
