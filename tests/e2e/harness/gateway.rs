//! An Envoy with the filter in it, on a free port.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

use super::bootstrap::{self, Listener, Plugin};
use super::client::{Answer, Ask};
use super::process::Process;
use super::{eventually, fresh_directory, touch_log};

/// What a gateway is made of.
pub(crate) struct Setup {
    /// Names its directory under `target/tmp/e2e`.
    pub(crate) name: &'static str,
    /// `policy.yaml`, which finds the next beside it; without it Envoy runs bare.
    pub(crate) policy: Option<String>,
    /// `openapi.yaml`.
    pub(crate) openapi: &'static str,
    /// Where requests go.
    pub(crate) upstream: SocketAddr,
    /// What the cluster `idp` is.
    pub(crate) idp: SocketAddr,
    /// Who is in the cluster `ratelimit`, if anyone; it speaks gRPC.
    pub(crate) ratelimit: Option<SocketAddr>,
    /// Worker threads, hence VMs of the filter.
    pub(crate) workers: u32,
    /// Filters in front of the gateway's.
    pub(crate) in_front: Vec<Value>,
    /// The only functions that pass between Envoy and the filter; `None`: all.
    pub(crate) capabilities: Option<&'static [&'static str]>,
    /// The filter's environment variables.
    pub(crate) environment: &'static [(&'static str, &'static str)],
    /// How it speaks TLS; nothing: it does not.
    pub(crate) tls: Tls,
}

/// How the gateway speaks TLS: parts of Envoy's configuration.
#[derive(Clone, Default)]
pub(crate) struct Tls {
    /// The listener's transport socket.
    pub(crate) listener: Option<Value>,
    /// More settings of its connection manager.
    pub(crate) manager: Value,
    /// The transport socket of the cluster `upstream`.
    pub(crate) upstream: Option<Value>,
}

impl Setup {
    /// An Envoy without the filter, with two workers.
    pub(crate) fn bare(name: &'static str, upstream: SocketAddr, idp: SocketAddr) -> Self {
        Self {
            name,
            policy: None,
            openapi: "",
            upstream,
            idp,
            ratelimit: None,
            workers: 2,
            in_front: Vec::new(),
            capabilities: None,
            environment: &[],
            tls: Tls::default(),
        }
    }
}

/// What became of a configuration that was pushed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Update {
    /// Envoy serves it.
    Accepted,
    /// Envoy goes on as before.
    Rejected,
}

/// A running gateway. It ends with its value, or with the test run.
pub(crate) struct Gateway {
    directory: PathBuf,
    admin: SocketAddr,
    address: Mutex<SocketAddr>,
    version: AtomicU32,
    capabilities: Option<&'static [&'static str]>,
    environment: &'static [(&'static str, &'static str)],
    in_front: Vec<Value>,
    tls: Tls,
    envoy: Process,
}

impl Gateway {
    /// Starts one and waits until it serves.
    ///
    /// # Panics
    /// With the command's or Envoy's own words when one of them refuses.
    pub(crate) async fn start(setup: Setup) -> Self {
        let directory = fresh_directory(setup.name);
        fs::write(directory.join("openapi.yaml"), setup.openapi).unwrap();
        let plugin = setup.policy.as_ref().map(|policy| {
            compile(&directory, policy).unwrap_or_else(|problems| panic!("{problems}"))
        });
        let module = plugin.as_ref().map(|_| module());
        let filter = module.as_deref().zip(plugin.as_deref());
        let filter = filter.map(|(module, configuration)| Plugin {
            module,
            configuration,
            capabilities: setup.capabilities,
            environment: setup.environment,
        });
        write_listener(&directory, 1, filter, &setup.in_front, &setup.tls);
        let mut bootstrap = bootstrap::bootstrap(&setup, &directory);
        if let Some(tls) = &setup.tls.upstream {
            bootstrap["static_resources"]["clusters"][0]["transport_socket"] = tls.clone();
        }
        fs::write(directory.join("envoy.json"), bootstrap.to_string()).unwrap();

        let log = directory.join(LOG);
        touch_log(&log);
        let mut envoy = Process::leashed(&command(&directory, setup.workers));
        let admin = admin(&mut envoy, &directory.join(ADMIN)).await;
        let gateway = Self {
            directory,
            admin,
            address: Mutex::new(admin),
            version: AtomicU32::new(1),
            capabilities: setup.capabilities,
            environment: setup.environment,
            in_front: setup.in_front,
            tls: setup.tls,
            envoy,
        };
        let outcome = gateway.outcome(0, 0).await;
        assert_eq!(
            outcome,
            Update::Accepted,
            "Envoy refuses the first configuration"
        );
        gateway
    }

