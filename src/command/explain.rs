//! `portcullis explain`: why a request was, or would be, allowed or refused.
//!
//! A recorded request runs through the same engine as in Envoy, with a store of its
//! own and a clock that stands still; an audit record is put in words, and so is what
//! the policy asks of whoever calls an operation.

mod circumstances;
mod issuer;
mod operation;
mod possession;
mod quota;
mod sharing;
mod standing;
mod status;
mod upstream;
mod words;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Deserialize;

use super::assemble::{assemble, read_document};
use super::report;
use crate::certificate::PeerCertificate;
use crate::engine::{Body, Event, Flow, Step, World};
use crate::hex::parse_sha256;
use crate::jose::{KeySet, PureRust};
use crate::policy::{Operation, Policy};
use crate::request::{Headers, RequestHead, ResponseHead};
use crate::stage::authn::cache::TokenCache;
use crate::stage::authn::keys::KeyRing;
use crate::stage::authn::revocations::Revocations;
use crate::store::MemoryStore;
use crate::time::Time;
use crate::trail::{Decision, Ending, Record, Trail};

/// Explain a decision, stage by stage, or who may call an operation.
///
/// Give a recorded request and a policy to see what the gateway would do, an audit
/// record to see what it did, or the id of an operation to read what the policy asks
/// of its callers. A recorded request is JSON or YAML:
///
///   {"method": "GET", "path": "/v1/orders?limit=5",
///    "headers": {"authorization": "Bearer …"}, "address": "192.0.2.1",
///    "body": "…", "certificate": {"sha256": "…", "uris": ["spiffe://shop.example/a"]},
///    "time": 1795305600, "response": {"status": 200,
///    "headers": {"content-type": "application/json"}, "body": "{}"}}
///
/// All members but `path` may be left out; `time` (seconds since 1970) is now by
/// default. The exit code is 3 when the request is refused.
#[derive(Debug, clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:\n  portcullis explain --policy policy.yaml request.json\n  portcullis explain --policy policy.yaml --operation readOrder\n  tail -1 audit.jsonl | portcullis explain --record -"
)]
pub struct Explain {
    /// The policy, or a configuration that was built from one.
    #[arg(long, required_unless_present = "record")]
    policy: Option<PathBuf>,
    /// The recorded request.
    #[arg(required_unless_present_any = ["record", "operation"])]
    request: Option<PathBuf>,
    /// Say who may call this operation; `all` for every one.
    #[arg(long, value_name = "ID", conflicts_with_all = ["request", "record", "json"])]
    operation: Option<String>,
    /// Explain audit records instead, one a line; `-` reads standard input.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["policy", "request"])]
    record: Option<PathBuf>,
    /// Keys of an issuer whose JWKS is remote: its name in the policy, and a file.
    #[arg(long, value_name = "ISSUER=FILE")]
    jwks: Vec<String>,
    /// Print the audit record as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(args: &Explain) -> ExitCode {
    if let (Some(policy), Some(id)) = (&args.policy, &args.operation) {
        return match assemble(policy) {
            Ok(assembled) => say_operations(&assembled.policy, id),
            Err(problems) => report::refused(policy, &problems, false),
        };
    }
    let mut known = None;
    let records = match (&args.record, &args.policy, &args.request) {
        (Some(record), _, _) => read_records(record),
        (None, Some(policy), Some(request)) => match assemble(policy) {
            Ok(assembled) => {
                let policy = known.insert(assembled.policy);
                replay(policy, request, &args.jwks).map(|record| vec![record])
            }
            Err(problems) => return report::refused(policy, &problems, args.json),
        },
        _ => Err("give `--policy` and a request, or `--record`".into()),
    };
    let records = match records {
        Ok(records) => records,
        Err(message) => return report::bad_input(&message),
    };
    for record in &records {
        if args.json {
            println!("{}", serde_json::to_string(record).unwrap_or_default());
        } else {
            print!("{}", words::in_words(record, known.as_ref()));
        }
    }
    match records
        .iter()
        .any(|record| record.decision == Decision::Deny)
    {
        true => ExitCode::from(3),
        false => ExitCode::SUCCESS,
    }
}

