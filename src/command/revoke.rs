//! `portcullis revoke`: the list by which tokens are taken back.
//!
//! The file is what the gateway fetches, so it is replaced as a whole: whoever serves it
//! never serves half of one.

use std::fs;
use std::io::BufRead as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, ValueEnum};

use super::report;
use crate::revocation::Mark;
use crate::revocation::bloom::Bloom;
use crate::revocation::document::{self, Document, Filter, MAX_DOCUMENT_BYTES, Section};

/// Take tokens back: make a revocation list, or add to one
///
/// One token, all of a user's, and all of a client's that were issued before now:
///
///   portcullis revoke revoked.json --jti f0e1d2
///   portcullis revoke revoked.json --sub alice
///   portcullis revoke revoked.json --client-id app --issued-before now
///
/// A million tokens from a database, as a Bloom filter that calls one good token in a
/// million revoked:
///
///   portcullis revoke revoked.json --stdin jti --bloom --false-positives 1e-6 < ids.txt
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct Revoke {
    /// The list; it is made if it is not there
    list: PathBuf,

    /// Revoke the token with this `jti`; may be repeated
    #[arg(long, value_name = "ID")]
    jti: Vec<String>,

    /// Revoke the tokens of this subject; may be repeated
    #[arg(long, value_name = "ID")]
    sub: Vec<String>,

    /// Revoke the tokens of this client; may be repeated
    #[arg(long, value_name = "ID")]
    client_id: Vec<String>,

    /// Read more ids of this kind from standard input, one a line
    #[arg(long, value_name = "KIND")]
    stdin: Option<Kind>,

    /// Revoke only what was issued before: `now`, or seconds since 1970. With neither
    /// `--sub` nor `--client-id` it is about everybody's tokens
    #[arg(long, value_name = "TIME", value_parser = time)]
    issued_before: Option<u64>,

    /// Put the ids into a Bloom filter, whose size does not depend on theirs
    #[arg(long, conflicts_with = "issued_before")]
    bloom: bool,

    /// How often the filter may call a good token revoked
    #[arg(long, value_name = "RATE", default_value = "1e-6", requires = "bloom", value_parser = rate)]
    false_positives: f64,

    /// How many ids a new filter is to have room for. Default: twice those given
    #[arg(long, value_name = "COUNT", requires = "bloom")]
    capacity: Option<u64>,
}

/// What an id names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// A token
    Jti,
    /// A subject
    Sub,
    /// A client
    ClientId,
}

/// Does what the arguments say. Exit code 2 if they, or the list, are no good.
pub fn run(arguments: &Revoke) -> ExitCode {
    let mut ids = Vec::new();
    if arguments.stdin.is_some() {
        for line in std::io::stdin().lock().lines() {
            match line {
                Ok(line) => ids.push(line.trim().to_owned()),
                Err(error) => {
                    return report::bad_input(&format!("standard input cannot be read: {error}"));
                }
            }
        }
    }
    let list = match fs::read(&arguments.list) {
        Ok(text) => document::read(&text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Document::default()),
        Err(error) => Err(format!("cannot be read: {error}")),
    };
    let at = arguments.list.display();
    let (text, said) = match list.and_then(|list| extend(list, arguments, ids)) {
        Ok(extended) => extended,
        Err(message) => return report::bad_input(&format!("`{at}`: {message}")),
    };
    if let Err(error) = report::write_whole(&arguments.list, text.as_bytes()) {
        return report::fault(&format!("`{at}` cannot be written: {error}"));
    }
    eprintln!("{at}: {} bytes", text.len());
    for line in said {
        eprintln!("  {line}");
    }
    ExitCode::SUCCESS
}

/// The list with what the arguments add to it, as text, and what to say about it.
fn extend(
    mut list: Document,
    arguments: &Revoke,
    from_stdin: Vec<String>,
) -> Result<(String, Vec<String>), String> {
    let mut named = [
        (Kind::Jti, "jti", arguments.jti.clone()),
        (Kind::Sub, "sub", arguments.sub.clone()),
        (Kind::ClientId, "client_id", arguments.client_id.clone()),
    ];
    for (kind, _, ids) in &mut named {
        if arguments.stdin == Some(*kind) {
            ids.extend(from_stdin.iter().cloned());
        }
        ids.retain(|id| !id.is_empty());
    }
    let everybody = named.iter().all(|(.., ids)| ids.is_empty());
    match arguments.issued_before {
        None if everybody => {
            return Err("nothing is to be revoked; name ids, or `--issued-before`".into());
        }
        Some(time) if everybody => later(list.issued_before.get_or_insert(time), time),
        Some(_) if !named[0].2.is_empty() => {
            return Err("a `jti` is one token; revoke it without `--issued-before`".into());
        }
        _ => {}
    }
    let mut said = Vec::new();
    for (kind, name, ids) in named {
        let section = match kind {
            Kind::Jti => &mut list.jti,
            Kind::Sub => &mut list.sub,
            Kind::ClientId => &mut list.client_id,
        };
        match arguments.issued_before {
            Some(time) => {
                for id in ids {
                    later(section.issued_before.entry(id).or_insert(time), time);
                }
            }
            None if arguments.bloom && !ids.is_empty() => filter(section, name, &ids, arguments)?,
            None => section.listed.extend(ids),
        }
        said.extend(summary(section, name)?);
    }
    if let Some(time) = list.issued_before {
        said.push(format!("everything that was issued before {time}"));
    }
    let text = serde_json::to_string(&list).map_err(|error| error.to_string())?;
    if text.len() > MAX_DOCUMENT_BYTES {
        return Err(format!(
            "would have {} bytes, and gateways read {MAX_DOCUMENT_BYTES} at most; use `--bloom`",
            text.len()
        ));
    }
    Ok((text, said))
}

