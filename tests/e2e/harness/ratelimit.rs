//! The reference rate limit service (envoyproxy/ratelimit) and the Redis that it counts
//! in: real processes that can be killed and started again.
//!
//! They listen on Unix sockets in a directory of their own, so there is no port that
//! another could take while they are down. Gateways reach the service by a [`Wire`],
//! whose address stays.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::process::Process;
use super::wire::Wire;
use super::{eventually, fresh_directory, touch_log};

/// The service with its Redis.
pub(crate) struct RateLimit {
    /// The way to it: its address is what Envoy's cluster is given.
    pub(crate) wire: Wire,
    directory: PathBuf,
    redis: Mutex<Option<Process>>,
    service: Mutex<Option<Process>>,
}

impl RateLimit {
    /// Starts both with one of the service's configurations (YAML).
    pub(crate) async fn start(name: &str, configuration: &str) -> Self {
        let directory = fresh_directory(name);
        let limits = directory.join("runtime/ratelimit/config");
        fs::create_dir_all(&limits).unwrap();
        fs::write(limits.join("limits.yaml"), configuration).unwrap();
        let started = Self {
            wire: Wire::to(directory.join(SERVICE)).await,
            directory,
            redis: Mutex::default(),
            service: Mutex::default(),
        };
        started.start_redis().await;
        started.start_service().await;
        started
    }

    /// Kills Redis, which forgets all it counted.
    pub(crate) fn kill_redis(&self) {
        *self.redis.lock().unwrap() = None;
    }

    /// Starts Redis where it was, and waits until it answers.
    pub(crate) async fn start_redis(&self) {
        let socket = self.socket(REDIS);
        let mut command = Command::new(tool("redis-server"));
        command
            .args(["--port", "0", "--save", "", "--unixsocket"])
            .arg(&socket);
        *self.redis.lock().unwrap() = Some(Process::logged(&command, &self.log("redis.log")));
        let socket = &socket;
        eventually("Redis answers", || async move {
            let mut stream = UnixStream::connect(socket).await.ok()?;
            stream.write_all(b"PING\r\n").await.ok()?;
            let mut answer = [0; 7];
            stream.read_exact(&mut answer).await.ok()?;
            (&answer == b"+PONG\r\n").then_some(())
        })
        .await;
    }

    /// Kills the service.
    pub(crate) fn kill_service(&self) {
        *self.service.lock().unwrap() = None;
    }

    /// Starts the service where it was, and waits until it listens. It needs Redis.
    pub(crate) async fn start_service(&self) {
        let socket = self.socket(SERVICE);
        let mut command = Command::new(tool("ratelimit"));
        command
            .env("GRPC_UDS", &socket)
            .env("REDIS_SOCKET_TYPE", "unix")
            .env("REDIS_URL", self.directory.join(REDIS))
            .env("RUNTIME_ROOT", self.directory.join("runtime"))
            .env("RUNTIME_SUBDIRECTORY", "ratelimit")
            .env("RUNTIME_WATCH_ROOT", "false")
            // What it offers beside gRPC, which nobody here asks for.
            .envs([("HOST", "127.0.0.1"), ("DEBUG_HOST", "127.0.0.1")])
            .envs([("PORT", "0"), ("DEBUG_PORT", "0"), ("USE_STATSD", "false")])
            .env("DISABLE_STATS", "true");
        let mut process = Process::logged(&command, &self.log("service.log"));
        let socket = &socket;
        eventually("the rate limit service listens", || {
            if let Some(status) = process.ended() {
                panic!("the rate limit service ended with {status}");
            }
            async move { UnixStream::connect(socket).await.ok() }
        })
        .await;
        *self.service.lock().unwrap() = Some(process);
    }

    /// A socket whose last owner was killed stays as a file, and must not.
    fn socket(&self, name: &str) -> PathBuf {
        let path = self.directory.join(name);
        let _ = fs::remove_file(&path);
        path
    }

    fn log(&self, name: &str) -> PathBuf {
        let log = self.directory.join(name);
        touch_log(&log);
        log
    }
}

fn tool(name: &str) -> PathBuf {
    let tool = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("target/ratelimit-service")
        .join(name);
    assert!(
        tool.exists(),
        "{} is missing; run `scripts/setup`",
        tool.display()
    );
    tool
}

const REDIS: &str = "redis.socket";
const SERVICE: &str = "service.socket";
