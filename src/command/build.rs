//! `portcullis build`: one JSON document for Envoy out of a policy and an OpenAPI document.

use std::path::PathBuf;
use std::process::ExitCode;

use super::assemble::assemble;
use super::report;

/// Build Envoy's plugin configuration from a policy and its OpenAPI document.
///
/// OpenAPI, key files and model are put inline, so the result stands alone. It goes
/// into Envoy as the `configuration` of the Wasm filter (a
/// `google.protobuf.StringValue`), into Istio as `pluginConfig`, into Envoy Gateway
/// as `config`. Nothing is written when there is a problem; the exit code is then 2.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  portcullis build policy.yaml -o plugin.json")]
pub struct Build {
    /// The policy (YAML or JSON); the files it names are relative to it.
    policy: PathBuf,
    /// Where to write the configuration; standard output without it.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Runs the command.
pub fn run(args: &Build) -> ExitCode {
    let assembled = match assemble(&args.policy) {
        Ok(assembled) => assembled,
        Err(problems) => return report::refused(&args.policy, &problems, false),
    };
    let Some(output) = &args.output else {
        println!("{}", assembled.configuration);
        return ExitCode::SUCCESS;
    };
    if let Err(error) = report::write_whole(output, assembled.configuration.as_bytes()) {
        return report::fault(&format!(
            "`{}` cannot be written: {error}",
            output.display()
        ));
    }
    eprintln!(
        "wrote {} ({} operations, {} bytes, policy {})",
        output.display(),
        assembled.policy.operations.len(),
        assembled.configuration.len(),
        assembled.policy.fingerprint
    );
    ExitCode::SUCCESS
}
