//! Plans with several kinds of limits: what is under way at once, tiers, windows, bodies.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use serde_json::{Value, json};

use crate::harness::{
    Answer, Ask, Gate, Gateway, Http2, Reply, Setup, Tls, Upstream, eventually, run,
};

const OPENAPI: &str = r#"
openapi: 3.1.0
info: { title: Prices, version: 1.0.0 }
servers: [{ url: /v1 }]
security: [{ partner: [] }]
paths:
  /prices:
    get:
      operationId: listPrices
      responses: { "200": { description: Prices. } }
    post:
      operationId: proposePrices
      responses: { "200": { description: Taken down. } }
  /reports:
    get:
      operationId: getReport
      x-quota: { cost: 5 }
      responses: { "200": { description: Costly. } }
components:
  securitySchemes:
    partner: { type: apiKey, in: header, name: X-Api-Key }
"#;

/// Two keys: `pk_north-sea_correct-horse` of the tier `gold`, and `legacy key` of none.
const KEYS: &str = "openapi: openapi.yaml
api_keys:
  partners:
    - id: north-sea
      secrets: [{ sha256: 1b4935ed51e45b8b8f8785a969467fef7b552530d5e15bc2d078349d039d22a8 }]
      tier: gold
    - id: till-4
      secrets: [{ sha256: db8539851b985a88a95f53b3ecec0001ef24ab2ca1cb00387e7ac514a8624673 }]
";
const GOLD: &str = "pk_north-sea_correct-horse";
const PLAIN: &str = "legacy key";

/// At most so many at once.
fn parallel(most: u32) -> String {
    format!(
        "{KEYS}quotas: {{ default: p, plans: {{ p: {{ limits: {{ parallel: \
         {{ algorithm: concurrency, requests: {most} }} }} }} }} }}\n"
    )
}

async fn start(name: &'static str, workers: u32, policy: String) -> (Upstream, Gateway) {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(Setup {
        policy: Some(policy),
        openapi: OPENAPI,
        workers,
        ..Setup::bare(name, upstream.address, upstream.address)
    })
    .await;
    (upstream, gateway)
}

fn prices(key: &str) -> Ask {
    Ask::get("/v1/prices").header("x-api-key", key)
}

/// A request whose answer waits at the gate.
fn held(upstream: &Upstream, gate: &Gate) -> Ask {
    let ask = prices(PLAIN);
    upstream.script(&ask.id, Reply::json("{}").behind(gate));
    ask
}

async fn reached(upstream: &Upstream, id: &str) {
    upstream.received(id).await;
}

/// Asks until there is room, which there is soon after an exchange is over: Envoy tells
/// the filter of its end after the client has had the last byte.
async fn room(gateway: &Gateway) -> Answer {
    eventually("there is room", || async {
        let answer = gateway.ask(prices(PLAIN)).await;
        (answer.status == 200).then_some(answer)
    })
    .await
}

