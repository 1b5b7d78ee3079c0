//! Rules about what only the host knows: the peer's address, headers as they came,
//! the clock; beside a claim.

use serde_json::json;

use crate::harness::{Ask, Idp, now, run};
use crate::shop::Shop;

/// Envoy's clock is the machine's, so the rule compares it with a date that the test
/// makes.
fn rules(policy: String) -> String {
    let soon = now() + 3_600;
    format!(
        r#"{policy}rules:
  local: {{ allow_if: "source.address == '127.0.0.1' && country == 'DE' && request.headers['x-desk'] in claims.desks" }}
  early: {{ deny_if: "int(time.timestamp) >= {soon} || int(time.timestamp) < {soon} - 7200 || time.year < 2026", time_zone: Europe/Berlin }}
  late: {{ allow_if: "time.timestamp > timestamp({soon})" }}
  careful: {{ deny_if: "request.query.debug.exists(value, value != 'off')" }}
default_rules: [early]
rule_headers: {{ country: x-country }}
"#
    )
}

const OPENAPI: &str = r#"openapi: 3.1.0
info: { title: Rules, version: 1.0.0 }
servers: [{ url: https://shop.example.test/v1 }]
security: [{ oauth: [] }]
paths:
  /desk: { get: { operationId: desk, x-rules: [local], responses: { "200": { description: d } } } }
  /late: { get: { operationId: late, x-rules: [late], responses: { "200": { description: d } } } }
  /search: { get: { operationId: search, security: [], x-rules: [careful], responses: { "200": { description: d } } } }
components:
  securitySchemes: { oauth: { type: http, scheme: bearer } }
"#;

#[test]
fn address_header_claim_and_clock_decide() {
    run(async {
        let shop = Shop::start_asking("rules", 2, OPENAPI, rules).await;
        let claims = json!({
            "iss": Idp::ISSUER, "aud": "https://shop.example.test", "sub": "ada", "jti": "e2e",
            "client_id": "storefront", "iat": now(), "exp": now() + 300, "desks": ["d-1", "d-2"],
        });
        let token = shop.idp.mint("ES256", json!({}), claims).await;
        let desk = |country: &str, desk: &str| {
            Ask::get("/v1/desk")
                .bearer(&token)
                .header("x-country", country)
                .header("x-desk", desk)
        };
        let late = Ask::get("/v1/late").bearer(&token);
        let search = |query: &str| Ask::get(format!("/v1/search?{query}"));
        for (ask, reason, rule) in [
            (desk("DE", "d-2"), None, ""),
            (desk("AT", "d-2"), Some("rule_refused"), "`local`"),
            (desk("DE", "d-3"), Some("rule_refused"), "`local`"),
            (
                desk("DE", "d-2").header("x-desk", "d-1"),
                Some("rule_refused"),
                "`local`",
            ),
            (
                Ask::get("/v1/desk")
                    .bearer(&token)
                    .header("x-country", "DE"),
                Some("rule_failed"),
                "`local`",
            ),
            (late, Some("rule_refused"), "`late`"),
            (search("debug=off"), None, ""),
            (
                search("debug=off&debug=on"),
                Some("rule_refused"),
                "`careful`",
            ),
            (search("q=1"), Some("rule_failed"), "`careful`"),
            (search("debug=%ff"), Some("rule_failed"), "`careful`"),
        ] {
            let answer = shop.gateway.ask(ask).await;
            let record = shop.gateway.audit(&answer.id).await;
            match reason {
                None => assert_eq!(answer.status, 200, "{record}"),
                Some(reason) => {
                    assert_eq!(
                        (answer.status, &record["reason"]),
                        (403, &json!(reason)),
                        "{record}"
                    );
                    assert!(record["stages"].to_string().contains(rule), "{record}");
                    assert!(!answer.text().contains("local"), "{}", answer.text());
                    assert!(!shop.upstream.saw(&answer.id));
                }
            }
        }
    });
}
