//! The cases of `tests/cases`, which the pure engine has passed, through the module
//! in a real Envoy.
//!
//! A case that says it is not for Envoy is tried all the same, unless it needs what
//! Envoy has no handle for: if it passes, its excuse is stale and the test fails.

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, Mutex};

use case::{Case, Exchange};
use outcome::Outcome;

use portcullis::policy::plugin::fingerprint;
use portcullis::trail::Record;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::harness::{Ask, Gateway, Reply, Setup, Update, Upstream, eventually, now, raw, run};

#[path = "../cases/case.rs"]
mod case;
#[path = "../cases/model.rs"]
mod model;
#[path = "../cases/outcome.rs"]
mod outcome;
#[path = "../cases/proof.rs"]
mod proof;
#[path = "../cases/token.rs"]
mod token;

#[test]
fn every_case_ends_in_envoy_as_in_the_engine() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("model.json");
        fs::write(&model, model::usual().to_string()).unwrap();
        let mut by_policy = ByPolicy::new();
        let (mut ran, mut skipped) = (0, 0);
        for case in Case::all() {
            if case.obstacle().is_some() {
                skipped += 1;
            } else {
                by_policy
                    .entry(case.sources(&model))
                    .or_default()
                    .push(case);
            }
        }
        let waiting = Arc::new(Mutex::new(by_policy));
        let mut gateways = JoinSet::new();
        for _ in 0..GATEWAYS {
            gateways.spawn(run_policies(Arc::clone(&waiting)));
        }
        let mut failures = Vec::new();
        for (case, differences) in gateways.join_all().await.into_iter().flatten() {
            match (case.skipped(), differences.is_empty()) {
                (None, true) => ran += 1,
                (Some(_), false) => skipped += 1,
                (None, false) => failures.push(format!(
                    "tests/cases/{}.yaml: {}\n  {}",
                    case.name,
                    case.why,
                    differences.join("\n  ")
                )),
                (Some(why), true) => failures.push(format!(
                    "tests/cases/{}.yaml passes, though it says `{why}`",
                    case.name
                )),
            }
        }
        failures.sort();
        println!("{ran} cases through Envoy, {skipped} only through the engine");
        assert!(failures.is_empty(), "{}", failures.join("\n"));
    });
}

/// Policies and documents, and the cases that each pair decides.
type ByPolicy = BTreeMap<(String, String), Vec<Case>>;

/// Runs the cases of one policy after the other in a gateway of its own, until none is
/// waiting, and gives each with the differences.
async fn run_policies(waiting: Arc<Mutex<ByPolicy>>) -> Vec<(Case, Vec<String>)> {
    let parts = Arc::new(Parts::start().await);
    let mut ran = Vec::new();
    loop {
        let next = waiting.lock().unwrap().pop_first();
        let Some(((policy, openapi), cases)) = next else {
            return ran;
        };
        parts.enforce(&policy, &openapi).await;
        // Side by side, since Envoy holds a connection for a second after a refusal.
        let mut running = JoinSet::new();
        for case in cases {
            let parts = Arc::clone(&parts);
            running.spawn(async move {
                let differences = run_case(&case, &parts).await;
                (case, differences)
            });
        }
        ran.extend(running.join_all().await);
    }
}

/// One gateway for policies that follow each other in it. With one worker,
/// whoever has been answered by a policy is not answered by the one before it again.
struct Parts {
    upstream: Upstream,
    gateway: Gateway,
}

impl Parts {
    async fn start() -> Self {
        let upstream = Upstream::start().await;
        // Where nobody listens: an issuer that cannot be reached.
        let unused = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let nobody = unused.local_addr().unwrap();
        drop(unused);
        let gateway = Gateway::start(Setup {
            workers: 1,
            ..Setup::bare("cases", upstream.address, nobody)
        })
        .await;
        Self { upstream, gateway }
    }

    async fn enforce(&self, policy: &str, openapi: &str) {
        fs::write(self.gateway.directory().join("openapi.yaml"), openapi).unwrap();
        let configuration = self.gateway.compile(policy).unwrap();
        assert_eq!(self.gateway.push(&configuration).await, Update::Accepted);
        let wanted = fingerprint(configuration.as_bytes());
        eventually("the policy is in force", || async {
            let answer = self.gateway.ask(Ask::get("/v1/status")).await;
            let lines = self.gateway.audit_lines(&answer.id).await;
            let record: Option<Record> = serde_json::from_str(&lines[0]).ok();
            record.filter(|record| record.policy == wanted)
        })
        .await;
    }
}