    /// Its files: policy, Envoy's configuration, logs.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Where it listens now.
    pub(crate) fn address(&self) -> SocketAddr {
        touch_log(&self.directory.join(LOG));
        *self.address.lock().unwrap()
    }

    /// One exchange over a connection of its own.
    pub(crate) async fn ask(&self, ask: Ask) -> Answer {
        ask.send(self.address()).await
    }

    /// The audit record of an exchange.
    ///
    /// # Panics
    /// When Envoy logs the exchange without a record, or not at all.
    pub(crate) async fn audit(&self, id: &str) -> Value {
        let lines = self.audit_lines(id).await;
        assert_eq!(lines.len(), 1, "one record for {id}: {lines:#?}");
        serde_json::from_str(&lines[0])
            .unwrap_or_else(|error| panic!("{error} in the audit record of {id}: {lines:?}"))
    }

    /// What the access log holds for this `x-request-id`, as soon as it holds anything.
    pub(crate) async fn audit_lines(&self, id: &str) -> Vec<String> {
        eventually("the access log's line", || async {
            let text = fs::read(self.directory.join(bootstrap::AUDIT)).unwrap_or_default();
            let lines: Vec<_> = String::from_utf8_lossy(&text)
                .split_inclusive('\n')
                .filter_map(|line| line.strip_suffix('\n')?.strip_prefix(id)?.strip_prefix(' '))
                .map(str::to_owned)
                .collect();
            (!lines.is_empty()).then_some(lines)
        })
        .await
    }

    /// Everything the gateway has written so far: audit records and Envoy's own log.
    pub(crate) fn everything_written(&self) -> String {
        [bootstrap::AUDIT, LOG]
            .map(|name| fs::read(self.directory.join(name)).unwrap_or_default())
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .join("\n")
    }

    /// Runs the command in this gateway's directory and returns what it printed.
    ///
    /// # Errors
    /// What the command wrote on refusing.
    pub(crate) fn portcullis(&self, arguments: &[&str]) -> Result<String, String> {
        portcullis(&self.directory, arguments)
    }

    /// Compiles a policy as [`Gateway::start`] did, to the plugin's configuration.
    ///
    /// # Errors
    /// What the command wrote on refusing.
    pub(crate) fn compile(&self, policy: &str) -> Result<String, String> {
        compile(&self.directory, policy)
    }

    /// Replaces the plugin's configuration in the running Envoy and waits for its verdict.
    pub(crate) async fn push(&self, configuration: &str) -> Update {
        self.push_module(&module(), configuration).await
    }

    /// The same with another module in the filter's place.
    pub(crate) async fn push_module(&self, module: &Path, configuration: &str) -> Update {
        let accepted = self.stat(ACCEPTED).await;
        let rejected = self.stat(REJECTED).await;
        let version = self.version.fetch_add(1, Ordering::Relaxed) + 1;
        let plugin = Plugin {
            module,
            configuration,
            capabilities: self.capabilities,
            environment: self.environment,
        };
        write_listener(
            &self.directory,
            version,
            Some(plugin),
            &self.in_front,
            &self.tls,
        );
        self.outcome(accepted, rejected).await
    }

    /// One of Envoy's counters or gauges; 0 while Envoy does not know it.
    pub(crate) async fn stat(&self, name: &str) -> u64 {
        let answer = Ask::get(format!("/stats?filter=^{name}$"))
            .send(self.admin)
            .await;
        let text = answer.text();
        let value = text.trim().strip_prefix(&format!("{name}: "));
        value.map_or(0, |value| value.parse().unwrap())
    }

    /// Envoy's resident memory, in bytes.
    pub(crate) fn resident(&self) -> u64 {
        self.envoy.resident()
    }

    /// What Envoy has allocated, in bytes, whatever its allocator keeps beside that.
    pub(crate) async fn allocated(&self) -> u64 {
        let answer = Ask::get("/memory").send(self.admin).await.json();
        let bytes = answer["allocated"].as_str().expect("`allocated`");
        bytes.parse().expect("a number")
    }

    /// All of Envoy's metrics, as Prometheus reads them.
    pub(crate) async fn prometheus(&self) -> String {
        Ask::get("/stats/prometheus").send(self.admin).await.text()
    }

