//! The command `portcullis`: one file a subcommand.
//!
//! Exit codes: 0 done; 1 something outside the input failed; 2 bad input, with every
//! problem listed; 3 `explain` found that the request is refused.

pub mod assemble;
pub mod build;
pub mod check;
pub mod explain;
pub mod jwks;
pub mod key;
pub mod metadata;
pub mod ratelimit;
pub mod report;
pub mod revoke;
pub mod schema;
pub mod token;
pub mod train;

use std::process::ExitCode;

/// Build, check, train and explain a secure API gateway inside Envoy.
///
/// One OpenAPI document and one short policy become the configuration of a Wasm
/// filter, which decides about every exchange and leaves its reasons.
#[derive(Debug, clap::Parser)]
#[command(name = "portcullis", version, propagate_version = true)]
#[command(after_help = "Exit codes: 0 done, 1 failed, 2 bad input, 3 refused (explain).")]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Build(build::Build),
    Check(check::Check),
    Explain(explain::Explain),
    Jwks(jwks::Jwks),
    Metadata(metadata::Metadata),
    Ratelimit(ratelimit::Ratelimit),
    Train(train::Train),
    Token(token::Token),
    Key(key::Key),
    Revoke(revoke::Revoke),
    Schema(schema::Schema),
}

/// Runs the subcommand.
pub fn run(arguments: &Arguments) -> ExitCode {
    match &arguments.command {
        Command::Build(args) => build::run(args),
        Command::Check(args) => check::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Jwks(args) => jwks::run(args),
        Command::Metadata(args) => metadata::run(args),
        Command::Ratelimit(args) => ratelimit::run(args),
        Command::Train(args) => train::run(args),
        Command::Token(args) => token::run(args),
        Command::Key(args) => key::run(args),
        Command::Revoke(args) => revoke::run(args),
        Command::Schema(args) => schema::run(args),
    }
}
