//! Operations that are open on some days and closed by one line of policy.

use crate::harness::{Ask, Gateway, Idp, Setup, Update, Upstream, eventually, now, run};
use crate::shop::{OPENAPI, policy};

#[test]
fn hours_follow_the_clock_and_a_switch_the_policy() {
    run(async {
        let (idp, upstream) = (Idp::start().await, Upstream::start().await);
        let document = |hours: &str| {
            let of_status = "operationId: getStatus\n";
            assert!(OPENAPI.contains(of_status));
            OPENAPI.replace(of_status, &format!("{of_status}      x-hours: {hours}\n"))
        };
        // 1970-01-01 was a Thursday. Two days from now is not today, whatever the hour.
        let days = ["thu", "fri", "sat", "sun", "mon", "tue", "wed"];
        let day = |ahead: u64| days[((now() / 86_400 + ahead) % 7) as usize];
        let hours = format!(
            "hours:\n  around: {{ days: [{}-{}] }}\n  later: {{ days: [{}-{}] }}\n",
            day(6),
            day(1),
            day(2),
            day(5)
        );
        let gateway = Gateway::start(Setup {
            policy: Some(format!("{}{hours}", policy(&idp))),
            openapi: document("around").leak(),
            ..Setup::bare("hours", upstream.address, idp.address)
        })
        .await;
        let push = async |policy: &str| {
            let configuration = gateway.compile(policy).unwrap();
            assert_eq!(gateway.push(&configuration).await, Update::Accepted);
        };
        let answers = async |status: u16, reason: &str| {
            eventually(&format!("an answer of {status}"), || async {
                let answer = gateway.ask(Ask::get("/v1/status")).await;
                let record = gateway.audit(&answer.id).await;
                let told = record["reason"].as_str().unwrap_or_default().to_owned();
                (answer.status == status && told == reason).then_some(())
            })
            .await;
        };
        answers(200, "").await;
        std::fs::write(gateway.directory().join("openapi.yaml"), document("later")).unwrap();
        push(&format!("{}{hours}", policy(&idp))).await;
        answers(403, "outside_hours").await;
        push(&format!("{}{hours}closed: [getStatus]\n", policy(&idp))).await;
        answers(503, "operation_closed").await;
    });
}
