//! One Envoy process with one worker, started once and kept for the whole run.
//!
//! Its CPU time and its memory are read from `/proc`: on a noisy machine the CPU
//! time a request costs is steadier than the requests a second that come of it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{io, thread};

use serde_json::{Value, json};

use crate::Result;
use crate::clock::now;
use crate::contestant::Gateway;
use crate::http::{Connection, request};

/// A running Envoy; dropped, it is killed.
pub(crate) struct Envoy {
    process: Child,
    /// The port of its one listener.
    pub(crate) port: u16,
}

impl Envoy {
    /// Starts `binary` as a `gateway` before the upstream and waits until its listener
    /// is ready. Files (configuration, log) go to `room`, under `name`.
    ///
    /// # Errors
    /// If it cannot be started, ends, or is not ready within 60 s; with the end of
    /// its log.
    pub(crate) fn start(
        binary: &Path,
        room: &Path,
        name: &str,
        gateway: &Gateway,
        upstream: u16,
    ) -> Result<Self> {
        let file = |kind: &str| -> PathBuf { room.join(format!("{name}.{kind}")) };
        let (config, admin, log) = (file("json"), file("admin"), file("log"));
        fs::write(&config, bootstrap(gateway, upstream).to_string())?;
        let output = File::create(&log)?;
        if !binary.is_file() {
            let binary = binary.display();
            return Err(
                format!("no Envoy at `{binary}`: run scripts/setup, or name one in ENVOY").into(),
            );
        }
        // However the bench ends, even by SIGKILL, its Envoys end with it (prctl(2),
        // PR_SET_PDEATHSIG).
        let process = Command::new("setpriv")
            .args(["--pdeathsig", "KILL"])
            .arg(binary)
            .args(["--concurrency", "1", "--disable-hot-restart"])
            .args(["--log-level", "warning", "--config-path"])
            .arg(&config)
            .arg("--admin-address-path")
            .arg(&admin)
            .stdout(output.try_clone()?)
            .stderr(output)
            .stdin(Stdio::null())
            .spawn()
            .map_err(|e| format!("`setpriv` (util-linux) does not start: {e}"))?;
        let mut envoy = Self { process, port: 0 };
        envoy.port = envoy.await_listener(&admin).map_err(|e| {
            let log = fs::read_to_string(&log).unwrap_or_default();
            let start = |line: &str| line.chars().take(400).collect::<String>();
            let lines: Vec<String> = log.lines().rev().take(10).map(start).collect();
            let tail: Vec<String> = lines.into_iter().rev().collect();
            format!("Envoy `{name}`: {e}; its log ends:\n{}", tail.join("\n"))
        })?;
        Ok(envoy)
    }

    /// CPU time that all its threads have used so far.
    pub(crate) fn cpu(&self) -> io::Result<Duration> {
        let mut total = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.process.id()))? {
            // The first field is nanoseconds on a core (Linux, sched-stats.rst).
            let stat = fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
            let used = stat.split(' ').next().and_then(|ns| ns.parse::<u64>().ok());
            total += used.unwrap_or(0);
        }
        Ok(Duration::from_nanos(total))
    }

    /// Resident memory in MiB.
    pub(crate) fn rss(&self) -> io::Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let kib = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|rest| rest.trim().strip_suffix("kB"))
            .and_then(|kib| kib.trim().parse::<f64>().ok())
            .ok_or_else(|| io::Error::other("no VmRSS in /proc"))?;
        Ok(kib / 1024.0)
    }

    /// The listener's port. Envoy binds it only when every filter has its
    /// configuration, so a port means ready; the admin interface is asked until then.
    fn await_listener(&mut self, admin: &Path) -> Result<u16> {
        let deadline = now() + Duration::from_secs(60);
        while now() < deadline {
            if let Some(status) = self.process.try_wait()? {
                return Err(format!("it ended ({status})").into());
            }
            if let Some(port) = listener(admin) {
                return Ok(port);
            }
            thread::sleep(Duration::from_millis(20));
        }
        Err("no listener after 60 s".into())
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        // Nothing is to be done if it is gone already.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn listener(admin: &Path) -> Option<u16> {
    let address = fs::read_to_string(admin).ok()?;
    let port = address.trim().rsplit(':').next()?.parse().ok()?;
    let mut connection = Connection::open(port).ok()?;
    let mut bytes = Vec::new();
    request(&mut bytes, "/ready", "");
    if connection.exchange(&bytes).ok()?.status != 200 {
        return None;
    }
    request(&mut bytes, "/listeners?format=json", "");
    let answer = connection.exchange(&bytes).ok()?;
    let start = answer.body.iter().position(|byte| *byte == b'{')?;
    let mut stream =
        serde_json::Deserializer::from_slice(answer.body.get(start..)?).into_iter::<Value>();
    let listeners = stream.next()?.ok()?;
    listeners
        .pointer("/listener_statuses/0/local_address/socket_address/port_value")?
        .as_u64()?
        .try_into()
        .ok()
}

/// The whole configuration: a listener, the filters, the router, one upstream, and the
/// server that is asked about tokens. The audit line goes where it costs its formatting
/// but no disk.
fn bootstrap(gateway: &Gateway, upstream: u16) -> Value {
    let mut filters = gateway.filters.clone();
    filters.push(json!({
        "name": "envoy.filters.http.router",
        "typed_config": { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
    }));
    let log = json!({
        "name": "envoy.access_loggers.file",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": "/dev/null",
            "log_format": { "text_format_source": {
                "inline_string": "%FILTER_STATE(wasm.portcullis.audit:PLAIN)%\n",
            }},
        },
    });
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        "http_filters": filters,
        "access_log": if gateway.audit { vec![log] } else { vec![] },
        "route_config": { "virtual_hosts": [{
            "name": "all",
            "domains": ["*"],
            "routes": [{
                "match": { "prefix": "/" },
                "route": { "cluster": "upstream", "rate_limits": gateway.rate_limits },
            }],
        }]},
    });
    let mut clusters = vec![cluster("upstream", &address(upstream))];
    clusters.extend(
        gateway
            .authority
            .map(|port| cluster("authority", &address(port))),
    );
    clusters.extend(gateway.ratelimit.iter().map(|socket| {
        let pipe = json!({ "pipe": { "path": socket } });
        over_http2(cluster("ratelimit", &pipe))
    }));
    json!({
        "admin": { "address": address(0) },
        "static_resources": {
            "listeners": [{
                "name": "bench",
                "address": address(0),
                "filter_chains": [{ "filters": [{
                    "name": "envoy.filters.network.http_connection_manager",
                    "typed_config": manager,
                }]}],
            }],
            "clusters": clusters,
        },
    })
}

fn cluster(name: &str, address: &Value) -> Value {
    json!({
        "name": name,
        "type": "STATIC",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": address } }] }],
        },
    })
}

/// The same over HTTP/2.
fn over_http2(mut cluster: Value) -> Value {
    const OPTIONS: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    if let Some(fields) = cluster.as_object_mut() {
        let options = json!({ OPTIONS: {
            "@type": format!("type.googleapis.com/{OPTIONS}"),
            "explicit_http_config": { "http2_protocol_options": {} },
        }});
        fields.insert("typed_extension_protocol_options".into(), options);
    }
    cluster
}

fn address(port: u16) -> Value {
    json!({ "socket_address": { "address": "127.0.0.1", "port_value": port } })
}
