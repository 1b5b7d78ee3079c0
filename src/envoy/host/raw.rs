//! Host calls whose SDK wrapper would panic where a request must not, or that lack
//! a parameter this filter needs.
#![expect(unsafe_code, reason = "host functions are foreign functions")]

use proxy_wasm::types::{BufferType, MapType, MetricType, StreamType};

unsafe extern "C" {
    fn proxy_replace_header_map_value(
        map: MapType,
        key: *const u8,
        key_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_remove_header_map_value(map: MapType, key: *const u8, key_size: usize) -> u32;
    fn proxy_set_buffer_bytes(
        buffer: BufferType,
        start: usize,
        size: usize,
        data: *const u8,
        data_size: usize,
    ) -> u32;
    fn proxy_set_property(
        path: *const u8,
        path_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_set_shared_data(
        key: *const u8,
        key_size: usize,
        value: *const u8,
        value_size: usize,
        cas: u32,
    ) -> u32;
    fn proxy_define_metric(
        kind: MetricType,
        name: *const u8,
        name_size: usize,
        id: *mut u32,
    ) -> u32;
    fn proxy_increment_metric(id: u32, offset: i64) -> u32;
    fn proxy_record_metric(id: u32, value: u64) -> u32;
    fn proxy_continue_stream(stream: StreamType) -> u32;
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        grpc_status: i32,
    ) -> u32;
}

/// Whether a compare-and-swap wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::envoy) enum Written {
    Yes,
    Conflict,
}

pub(super) fn set_header(map: MapType, name: &str, value: &[u8]) -> bool {
    // SAFETY: the host reads both slices during the call and keeps neither.
    unsafe {
        proxy_replace_header_map_value(map, name.as_ptr(), name.len(), value.as_ptr(), value.len())
            == OK
    }
}

pub(super) fn remove_header(map: MapType, name: &str) -> bool {
    // SAFETY: the host reads the slice during the call and does not keep it.
    unsafe { proxy_remove_header_map_value(map, name.as_ptr(), name.len()) == OK }
}

pub(super) fn set_buffer(buffer: BufferType, length: usize, data: &[u8]) -> bool {
    // SAFETY: the host copies the slice during the call.
    unsafe { proxy_set_buffer_bytes(buffer, 0, length, data.as_ptr(), data.len()) == OK }
}

pub(super) fn set_property(name: &str, value: &[u8]) -> bool {
    // SAFETY: the host copies both slices during the call. A path of one name needs
    // no separator.
    unsafe { proxy_set_property(name.as_ptr(), name.len(), value.as_ptr(), value.len()) == OK }
}

/// Writes if the value's version is still `version`. The host takes 0 for "whatever
/// it is"; nobody here means that.
pub(in crate::envoy) fn cas(key: &str, value: &[u8], version: u32) -> Written {
    // SAFETY: the host copies both slices during the call.
    let status = unsafe {
        proxy_set_shared_data(
            key.as_ptr(),
            key.len(),
            value.as_ptr(),
            value.len(),
            version,
        )
    };
    if status == OK && version != 0 {
        Written::Yes
    } else {
        Written::Conflict
    }
}

pub(super) fn define_metric(kind: MetricType, name: &str) -> Option<u32> {
    let mut id = 0;
    // SAFETY: the host copies the name and writes the id during the call.
    let status = unsafe { proxy_define_metric(kind, name.as_ptr(), name.len(), &raw mut id) };
    (status == OK).then_some(id)
}

pub(super) fn increment_metric(id: u32) -> bool {
    // SAFETY: no memory is passed.
    unsafe { proxy_increment_metric(id, 1) == OK }
}

pub(super) fn record_metric(id: u32, value: u64) -> bool {
    // SAFETY: no memory is passed.
    unsafe { proxy_record_metric(id, value) == OK }
}

/// Lets a held request go on, once the VM call in progress has ended.
pub(in crate::envoy) fn resume_request() {
    // SAFETY: no memory is passed.
    unsafe { proxy_continue_stream(StreamType::HttpRequest) };
}

pub(super) fn send_local_response(
    status: u16,
    details: &str,
    body: &[u8],
    headers: &[(&str, &[u8])],
) -> bool {
    let headers = serialize(headers);
    // SAFETY: the host copies every slice during the call.
    let answer = unsafe {
        proxy_send_local_response(
            u32::from(status),
            details.as_ptr(),
            details.len(),
            body.as_ptr(),
            body.len(),
            headers.as_ptr(),
            headers.len(),
            NO_GRPC_STATUS,
        )
    };
    answer == OK
}

/// The ABI's form of a header map: count, sizes, then names and values, each with a NUL.
fn serialize(map: &[(&str, &[u8])]) -> Vec<u8> {
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or_default().to_le_bytes();
    let mut out = u32::try_from(map.len())
        .unwrap_or_default()
        .to_le_bytes()
        .to_vec();
    for (name, value) in map {
        out.extend(length(name.as_bytes()));
        out.extend(length(value));
    }
    for (name, value) in map {
        out.extend(name.as_bytes());
        out.push(0);
        out.extend(*value);
        out.push(0);
    }
    out
}

const OK: u32 = 0;
const NO_GRPC_STATUS: i32 = -1;
