//! Metrics under the contract's names (§10) through the `metrics` facade, and `traceparent`. What nobody listens to costs
//! next to nothing.

use std::{sync::Arc, time::Duration};

use http::HeaderValue;
use metrics::{SharedString, counter, histogram};
use uuid::Uuid;

use crate::{
    error::{Error, ErrorKind},
    random,
};

/// Counts one call.
pub(crate) fn count(
    integration: &Arc<str>,
    endpoint: &'static str,
    took: Duration,
    error: Option<&Error>,
) {
    let name = || SharedString::from(Arc::clone(integration));
    counter!("integration_requests_total", "integration" => name(), "endpoint" => endpoint)
        .increment(1);
    histogram!("integration_request_duration_seconds", "integration" => name(), "endpoint" => endpoint)
        .record(took.as_secs_f64());
    if let Some(error) = error {
        counter!("integration_errors_total", "integration" => name(), "error_type" => error.kind().as_str())
            .increment(1);
    }
}

/// Whether a call that ended so says that the host is well: an answer below 500 does, were it a refusal.
pub(crate) fn is_healthy(error: &Error) -> bool {
    match error.status() {
        Some(status) => status < 500 && status != 429,
        None => !matches!(error.kind(), ErrorKind::Connection | ErrorKind::Timeout),
    }
}

/// What a call is called by: a UUIDv4 and, for a caller that has none, a W3C trace context. A header's value is made of them for
/// each attempt, of which there is mostly one: one that is kept for the next would be shared, which costs more than to write it.
pub(crate) struct Names {
    id: Uuid,
    trace: [u8; 55],
}

impl Names {
    /// Both of one look at the generator.
    pub(crate) fn new() -> Self {
        let random = random::bytes::<40>();
        let (id, trace_and_span) = random.split_at(16);
        let (trace, span) = trace_and_span.split_at(16);
        let mut text = *b"00-________________________________-________________-01";
        for (place, bytes) in [(3..35, trace), (36..52, span)] {
            write_hex(bytes, &mut text[place]);
        }
        let id = id.try_into().expect("sixteen bytes were split off");
        Self { id: uuid::Builder::from_random_bytes(id).into_uuid(), trace: text }
    }

    /// `X-Client-Request-Id`.
    pub(crate) fn id(&self) -> HeaderValue {
        value(self.id)
    }

    /// `traceparent`.
    pub(crate) fn trace(&self) -> HeaderValue {
        HeaderValue::from_bytes(&self.trace).expect("a trace context is ASCII")
    }
}

/// Two digits a byte. `hex` asks at each whether it is the last one.
fn write_hex(bytes: &[u8], text: &mut [u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (byte, text) in bytes.iter().zip(text.chunks_exact_mut(2)) {
        text[0] = DIGITS[usize::from(byte >> 4)];
        text[1] = DIGITS[usize::from(byte & 15)];
    }
}

/// A UUIDv4 as a header's value.
pub(crate) fn uuid() -> HeaderValue {
    value(random::uuid())
}

fn value(uuid: Uuid) -> HeaderValue {
    let mut text = Uuid::encode_buffer();
    let text = uuid.hyphenated().encode_lower(&mut text);
    HeaderValue::from_str(text).expect("a UUID is ASCII")
}