/// Puts the ids into the section's filter, or into a new one.
fn filter(
    section: &mut Section,
    name: &str,
    ids: &[String],
    arguments: &Revoke,
) -> Result<(), String> {
    let mut filter = match &section.filter {
        Some(written) => written.filter(name)?,
        None => {
            let given = ids.len() as u64;
            let room = arguments.capacity.unwrap_or(given * 2).max(given);
            Bloom::sized(room, arguments.false_positives)
        }
    };
    for id in ids {
        let mark = Mark::of(id);
        if !filter.contains(mark) {
            filter.insert(mark);
        }
    }
    if filter.rate() > arguments.false_positives * TOLERANCE {
        return Err(format!(
            "with {} ids the filter of `{name}` would be wrong at a rate of {:.1e}; \
             make the list anew from all ids, with a greater `--capacity`",
            filter.entries(),
            filter.rate()
        ));
    }
    section.filter = Some(Filter::from(&filter));
    Ok(())
}

fn summary(section: &Section, name: &str) -> Result<Vec<String>, String> {
    let mut said = Vec::new();
    if !section.listed.is_empty() {
        said.push(format!("{name}: {} listed", section.listed.len()));
    }
    if let Some(written) = &section.filter {
        let filter = written.filter(name)?;
        said.push(format!(
            "{name}: {} in a filter of {} bytes, {} hashes, false positives {:.1e}",
            filter.entries(),
            filter.bits().len(),
            filter.hashes(),
            filter.rate()
        ));
    }
    if !section.issued_before.is_empty() {
        let count = section.issued_before.len();
        said.push(format!("{name}: {count} by the time of issue"));
    }
    Ok(said)
}

fn later(known: &mut u64, time: u64) {
    *known = time.max(*known);
}

fn time(text: &str) -> Result<u64, String> {
    if text == "now" {
        #[expect(
            clippy::disallowed_methods,
            reason = "a command runs once, now; only the filter must be replayable"
        )]
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        return now
            .map(|since| since.as_secs())
            .map_err(|_| "the system clock stands before 1970".to_owned());
    }
    text.parse()
        .map_err(|_| "write `now`, or seconds since 1970".to_owned())
}

fn rate(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|rate| (1e-12..=0.1).contains(rate))
        .ok_or_else(|| "write a rate from 1e-12 to 0.1, such as `1e-6`".to_owned())
}

/// A filter of whole bytes and hashes is not exactly as good as the formula.
const TOLERANCE: f64 = 1.05;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::revocation::{Marks, Revoked};
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        revoke: Revoke,
    }

    fn revoke(list: Document, words: &[&str], stdin: &[&str]) -> Result<Document, String> {
        let line = ["revoke", "list.json"].iter().chain(words);
        let arguments = Line::try_parse_from(line).unwrap().revoke;
        let ids = stdin.iter().map(ToString::to_string).collect();
        let (text, _) = extend(list, &arguments, ids)?;
        document::read(text.as_bytes())
    }

    fn fate(list: &Document, id: &str, subject: &str, issued_at: u64) -> Option<Revoked> {
        let text = serde_json::to_vec(list).unwrap();
        let marks = Marks {
            id: Some(Mark::of(id)),
            subject: Some(Mark::of(subject)),
            issued_at: Some(issued_at),
            ..Marks::default()
        };
        document::parse(&text).unwrap().covers(&marks)
    }

    #[test]
    fn a_list_grows() {
        let list = revoke(Document::default(), &["--jti", "t1"], &[]).unwrap();
        let list = revoke(list, &["--stdin", "sub"], &["alice", "", "bob"]).unwrap();
        assert_eq!(fate(&list, "t1", "x", 5), Some(Revoked::Id));
        assert_eq!(fate(&list, "t2", "bob", 5), Some(Revoked::Subject));
        assert_eq!(fate(&list, "t2", "x", 5), None);
    }

    #[test]
    fn a_time_is_for_those_who_are_named_or_for_everybody_and_never_goes_back() {
        let words = ["--sub", "alice", "--issued-before", "10"];
        let list = revoke(Document::default(), &words, &[]).unwrap();
        assert_eq!(list.issued_before, None);
        assert_eq!(fate(&list, "t", "alice", 9), Some(Revoked::IssuedBefore));
        let list = revoke(list, &["--issued-before", "8"], &[]).unwrap();
        let list = revoke(list, &["--issued-before", "7"], &[]).unwrap();
        assert_eq!(fate(&list, "t", "bob", 7), Some(Revoked::IssuedBefore));
        assert_eq!(fate(&list, "t", "bob", 8), None);
    }

    #[test]
    fn a_filter_takes_more_until_it_would_be_wrong_too_often() {
        let ids: Vec<String> = (0..3_000).map(|id| format!("t{id}")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let words = ["--stdin", "jti", "--bloom", "--false-positives", "1e-3"];
        let list = revoke(Document::default(), &words, &ids[..1_000]).unwrap();
        let list = revoke(list, &words, &ids[..2_000]).unwrap();
        assert_eq!(list.jti.filter.as_ref().unwrap().entries, 2_000);
        assert_eq!(fate(&list, "t1999", "x", 5), Some(Revoked::Id));
        let full = revoke(list, &words, &ids).unwrap_err();
        assert!(full.contains("--capacity"), "{full}");
    }

    #[test]
    fn what_revokes_nothing_or_the_wrong_thing_is_refused() {
        assert!(revoke(Document::default(), &[], &[]).is_err());
        let words = ["--jti", "t1", "--issued-before", "10"];
        assert!(revoke(Document::default(), &words, &[]).is_err());
    }
}
