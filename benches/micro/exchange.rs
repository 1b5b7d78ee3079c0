//! A whole exchange through the pure engine: every stage, the token known.

use std::cell::RefCell;
use std::hint::black_box;

use portcullis::engine::{Event, Flow, Step, World};
use portcullis::jose::PureRust;
use portcullis::policy::openapi::{self, Options};
use portcullis::policy::plugin;
use portcullis::policy::source::Environment;
use portcullis::request::{Headers, RequestHead, ResponseHead};
use portcullis::stage::authn::cache::TokenCache;
use portcullis::stage::authn::keys::KeyRing;
use portcullis::stage::authn::revocations::Revocations;
use portcullis::store::MemoryStore;
use portcullis::trail::{Ending, Trail};
use serde_json::{Value, json};

use super::Result;

/// Prints a line for the request's stages, for the response, and for the record.
pub(crate) fn lines(token: &str, jwks: &str, line: impl Fn(&str, &mut dyn FnMut())) -> Result<()> {
    let configuration = configuration(jwks)?;
    let policy = plugin::load(configuration.as_bytes(), Environment::Elsewhere)
        .map_err(|found| format!("{found:?}"))?;
    let world = World {
        policy: &policy,
        keys: &KeyRing::new(&policy),
        tokens: &RefCell::new(TokenCache::default()),
        told: &RefCell::default(),
        revocations: &RefCell::new(Revocations::new(&policy)),
        store: &MemoryStore::default(),
        signatures: &PureRust,
        secret: &[7; 32],
        now: super::clock::since_1970(),
    };
    let request = || request(token);
    let admit = |trail: &mut Trail| {
        let (flow, step) = Flow::Start.step(Event::RequestHead(request()), &world, trail);
        match step {
            Step::Continue(edits) => Ok((flow, edits)),
            other => Err(format!("the request is not admitted: {other:?}")),
        }
    };
    admit(&mut Trail::default())?;
    line("exchange, head of 9 fields", &mut || {
        drop(black_box(request()))
    });
    line("exchange, head and stages", &mut || {
        drop(black_box(admit(&mut Trail::default())))
    });
    line("exchange, and response head", &mut || {
        let mut trail = Trail::default();
        if let Ok((flow, _)) = admit(&mut trail) {
            drop(black_box(flow.step(
                Event::ResponseHead(response()),
                &world,
                &mut trail,
            )));
        }
    });
    let mut trail = Trail::default();
    admit(&mut trail)?;
    let ending = Ending {
        time_ms: 1_795_305_600_000,
        status: Some(200),
        latency_us: Some(1),
    };
    line("exchange, audit record", &mut || {
        drop(black_box(serde_json::to_vec(
            &trail.record(ending, &policy.fingerprint),
        )));
    });
    Ok(())
}

fn configuration(jwks: &str) -> Result<String> {
    let document = openapi::read(include_str!("../gateway/openapi.yaml"))
        .map_err(|found| format!("{found:?}"))?;
    let mut policy = openapi::read(include_str!("../gateway/policy.yaml"))
        .map_err(|found| format!("{found:?}"))?;
    let names = |list: Option<&Value>| -> Vec<String> {
        let classes = list.and_then(Value::as_array).into_iter().flatten();
        classes
            .filter_map(|class| Some(class.get("name")?.as_str()?.to_string()))
            .collect()
    };
    let options = Options {
        base_path: None,
        classifications: &names(policy.get("classifications")),
        networks: &[],
        hours: &[],
        quota_plans: &["standard".into()],
    };
    let api = openapi::compile(&document, &options).map_err(|found| format!("{found:?}"))?;
    // Its model is made when the bench `gateway` runs.
    policy
        .as_object_mut()
        .and_then(|policy| policy.remove("anomaly"));
    let keys = policy
        .pointer_mut("/issuers/0/keys")
        .ok_or("the policy has no issuer")?;
    *keys = json!({ "inline": serde_json::from_str::<Value>(jwks)? });
    Ok(json!({ "format": plugin::FORMAT, "policy": policy, "api": api }).to_string())
}

fn request(token: &str) -> RequestHead {
    let fields = [
        (":method", "GET"),
        (":path", "/v1/orders?limit=20&status=active"),
        (":authority", "api.example.test"),
        (":scheme", "https"),
        ("authorization", &format!("Bearer {token}")),
        ("user-agent", "bench/1.0"),
        ("accept", "*/*"),
        ("x-request-id", "0f9e8d7c-0000-4000-8000-123456789abc"),
        ("x-forwarded-proto", "https"),
    ];
    let fields = fields.map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()));
    RequestHead {
        headers: Headers::new(fields.to_vec()),
        address: Some([192, 0, 2, 1].into()),
        end_of_stream: true,
        certificate: None,
    }
}

fn response() -> ResponseHead {
    let fields = [
        (":status", "200"),
        ("content-type", "application/json"),
        ("content-length", "1024"),
    ];
    let fields = fields.map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()));
    ResponseHead {
        headers: Headers::new(fields.to_vec()),
        end_of_stream: false,
    }
}
