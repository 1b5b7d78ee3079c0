//! Feeds a case's events to the engine in the order in which Envoy would.

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use portcullis::command::assemble::assemble;
use portcullis::denial::Denial;
use portcullis::engine::{Body, Edits, Ended, Event, Flow, Step, World};
use portcullis::jose::{KeySet, PureRust};
use portcullis::policy::Policy;
use portcullis::ratelimit::{self, Question, Status};
use portcullis::request::{Headers, RequestHead, ResponseHead, parse_address};
use portcullis::stage::authn::Needed;
use portcullis::stage::authn::cache::TokenCache;
use portcullis::stage::authn::keys::KeyRing;
use portcullis::stage::authn::opaque::{self, Told};
use portcullis::stage::authn::revocations::Revocations;
use portcullis::store::{Conflict, MemoryStore, Store, Version};
use portcullis::time::Time;
use portcullis::trail::{Ending, Trail};

use serde_json::Value;

use crate::case::{Case, Exchange};
use crate::outcome::Outcome;
use crate::{model, token};

/// Where policies are compiled and the model lies.
pub(crate) struct Replay {
    folder: PathBuf,
    model: PathBuf,
}

impl Replay {
    /// Trains the model.
    pub(crate) fn new(folder: &Path) -> Self {
        let file = folder.join("model.json");
        fs::write(&file, model::usual().to_string()).unwrap();
        Replay {
            folder: folder.to_owned(),
            model: file,
        }
    }

    /// How the case differs from what it expects; nothing if it does not.
    pub(crate) fn run(&self, case: &Case) -> Vec<String> {
        let policy = self.compile(case);
        let mut stand = Stand::new(case, &policy);
        let exchanges = case.exchanges().iter().enumerate();
        exchanges
            .flat_map(|(index, exchange)| {
                let differences = stand.run(case, exchange);
                differences
                    .into_iter()
                    .map(move |difference| format!("exchange {}: {difference}", index + 1))
            })
            .collect()
    }

    fn compile(&self, case: &Case) -> Policy {
        let (policy, openapi) = case.sources(&self.model);
        fs::write(self.folder.join("openapi.yaml"), openapi).unwrap();
        let file = self.folder.join("policy.yaml");
        fs::write(&file, policy).unwrap();
        match assemble(&file) {
            Ok(assembled) => assembled.policy,
            Err(problems) => panic!("tests/cases/{}.yaml: {problems:#?}", case.name),
        }
    }
}

/// One worker, for as long as a case lasts.
struct Stand<'p> {
    policy: &'p Policy,
    keys: KeyRing,
    tokens: RefCell<TokenCache>,
    told: RefCell<Told>,
    revocations: RefCell<Revocations>,
    store: Box<dyn Store>,
}

impl<'p> Stand<'p> {
    fn new(case: &Case, policy: &'p Policy) -> Self {
        let mut keys = KeyRing::new(policy);
        if let Some(remote) = case.keys.as_ref().filter(|keys| !keys.held.is_empty()) {
            let fetched = START - Duration::from_secs(remote.age);
            keys.adopt(0, key_set(&remote.held), 1, time(fetched));
        }
        Stand {
            policy,
            keys,
            tokens: RefCell::default(),
            told: RefCell::default(),
            revocations: RefCell::new(Revocations::new(policy)),
            store: match case.contended {
                true => Box::new(Contended),
                false => Box::new(MemoryStore::default()),
            },
        }
    }

