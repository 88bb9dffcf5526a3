//! What an answer says about when to try again: `retry-after-ms`, then `Retry-After` in seconds or as an HTTP date.

use std::time::{Duration, SystemTime};

use http::HeaderMap;

/// How long to wait from `now`; nothing when the headers do not say or cannot be read.
pub(crate) fn parse(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    if let Some(ms) = text("retry-after-ms").and_then(|text| text.parse::<f64>().ok()) {
        return duration(ms / 1000.0);
    }
    let value = text("retry-after")?;
    if let Ok(seconds) = value.parse::<f64>() {
        return duration(seconds);
    }
    let at = httpdate::parse_http_date(value).ok()?;
    Some(at.duration_since(now).unwrap_or_default())
}

/// A duration of at most a century: what is longer is not waited for either way.
fn duration(seconds: f64) -> Option<Duration> {
    const CENTURY: f64 = 100.0 * 365.25 * 86_400.0;
    (seconds.is_finite() && seconds >= 0.0).then(|| Duration::from_secs_f64(seconds.min(CENTURY)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        headers
    }

    #[test]
    fn seconds_dates_and_milliseconds_are_read() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let read = |name, value: &str| parse(&headers(name, value), now);
        assert_eq!(read("retry-after", "3"), Some(Duration::from_secs(3)));
        assert_eq!(read("retry-after", "1.5"), Some(Duration::from_millis(1500)));
        assert_eq!(read("retry-after-ms", "250"), Some(Duration::from_millis(250)));
        assert_eq!(
            read("retry-after", "Sun, 06 Nov 1994 08:49:40 GMT"),
            Some(Duration::from_secs(3))
        );
        assert_eq!(read("retry-after", "Sun, 06 Nov 1994 08:49:30 GMT"), Some(Duration::ZERO));
        for nonsense in ["-1", "NaN", "inf", "soon", ""] {
            assert_eq!(read("retry-after", nonsense), None, "{nonsense}");
        }
        assert!(read("retry-after", "1e300").unwrap() > Duration::from_secs(86_400));
    }

    #[test]
    fn no_text_makes_it_panic() {
        crate::for_a_while::for_a_while(&"[ -~]{0,60}|[0-9.eE+-]{1,30}", |text| {
            let _ = parse(&headers("retry-after", &text), SystemTime::now());
            let _ = parse(&headers("retry-after-ms", &text), SystemTime::now());
            Ok(())
        });
    }
}
