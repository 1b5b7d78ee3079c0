//! The reference rate limit service (envoyproxy/ratelimit) and the Redis that it counts
//! in, on sockets in the run's own folder.

use std::fs::{self, File};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::Result;
use crate::clock::now;
use crate::workshop::root;

/// Both, running; dropped, they are killed.
pub(crate) struct RateLimit {
    /// Where the service listens for gRPC.
    pub(crate) socket: PathBuf,
    processes: Vec<Child>,
}

impl RateLimit {
    /// Starts both under configurations of the service's, one a domain.
    ///
    /// # Errors
    /// If they are not there, or do not listen within 10 s.
    pub(crate) fn start(room: &Path, domains: &[Value]) -> Result<Self> {
        let limits = room.join("runtime/bench/config");
        fs::create_dir_all(&limits)?;
        for (number, domain) in domains.iter().enumerate() {
            fs::write(limits.join(format!("{number}.yaml")), domain.to_string())?;
        }
        let (redis, socket) = (room.join("redis.socket"), room.join("ratelimit.socket"));
        let mut started = Self {
            socket,
            processes: vec![],
        };
        let mut command = tool("redis-server")?;
        command.args(["--port", "0", "--save", "", "--unixsocket"]);
        command.arg(&redis);
        started.run(&mut command, &room.join("redis.log"), &redis)?;
        let mut command = tool("ratelimit")?;
        command
            .env("GRPC_UDS", &started.socket)
            .env("REDIS_SOCKET_TYPE", "unix")
            .env("REDIS_URL", &redis)
            .env("RUNTIME_ROOT", room.join("runtime"))
            .env("RUNTIME_SUBDIRECTORY", "bench")
            .env("RUNTIME_WATCH_ROOT", "false")
            .envs([("HOST", "127.0.0.1"), ("DEBUG_HOST", "127.0.0.1")])
            .envs([("PORT", "0"), ("DEBUG_PORT", "0")])
            .envs([("USE_STATSD", "false"), ("DISABLE_STATS", "true")]);
        let socket = started.socket.clone();
        started.run(&mut command, &room.join("ratelimit.log"), &socket)?;
        Ok(started)
    }

    /// Starts one of them and waits until it listens.
    fn run(&mut self, command: &mut Command, log: &Path, socket: &Path) -> Result<()> {
        let output = File::create(log)?;
        command.stdout(output.try_clone()?).stderr(output);
        self.processes.push(command.stdin(Stdio::null()).spawn()?);
        let deadline = now() + Duration::from_secs(10);
        while UnixStream::connect(socket).is_err() {
            if now() > deadline {
                let log = fs::read_to_string(log).unwrap_or_default();
                return Err(format!("nobody listens on `{}`: {log}", socket.display()).into());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for RateLimit {
    fn drop(&mut self) {
        for process in &mut self.processes {
            // Nothing is to be done if it is gone already.
            drop(process.kill());
            drop(process.wait());
        }
    }
}

/// However the bench ends, they end with it (prctl(2), PR_SET_PDEATHSIG).
fn tool(name: &str) -> Result<Command> {
    let path = root().join("target/ratelimit-service").join(name);
    if !path.is_file() {
        let path = path.display();
        return Err(format!("no `{path}`: run `scripts/setup` first").into());
    }
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(path);
    Ok(command)
}