#[test]
fn what_is_under_way_counts_until_it_ends() {
    run(async {
        let (upstream, gateway) = start("parallel", 2, parallel(2)).await;
        let gate = Gate::shut();
        let mut under_way = JoinSet::new();
        for _ in 0..2 {
            let ask = held(&upstream, &gate);
            let id = ask.id.clone();
            under_way.spawn(ask.send(gateway.address()));
            reached(&upstream, &id).await;
        }
        let refused = gateway.ask(prices(PLAIN)).await;
        assert_eq!(refused.status, 429, "{}", refused.text());
        // Nobody knows when a request ends.
        assert_eq!(refused.header("retry-after"), None);
        assert!(!upstream.saw(&refused.id));
        // Another key has its own.
        assert_eq!(gateway.ask(prices(GOLD)).await.status, 200);
        gate.open();
        for answer in under_way.join_all().await {
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
        // Each comes alone now, so however many there are, none is too many.
        for _ in 0..5 {
            room(&gateway).await;
        }
    });
}

#[test]
fn a_client_that_leaves_gives_its_place_back() {
    run(async {
        let (upstream, gateway) = start("parallel-left", 2, parallel(1)).await;
        let gate = Gate::shut();
        let ask = held(&upstream, &gate);
        let id = ask.id.clone();
        let leaving = tokio::spawn(ask.send(gateway.address()));
        reached(&upstream, &id).await;
        assert_eq!(gateway.ask(prices(PLAIN)).await.status, 429);
        leaving.abort();
        room(&gateway).await;
        gate.open();
    });
}

#[test]
fn streams_of_one_connection_are_counted_each() {
    run(async {
        let (upstream, gateway) = start("parallel-http2", 2, parallel(4)).await;
        let gate = Gate::shut();
        let connection = Http2::connect(gateway.address()).await;
        let mut streams = JoinSet::new();
        for _ in 0..10 {
            let (connection, ask) = (connection.clone(), held(&upstream, &gate));
            streams.spawn(async move { connection.ask(ask).await });
        }
        // Those that are refused come back while the others are held.
        for _ in 0..6 {
            let refused = streams.join_next().await.unwrap().unwrap();
            assert_eq!(refused.status, 429, "{}", refused.text());
            assert!(!upstream.saw(&refused.id));
        }
        gate.open();
        for answer in streams.join_all().await {
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
        // Streams that end with their connection give their places back as well.
        let gate = Gate::shut();
        let mut left = JoinSet::new();
        for _ in 0..4 {
            room(&gateway).await;
            let (connection, ask) = (connection.clone(), held(&upstream, &gate));
            let id = ask.id.clone();
            left.spawn(async move { connection.ask(ask).await });
            reached(&upstream, &id).await;
        }
        assert_eq!(gateway.ask(prices(PLAIN)).await.status, 429);
        left.shutdown().await;
        drop(connection);
        room(&gateway).await;
        gate.open();
    });
}

#[test]
fn an_upgraded_connection_counts_as_long_as_it_stands() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = listener.local_addr().unwrap();
        let echo = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(switch_and_echo(stream));
            }
        });
        let gateway = Gateway::start(Setup {
            policy: Some(parallel(1)),
            openapi: OPENAPI,
            tls: Tls {
                manager: json!({ "upgrade_configs": [{ "upgrade_type": "websocket" }] }),
                ..Tls::default()
            },
            ..Setup::bare("parallel-websocket", upstream, upstream)
        })
        .await;
        let mut first = websocket(&gateway).await;
        assert_eq!(head(&mut first).await, "HTTP/1.1 101");
        first.write_all(b"ping").await.unwrap();
        let mut echoed = [0; 4];
        first.read_exact(&mut echoed).await.unwrap();
        assert_eq!(&echoed, b"ping");
        assert_eq!(head(&mut websocket(&gateway).await).await, "HTTP/1.1 429");
        drop(first);
        eventually("there is room", || async {
            let mut next = websocket(&gateway).await;
            (head(&mut next).await == "HTTP/1.1 101").then_some(())
        })
        .await;
        echo.abort();
    });
}

/// Switches protocols whatever it is asked, and then says what it hears.
async fn switch_and_echo(mut stream: TcpStream) {
    let mut asked = Vec::new();
    while !asked.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => asked.push(byte),
            Err(_) => return,
        }
    }
    let switched = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n\
                    upgrade: websocket\r\n\r\n";
    let _ = stream.write_all(switched.as_bytes()).await;
    let (mut from, mut to) = stream.split();
    let _ = tokio::io::copy(&mut from, &mut to).await;
}

