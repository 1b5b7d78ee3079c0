//! How the command speaks: problems to standard error, a fixed exit code for each end.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use serde_json::json;

use crate::policy::problem::Problem;

/// Lists every problem; exit code 2. With `json` they go to standard output for
/// programs to read.
pub fn refused(file: &Path, problems: &[Problem], json: bool) -> ExitCode {
    if json {
        let list: Vec<_> = problems
            .iter()
            .map(|problem| json!({"path": problem.path, "message": problem.message, "hint": problem.hint}))
            .collect();
        println!("{}", json!({ "problems": list }));
    } else {
        let plural = if problems.len() == 1 { "" } else { "s" };
        eprintln!(
            "{} is refused; {} problem{plural}",
            file.display(),
            problems.len()
        );
        for problem in problems {
            eprintln!("  {problem}");
        }
    }
    ExitCode::from(2)
}

/// Something outside the policy went wrong; exit code 1.
pub fn fault(message: &str) -> ExitCode {
    eprintln!("portcullis: {message}");
    ExitCode::FAILURE
}

/// Bad input that is no policy; exit code 2.
pub fn bad_input(message: &str) -> ExitCode {
    eprintln!("portcullis: {message}");
    ExitCode::from(2)
}

/// Writes a file as a whole: whoever reads it sees the old or the new content.
///
/// # Errors
/// As the file system says; the old content is then still there.
pub fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::other("it names no file"))?;
    let mut beside = OsString::from(".");
    beside.push(name);
    beside.push(format!(".{}.tmp", std::process::id()));
    let beside = path.with_file_name(beside);
    let written = fs::File::create(&beside)
        .and_then(|mut file| {
            file.write_all(content)?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // The first error is the one to tell; a left-over file is the lesser evil.
        let _ = fs::remove_file(&beside);
    }
    written
}
