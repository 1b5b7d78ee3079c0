//! A case as it is written: a policy, an exchange, and what must become of it.
//!
//! Cases are data so that whoever finds a gap can write it down without any Rust,
//! and so that one and the same case runs through the pure engine and through the
//! module in a real Envoy. `README.md` beside this file says what a case may hold.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use portcullis::certificate::PeerCertificate;
use portcullis::policy::openapi;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::outcome::Expectation;
use super::proof::DpopProof;
use super::token::{self, Token};

/// One case.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    /// The file it comes from, below `tests/cases` and without its ending.
    #[serde(skip)]
    pub(crate) name: String,
    /// What would be lost if it failed.
    pub(crate) why: String,
    /// A merge patch for `policy.yaml`.
    #[serde(default)]
    policy: Value,
    /// A merge patch for `openapi.yaml`.
    #[serde(default)]
    openapi: Value,
    /// What the gateway holds of the keys of a remote issuer, and can fetch.
    #[serde(default)]
    pub(crate) keys: Option<RemoteKeys>,
    /// Whether other workers always write first.
    #[serde(default)]
    pub(crate) contended: bool,
    #[serde(default)]
    exchanges: Vec<Exchange>,
    #[serde(default)]
    request: Option<Request>,
    #[serde(default)]
    response: Option<Response>,
    #[serde(default)]
    introspected: Value,
    #[serde(default)]
    expect: Option<Expectation>,
    #[serde(default)]
    envoy: Option<Envoy>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envoy {
    skip: String,
}

/// The keys of the first issuer, by name (see `token.rs`).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RemoteKeys {
    /// Those that are held when the case begins.
    #[serde(default)]
    pub(crate) held: Vec<String>,
    /// How long ago they were fetched, in seconds.
    #[serde(default)]
    pub(crate) age: u64,
    /// Those that a fetch brings; without it, fetches fail.
    #[serde(default)]
    pub(crate) brings: Option<Vec<String>>,
}

/// One request, what the upstream says to it, and what must become of both.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exchange {
    /// The request.
    pub(crate) request: Request,
    /// The upstream's answer.
    #[serde(default)]
    pub(crate) response: Response,
    /// What the authorization server says of the token, if it is asked and answers: a
    /// text as it is, an object with its dates in seconds since the case began.
    #[serde(default)]
    pub(crate) introspected: Value,
    /// What the rate limit service says of each limit, if it answers: whether it is `over`,
    /// its `quota`, what is `left` of it, and in how many seconds a window begins (`reset`).
    #[serde(default)]
    pub(crate) service: Value,
    /// Whether it is still under way when the next one comes.
    #[serde(default)]
    pub(crate) unended: bool,
    /// What must become of them.
    pub(crate) expect: Expectation,
}

/// A request.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    /// Seconds since the case began.
    #[serde(default)]
    pub(crate) at: f64,
    /// The method; empty: there is none.
    #[serde(default = "get")]
    pub(crate) method: String,
    /// The request target, byte for byte.
    pub(crate) path: String,
    /// Header fields beside the token.
    #[serde(default)]
    headers: BTreeMap<String, Values>,
    /// The client's address; `unreadable` is one that cannot be read.
    #[serde(default)]
    pub(crate) address: Option<String>,
    /// The client certificate of the connection.
    #[serde(default, deserialize_with = "shown")]
    pub(crate) certificate: Option<PeerCertificate>,
    /// What goes into `authorization`.
    #[serde(default)]
    token: Option<Token>,
    /// Proofs of possession of the key that the token is bound to; with them, be there
    /// one or none, the token goes by the scheme `DPoP`.
    #[serde(default)]
    proofs: Option<Vec<DpopProof>>,
    /// The body: a text as it is, anything else as JSON.
    #[serde(default)]
    body: Value,
}

/// A client certificate, as a case writes it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenCertificate {
    /// The byte that its digest consists of.
    digest: u8,
    #[serde(default)]
    subject: Option<String>,
    #[serde(default)]
    uris: Vec<String>,
    #[serde(default)]
    dns: Vec<String>,
}

/// A certificate as a connection shows it.
fn shown<'de, D: Deserializer<'de>>(case: D) -> Result<Option<PeerCertificate>, D::Error> {
    let written = WrittenCertificate::deserialize(case)?;
    Ok(Some(PeerCertificate {
        digest: [written.digest; 32],
        subject: written.subject,
        uris: written.uris,
        dns: written.dns,
    }))
}

/// The upstream's answer.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Response {
    #[serde(default)]
    status: Option<u16>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// The body: a text as it is, anything else as JSON.
    #[serde(default)]
    body: Value,
    /// How long it takes to begin, in milliseconds.
    #[serde(default)]
    pub(crate) after_ms: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Values {
    Bytes { hex: String },
    One(String),
    Several(Vec<String>),
}

impl Case {
    /// Every case, in the order of their names.
    ///
    /// # Panics
    /// When a file is no case, naming it.
    pub(crate) fn all() -> Vec<Case> {
        let mut files = Vec::new();
        for folder in listed(&root()).into_iter().filter(|path| path.is_dir()) {
            files.extend(listed(&folder));
        }
        files.iter().map(|file| Case::read(file)).collect()
    }

    fn read(file: &Path) -> Case {
        let mut case: Case = serde_json::from_value(document(file))
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let name = file.strip_prefix(root()).unwrap().with_extension("");
        case.name = name.to_str().unwrap().to_owned();
        if let (Some(request), Some(expect)) = (case.request.take(), case.expect.take()) {
            let response = case.response.take().unwrap_or_default();
            case.exchanges.insert(
                0,
                Exchange {
                    request,
                    response,
                    introspected: case.introspected.take(),
                    service: Value::Null,
                    unended: false,
                    expect,
                },
            );
        }
        assert!(
            !case.exchanges.is_empty(),
            "{}: nothing is asked",
            case.name
        );
        assert!(!case.why.is_empty(), "{}: says not why", case.name);
        case
    }