fn say_operations(policy: &Policy, id: &str) -> ExitCode {
    let wanted = |operation: &&Operation| id == "all" || operation.id == id;
    let found: Vec<&Operation> = policy.operations.iter().filter(wanted).collect();
    if !found.is_empty() {
        let mut lines = Vec::new();
        for operation in &found {
            lines.push(operation.id.clone());
            let sentences = operation::sentences(operation, policy).into_iter();
            lines.extend(sentences.map(|sentence| format!("  {sentence}")));
        }
        lines.extend(issuer::sentences(&found, policy));
        lines.push(String::new());
        // Whoever reads no further, such as `head`, has read enough.
        let _ = std::io::stdout().write_all(lines.join("\n").as_bytes());
        return ExitCode::SUCCESS;
    }
    report::bad_input(&format!(
        "the document declares no operation `{id}`; `--operation all` lists every one"
    ))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Recorded {
    #[serde(default = "get")]
    method: String,
    path: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<String>,
    #[serde(default = "documentation_address")]
    address: String,
    certificate: Option<RecordedCertificate>,
    time: Option<u64>,
    response: Option<RecordedResponse>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordedCertificate {
    sha256: Digest,
    subject: Option<String>,
    #[serde(default)]
    uris: Vec<String>,
    #[serde(default)]
    dns: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct Digest([u8; 32]);

impl TryFrom<String> for Digest {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        parse_sha256(&text)
            .map(Digest)
            .ok_or("`sha256` is not 64 hex digits")
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordedResponse {
    #[serde(default = "ok")]
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: String,
}

fn replay(policy: &Policy, request: &Path, jwks: &[String]) -> Result<Record, String> {
    let document = read_document(request, "request").map_err(|problems| join(&problems))?;
    let recorded: Recorded = serde_json::from_value(document)
        .map_err(|error| format!("`{}`: {error}", request.display()))?;
    let now = recorded.time.map_or_else(now, |seconds| {
        Time::from_millis(seconds.saturating_mul(1_000))
    });
    let mut keys = KeyRing::new(policy);
    for given in jwks {
        adopt(&mut keys, policy, given, now)?;
    }
    let world = World {
        policy,
        keys: &keys,
        tokens: &RefCell::new(TokenCache::default()),
        told: &RefCell::default(),
        revocations: &RefCell::new(Revocations::new(policy)),
        store: &MemoryStore::default(),
        signatures: &PureRust,
        secret: &[0; 32],
        now,
    };
    let mut trail = Trail::default();
    let status = run_through(&recorded, &world, &mut trail);
    let ending = Ending {
        time_ms: now.millis(),
        status,
        latency_us: None,
    };
    Ok(trail.record(ending, &policy.fingerprint))
}

/// Feeds the events in the order in which Envoy would; the status that the client gets.
fn run_through(recorded: &Recorded, world: &World, trail: &mut Trail) -> Option<u16> {
    let (mut flow, mut step) =
        Flow::Start.step(Event::RequestHead(request_head(recorded)), world, trail);
    while let Step::Await(_) = step {
        // What `--jwks` did not give will not come.
        (flow, step) = flow.step(Event::Arrived, world, trail);
    }
    while let Step::Ask(_) = step {
        // There is no rate limit service here.
        (flow, step) = flow.step(Event::Answered(None), world, trail);
    }
    if step == Step::AwaitBody {
        let body = recorded.body.as_deref().unwrap_or_default();
        let whole = Event::RequestBody(Body::Whole(body.as_bytes()));
        (flow, step) = flow.step(whole, world, trail);
    }
    if let Step::Reply(denial) = step {
        return Some(denial.status());
    }
    let response = recorded.response.as_ref()?;
    let (flow, mut step) = flow.step(Event::ResponseHead(response_head(response)), world, trail);
    if step == Step::AwaitBody {
        (_, step) = flow.step(
            Event::ResponseBody(Body::Whole(response.body.as_bytes())),
            world,
            trail,
        );
    }
    match step {
        Step::Reply(denial) => Some(denial.status()),
        _ => Some(response.status),
    }
}

fn request_head(recorded: &Recorded) -> RequestHead {
    let pseudo = [(":method", &recorded.method), (":path", &recorded.path)];
    let pseudo = pseudo
        .into_iter()
        .map(|(name, value)| (name.to_string(), value.clone().into_bytes()));
    let headers = pseudo.chain(fields(&recorded.headers)).collect();
    RequestHead {
        headers: Headers::new(headers),
        address: crate::request::parse_address(&recorded.address),
        end_of_stream: recorded.body.is_none(),
        certificate: recorded.certificate.as_ref().map(|shown| PeerCertificate {
            digest: shown.sha256.0,
            subject: shown.subject.clone(),
            uris: shown.uris.clone(),
            dns: shown.dns.clone(),
        }),
    }
}

fn response_head(response: &RecordedResponse) -> ResponseHead {
    let status = (
        ":status".to_string(),
        response.status.to_string().into_bytes(),
    );
    let headers = std::iter::once(status)
        .chain(fields(&response.headers))
        .collect();
    ResponseHead {
        headers: Headers::new(headers),
        end_of_stream: response.body.is_empty(),
    }
}

fn fields(headers: &BTreeMap<String, String>) -> impl Iterator<Item = (String, Vec<u8>)> {
    headers
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value.clone().into_bytes()))
}

fn adopt(keys: &mut KeyRing, policy: &Policy, given: &str, now: Time) -> Result<(), String> {
    let (name, file) = given
        .split_once('=')
        .ok_or(format!("`--jwks {given}` is not `ISSUER=FILE`"))?;
    let issuer = policy.issuers.iter().position(|issuer| issuer.name == name);
    let issuer = issuer.ok_or(format!("the policy has no issuer `{name}`"))?;
    let text = fs::read(file).map_err(|error| format!("`{file}` cannot be read: {error}"))?;
    let set = KeySet::parse(&text).map_err(|problems| {
        problems
            .iter()
            .map(|problem| format!("`{file}`: {problem}"))
            .collect::<Vec<_>>()
            .join("\n")
    })?;
    keys.adopt(issuer, set, 1, now);
    Ok(())
}

fn read_records(file: &Path) -> Result<Vec<Record>, String> {
    let mut text = String::new();
    let read = match file.as_os_str() == "-" {
        true => std::io::stdin().read_to_string(&mut text),
        false => fs::File::open(file).and_then(|mut file| file.read_to_string(&mut text)),
    };
    read.map_err(|error| format!("`{}` cannot be read: {error}", file.display()))?;
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(index, line)| {
            serde_json::from_str(line)
                .map_err(|error| format!("line {} is not an audit record: {error}", index + 1))
        })
        .collect()
}

fn join(problems: &[crate::policy::problem::Problem]) -> String {
    problems
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

#[expect(
    clippy::disallowed_methods,
    reason = "a person at a terminal means the time of the terminal"
)]
fn now() -> Time {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Time::default() + now.unwrap_or_default()
}

fn get() -> String {
    "GET".into()
}

fn ok() -> u16 {
    200
}

/// RFC 5737 keeps this address for documentation.
fn documentation_address() -> String {
    "192.0.2.1".into()
}
