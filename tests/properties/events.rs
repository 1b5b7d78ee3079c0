//! The state machine under events in any order, and heads of any bytes.

use portcullis::denial::Denial;
use portcullis::engine::{Body, Event, Flow, Step};
use portcullis::policy::Policy;
use portcullis::policy::source::Mode;
use portcullis::request::{Headers, RequestHead, ResponseHead};
use portcullis::store::MemoryStore;
use portcullis::trail::{Outcome, Stage, Trail};
use proptest::prelude::*;
use serde_json::json;

use crate::shop::{self, Parts, now};

/// An event that owns what it carries.
#[derive(Debug, Clone)]
enum Happening {
    RequestHead(RequestHead),
    RequestBody(Option<Vec<u8>>),
    Keys { fetched: bool },
    ResponseHead(ResponseHead),
    ResponseBody(Option<Vec<u8>>),
}

impl Happening {
    fn event(&self) -> Event<'_> {
        match self {
            Happening::RequestHead(head) => Event::RequestHead(head.clone()),
            Happening::RequestBody(None) => Event::RequestBody(Body::Partial),
            Happening::RequestBody(Some(body)) => Event::RequestBody(Body::Whole(body)),
            Happening::Keys { .. } => Event::Arrived,
            Happening::ResponseHead(head) => Event::ResponseHead(head.clone()),
            Happening::ResponseBody(None) => Event::ResponseBody(Body::Partial),
            Happening::ResponseBody(Some(body)) => Event::ResponseBody(Body::Whole(body)),
        }
    }

    fn is_the_requests(&self) -> bool {
        matches!(
            self,
            Happening::RequestHead(_) | Happening::RequestBody(_) | Happening::Keys { .. }
        )
    }
}

/// What may follow what, written down a second time.
fn expected(flow: &Flow, happening: &Happening) -> bool {
    use Happening as H;
    match flow {
        Flow::Start => matches!(happening, H::RequestHead(_) | H::ResponseHead(_)),
        Flow::Awaiting(..) => {
            matches!(
                happening,
                H::Keys { .. } | H::RequestBody(_) | H::ResponseHead(_)
            )
        }
        Flow::Judging(_) | Flow::Admitted(_) | Flow::Announcing => {
            matches!(happening, H::RequestBody(_) | H::ResponseHead(_))
        }
        Flow::Masking { .. } => matches!(happening, H::ResponseBody(_)),
        Flow::Over => false,
        // No limit of the shop is shared.
        Flow::Counting(_) => false,
        Flow::Passing | Flow::Refused => {
            matches!(
                happening,
                H::RequestBody(_) | H::ResponseHead(_) | H::ResponseBody(_)
            )
        }
    }
}

/// Requests near the shop: most of them nearly right.
fn heads() -> impl Strategy<Value = RequestHead> {
    let method = prop::sample::select(vec!["GET", "POST", "HEAD", "DELETE", "OPTIONS", ""]);
    let path = prop_oneof![
        8 => prop::sample::select(vec![
            "/v1/status", "/v1/me", "/v1/orders", "/v1/orders/o-1", "/v1/orders/o-1", "/v1/reports",
            "/v1/exports", "/v1/catalogue", "/v1/transfers", "/v1/transfers", "/v1/nothing", "/v1//orders", "/v1/orders/%2e", "*",
            "/v1/orders?limit=1&limit=%zz",
        ])
        .prop_map(|path| path.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..12),
    ];
    let bearer = |description| format!("Bearer {}", shop::token(description)).into_bytes();
    let scope = "orders:read orders:write";
    let good = bearer(json!({ "claims": { "scope": scope, "accounts": ["a-1"] } }));
    let credential = prop_oneof![
        6 => Just(vec![good.clone()]),
        1 => Just(vec![]),
        1 => Just(vec![good.clone(), good]),
        1 => Just(vec![bearer(json!({ "claims": { "scope": "x" } }))]),
        1 => Just(vec![bearer(json!({ "expires_in": -100 }))]),
        1 => Just(vec![bearer(json!({ "key": "ec-of-somebody" }))]),
        1 => Just(vec![bearer(json!({ "forged": { "scope": scope } }))]),
        1 => prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 1..2),
    ];
    let odd = prop::collection::vec(
        ("[a-z:-]{0,12}", prop::collection::vec(any::<u8>(), 0..8)),
        0..2,
    );
    let address = prop::option::weighted(0.95, Just("192.0.2.1"));
    let parts = (method, path, credential, odd, address, any::<bool>());
    parts.prop_map(|(method, path, credential, odd, address, end_of_stream)| {
        let mut fields = vec![(":path".to_owned(), path)];
        if !method.is_empty() {
            fields.push((":method".to_owned(), method.as_bytes().to_vec()));
        }
        let name = "authorization";
        fields.extend(credential.into_iter().map(|value| (name.to_owned(), value)));
        fields.extend(odd);
        fields.push(("content-type".into(), b"application/json".to_vec()));
        RequestHead {
            headers: Headers::new(fields),
            address: address.map(|text| text.parse().unwrap()),
            end_of_stream,
            certificate: None,
        }
    })
}

