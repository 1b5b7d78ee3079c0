//! A minute of traffic while the issuer does what issuers do: it changes its keys, and
//! it goes away. Every answer is held against what was true when it was given.
//!
//! The gateways are asked at the same time, so that the minute is spent once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::harness::{
    Ask, Gateway, Idp, Mode, Pace, Sample, Setup, Upstream, eventually, now, run,
};
use crate::shop::{KEY_TIMES, OPENAPI, Shop, policy};

#[test]
fn keys_change_and_the_issuer_goes_away_under_load() {
    run(async {
        let (rotation, outage) = tokio::join!(rotation(), outage());
        println!("rotation: {rotation:?}\noutage: {outage:?}");
        assert_eq!((rotation.faults, outage.faults), (vec![], vec![]));
    });
}

/// What a minute came to.
#[derive(Debug)]
#[expect(dead_code, reason = "the counts are there to be printed")]
struct Report {
    counts: String,
    faults: Vec<String>,
}

/// The provider changes its keys twice: once as it should (publish, sign, retire), once
/// without a warning. No valid token is refused, and no retired key is believed for
/// longer than a refresh and a fetch.
async fn rotation() -> Report {
    let shop = Shop::start("rotation-under-load", 4, |policy| {
        policy.replace(KEY_TIMES, "refresh: 4s, timeout: 2s, cooldown: 1s")
    })
    .await;
    let wallet = Arc::new(Wallet::default());
    wallet.fill(&shop.idp).await;
    let purse = Arc::clone(&wallet);
    let traffic = PACE.run(shop.gateway.address(), move |number| {
        let (generation, token) = purse.any(number);
        let ask = Ask::get("/v1/orders").bearer(&token).anonymous();
        (generation, ask)
    });
    let issuer = async {
        let mut retired = BTreeMap::new();
        let work = |wallet: Arc<Wallet>, seconds: u64| {
            let idp = &shop.idp;
            async move {
                let until = Instant::now() + Duration::from_secs(seconds);
                while Instant::now() < until {
                    wallet.fill(idp).await;
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        };
        work(Arc::clone(&wallet), 8).await;
        shop.idp.publish().await;
        work(Arc::clone(&wallet), 6).await;
        shop.idp.rotate().await;
        work(Arc::clone(&wallet), 8).await;
        retired.insert(1, retire(&shop.idp).await);
        work(Arc::clone(&wallet), 10).await;
        shop.idp.rotate().await;
        work(Arc::clone(&wallet), 8).await;
        retired.insert(2, retire(&shop.idp).await);
        work(Arc::clone(&wallet), 18).await;
        retired
    };
    let (samples, retired) = tokio::join!(traffic, issuer);
    let limit = Duration::from_secs(4 + 2) + SLACK;
    let mut faults = Vec::new();
    for sample in &samples {
        let fate = retired.get(&sample.about);
        let acceptable = match sample.status {
            200 => fate.is_none_or(|(_, after)| sample.sent <= *after + limit),
            401 => fate.is_some_and(|(before, _)| sample.answered >= *before),
            _ => false,
        };
        if !acceptable {
            faults.push(format!("{sample:?}, retired: {retired:?}"));
        }
    }
    for (generation, expected) in [(1, &[200, 401][..]), (2, &[200, 401]), (3, &[200])] {
        let mut seen: Vec<u16> = samples
            .iter()
            .filter(|sample| sample.about == generation)
            .map(|sample| sample.status)
            .collect();
        seen.sort_unstable();
        seen.dedup();
        if seen != expected {
            faults.push(format!("keys {generation} saw {seen:?} only"));
        }
    }
    Report {
        counts: counts(&samples),
        faults,
    }
}

/// The provider refuses connections, then accepts them and is silent, then answers 500:
/// twenty seconds each. While keys may be stale, every valid token passes, those that no
/// cache knows too; beyond the limit none does; afterwards all do again.
async fn outage() -> Report {
    let idp = Idp::start().await;
    let upstream = Upstream::start().await;
    let gateway = async |name, max_stale: Duration| {
        let times = format!(
            "refresh: 2s, timeout: 1s, cooldown: 1s, on_missing: refuse, max_stale: {}s",
            max_stale.as_secs()
        );
        Gateway::start(Setup {
            policy: Some(policy(&idp).replace(KEY_TIMES, &times)),
            openapi: OPENAPI,
            ..Setup::bare(name, upstream.address, idp.address)
        })
        .await
    };
    let patient = gateway("outage", Duration::from_secs(300)).await;
    let strict = gateway("outage-too-long", STRICT).await;
    let wallet = Arc::new(Wallet::default());
    wallet.fill(&idp).await;
    // Both have keys before they are taken away.
    let (_, token) = wallet.any(0);
    for gateway in [&patient, &strict] {
        eventually("keys are fetched", || async {
            let ask = Ask::get("/v1/orders").bearer(&token);
            (gateway.ask(ask).await.status == 200).then_some(())
        })
        .await;
    }
    let traffic = |gateway: &Gateway| {
        let purse = Arc::clone(&wallet);
        PACE.run(gateway.address(), move |number| {
            let (_, token) = purse.any(number);
            ((), Ask::get("/v1/orders").bearer(&token).anonymous())
        })
    };
    let issuer = async {
        let before = Instant::now();
        idp.enter(Mode::Refuse).await;
        let after = Instant::now();
        for next in [Mode::Hang, Mode::Fail, Mode::Up] {
            let until = Instant::now() + Duration::from_secs(PACE.duration.as_secs() / 3);
            while Instant::now() < until {
                wallet.fill(&idp).await;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            idp.enter(next).await;
        }
        (before, after, Instant::now())
    };
    let (served, limited, (before, after, back)) =
        tokio::join!(traffic(&patient), traffic(&strict), issuer);
    let mut faults = Vec::new();
    for sample in served.iter().filter(|sample| sample.status != 200) {
        faults.push(format!("patient: {sample:?}"));
    }
    // The keys were at most a refresh and a fetch old when the provider went away.
    let surely_usable = before + STRICT - Duration::from_secs(2 + 1) - SLACK;
    let surely_stale = after + STRICT + SLACK;
    let mut refused = 0;
    for sample in &limited {
        let acceptable = match sample.status {
            200 => sample.sent <= surely_stale || sample.answered >= back,
            503 => sample.answered >= surely_usable,
            _ => false,
        };
        if !acceptable {
            faults.push(format!("strict: {sample:?}, away since {before:?}"));
        }
        refused += u32::from(sample.status == 503);
    }
    if refused == 0 {
        faults.push("no key became too stale".to_owned());
    }
    let (_, token) = wallet.any(0);
    eventually("the issuer's return is noticed", || async {
        let ask = Ask::get("/v1/orders").bearer(&token);
        (strict.ask(ask).await.status == 200).then_some(())
    })
    .await;
    Report {
        counts: format!(
            "{}; with keys for {STRICT:?}: {}",
            counts(&served),
            counts(&limited)
        ),
        faults,
    }
}

/// Tokens, by the number of the keys that signed them.
#[derive(Default)]
struct Wallet(Mutex<BTreeMap<u64, Vec<String>>>);

impl Wallet {
    /// Puts in a token of each algorithm, which no gateway has seen.
    async fn fill(&self, idp: &Idp) {
        for alg in ["RS256", "ES256", "EdDSA"] {
            let token = idp.mint(alg, json!({}), claims()).await;
            let generation = generation(&token);
            let mut tokens = self.0.lock().unwrap();
            tokens.entry(generation).or_default().push(token);
        }
    }

    /// Every generation in turn; the newest token of it every other time, so that many
    /// tokens are new to the gateway and many are not.
    fn any(&self, number: u32) -> (u64, String) {
        let tokens = self.0.lock().unwrap();
        let number = number as usize;
        let (generation, tokens) = tokens.iter().nth(number % tokens.len()).unwrap();
        let at = match number % 4 {
            0 | 3 => tokens.len() - 1,
            _ => number * 7_919 % tokens.len(),
        };
        (*generation, tokens[at].clone())
    }
}

/// The provider's keys are called `es256-1`, `es256-2` and so on.
fn generation(token: &str) -> u64 {
    let header = URL_SAFE_NO_PAD
        .decode(token.split('.').next().unwrap())
        .unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    let (_, number) = header["kid"].as_str().unwrap().split_once('-').unwrap();
    number.parse().unwrap()
}

/// Forgets the old keys; the moments between which that happened.
async fn retire(idp: &Idp) -> (Instant, Instant) {
    let before = Instant::now();
    idp.retire().await;
    (before, Instant::now())
}

fn counts<T>(samples: &[Sample<T>]) -> String {
    let mut statuses: BTreeMap<u16, u32> = BTreeMap::new();
    for sample in samples {
        *statuses.entry(sample.status).or_default() += 1;
    }
    let slowest = samples
        .iter()
        .map(|sample| sample.answered - sample.sent)
        .max();
    format!(
        "{} answers, {statuses:?}, the slowest after {:?}",
        samples.len(),
        slowest.unwrap_or_default()
    )
}

fn claims() -> Value {
    json!({
        "iss": Idp::ISSUER,
        "aud": "https://shop.example.test",
        "sub": "storefront",
        "client_id": "storefront",
        "scope": "orders:read",
        "jti": "endurance",
        "iat": now(),
        "exp": now() + 300,
    })
}

const PACE: Pace = Pace {
    connections: 16,
    http2: false,
    rate: 60,
    duration: Duration::from_secs(60),
};

/// How long the stricter gateway of the outage may use its keys.
const STRICT: Duration = Duration::from_secs(25);

/// What a tick of the root context and a busy machine may add to a limit.
const SLACK: Duration = Duration::from_secs(2);