async fn websocket(gateway: &Gateway) -> TcpStream {
    let mut stream = TcpStream::connect(gateway.address()).await.unwrap();
    let request = format!(
        "GET /v1/prices HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         x-api-key: {PLAIN}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// Reads a whole head and gives version and status.
async fn head(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\n") {
        read.push(stream.read_u8().await.expect("a whole head"));
    }
    String::from_utf8_lossy(&read[..12]).into_owned()
}

#[test]
fn a_keys_tier_chooses_its_plan_and_over_its_limit_the_lower_one_counts() {
    run(async {
        let policy = format!(
            "{KEYS}quotas:
  default: plain
  plans:
    plain:
      tiers: {{ gold: gold }}
      limits: {{ hourly: {{ algorithm: sliding_window, requests: 2, per: 1h, key: api_key }} }}
    gold:
      limits: {{ hourly: {{ algorithm: sliding_window, requests: 6, per: 1h, key: api_key, over: {{ shed: plain }} }} }}
"
        );
        let (_upstream, gateway) = start("tiers", 4, policy).await;
        // The status, and of each limit that counted the request what is left.
        let asked = async |ask: Ask| {
            let answer = gateway.ask(ask).await;
            let quota = gateway.audit(&answer.id).await["quota"].clone();
            let limits = quota["limits"].as_array().unwrap().iter();
            let said = |limit: &Value| {
                let plan = limit.get("plan").unwrap_or(&quota["plan"]);
                format!(
                    "{} {} {}",
                    plan.as_str().unwrap(),
                    limit["outcome"].as_str().unwrap(),
                    limit["left"]
                )
            };
            (
                answer.status,
                limits.map(said).collect::<Vec<_>>().join(", "),
            )
        };
        let reports = |key: &str| Ask::get("/v1/reports").header("x-api-key", key);
        for (ask, status, said) in [
            (reports(GOLD), 200, "gold allowed 1"),
            (prices(GOLD), 200, "gold allowed 0"),
            (prices(GOLD), 200, "gold shed 0, plain allowed 1"),
            (prices(GOLD), 200, "gold shed 0, plain allowed 0"),
            (prices(GOLD), 429, "gold shed 0, plain refused 0"),
            // What a key of a higher tier spends of the lower plan is its own.
            (prices(PLAIN), 200, "plain allowed 1"),
            (reports(PLAIN), 429, "plain refused 1"),
        ] {
            assert_eq!(asked(ask).await, (status, said.to_owned()));
        }
    });
}

#[test]
fn a_body_is_priced_by_its_announced_length() {
    run(async {
        let policy = format!(
            "{KEYS}quotas: {{ default: p, plans: {{ p: {{ limits: {{ kib: {{ requests: 10, per: 1h, \
             key: api_key, cost: {{ body_bytes: 1024 }} }} }} }} }} }}\n"
        );
        let (upstream, gateway) = start("bodies", 2, policy).await;
        let post = |body: usize| {
            Ask::post("/v1/prices")
                .header("x-api-key", PLAIN)
                .body(vec![b'x'; body])
        };
        for ask in [post(4096), post(4096).http2()] {
            let answer = gateway.ask(ask).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_eq!(upstream.received(&answer.id).await.body.len(), 4096);
        }
        // Two are left, and this costs three.
        assert_eq!(gateway.ask(post(2049)).await.status, 429);
        // Nobody knows what this costs.
        let piecewise = || {
            Ask::post("/v1/prices")
                .header("x-api-key", PLAIN)
                .chunked(&["x", "y"])
        };
        for ask in [piecewise(), piecewise().http2()] {
            let answer = gateway.ask(ask).await;
            assert_eq!(answer.status, 411, "{}", answer.text());
            assert!(!upstream.saw(&answer.id));
        }
        assert_eq!(gateway.ask(post(2048)).await.status, 200);
        assert_eq!(gateway.ask(prices(PLAIN)).await.status, 429);
    });
}

#[test]
fn workers_count_one_window_together() {
    run(async {
        let policy = format!(
            "{KEYS}quotas: {{ default: p, plans: {{ p: {{ limits: {{ hourly: {{ algorithm: sliding_window, \
             requests: 100, per: 1h, key: {{ cel: \"request.headers['x-team'] + key.id\" }} }} }} }} }} }}\n"
        );
        let (_upstream, gateway) = start("window", 4, policy).await;
        let mut asked = JoinSet::new();
        for number in 0..300 {
            let team = if number % 3 == 0 { "red" } else { "blue" };
            let ask = prices(PLAIN).header("x-team", team);
            let address = gateway.address();
            asked.spawn(async move { (team, ask.send(address).await.status) });
        }
        let answers = asked.join_all().await;
        let count = |wanted| answers.iter().filter(|one| **one == wanted).count();
        assert_eq!(count(("red", 200)), 100);
        assert_eq!(count(("red", 429)), 0);
        assert_eq!(count(("blue", 200)), 100);
        assert_eq!(count(("blue", 429)), 100);
        // One more of either is too many.
        for team in ["red", "blue"] {
            let ask = prices(PLAIN).header("x-team", team);
            assert_eq!(gateway.ask(ask).await.status, 429, "{team}");
        }
    });
}
