//! The command `portcullis`: arguments to command to exit code.

use std::process::ExitCode;

use clap::Parser;
use portcullis::command::{self, Arguments};

fn main() -> ExitCode {
    command::run(&Arguments::parse())
}
