//! Starts the parts of a deployment on free ports and takes them down again.
//!
//! Everything runs on one runtime that outlives the tests, so that a gateway can
//! be shared by the cases of a theme. Nothing here sleeps for a guessed time:
//! what has an event is awaited, what has none is asked again until a deadline.

mod bootstrap;
mod client;
mod gateway;
mod idp;
mod load;
mod process;
mod proxy;
mod ratelimit;
pub(crate) mod raw;
mod upstream;
mod wire;

use std::cell::RefCell;
use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::runtime::Runtime;

pub(crate) use client::{Answer, Ask, Http2};
pub(crate) use gateway::{Gateway, Setup, Tls, Update, service_configuration};
pub(crate) use idp::{Idp, Mode};
pub(crate) use load::{Load, Pace, Sample};
pub(crate) use proxy::{Certificates, Door, Proxy};
pub(crate) use ratelimit::RateLimit;
pub(crate) use upstream::{Gate, Reply, Upstream};
pub(crate) use wire::Condition;

/// How long anything may take before a test calls it stuck. Generous: the machine
/// may be busy, and a test that passes never waits for it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Runs one test on the shared runtime. When it fails, the end of the log of every
/// Envoy it spoke to follows the panic message.
pub(crate) fn run<F: Future>(test: F) -> F::Output {
    run_within(PATIENCE * 4, test)
}

/// The same for a test that takes long because it does much.
pub(crate) fn run_within<F: Future>(patience: Duration, test: F) -> F::Output {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    let _logs = ShowLogs;
    RUNTIME
        .get_or_init(|| Runtime::new().expect("a tokio runtime"))
        .block_on(async {
            tokio::time::timeout(patience, test)
                .await
                .expect("the test came to no end")
        })
}

/// Asks until there is an answer, for what offers no event to wait for.
///
/// # Panics
/// After [`PATIENCE`], saying `what` did not happen.
pub(crate) async fn eventually<T, F>(what: &str, mut ask: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let deadline = Instant::now() + PATIENCE;
    let mut pause = Duration::from_millis(2);
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

/// Seconds since 1970, for the times in a token.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("a clock after 1970").as_secs()
}

/// A fresh directory of this run, under `target/tmp/e2e`. It stays until the next
/// run, so that the logs of a failure can be read; runs that ended are removed.
fn fresh_directory(name: &str) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("e2e");
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    if number == 0 {
        remove_ended_runs(&root);
    }
    let directory = root
        .join(std::process::id().to_string())
        .join(format!("{number}-{name}"));
    fs::create_dir_all(&directory).expect("a directory for the run");
    directory
}

fn remove_ended_runs(root: &Path) {
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        if !Path::new("/proc").join(entry.file_name()).exists() {
            // A run that ends at this very moment may lose the race: no matter.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

thread_local! {
    static LOGS: RefCell<Vec<PathBuf>> = const { RefCell::new(Vec::new()) };
}

/// Notes that the test on this thread depends on the process that writes this log.
fn touch_log(log: &Path) {
    LOGS.with_borrow_mut(|logs| {
        if !logs.iter().any(|known| known == log) {
            logs.push(log.to_owned());
        }
    });
}

struct ShowLogs;

impl Drop for ShowLogs {
    fn drop(&mut self) {
        for log in LOGS.take() {
            if std::thread::panicking() {
                eprintln!("--- the end of {}:\n{}", log.display(), tail(&log, 40));
            }
        }
    }
}

fn tail(file: &Path, lines: usize) -> String {
    let text = fs::read(file).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let from = text.lines().count().saturating_sub(lines);
    text.lines().skip(from).collect::<Vec<_>>().join("\n")
}