async fn run_case(case: &Case, parts: &Parts) -> Vec<String> {
    let mut differences = Vec::new();
    for (index, exchange) in case.exchanges().iter().enumerate() {
        let found = match run_exchange(&case.name, exchange, parts).await {
            Ok(outcome) => exchange.expect.differences(&outcome),
            Err(why) => vec![why],
        };
        let place = |difference| format!("exchange {}: {difference}", index + 1);
        differences.extend(found.into_iter().map(place));
    }
    differences
}

/// What became of it, or why that cannot be told.
async fn run_exchange(
    client: &str,
    exchange: &Exchange,
    Parts { upstream, gateway }: &Parts,
) -> Result<Outcome, String> {
    // Requests are written by hand: no client library would send most of them.
    let id = Ask::get("/").id;
    upstream.script(&id, reply(exchange));
    let bytes = raw::exchange(gateway.address(), &request(&id, client, exchange)).await;
    let (status, headers, body) = parse(&bytes).ok_or(format!("no HTTP: {bytes:?}"))?;
    let problem = (
        "content-type".to_owned(),
        "application/problem+json".to_owned(),
    );
    if !upstream.saw(&id) && !headers.contains(&problem) {
        // Then the filter has not seen it, and there may be no record to wait for.
        return Err(format!("Envoy answers {status} by itself"));
    }
    let lines = gateway.audit_lines(&id).await;
    let record = lines.first().map(|line| serde_json::from_str(line));
    let Some(Ok(record)) = record else {
        return Err(format!("{status} without an audit record: {lines:?}"));
    };
    let reached = match upstream.saw(&id) {
        true => Some(upstream.received(&id).await),
        false => None,
    };
    let upstream = reached.map(|received| {
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        let headers = received.headers.iter();
        let headers = headers.map(|(name, value)| (name.to_string(), text(value.as_bytes())));
        (received.target.clone(), headers.collect())
    });
    Ok(Outcome {
        status,
        headers,
        body,
        upstream,
        record,
        waited: None,
    })
}

fn request(id: &str, client: &str, exchange: &Exchange) -> Vec<u8> {
    let request = &exchange.request;
    let mut bytes = format!("{} {} HTTP/1.1\r\n", request.method, request.path).into_bytes();
    let mut fields = request.fields(client, now());
    for (name, value) in [("host", "x"), ("connection", "close"), ("x-request-id", id)] {
        fields.push((name.to_owned(), value.to_owned().into_bytes()));
    }
    for (name, value) in fields {
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(&value);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(request.body().as_bytes());
    bytes
}

fn reply(exchange: &Exchange) -> Reply {
    let response = &exchange.response;
    let reply = Reply::json(response.body()).status(response.status());
    let fields = response.fields().into_iter();
    fields.fold(reply, |reply, (name, value)| {
        reply.header(name.leak(), value)
    })
}

/// Status, headers and body of an answer after which the connection was closed.
fn parse(answer: &str) -> Option<(u16, Fields, String)> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let (line, fields) = head.split_once("\r\n")?;
    let status = line.split(' ').nth(1)?.parse().ok()?;
    let field = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    };
    let headers: Fields = fields.split("\r\n").filter_map(field).collect();
    let chunked = headers.iter().any(|(name, _)| name == "transfer-encoding");
    let body = if chunked {
        unchunk(body)?
    } else {
        body.to_owned()
    };
    Some((status, headers, body))
}

fn unchunk(mut text: &str) -> Option<String> {
    let mut whole = String::new();
    loop {
        let (length, rest) = text.split_once("\r\n")?;
        let length = usize::from_str_radix(length, 16).ok()?;
        if length == 0 {
            return Some(whole);
        }
        whole += rest.get(..length)?;
        text = rest.get(length..)?.strip_prefix("\r\n")?;
    }
}

type Fields = Vec<(String, String)>;

/// How many take policies side by side: what a case takes is mostly waiting.
const GATEWAYS: usize = 2;
