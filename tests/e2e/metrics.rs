//! What Envoy tells of the filter, as Prometheus reads it.

use std::collections::BTreeMap;

use crate::harness::{Ask, Gateway, eventually, run};
use crate::shop::{REPORTS_PLAN, Shop};

#[test]
fn exchanges_are_counted_by_decision_and_reason() {
    run(async {
        let shop = Shop::start("metrics", 2, |policy| policy).await;
        for _ in 0..3 {
            assert_eq!(shop.gateway.ask(shop.order().await).await.status, 200);
        }
        assert_eq!(
            shop.gateway.ask(Ask::get("/v1/orders/o-1")).await.status,
            401
        );
        assert_eq!(
            shop.gateway.ask(Ask::get("/v1/none").http2()).await.status,
            404
        );
        let allowed = [("decision", "allow"), ("reason", "none")];
        let nobody = [("decision", "deny"), ("reason", "credential_missing")];
        let nowhere = [("decision", "deny"), ("reason", "path_not_declared")];
        // Envoy adds histograms up now and then.
        let decisions = "portcullis_decision_microseconds_count";
        let counted = eventually("all decisions in the metrics", || async {
            let counted = samples(&shop.gateway).await;
            let count = value(&counted, decisions, &[]);
            (count == Some(5.0)).then_some(counted)
        })
        .await;
        assert_eq!(value(&counted, "portcullis_requests", &allowed), Some(3.0));
        assert_eq!(value(&counted, "portcullis_requests", &nobody), Some(1.0));
        assert_eq!(value(&counted, "portcullis_requests", &nowhere), Some(1.0));
    });
}

#[test]
fn limits_are_counted_by_plan_tier_and_outcome() {
    const PLANS: &str = "{ tiers: { crowd-1: gold }, limits: { burst: { requests: 1, per: 600s, burst: 2 }, \
                         watched: { requests: 1, per: 600s, over: observe } } }\n    \
                         gold: { limits: { burst: { requests: 9, per: 600s } } }\n  \
                         tier: client_id";
    run(async {
        let shop = Shop::start("metrics-quota", 2, |policy| {
            policy.replace(REPORTS_PLAN, PLANS)
        })
        .await;
        for (client, statuses) in [("crowd-0", &[200, 200, 429][..]), ("crowd-1", &[200])] {
            let token = shop.idp.token(client, "orders:read", "ES256").await;
            for status in statuses {
                let ask = Ask::get("/v1/reports").bearer(&token);
                assert_eq!(shop.gateway.ask(ask).await.status, *status);
            }
        }
        let counted = eventually("the last request in the metrics", || async {
            let counted = samples(&shop.gateway).await;
            let gold = quota("gold", "crowd-1", "burst", "allowed");
            (value(&counted, "portcullis_quota", &gold) == Some(1.0)).then_some(counted)
        })
        .await;
        let count = |limit, outcome| {
            let labels = quota("reports", "none", limit, outcome);
            value(&counted, "portcullis_quota", &labels)
        };
        assert_eq!(count("burst", "allowed"), Some(2.0));
        assert_eq!(count("burst", "refused"), Some(1.0));
        assert_eq!(count("watched", "allowed"), Some(1.0));
        assert_eq!(count("watched", "observed"), Some(1.0));
        assert_eq!(count("watched", "refused"), None);
        let observed = [("reason", "quota_exceeded")];
        assert_eq!(value(&counted, "portcullis_observed", &observed), Some(1.0));
    });
}

fn quota<'a>(
    plan: &'a str,
    tier: &'a str,
    limit: &'a str,
    outcome: &'a str,
) -> [(&'static str, &'a str); 4] {
    [
        ("plan", plan),
        ("tier", tier),
        ("limit", limit),
        ("outcome", outcome),
    ]
}

/// A sample's name and its labels.
type Series = (String, BTreeMap<String, String>);

fn value(samples: &BTreeMap<Series, f64>, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let labels = labels
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    samples.get(&(name.to_owned(), labels.collect())).copied()
}

/// The filter's own samples.
async fn samples(gateway: &Gateway) -> BTreeMap<Series, f64> {
    let text = gateway.prometheus().await;
    let lines = text.lines().filter(|line| line.starts_with("portcullis_"));
    lines
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let (name, labels) = series.split_once('{').unwrap();
            let labels = labels.strip_suffix('}').unwrap();
            let labels = labels
                .split(',')
                .filter_map(|label| label.split_once('='))
                .map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned()));
            ((name.to_owned(), labels.collect()), value.parse().unwrap())
        })
        .collect()
}