    fn run(&mut self, case: &Case, exchange: &Exchange) -> Vec<String> {
        let now = START + Duration::from_secs_f64(exchange.request.at.max(0.0))
            - Duration::from_secs_f64((-exchange.request.at).max(0.0));
        let mut trail = Trail::default();
        let head = request_head(case, exchange, now);
        let mut awaited = None;
        let (mut flow, mut step) = Flow::Start.step(
            Event::RequestHead(head.clone()),
            &self.world(now),
            &mut trail,
        );
        while let Step::Await(needed) = &step {
            awaited = Some(self.fetch(case, exchange, needed, now));
            (flow, step) = flow.step(Event::Arrived, &self.world(now), &mut trail);
        }
        while let Step::Ask(question) = &step {
            let answer = Event::Answered(service_answer(exchange, question));
            (flow, step) = flow.step(answer, &self.world(now), &mut trail);
        }
        if step == Step::AwaitBody {
            let body = exchange.request.body();
            let whole = Event::RequestBody(Body::Whole(body.as_bytes()));
            (flow, step) = flow.step(whole, &self.world(now), &mut trail);
        }
        let mut outcome = Answer::default();
        match step {
            Step::Reply(denial) => outcome.refuse(&denial, &trail),
            Step::Continue(edits) => {
                outcome.upstream = Some(reached(&head, &edits));
                self.respond(flow, exchange, now, &mut outcome, &mut trail);
            }
            other => panic!("tests/cases/{}.yaml: {other:?} decides nothing", case.name),
        }
        if !exchange.unended {
            let ended = Ended {
                status: Some(outcome.status),
                upstream_ns: exchange.response.after_ms.map(|after| after * 1_000_000),
            };
            let _ = Flow::Passing.step(Event::Ended(ended), &self.world(now), &mut trail);
        }
        let ending = Ending {
            time_ms: time(now).millis(),
            status: Some(outcome.status),
            latency_us: None,
        };
        let outcome = Outcome {
            status: outcome.status,
            headers: outcome.headers,
            body: outcome.body,
            upstream: outcome.upstream,
            record: trail.record(ending, &self.policy.fingerprint),
            waited: Some(awaited),
        };
        exchange.expect.differences(&outcome)
    }

    /// Brings what the case has of what is needed, and says what was.
    fn fetch(
        &mut self,
        case: &Case,
        exchange: &Exchange,
        needed: &Needed,
        now: Duration,
    ) -> &'static str {
        match needed {
            Needed::Keys(needed) => {
                let brings = case.keys.as_ref().and_then(|keys| keys.brings.as_ref());
                if let Some(names) = brings {
                    self.keys.adopt(needed.issuer, key_set(names), 2, time(now));
                }
                if needed.unknown_key {
                    "unknown"
                } else {
                    "missing"
                }
            }
            Needed::Introspection(inquiry) => {
                let answer = introspected(&exchange.introspected);
                // What cannot be read is told to the log, which a case does not see.
                let _ = opaque::settle(inquiry.about, answer.as_deref(), &self.world(now));
                "introspection"
            }
            Needed::Revocations => "revocations",
        }
    }

    fn respond(
        &self,
        flow: Flow,
        exchange: &Exchange,
        now: Duration,
        answer: &mut Answer,
        trail: &mut Trail,
    ) {
        let response = &exchange.response;
        let body = match exchange.request.method.as_str() {
            "HEAD" => String::new(),
            _ => response.body(),
        };
        let status = response.status();
        let fields = response.fields();
        let pseudo = (":status".to_owned(), status.to_string().into_bytes());
        let bytes = |(name, value): (&String, &String)| (name.clone(), value.clone().into_bytes());
        let head = ResponseHead {
            headers: Headers::new(
                [pseudo]
                    .into_iter()
                    .chain(fields.iter().map(bytes))
                    .collect(),
            ),
            end_of_stream: body.is_empty(),
        };
        let world = self.world(now);
        let (flow, mut step) = flow.step(Event::ResponseHead(head), &world, trail);
        if step == Step::AwaitBody {
            let whole = Event::ResponseBody(Body::Whole(body.as_bytes()));
            (_, step) = flow.step(whole, &world, trail);
        }
        match step {
            Step::Reply(denial) => answer.refuse(&denial, trail),
            Step::Continue(edits) => {
                answer.status = status;
                answer.headers = fields.into_iter().collect();
                apply(&edits, &mut answer.headers);
                answer.body = match edits.body {
                    Some(masked) => String::from_utf8(masked).unwrap(),
                    None => body,
                };
            }
            other => panic!("{other:?} is no step for a whole response"),
        }
    }

    fn world(&self, now: Duration) -> World<'_> {
        World {
            policy: self.policy,
            keys: &self.keys,
            tokens: &self.tokens,
            told: &self.told,
            revocations: &self.revocations,
            store: self.store.as_ref(),
            signatures: &PureRust,
            secret: &[7; 32],
            now: time(now),
        }
    }
}