    /// Waits until one of the two counters has passed its old value and, if the new
    /// listener is accepted, until it has stopped warming up.
    async fn outcome(&self, accepted: u64, rejected: u64) -> Update {
        eventually("Envoy's verdict on the listener", || async {
            if self.stat(REJECTED).await > rejected {
                return Some(Update::Rejected);
            }
            let settled = self.stat(ACCEPTED).await > accepted
                && self.stat("listener_manager.total_listeners_warming").await == 0;
            *self.address.lock().unwrap() = self.listening_at(settled).await?;
            Some(Update::Accepted)
        })
        .await
    }

    async fn listening_at(&self, settled: bool) -> Option<SocketAddr> {
        if !settled || Ask::get("/ready").send(self.admin).await.status != 200 {
            return None;
        }
        let listeners = Ask::get("/listeners").send(self.admin).await.text();
        listeners.trim().strip_prefix("door::")?.parse().ok()
    }
}

/// The rate limit service's configuration that matches a policy, by the command.
pub(crate) fn service_configuration(name: &str, policy: &str, openapi: &str) -> String {
    let directory = fresh_directory(name);
    fs::write(directory.join("openapi.yaml"), openapi).unwrap();
    fs::write(directory.join("policy.yaml"), policy).unwrap();
    portcullis(&directory, &["ratelimit", "policy.yaml"])
        .unwrap_or_else(|problems| panic!("{problems}"))
}

fn compile(directory: &Path, policy: &str) -> Result<String, String> {
    fs::write(directory.join("policy.yaml"), policy).unwrap();
    portcullis(directory, &["build", "policy.yaml", "-o", "plugin.json"])?;
    Ok(fs::read_to_string(directory.join("plugin.json")).unwrap())
}

fn portcullis(directory: &Path, arguments: &[&str]) -> Result<String, String> {
    let ran = Command::new(env!("CARGO_BIN_EXE_portcullis"))
        .current_dir(directory)
        .args(arguments)
        .output()
        .expect("the command portcullis");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    if ran.status.success() {
        Ok(text(ran.stdout))
    } else {
        Err(text(ran.stderr))
    }
}

/// Where Envoy's admin listens, as soon as it has written that down.
pub(super) async fn admin(envoy: &mut Process, file: &Path) -> SocketAddr {
    eventually("Envoy's admin address", || {
        if let Some(status) = envoy.ended() {
            panic!("Envoy ended with {status}");
        }
        let written = fs::read_to_string(file).ok();
        async { written.and_then(|text| text.trim().parse().ok()) }
    })
    .await
}

/// Adds members, those of members included.
pub(super) fn merge(target: &mut Value, more: &Value) {
    for (name, value) in more.as_object().into_iter().flatten() {
        if target[name].is_object() {
            merge(&mut target[name], value);
        } else {
            target[name] = value.clone();
        }
    }
}

fn write_listener(
    directory: &Path,
    version: u32,
    plugin: Option<Plugin<'_>>,
    in_front: &[Value],
    tls: &Tls,
) {
    let listener = Listener {
        directory,
        version,
        plugin,
        in_front,
        tls,
    };
    // Envoy notices a file that is moved into place, and must never see half of one.
    let draft = directory.join("listeners.draft");
    fs::write(&draft, listener.discovery().to_string()).unwrap();
    fs::rename(draft, directory.join(bootstrap::LISTENERS)).unwrap();
}

/// An Envoy that runs `envoy.json` of a directory.
pub(super) fn command(directory: &Path, workers: u32) -> Command {
    let envoy = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/envoy");
    assert!(
        envoy.exists(),
        "{} is missing; run `scripts/setup`",
        envoy.display()
    );
    let mut command = Command::new(envoy);
    command
        .arg("--config-path")
        .arg(directory.join("envoy.json"))
        .arg("--admin-address-path")
        .arg(directory.join(ADMIN))
        .arg("--log-path")
        .arg(directory.join(LOG))
        .args(["--log-level", "info", "--disable-hot-restart"])
        .args(["--concurrency", &workers.to_string()])
        // Audit lines at once rather than every ten seconds; old filters gone at once.
        .args(["--file-flush-interval-msec", "20", "--drain-time-s", "1"]);
    command
}

fn module() -> PathBuf {
    let module = std::env::var_os("PORTCULLIS_WASM").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join(MODULE),
        PathBuf::from,
    );
    assert!(
        module.exists(),
        "{} is missing; run `cargo build --lib --profile wasm --target wasm32-wasip1`",
        module.display()
    );
    module
}

const MODULE: &str = "target/wasm32-wasip1/wasm/portcullis.wasm";
pub(super) const LOG: &str = "envoy.log";
pub(super) const ADMIN: &str = "admin.address";
const ACCEPTED: &str = "listener_manager.lds.update_success";
const REJECTED: &str = "listener_manager.lds.update_rejected";
