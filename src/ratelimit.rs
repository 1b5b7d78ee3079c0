//! Limits that several gateways share: what Envoy's rate limit service is asked and
//! what it answers (envoy.service.ratelimit.v3).
//!
//! The service counts in fixed windows and knows the limits by its own configuration.
//! A limit is named by its plan and name, a caller by a hash, so that nothing personal
//! leaves the gateway.

pub mod lease;
mod wire;

use std::rc::Rc;
use std::time::Duration;

use wire::{Field, Fields, Message};

/// What the service is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Which of its configurations is meant.
    pub domain: Rc<str>,
    /// What is to be counted.
    pub hits: Vec<Hit>,
}

/// Something that is to be counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// The limit: `plan/limit`.
    pub limit: Rc<str>,
    /// Whom it counts, as hexadecimal digits.
    pub caller: String,
    /// How much.
    pub units: u64,
}

/// What the service answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Whether any of the limits is exceeded.
    pub over_limit: bool,
    /// One for each of the hits, in their order; a service may leave all of them out.
    pub statuses: Vec<Status>,
}

/// How one hit stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// Whether the limit is exceeded.
    pub over_limit: bool,
    /// What the limit allows in a window; `None`: the service knows no such limit.
    pub quota: Option<u64>,
    /// What is left of it.
    pub left: u64,
    /// When the next window begins.
    pub reset: Option<Duration>,
}

impl Question {
    /// The bytes of a `RateLimitRequest`.
    pub fn encode(&self) -> Vec<u8> {
        let mut request = Message::default();
        request.bytes(1, self.domain.as_bytes());
        for hit in &self.hits {
            let mut descriptor = Message::default();
            for (key, value) in [(LIMIT, &*hit.limit), (CALLER, &hit.caller)] {
                let mut entry = Message::default();
                entry.bytes(1, key.as_bytes());
                entry.bytes(2, value.as_bytes());
                descriptor.message(1, &entry);
            }
            // A service that does not know of costs by descriptor takes that of the
            // request, so both are there.
            let mut units = Message::default();
            units.number(1, hit.units);
            descriptor.message(3, &units);
            request.message(2, &descriptor);
        }
        if let Some(hit) = self.hits.first() {
            request.number(3, hit.units.min(u32::MAX.into()));
        }
        request.into_bytes()
    }
}

impl Answer {
    /// Reads a `RateLimitResponse`. `None`: it is none, or says neither yes nor no.
    pub fn decode(bytes: &[u8]) -> Option<Answer> {
        let mut code = 0;
        let mut statuses = Vec::new();
        for field in Fields::of(bytes) {
            match field? {
                (1, Field::Number(number)) => code = number,
                (2, Field::Bytes(status)) if statuses.len() < MOST_STATUSES => {
                    statuses.push(status_of(status)?);
                }
                _ => {}
            }
        }
        Some(Answer {
            over_limit: is_over(code)?,
            statuses,
        })
    }
}

fn status_of(bytes: &[u8]) -> Option<Status> {
    let mut status = Status::default();
    let mut code = 0;
    for field in Fields::of(bytes) {
        match field? {
            (1, Field::Number(number)) => code = number,
            (2, Field::Bytes(limit)) => {
                let quota = Fields::of(limit).find_map(|field| match field {
                    Some((1, Field::Number(quota))) => Some(quota),
                    _ => None,
                });
                // A limit of 0 is not written out.
                status.quota = Some(quota.unwrap_or_default());
            }
            (3, Field::Number(left)) => status.left = left,
            (4, Field::Bytes(reset)) => status.reset = Some(duration(reset)?),
            _ => {}
        }
    }
    status.over_limit = is_over(code)?;
    Some(status)
}

fn duration(bytes: &[u8]) -> Option<Duration> {
    let (mut seconds, mut nanos) = (0, 0);
    for field in Fields::of(bytes) {
        match field? {
            (1, Field::Number(number)) => seconds = number,
            (2, Field::Number(number)) => nanos = number,
            _ => {}
        }
    }
    // Negative ones are written as very large ones.
    let seconds = (seconds <= MOST_SECONDS).then_some(seconds)?;
    let nanos = u32::try_from(nanos)
        .ok()
        .filter(|nanos| *nanos < 1_000_000_000)?;
    Some(Duration::new(seconds, nanos))
}

/// The codes of a `RateLimitResponse`.
fn is_over(code: u64) -> Option<bool> {
    match code {
        1 => Some(false),
        2 => Some(true),
        _ => None,
    }
}

/// How Envoy is told which service to call: an encoded `GrpcService` with an
/// `envoy_grpc`. A bare name would do, unless it happens to be one; then Envoy ends.
pub fn grpc_service(cluster: &str) -> Vec<u8> {
    let mut envoy_grpc = Message::default();
    envoy_grpc.bytes(1, cluster.as_bytes());
    let mut service = Message::default();
    service.message(1, &envoy_grpc);
    service.into_bytes()
}

/// The service's full name.
pub const SERVICE: &str = "envoy.service.ratelimit.v3.RateLimitService";

/// Its method.
pub const METHOD: &str = "ShouldRateLimit";

/// The key of a descriptor's entry that names the limit.
pub const LIMIT: &str = "limit";

/// The key of a descriptor's entry that tells callers apart.
pub const CALLER: &str = "caller";

const MOST_STATUSES: usize = 16;

/// A year, more than any window.
const MOST_SECONDS: u64 = 366 * 24 * 3_600;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_names_limits_callers_and_costs() {
        let question = Question {
            domain: "d".into(),
            hits: vec![Hit {
                limit: "p/l".into(),
                caller: "ab".into(),
                units: 300,
            }],
        };
        let expected = [
            &b"\x0a\x01d\x12\x21"[..],
            b"\x0a\x0c\x0a\x05limit\x12\x03p/l",
            b"\x0a\x0c\x0a\x06caller\x12\x02ab",
            b"\x1a\x03\x08\xac\x02",
            b"\x18\xac\x02",
        ];
        assert_eq!(question.encode(), expected.concat());
    }

    #[test]
    fn an_answer_tells_each_limit() {
        // OVER_LIMIT; 10 in a unit, 0 left, 1.5 s; then OK without a limit.
        let bytes = b"\x08\x02\x12\x12\x08\x02\x12\x04\x08\x0a\x10\x01\x22\x08\x08\x01\x10\x80\xca\xb5\xee\x01\x12\x02\x08\x01";
        assert_eq!(
            Answer::decode(bytes),
            Some(Answer {
                over_limit: true,
                statuses: vec![
                    Status {
                        over_limit: true,
                        quota: Some(10),
                        left: 0,
                        reset: Some(Duration::from_millis(1_500)),
                    },
                    Status::default(),
                ],
            })
        );
    }

    #[test]
    fn what_says_neither_yes_nor_no_is_no_answer() {
        for bytes in [
            &b""[..],
            b"\x08\x00",
            b"\x08\x03",
            b"\x08\x01\x12\x02\x08\x00",
            b"\x08\x01\x12\x09",
            b"\x08\x01\xff",
        ] {
            assert_eq!(Answer::decode(bytes), None, "{bytes:?}");
        }
        assert!(Answer::decode(b"\x08\x01").is_some());
    }

    #[test]
    fn a_cluster_is_named_so_that_no_name_is_a_message() {
        assert_eq!(grpc_service("authz-svc"), b"\x0a\x0b\x0a\x09authz-svc");
    }
}
