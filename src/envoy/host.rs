//! The host calls, and with [`raw`] the only place that names them.
//!
//! The SDK's wrappers panic on any status they do not expect, and a panic traps
//! the VM that serves every request of this worker. Each function here says what
//! an unexpected answer means instead: something is absent, or was not done.

mod raw;

use std::time::Duration;

use proxy_wasm::hostcalls;
use proxy_wasm::types::{BufferType, MapType, MetricType};

use crate::denial::Refusal;
use crate::policy::address::Address;
use crate::policy::quota::Service;
use crate::ratelimit::{self, Answer, Question};
use crate::time::Time;

pub(super) use raw::{Written, cas, resume_request};

/// The time on the gateway's clock.
pub(super) fn now() -> Time {
    let now = hostcalls::get_current_time().ok();
    now.and_then(|now| now.duration_since(std::time::UNIX_EPOCH).ok())
        .map_or_else(Time::default, |since| Time::default() + since)
}

/// A header map, as bytes. Only for maps that are there: the SDK panics otherwise.
pub(super) fn headers(map: MapType) -> Vec<(String, Vec<u8>)> {
    hostcalls::get_map_bytes(map).unwrap_or_default()
}

/// Sets a header. Too late for that, it says so in the log.
pub(super) fn set_header(map: MapType, name: &str, value: &str) {
    if !raw::set_header(map, name, value.as_bytes()) {
        log::warn!("could not set header `{name}`");
    }
}

/// Removes a header, if it is there.
pub(super) fn remove_header(map: MapType, name: &str) {
    raw::remove_header(map, name);
}

/// An attribute, as Envoy writes it.
pub(super) fn property(path: &[&str]) -> Option<Vec<u8>> {
    hostcalls::get_property(path.to_vec()).ok().flatten()
}

/// An attribute that is a number: eight bytes, little-endian.
pub(super) fn number(path: &[&str]) -> Option<u64> {
    Some(u64::from_le_bytes(property(path)?.try_into().ok()?))
}

/// Writes filter state `wasm.<name>`, where Envoy's access logs find it.
pub(super) fn set_state(name: &str, value: &[u8]) {
    raw::set_property(name, value);
}

/// All of a body that has been collected.
pub(super) fn body(buffer: BufferType) -> Vec<u8> {
    hostcalls::get_buffer(buffer, 0, usize::MAX >> 1)
        .ok()
        .flatten()
        .unwrap_or_default()
}

/// Puts another body in its place.
pub(super) fn replace_body(buffer: BufferType, length: usize, body: &[u8]) {
    raw::set_buffer(buffer, length, body);
}

/// Answers in the upstream's stead. `details` become `%RESPONSE_CODE_DETAILS%`.
pub(super) fn reply(refusal: &Refusal, details: &str) {
    let headers: Vec<(&str, &[u8])> = refusal
        .headers
        .iter()
        .map(|(name, value)| (*name, value.as_bytes()))
        .collect();
    if !raw::send_local_response(refusal.status, details, &refusal.body, &headers) {
        log::error!("Envoy did not take the refusal `{details}`");
    }
}

/// Makes a call; its token, unless the cluster is unknown.
pub(super) fn call(
    cluster: &str,
    address: &Address,
    method: &str,
    more: &[(&str, &str)],
    body: &[u8],
    timeout: Duration,
) -> Option<u32> {
    let mut headers = vec![
        (":method", method),
        (":scheme", address.scheme.as_str()),
        (":authority", address.authority.as_str()),
        (":path", address.path.as_str()),
    ];
    headers.extend(more);
    let body = (!body.is_empty()).then_some(body);
    hostcalls::dispatch_http_call(cluster, headers, body, Vec::new(), timeout).ok()
}

/// Asks a rate limit service; the call's token, unless the cluster is unknown. The answer
/// goes to the context that asks.
pub(super) fn ask(service: &Service, question: &Question) -> Option<u32> {
    // The wrapper takes the name for a text, which an encoded message need not be.
    let encoded = ratelimit::grpc_service(&service.cluster);
    let name = std::str::from_utf8(&encoded).ok()?;
    hostcalls::dispatch_grpc_call(
        name,
        ratelimit::SERVICE,
        ratelimit::METHOD,
        Vec::new(),
        Some(&question.encode()),
        service.timeout,
    )
    .ok()
}

/// What a rate limit service answered; `None`: nothing that is an answer.
pub(super) fn answer(grpc_status: u32) -> Option<Answer> {
    const OK: u32 = 0;
    (grpc_status == OK)
        .then(|| body(BufferType::GrpcReceiveBuffer))
        .and_then(|answer| Answer::decode(&answer))
}

/// Bytes that nobody can foresee, if the host has any.
pub(super) fn random() -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).ok()?;
    Some(bytes)
}

/// The id of a metric, which is made if need be; `None`: the filter may make none.
pub(super) fn define_metric(kind: MetricType, name: &str) -> Option<u32> {
    let id = raw::define_metric(kind, name);
    if id.is_none() {
        log::warn!("metric `{name}` cannot be kept; allow `proxy_define_metric`");
    }
    id
}

/// Adds one to a counter.
pub(super) fn increment_metric(id: u32) {
    raw::increment_metric(id);
}

/// Takes a value into a histogram.
pub(super) fn record_metric(id: u32, value: u64) {
    raw::record_metric(id, value);
}

/// Acts for another context from here on; false when it is gone.
pub(super) fn act_for(context: u32) -> bool {
    hostcalls::set_effective_context(context).is_ok()
}

/// How often the root context is woken.
pub(super) fn wake_every(period: Duration) {
    // It cannot fail: the host has nothing to refuse here.
    let _ = hostcalls::set_tick_period(period);
}

/// Calls a function that only some hosts have.
pub(super) fn foreign(name: &str, argument: &[u8]) -> Option<Vec<u8>> {
    hostcalls::call_foreign_function(name, Some(argument))
        .ok()
        .flatten()
}

/// A shared value and its version.
pub(super) fn shared(key: &str) -> Option<(Vec<u8>, u32)> {
    match hostcalls::get_shared_data(key) {
        Ok((value, Some(version))) => Some((value.unwrap_or_default(), version)),
        _ => None,
    }
}
