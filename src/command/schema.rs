//! `portcullis schema`: the JSON Schema of `policy.yaml`, made from the types that read it.

use std::process::ExitCode;

use crate::policy::source::Source;

/// Print the JSON Schema of `policy.yaml`, with which editors complete and check it.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example (first line of policy.yaml, for the YAML language server):\n  # yaml-language-server: $schema=policy.schema.json"
)]
pub struct Schema {}

/// Runs the command.
pub fn run(_: &Schema) -> ExitCode {
    println!("{}", generate());
    ExitCode::SUCCESS
}

/// The schema's text, as the repository keeps it in `policy.schema.json`.
pub fn generate() -> String {
    let mut schema = schemars::schema_for!(Source);
    schema.insert("title".into(), "Portcullis policy".into());
    serde_json::to_string_pretty(&schema).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::structure::SCHEMA;

    #[test]
    fn the_kept_schema_is_the_generated_one() {
        assert_eq!(
            SCHEMA.trim_end(),
            generate(),
            "policy.schema.json is out of date: run `portcullis schema > policy.schema.json`"
        );
    }
}
