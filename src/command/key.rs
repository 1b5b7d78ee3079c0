//! `portcullis key`: API keys, of which the policy gets the hash.
//!
//! A key that a person thinks up can be guessed, and a fast hash of it would not help.
//! So keys are made here, of 256 random bits, and shown once: to standard output for
//! whoever is to have it, with what the policy is to hold on standard error.

use std::io::Read as _;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::report;
use crate::api_key::{Hash, Name, RANDOM_BYTES, render};
use crate::time::rfc3339;

/// Make an API key, or hash one, for a policy that holds only hashes.
#[derive(Debug, Args)]
pub struct Key {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    New(New),
    /// Hash a key that somebody else made, from standard input; a line end is no part of it
    Hash,
}

/// Make a key: it goes to standard output, once, and its entry for the policy to standard error
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  portcullis key new --id north-sea\n  portcullis key new --id north-sea --expires 2027-12-31 > key.txt"
)]
struct New {
    /// A name for logs and the policy: lower-case letters, digits and hyphens
    #[arg(long, value_parser = name)]
    id: Name,

    /// What the key begins with, for scanners that look for keys where none belong
    #[arg(long, default_value = "pk", value_parser = name)]
    prefix: Name,

    /// It is good until just before then: 2027-12-31, or 2027-12-31T17:30:00Z
    #[arg(long, value_name = "DATE", value_parser = date)]
    expires: Option<String>,
}

/// Runs the command.
pub fn run(args: &Key) -> ExitCode {
    match &args.action {
        Action::New(new) => make(new),
        Action::Hash => hash(),
    }
}

fn make(new: &New) -> ExitCode {
    let mut random = [0; RANDOM_BYTES];
    if let Err(error) = getrandom::fill(&mut random) {
        return report::fault(&format!("the system has no randomness to give: {error}"));
    }
    // It fails about as often as a coin falls on its edge all year.
    let Some(key) = render(&new.prefix, &new.id, &random) else {
        return report::fault("the random bytes made no key; try again");
    };
    println!("{key}");
    eprint!("{}", entry(new, &Hash::of(key.as_bytes())));
    ExitCode::SUCCESS
}

/// The key's entry in a policy. The hash stands in quotes: digits alone would be a
/// number to YAML.
fn entry(new: &New, hash: &Hash) -> String {
    let expires = new.expires.as_ref();
    let expires = expires.map_or_else(String::new, |date| format!(", expires: {date}"));
    format!(
        "# A new key takes this whole entry below a set of `api_keys`; a key that changes\n\
         # its secret takes the last line, beside the one it has.\n\
         - id: {}\n  secrets:\n    - {{ sha256: \"{hash}\"{expires} }}\n",
        new.id.as_str()
    )
}

fn hash() -> ExitCode {
    let mut key = Vec::new();
    if let Err(error) = std::io::stdin().lock().read_to_end(&mut key) {
        return report::fault(&format!("standard input cannot be read: {error}"));
    }
    let key = key.trim_ascii();
    if key.is_empty() {
        return report::bad_input("there is no key on standard input");
    }
    println!("{}", Hash::of(key));
    ExitCode::SUCCESS
}

fn name(text: &str) -> Result<Name, String> {
    Name::parse(text).ok_or_else(|| {
        "write lower-case letters, digits and inner hyphens, at most 64 of them".to_owned()
    })
}

fn date(text: &str) -> Result<String, String> {
    rfc3339::parse(text)
        .map(|_| text.to_owned())
        .ok_or_else(|| "write it like `2027-12-31` or `2027-12-31T17:30:00Z`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_entry_is_what_a_policy_takes() {
        let new = New {
            id: Name::parse("north-sea").unwrap(),
            prefix: Name::parse("pk").unwrap(),
            expires: Some("2027-12-31".into()),
        };
        let hash = Hash::of(b"k");
        let read = crate::policy::openapi::read(&entry(&new, &hash)).unwrap();
        let keys: Vec<crate::policy::source::ApiKey> = serde_json::from_value(read).unwrap();
        assert_eq!(keys[0].id, "north-sea");
        assert_eq!(Hash::parse(&keys[0].secrets[0].sha256), Some(hash));
        assert_eq!(keys[0].secrets[0].expires.as_deref(), Some("2027-12-31"));
    }
}
