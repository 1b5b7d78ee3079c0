//! What configurations are made of: keys, modules, and plugin documents that the
//! command itself builds, as its users do.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use portcullis::profile::Observation;
use serde_json::Value;

use crate::Result;
use crate::ratelimit::RateLimit;
use crate::token::Issuer;

/// Where a run's configurations are made.
pub(crate) struct Workshop<'a> {
    /// A folder of the run's own.
    pub(crate) room: &'a Path,
    /// Who signs its tokens.
    pub(crate) issuer: &'a Issuer,
    /// The port of the server that says whether a token is good.
    pub(crate) authority: u16,
    /// The rate limit service, once somebody asked for it.
    pub(crate) ratelimit: OnceCell<RateLimit>,
}

impl Workshop<'_> {
    /// The path of a module that `scripts/bench` built, or that `instead` names in the
    /// environment.
    ///
    /// # Errors
    /// If it is not there.
    pub(crate) fn module(&self, file: &str, instead: Option<&str>) -> Result<String> {
        let built = || root().join("target/wasm32-wasip1/wasm").join(file);
        let path = instead
            .and_then(env::var_os)
            .map_or_else(built, PathBuf::from);
        if !path.is_file() {
            let path = path.display();
            return Err(format!("no module `{path}`: run `scripts/bench` first").into());
        }
        Ok(path.display().to_string())
    }

    /// The socket of the rate limit service, which is started for the first who asks.
    ///
    /// # Errors
    /// If it cannot be started.
    pub(crate) fn ratelimit(&self, domains: &[Value]) -> Result<PathBuf> {
        if let Some(running) = self.ratelimit.get() {
            return Ok(running.socket.clone());
        }
        let started = RateLimit::start(self.room, domains)?;
        Ok(self.ratelimit.get_or_init(|| started).socket.clone())
    }

    /// Compiles a policy with its document.
    ///
    /// # Errors
    /// If the command finds a problem in either; with what it says.
    pub(crate) fn plugin(&self, name: &str, policy: &Value, openapi: &Value) -> Result<String> {
        let folder = self.room.join(name);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("policy.yaml"), policy.to_string())?;
        fs::write(folder.join("openapi.yaml"), openapi.to_string())?;
        build(&folder)
    }

    /// Compiles `policy.yaml`, with keys and with a model of requests like the bench's.
    ///
    /// # Errors
    /// If the command fails; with what it says.
    pub(crate) fn whole_plugin(&self) -> Result<String> {
        let folder = self.room.join("whole");
        fs::create_dir_all(&folder)?;
        for name in ["policy.yaml", "openapi.yaml"] {
            fs::copy(root().join("benches/gateway").join(name), folder.join(name))?;
        }
        let jwks = self.issuer.jwks(crate::token::Algorithm::Rs256)?;
        fs::write(folder.join("jwks.json"), jwks)?;
        fs::write(folder.join("audit.jsonl"), audit_log())?;
        command(&folder, &["train", "audit.jsonl", "-o", "model.json"])?;
        build(&folder)
    }
}

/// The folder of the package.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn build(folder: &Path) -> Result<String> {
    command(folder, &["build", "policy.yaml", "-o", "plugin.json"])?;
    fs::read_to_string(folder.join("plugin.json"))
        .map_err(|e| format!("`portcullis build` left no `plugin.json`: {e}").into())
}

/// Requests like those of the bench, for the anomaly stage to have a model.
fn audit_log() -> String {
    let line = |operation: &str, name: &str, number: u32| {
        let limit = (number % 100).to_string();
        let observation = Observation::new(operation)
            .declared(
                name,
                format!("{}_{number}", name.get(..3).unwrap_or(name)).as_bytes(),
                &[],
            )
            .declared("limit", limit.as_bytes(), &[])
            .declared("status", b"active", &["active".to_owned()]);
        let record =
            serde_json::json!({ "decision": "allow", "stages": [], "observation": observation });
        format!("{record}\n")
    };
    let numbers = (4000..4500).flat_map(|number| {
        [
            line("getOrder", "order", number),
            line("getCustomer", "customer", number),
        ]
    });
    numbers.collect()
}

fn command(folder: &Path, arguments: &[&str]) -> Result<()> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    let output = command.args(arguments).current_dir(folder).output()?;
    if output.status.success() {
        return Ok(());
    }
    let told = String::from_utf8_lossy(&output.stderr);
    let folder = folder.display();
    Err(format!(
        "`portcullis {}` fails in `{folder}`: {told}",
        arguments.join(" ")
    )
    .into())
}