    /// What happens, in order.
    pub(crate) fn exchanges(&self) -> &[Exchange] {
        &self.exchanges
    }

    /// Why it is not for Envoy, in its own words.
    pub(crate) fn skipped(&self) -> Option<&str> {
        self.envoy.as_ref().map(|envoy| envoy.skip.as_str())
    }

    /// What it asks for that a real Envoy has no handle for.
    pub(crate) fn obstacle(&self) -> Option<&'static str> {
        let any = |is: fn(&Request) -> bool| self.exchanges.iter().any(|one| is(&one.request));
        if any(|request| request.at != 0.0) {
            Some("a clock that jumps")
        } else if any(|request| request.address.is_some()) {
            Some("an address")
        } else if any(|request| request.certificate.is_some()) {
            Some("a client certificate")
        } else if self.keys.as_ref().is_some_and(RemoteKeys::are_there) {
            Some("keys at a given age")
        } else if self.exchanges.iter().any(|one| !one.introspected.is_null()) {
            Some("an authorization server that says what it is told")
        } else if self.exchanges.iter().any(|one| !one.service.is_null()) {
            Some("a rate limit service that says what it is told")
        } else if self.contended {
            Some("a contended store")
        } else if self
            .exchanges
            .iter()
            .any(|one| one.response.after_ms.is_some())
        {
            Some("an upstream that takes its time")
        } else if self.exchanges.iter().any(|one| one.unended) {
            Some("an exchange that does not end")
        } else {
            None
        }
    }

    /// The policy and the document as text, with keys in the place of their names.
    /// The model lies at `model`.
    pub(crate) fn sources(&self, model: &Path) -> (String, String) {
        let mut policy = document(&root().join("policy.yaml"));
        let mut openapi = document(&root().join("openapi.yaml"));
        merge(&mut policy, &self.policy);
        merge(&mut openapi, &self.openapi);
        if let Some(anomaly) = policy.get_mut("anomaly") {
            anomaly["model"] = model.to_str().unwrap().into();
        }
        for issuer in policy["issuers"].as_array_mut().into_iter().flatten() {
            if let Some(names) = issuer.pointer("/keys/inline/published") {
                let names: Vec<String> = serde_json::from_value(names.clone()).unwrap();
                issuer["keys"]["inline"] = token::published(&names);
            }
        }
        (policy.to_string(), openapi.to_string())
    }
}

impl RemoteKeys {
    fn are_there(&self) -> bool {
        !self.held.is_empty() || self.age > 0 || self.brings.is_some()
    }
}

impl Request {
    /// Every header field, the token's included. `client` is what a token names that
    /// names none.
    pub(crate) fn fields(&self, client: &str, now: u64) -> Vec<(String, Vec<u8>)> {
        let mut fields = Vec::new();
        for (name, values) in &self.headers {
            let values = match values {
                Values::Bytes { hex } => vec![bytes(hex)],
                Values::One(text) => vec![text.clone().into_bytes()],
                Values::Several(texts) => texts.iter().map(|text| text.clone().into()).collect(),
            };
            fields.extend(values.into_iter().map(|value| (name.clone(), value)));
        }
        if let Some(token) = &self.token {
            let token = token.mint(client, now);
            let scheme = match &self.proofs {
                Some(_) => "DPoP",
                None => "Bearer",
            };
            for proof in self.proofs.iter().flatten() {
                let request = (self.method.as_str(), self.path.as_str());
                let proof = proof.mint(client, request, &token, now);
                fields.push(("dpop".into(), proof.into_bytes()));
            }
            let value = format!("{scheme} {token}");
            fields.push(("authorization".into(), value.into_bytes()));
        }
        let body = self.body();
        let typed = self.headers.contains_key("content-type");
        if !body.is_empty() && !typed {
            fields.push(("content-type".into(), b"application/json".to_vec()));
        }
        let announced = ["content-length", "transfer-encoding"]
            .iter()
            .any(|name| self.headers.contains_key(*name));
        if !body.is_empty() && !announced {
            fields.push(("content-length".into(), body.len().to_string().into_bytes()));
        }
        fields
    }

    /// The body.
    pub(crate) fn body(&self) -> String {
        text(&self.body)
    }
}

impl Response {
    /// The status.
    pub(crate) fn status(&self) -> u16 {
        self.status.unwrap_or(200)
    }

    /// The header fields; a body is JSON unless it says otherwise.
    pub(crate) fn fields(&self) -> BTreeMap<String, String> {
        let mut fields = self.headers.clone();
        fields
            .entry("content-type".into())
            .or_insert_with(|| "application/json".into());
        fields
    }

    /// The body.
    pub(crate) fn body(&self) -> String {
        text(&self.body)
    }
}

fn text(body: &Value) -> String {
    match body {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        json => json.to_string(),
    }
}

/// Reads YAML or JSON.
fn document(file: &Path) -> Value {
    let text =
        fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    openapi::read(&text).unwrap_or_else(|problems| panic!("{}: {problems:?}", file.display()))
}

/// RFC 7396: members replace members, `null` removes them.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        return;
    };
    for (name, change) in patch {
        match change {
            Value::Null => {
                target.as_object_mut().unwrap().remove(name);
            }
            Value::Object(_) if target.get(name).is_some_and(Value::is_object) => {
                merge(&mut target[name], change);
            }
            change => target[name] = change.clone(),
        }
    }
}

fn listed(folder: &Path) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases")
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(digits).collect()
}

fn get() -> String {
    "GET".into()
}
