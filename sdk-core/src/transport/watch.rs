//! Metrics under the contract's names (§10) through the `metrics` facade, and `traceparent`. What nobody listens to costs
//! next to nothing.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::HeaderValue;
use metrics::{Key, Label, Level, Metadata, SharedString, counter, with_recorder};
use uuid::Uuid;

use crate::{
    error::{Error, ErrorKind},
    random,
};

/// What the calls of one transport are counted by. The keys of the last one are kept: the next is mostly one to the same endpoint,
/// and to make them takes as long as to write a request's headers, whether or not anybody listens.
#[derive(Debug, Default)]
pub(crate) struct Counted(Mutex<Option<Keys>>);

#[derive(Debug)]
struct Keys {
    endpoint: &'static str,
    requests: Key,
    duration: Key,
}

impl Keys {
    fn new(integration: &Arc<str>, endpoint: &'static str) -> Self {
        let of = || of(integration);
        let to = || Label::from_static_parts("endpoint", endpoint);
        let requests = Key::from_parts("integration_requests_total", vec![of(), to()]);
        let duration = Key::from_parts("integration_request_duration_seconds", vec![of(), to()]);
        Self { endpoint, requests, duration }
    }

    fn count(&self, took: Duration) {
        static METADATA: Metadata<'static> =
            Metadata::new(module_path!(), Level::INFO, Some(module_path!()));
        with_recorder(|recorder| {
            recorder.register_counter(&self.requests, &METADATA).increment(1);
            recorder.register_histogram(&self.duration, &METADATA).record(took.as_secs_f64());
        });
    }
}

fn of(integration: &Arc<str>) -> Label {
    Label::new("integration", SharedString::from(Arc::clone(integration)))
}

impl Counted {
    /// Counts one call.
    pub(crate) fn count(
        &self,
        integration: &Arc<str>,
        endpoint: &'static str,
        took: Duration,
        error: Option<&Error>,
    ) {
        // Another thread's call, or one that the recorder makes itself, has them: these are not waited for.
        match self.0.try_lock() {
            Ok(mut last) => {
                if last.as_ref().is_none_or(|keys| keys.endpoint != endpoint) {
                    *last = Some(Keys::new(integration, endpoint));
                }
                last.iter().for_each(|keys| keys.count(took));
            }
            Err(_) => Keys::new(integration, endpoint).count(took),
        }
        if let Some(error) = error {
            let kind = Label::from_static_parts("error_type", error.kind().as_str());
            counter!("integration_errors_total", vec![of(integration), kind]).increment(1);
        }
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
        plain(&self.trace)
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
    plain(text.as_bytes())
}

/// Digits and dashes as a header's value. To look at each of them once more takes as long as to write them.
#[allow(unsafe_code, reason = "a header's value of what is known to be one has no safe form")]
fn plain(text: &[u8]) -> HeaderValue {
    debug_assert!(text.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'-'));
    // SAFETY: what calls this wrote digits and dashes, which are visible ASCII.
    unsafe { HeaderValue::from_maybe_shared_unchecked(Bytes::copy_from_slice(text)) }
}

#[cfg(test)]
mod tests {
    use metrics::{Counter, Gauge, Histogram, KeyName, Recorder, Unit, with_local_recorder};

    use super::*;

    /// What was counted, and where it was to.
    #[derive(Default)]
    struct Noted(Mutex<Vec<String>>);

    impl Noted {
        fn note(&self, key: &Key) {
            let labels: Vec<_> = key.labels().map(Label::value).collect();
            self.0.lock().unwrap().push(format!("{} {}", key.name(), labels.join(" ")));
        }
    }

    impl Recorder for Noted {
        fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
            self.note(key);
            Counter::noop()
        }
        fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
            Gauge::noop()
        }
        fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
            self.note(key);
            Histogram::noop()
        }
    }

    #[test]
    fn each_call_is_counted_for_its_own_endpoint() {
        let (counted, noted) = (Counted::default(), Noted::default());
        with_local_recorder(&noted, || {
            for endpoint in ["/projects", "/projects", "/jobs", "/projects"] {
                counted.count(&"storycore".into(), endpoint, Duration::ZERO, None);
            }
            let _held_by_another_call = counted.0.lock().unwrap();
            counted.count(&"storycore".into(), "/jobs", Duration::ZERO, None);
        });
        let noted = noted.0.into_inner().unwrap();
        let expected = ["/projects", "/projects", "/jobs", "/projects", "/jobs"].map(|endpoint| {
            ["requests_total", "request_duration_seconds"]
                .map(|name| format!("integration_{name} storycore {endpoint}"))
        });
        assert_eq!(noted, expected.as_flattened());
    }
}
