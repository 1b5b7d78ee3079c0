//! Child processes that cannot outlive the tests.
//!
//! A `Drop` is not enough: gateways shared by many tests live in statics, which are
//! never dropped, and a test run can be killed. So each child is tied to a pipe that
//! only this process holds: when the pipe closes, for whatever reason, it dies.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

/// A child process that dies with this value and with this process.
pub(crate) struct Process(Child);

impl Process {
    /// Starts a program that exits by itself when its standard input closes.
    pub(crate) fn spawn(mut command: Command) -> Self {
        Self(
            command
                .stdin(Stdio::piped())
                .spawn()
                .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}")),
        )
    }

    /// Starts a program that does not care about its standard input, on a leash.
    pub(crate) fn leashed(program: &Command) -> Self {
        Self::on_leash(program, Stdio::null(), Stdio::inherit())
    }

    /// The same for a program that logs to its output, which is added to this file.
    pub(crate) fn logged(program: &Command, log: &Path) -> Self {
        let mut options = File::options();
        let file = options.create(true).append(true).open(log).unwrap();
        let output = file.try_clone().unwrap();
        Self::on_leash(program, output.into(), file.into())
    }

    fn on_leash(program: &Command, stdout: Stdio, stderr: Stdio) -> Self {
        let mut leash = Command::new("sh");
        leash
            .args(["-c", LEASH, "leash"])
            .arg(program.get_program())
            .args(program.get_args())
            .stdout(stdout)
            .stderr(stderr);
        for (name, value) in program.get_envs() {
            if let Some(value) = value {
                leash.env(name, value);
            }
        }
        Self::spawn(leash)
    }

    /// The child itself, for its standard output.
    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.0
    }

    /// Its resident memory, in bytes.
    pub(crate) fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id()));
        let status = status.expect("the state of a child process");
        let mut lines = status.lines();
        let rest = lines.find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = rest.and_then(|rest| rest.trim().strip_suffix("kB"));
        let kib: u64 = kib.expect("`VmRSS`").trim().parse().expect("a number");
        kib * 1024
    }

    /// How the process ended, if it has ended.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().expect("the state of a child process")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// The program takes over the shell's process; what stays behind is a watcher that
/// reads the pipe and kills it at its end.
const LEASH: &str = r#"
exec 3<&0
( read -r _ <&3; kill -KILL $$ ) >/dev/null 2>&1 &
exec "$@" </dev/null 3<&-
"#;
