//! The API that most cases ask: its document, its policy, and one gateway for all
//! cases that neither break the parts nor need a configuration of their own.

use tokio::sync::OnceCell;

use crate::harness::{Ask, Gateway, Idp, Setup, Upstream};

/// The API.
pub(crate) const OPENAPI: &str = include_str!("shop/openapi.yaml");

/// An order as the upstream keeps it. The values are found nowhere else.
pub(crate) const ORDER: &str = r#"{"id":"o-1","total":12.50,"note":"slow payer","customer":{"name":"Ada Lovelace","email":"ada@private.example"},"payment":{"iban":"DE02120300000000202051"}}"#;

/// The gateway with its two neighbours.
pub(crate) struct Shop {
    pub(crate) idp: Idp,
    pub(crate) upstream: Upstream,
    pub(crate) gateway: Gateway,
}

impl Shop {
    /// Starts one of its own for a case that breaks or measures something.
    /// `change` is applied to the policy, `workers` are Envoy's.
    pub(crate) async fn start(
        name: &'static str,
        workers: u32,
        change: impl FnOnce(String) -> String,
    ) -> Self {
        Self::start_with(name, workers, Idp::start().await, change).await
    }

    /// The same with an identity provider in whatever state it is.
    pub(crate) async fn start_with(
        name: &'static str,
        workers: u32,
        idp: Idp,
        change: impl FnOnce(String) -> String,
    ) -> Self {
        Self::start_whole(name, workers, idp, OPENAPI, change).await
    }

    /// The same with another API.
    pub(crate) async fn start_asking(
        name: &'static str,
        workers: u32,
        openapi: &'static str,
        change: impl FnOnce(String) -> String,
    ) -> Self {
        Self::start_whole(name, workers, Idp::start().await, openapi, change).await
    }

    async fn start_whole(
        name: &'static str,
        workers: u32,
        idp: Idp,
        openapi: &'static str,
        change: impl FnOnce(String) -> String,
    ) -> Self {
        let upstream = Upstream::start().await;
        let gateway = Gateway::start(Setup {
            policy: Some(change(policy(&idp))),
            openapi,
            workers,
            ..Setup::bare(name, upstream.address, idp.address)
        })
        .await;
        Self {
            idp,
            upstream,
            gateway,
        }
    }

    /// A GET of an order with a token that may.
    pub(crate) async fn order(&self) -> Ask {
        let token = self.idp.token("storefront", "orders:read", "ES256").await;
        Ask::get("/v1/orders/o-1").bearer(&token)
    }
}

/// The shop that cases share.
pub(crate) async fn shop() -> &'static Shop {
    static SHOP: OnceCell<Shop> = OnceCell::const_new();
    SHOP.get_or_init(|| Shop::start("shop", 2, |policy| policy))
        .await
}

/// The policy. Cases change it by replacing a part of its text.
pub(crate) fn policy(idp: &Idp) -> String {
    let issuer = Idp::ISSUER;
    let uri = idp.jwks_uri();
    format!(
        r#"openapi: openapi.yaml
issuers:
  - name: idp
    issuer: {issuer}
    audiences: [https://shop.example.test]
    token_types: [at+jwt]
    keys:
      remote: {{ uri: "{uri}", cluster: idp, {KEY_TIMES} }}
classifications:
  - name: public
  - {{ name: internal, mask: remove }}
  - {{ name: personal, mask: redact }}
  - {{ name: financial, mask: last4 }}
clearances:
  default: public
  rules:
    - {{ scope: "customers:personal", clearance: personal }}
    - {{ scope: "customers:financial", clearance: financial }}
quotas:
  plans:
    reports: {REPORTS_PLAN}
stages: {STAGES}
"#
    )
}

/// When keys are fetched, as the policy writes it.
pub(crate) const KEY_TIMES: &str = "refresh: 300s, timeout: 5s, cooldown: 60s, on_missing: hold";

/// The quota of reports, as the policy writes it.
pub(crate) const REPORTS_PLAN: &str =
    "{ limits: { burst: { requests: 1, per: 60s, burst: 3, key: client } } }";

/// The stages, as the policy writes them.
pub(crate) const STAGES: &str = "{ anomaly: observe }";