fn responses() -> impl Strategy<Value = ResponseHead> {
    let status = prop::sample::select(vec![
        "200", "201", "203", "204", "206", "304", "404", "500", "", "9",
    ]);
    let kind = prop::sample::select(vec!["application/json", "text/html", "a/b+json", "", "\0"]);
    let coding = prop::sample::select(vec![None, None, Some("identity"), Some("gzip")]);
    (status, kind, coding, any::<bool>()).prop_map(|(status, kind, coding, end_of_stream)| {
        let field = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
        let mut fields = vec![field(":status", status), field("content-type", kind)];
        fields.extend(coding.map(|coding| field("content-encoding", coding)));
        ResponseHead {
            headers: Headers::new(fields),
            end_of_stream,
        }
    })
}

fn bodies() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(br#"{"id":"o-1","note":"SECRET","customer":{"name":"SECRET"}}"#.to_vec()),
        Just(br#"[{"note":"SECRET"},[{"note":"SECRET"}]]"#.to_vec()),
        Just(br#"{"note":"SECRET""#.to_vec()),
        Just(br#"{"note":["SECRET",{"note":"SECRET"}]} {"note":"SECRET"}"#.to_vec()),
        prop::collection::vec(any::<u8>(), 0..30),
    ]
}

/// Transfers from an account of the caller's, or of somebody else's.
fn request_bodies() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(br#"{"from":"a-1"}"#.to_vec()),
        Just(br#"{"from":"a-2"}"#.to_vec()),
        Just(br#"{"from":"a-1","from":"a-2"}"#.to_vec()),
        prop::collection::vec(any::<u8>(), 0..30),
    ]
}

fn happenings() -> impl Strategy<Value = Happening> {
    prop_oneof![
        2 => heads().prop_map(Happening::RequestHead),
        2 => prop::option::of(request_bodies()).prop_map(Happening::RequestBody),
        2 => any::<bool>().prop_map(|fetched| Happening::Keys { fetched }),
        2 => responses().prop_map(Happening::ResponseHead),
        1 => Just(Happening::ResponseBody(None)),
        2 => bodies().prop_map(|body| Happening::ResponseBody(Some(body))),
    ]
}

/// Most exchanges begin with a request, as they should.
fn exchanges() -> impl Strategy<Value = Vec<Happening>> {
    let rest = prop::collection::vec(happenings(), 0..8);
    let first = prop::option::weighted(0.9, heads().prop_map(Happening::RequestHead));
    (first, rest).prop_map(|(first, rest)| first.into_iter().chain(rest).collect())
}

fn modes() -> impl Strategy<Value = [Mode; 9]> {
    let mode = prop_oneof![3 => Just(Mode::Enforce), 1 => Just(Mode::Observe)];
    prop::array::uniform9(mode)
}

fn set(policy: &mut Policy, modes: [Mode; 9]) {
    let stages = &mut policy.stages;
    [
        stages.hygiene,
        stages.routing,
        stages.network,
        stages.availability,
        stages.lockout,
        stages.authorization,
        stages.quota,
        stages.anomaly,
        stages.masking,
    ] = modes;
}

/// That the trail shows a request which passed every stage that enforces.
fn passed_everything(policy: &Policy, trail: &Trail) -> Result<(), TestCaseError> {
    prop_assert_eq!(trail.denial(), None);
    let concluded = |stage| {
        let last = trail
            .findings()
            .iter()
            .rfind(|finding| finding.stage == stage);
        last.map(|finding| finding.outcome)
    };
    let denied = trail
        .findings()
        .iter()
        .any(|finding| finding.outcome == Outcome::Denied);
    prop_assert!(!denied, "{:?}", trail.findings());
    prop_assert_eq!(concluded(Stage::Hygiene), Some(Outcome::Passed));
    prop_assert_eq!(concluded(Stage::Authentication), Some(Outcome::Passed));
    let modes = [
        (Stage::Hygiene, policy.stages.hygiene),
        (Stage::Routing, policy.stages.routing),
        (Stage::Authorization, policy.stages.authorization),
        (Stage::Quota, policy.stages.quota),
    ];
    for (stage, mode) in modes {
        let objected = trail
            .findings()
            .iter()
            .any(|finding| finding.stage == stage && finding.outcome == Outcome::WouldDeny);
        prop_assert!(!(objected && mode == Mode::Enforce), "{stage:?} enforces");
    }
    let operation = trail.operation.as_ref();
    prop_assert_eq!(
        concluded(Stage::Routing) == Some(Outcome::Passed),
        operation.is_some()
    );
    if let Some(id) = operation {
        let operation = policy.operations.iter().find(|one| one.id == *id).unwrap();
        prop_assert!(concluded(Stage::Authorization).is_some());
        prop_assert_eq!(concluded(Stage::Quota).is_some(), operation.plan.is_some());
        // Nobody who is unknown is where a token is needed.
        prop_assert!(operation.access.public || trail.subject.is_some());
    } else {
        prop_assert!(trail.subject.is_some());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn only_an_admitted_request_goes_on(
        modes in modes(),
        held in any::<bool>(),
        events in exchanges(),
    ) {
        thread_local! {
            static POLICY: std::cell::RefCell<Policy> =
                std::cell::RefCell::new(shop::remote_policy());
        }
        POLICY.with(|policy| {
            let policy = &mut *policy.borrow_mut();
            set(policy, modes);
            let store = MemoryStore::default();
            let mut parts = Parts::new(policy);
            if held {
                parts.keys.adopt(0, shop::keys(), 1, now());
            }
            let mut trail = Trail::default();
            let mut flow = Flow::Start;
            for happening in &events {
                if let Happening::Keys { fetched: true } = happening {
                    parts.keys.adopt(0, shop::keys(), 1, now());
                }
                let was_expected = expected(&flow, happening);
                let was_passing = matches!(flow, Flow::Passing);
                let was_judging = matches!(flow, Flow::Judging(_));
                let was_refused = matches!(flow, Flow::Refused);
                let world = parts.world(policy, &store, now());
                let (next, step) = flow.step(happening.event(), &world, &mut trail);
                if !was_expected {
                    prop_assert_eq!(&step, &Step::Reply(Denial::Unexpected));
                    prop_assert!(trail.denial().is_some());
                }
                let goes_on = matches!(step, Step::Continue(_));
                if happening.is_the_requests() && goes_on {
                    prop_assert!(matches!(next, Flow::Admitted(_) | Flow::Passing), "{next:?}");
                    if was_judging && policy.stages.authorization == Mode::Enforce {
                        let own = br#"{"from":"a-1"}"#;
                        prop_assert!(matches!(happening, Happening::RequestBody(Some(body)) if body == own), "{happening:?}");
                    }
                    passed_everything(policy, &trail)?;
                }
                match &step {
                    Step::Reply(_) => prop_assert!(matches!(next, Flow::Refused)),
                    Step::Await(_) => prop_assert!(matches!(next, Flow::Awaiting(..))),
                    Step::AwaitBody => {
                        prop_assert!(matches!(next, Flow::Masking { .. } | Flow::Judging(_)), "awaits no body");
                    }
                    Step::Continue(edits) => {
                        let untouched = edits.remove.is_empty() && edits.set.is_empty() && edits.body.is_none();
                        prop_assert!(!(was_passing || was_refused) || untouched, "a settled flow edits");
                    }
                    Step::Ask(_) => prop_assert!(false, "no limit of the shop is shared"),
                    Step::Wait => {}
                }
                prop_assert!(!was_refused || matches!(next, Flow::Refused), "a refused flow opens");
                prop_assert!(!was_passing || !was_expected || matches!(next, Flow::Passing), "a passing flow turns");
                flow = next;
            }
            Ok(())
        })?;
    }

    #[test]
    fn what_is_classified_stays_where_it_is(response in responses(), body in bodies()) {
        thread_local! {
            static POLICY: Policy = shop::policy(|_| {});
        }
        POLICY.with(|policy| {
            let (store, parts) = (MemoryStore::default(), Parts::new(policy));
            let world = parts.world(policy, &store, now());
            let mut head = shop::head("GET", b"/v1/orders/o-1", Some("192.0.2.1"));
            let bearer = format!("Bearer {}", shop::token(json!({})));
            let fields = head.headers.iter().map(|(name, value)| (name.to_owned(), value.to_vec()));
            let credential = ("authorization".to_owned(), bearer.into_bytes());
            head.headers = Headers::new(fields.chain([credential]).collect());
            let mut trail = Trail::default();
            let (flow, step) = Flow::Start.step(Event::RequestHead(head), &world, &mut trail);
            prop_assert!(matches!(step, Step::Continue(_)), "{step:?}");
            let (status, ends) = (response.status().unwrap_or_default(), response.end_of_stream);
            let (flow, step) = flow.step(Event::ResponseHead(response.clone()), &world, &mut trail);
            let sent = match step {
                Step::Reply(_) => Vec::new(),
                // A status of no body has none; an error that is no JSON is not the document.
                Step::Continue(_) if ends || [204, 304].contains(&status) => Vec::new(),
                Step::Continue(_) => {
                    let json = response.headers.first("content-type").unwrap().ends_with(b"json");
                    prop_assert!(!json && !(200..300).contains(&status), "{response:?}");
                    Vec::new()
                }
                Step::AwaitBody => {
                    let whole = Event::ResponseBody(Body::Whole(&body));
                    match flow.step(whole, &world, &mut trail).1 {
                        Step::Continue(edits) => edits.body.unwrap_or(body),
                        Step::Reply(_) => Vec::new(),
                        other => panic!("{other:?}"),
                    }
                }
                other => panic!("{other:?}"),
            };
            let sent = String::from_utf8_lossy(&sent);
            prop_assert!(!sent.contains("SECRET"), "{sent}");
            Ok(())
        })?;
    }
}
