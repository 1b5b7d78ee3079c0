//! `portcullis ratelimit`: what the rate limit service must know of the shared limits.
//!
//! Limits are written once, in the policy. The service that counts them has a
//! configuration of its own, and would count nothing that is not in it.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::assemble::assemble;
use super::report;
use crate::policy::quota::{Limit, Quotas, Service, Shared};
use crate::ratelimit::{CALLER, LIMIT};

/// Print the configuration of the rate limit service that matches a policy.
///
/// It names each limit that has `shared`. Print it anew and give it to the service
/// before the policy that it belongs to: a limit that the service does not know is
/// handled as if the service did not answer.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  portcullis ratelimit policy.yaml > config/portcullis.yaml\n  portcullis ratelimit policy.yaml --format limitador > limits.yaml"
)]
pub struct Ratelimit {
    /// The policy, or a configuration that was built from one
    policy: PathBuf,
    /// Whose configuration
    #[arg(long, value_enum, default_value_t = Format::Envoy)]
    format: Format,
}

/// A service that speaks the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The reference service, envoyproxy/ratelimit
    Envoy,
    /// Limitador
    Limitador,
}

/// Runs the command.
pub fn run(args: &Ratelimit) -> ExitCode {
    let policy = match assemble(&args.policy) {
        Ok(assembled) => assembled.policy,
        Err(problems) => return report::refused(&args.policy, &problems, false),
    };
    match configuration(&policy.quotas, args.format) {
        Some(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        None => report::bad_input(
            "no limit of the policy is shared; write `shared: {}` where several gateways are to count as one",
        ),
    }
}

/// The configuration; none where nothing is shared.
fn configuration(quotas: &Quotas, format: Format) -> Option<String> {
    let service = quotas.service.as_ref()?;
    let limits = quotas.plans.iter().flat_map(|plan| &plan.limits);
    let shared: Vec<(&Limit, &Shared)> = limits
        .filter_map(|limit| Some((limit, limit.shared.as_ref()?)))
        .collect();
    if shared.is_empty() {
        return None;
    }
    let mut text = String::new();
    let written = match format {
        Format::Envoy => envoy(service, &shared, &mut text),
        Format::Limitador => limitador(service, &shared, &mut text),
    };
    written.ok().map(|()| text)
}

fn envoy(
    service: &Service,
    limits: &[(&Limit, &Shared)],
    text: &mut String,
) -> Result<(), std::fmt::Error> {
    writeln!(text, "domain: {}", quoted(&service.domain))?;
    writeln!(text, "descriptors:")?;
    for (limit, shared) in limits {
        let unit = match shared.window_ns / 1_000_000_000 {
            1 => "second",
            60 => "minute",
            3_600 => "hour",
            _ => "day",
        };
        writeln!(text, "  - key: {LIMIT}")?;
        writeln!(text, "    value: {}", quoted(&limit.full_name))?;
        writeln!(text, "    descriptors:")?;
        writeln!(text, "      - key: {CALLER}")?;
        writeln!(text, "        rate_limit:")?;
        writeln!(text, "          unit: {unit}")?;
        writeln!(text, "          requests_per_unit: {}", shared.quota)?;
    }
    Ok(())
}

/// Each limit looks for its descriptor by name, since one question may hold several.
fn limitador(
    service: &Service,
    limits: &[(&Limit, &Shared)],
    text: &mut String,
) -> Result<(), std::fmt::Error> {
    for (limit, shared) in limits {
        let name = &limit.full_name;
        let is_meant = format!("d, d['{LIMIT}'] == '{name}'");
        let condition = format!("descriptors.exists({is_meant})");
        let caller = format!("descriptors.filter({is_meant})[0]['{CALLER}']");
        writeln!(text, "- namespace: {}", quoted(&service.domain))?;
        writeln!(text, "  name: {}", quoted(name))?;
        writeln!(text, "  max_value: {}", shared.quota)?;
        writeln!(text, "  seconds: {}", shared.window_ns / 1_000_000_000)?;
        writeln!(text, "  conditions: [{}]", quoted(&condition))?;
        writeln!(text, "  variables: [{}]", quoted(&caller))?;
    }
    Ok(())
}

/// A text as YAML has it: JSON is YAML.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Policy;
    use crate::policy::compile::tests::{compiled, sample};
    use serde_json::{Value, json};

    fn shared() -> Policy {
        let mut document = sample();
        let limit = |requests: u32, per: &str| json!({ "algorithm": "fixed_window", "requests": requests, "per": per, "shared": {} });
        document["policy"]["quotas"] = json!({
            "service": { "cluster": "ratelimit", "domain": "harbour \"east\"" },
            "plans": {
                "slow": { "limits": { "here": { "requests": 1, "per": "1s" }, "hourly": limit(100, "1h") } },
                "fast": { "limits": { "daily": limit(7, "24h"), "second": limit(8, "1s"), "minute": limit(9, "1m") } },
            },
        });
        compiled(&document)
    }

    fn read(policy: &Policy, format: Format) -> Value {
        serde_saphyr::from_str(&configuration(&policy.quotas, format).unwrap()).unwrap()
    }

    #[test]
    fn the_reference_service_learns_each_shared_limit() {
        let limit = |name: &str, unit: &str, requests: u32| {
            let rate = json!({ "unit": unit, "requests_per_unit": requests });
            let callers = json!([{ "key": "caller", "rate_limit": rate }]);
            json!({ "key": "limit", "value": name, "descriptors": callers })
        };
        assert_eq!(
            read(&shared(), Format::Envoy),
            json!({
                "domain": "harbour \"east\"",
                "descriptors": [
                    limit("fast/daily", "day", 7),
                    limit("fast/minute", "minute", 9),
                    limit("fast/second", "second", 8),
                    limit("slow/hourly", "hour", 100),
                ],
            })
        );
    }

    #[test]
    fn limitador_learns_each_shared_limit() {
        let limits = read(&shared(), Format::Limitador);
        assert_eq!(limits.as_array().unwrap().len(), 4);
        assert_eq!(
            limits[3],
            json!({
                "namespace": "harbour \"east\"",
                "name": "slow/hourly",
                "max_value": 100,
                "seconds": 3600,
                "conditions": ["descriptors.exists(d, d['limit'] == 'slow/hourly')"],
                "variables": ["descriptors.filter(d, d['limit'] == 'slow/hourly')[0]['caller']"],
            })
        );
    }

    #[test]
    fn a_policy_that_shares_nothing_has_no_configuration() {
        let policy = compiled(&sample());
        assert_eq!(configuration(&policy.quotas, Format::Envoy), None);
    }
}