/// What the client and the upstream get.
#[derive(Default)]
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
    upstream: Option<(String, Vec<(String, String)>)>,
}

impl Answer {
    fn refuse(&mut self, denial: &Denial, trail: &Trail) {
        let refusal = trail.refusal(denial);
        self.status = refusal.status;
        let owned = |(name, value): (&str, String)| (name.to_owned(), value);
        self.headers = refusal.headers.into_iter().map(owned).collect();
        self.body = String::from_utf8(refusal.body).unwrap();
    }
}

/// A store whose every write comes too late.
struct Contended;

impl Store for Contended {
    fn read(&self, _: &str) -> Option<(Vec<u8>, Version)> {
        None
    }

    fn compare_and_swap(&self, _: &str, _: &[u8], _: Option<Version>) -> Result<(), Conflict> {
        Err(Conflict)
    }
}

fn request_head(case: &Case, exchange: &Exchange, now: Duration) -> RequestHead {
    let request = &exchange.request;
    let mut headers = vec![(":path".to_owned(), request.path.clone().into_bytes())];
    if !request.method.is_empty() {
        headers.push((":method".to_owned(), request.method.clone().into_bytes()));
    }
    headers.extend(request.fields(&case.name, now.as_secs()));
    RequestHead {
        headers: Headers::new(headers),
        address: parse_address(request.address.as_deref().unwrap_or("192.0.2.1:4711")),
        end_of_stream: request.body().is_empty(),
        certificate: request.certificate.clone(),
    }
}

/// The head that the upstream gets.
fn reached(head: &RequestHead, edits: &Edits) -> (String, Vec<(String, String)>) {
    let text = |(name, value): (&str, &[u8])| {
        (name.to_owned(), String::from_utf8_lossy(value).into_owned())
    };
    let mut fields: Vec<(String, String)> = head.headers.iter().map(text).collect();
    apply(edits, &mut fields);
    let path = fields
        .iter()
        .find(|(name, _)| name == ":path")
        .unwrap()
        .1
        .clone();
    (path, fields)
}

/// Removals first, then settings, as the adapter does.
fn apply(edits: &Edits, fields: &mut Vec<(String, String)>) {
    fields.retain(|(name, _)| !edits.remove.contains(name));
    for (name, value) in &edits.set {
        fields.retain(|(other, _)| other != name);
        fields.push((name.clone(), value.clone()));
    }
}

fn key_set(names: &[String]) -> KeySet {
    KeySet::from_json(&token::published(names)).unwrap()
}

fn time(since_1970: Duration) -> Time {
    Time::default() + since_1970
}

/// What the authorization server answers, if it does.
fn introspected(said: &Value) -> Option<Vec<u8>> {
    match said {
        Value::Null => None,
        Value::String(text) => Some(text.clone().into_bytes()),
        said => {
            let mut said = said.clone();
            for date in ["exp", "nbf", "iat"] {
                if let Some(offset) = said.get(date).and_then(Value::as_i64) {
                    said[date] = START.as_secs().saturating_add_signed(offset).into();
                }
            }
            Some(said.to_string().into_bytes())
        }
    }
}

/// When every case begins: 2026-11-22T00:00:00Z.
const START: Duration = Duration::from_secs(1_795_305_600);

/// What the rate limit service says.
fn service_answer(exchange: &Exchange, question: &Question) -> Option<ratelimit::Answer> {
    let said = exchange.service.as_object()?;
    let number = |name: &str| said.get(name).and_then(Value::as_u64);
    let over_limit = said.get("over").and_then(Value::as_bool).unwrap_or(false);
    let status = Status {
        over_limit,
        quota: number("quota"),
        left: number("left").unwrap_or_default(),
        reset: number("reset").map(Duration::from_secs),
    };
    Some(ratelimit::Answer {
        over_limit,
        statuses: vec![status; question.hits.len()],
    })
}
