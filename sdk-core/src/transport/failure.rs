//! From what went wrong on the wire to an [`Error`]: transport failures, and the many forms in which platforms and the
//! proxies before them tell of an error. The status is never lost.

use std::{io, time::SystemTime};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, StatusCode};
use serde_json::Value;

use super::{
    connector::ConnectTimedOut,
    pool::{Failed, Why},
    retry_after,
};
use crate::error::{Error, ErrorKind, MAX_ERROR_BODY, Sent};

/// The error of a request over our own connections that got no answer.
pub(crate) fn of_own_client(failed: Failed) -> Error {
    let host = failed.to.map(|to| format!(" to {to}"));
    match failed.why {
        Why::Connect(error) => of_transport(error, Stage::Connect, false, host),
        Why::Exchange(error) => of_transport(error.into(), Stage::Exchange, false, host),
    }
}

/// The error of a request over a client that the user gave, or of its answer's body.
#[cfg(feature = "reqwest")]
pub(crate) fn of_given_client(error: reqwest::Error) -> Error {
    let host = error
        .url()
        .and_then(|url| Some(format!(" to {}:{}", url.host_str()?, url.port_or_known_default()?)));
    let stage = match () {
        () if error.is_builder() => Stage::Build,
        () if error.is_connect() => Stage::Connect,
        () => Stage::Exchange,
    };
    let timed_out = error.is_timeout();
    // The rest of the URL may hold what is not to be shown.
    of_transport(error.without_url().into(), stage, timed_out, host)
}

/// The error of an answer's body.
pub(crate) fn of_exchange(error: hyper::Error) -> Error {
    of_transport(error.into(), Stage::Exchange, false, None)
}

/// How far a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Build,
    Connect,
    Exchange,
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

fn of_transport(error: BoxError, stage: Stage, timed_out: bool, host: Option<String>) -> Error {
    let timed_out = timed_out || is_timeout(&*error);
    let (kind, sent, message) = if stage == Stage::Build {
        (ErrorKind::Config, None, "the request cannot be built".to_owned())
    } else if let Some(message) = refused(&*error, host.as_deref()) {
        return Error::new(ErrorKind::Connection, message)
            .with(|e| {
                e.sent = Some(Sent::No);
                e.should_retry = Some(false);
            })
            .with_source(error);
    } else if stage == Stage::Connect {
        let kind = if timed_out { ErrorKind::Timeout } else { ErrorKind::Connection };
        let host = host.unwrap_or_default();
        (kind, Some(Sent::No), format!("no connection{host}: {}", innermost(&*error)))
    } else if timed_out {
        (ErrorKind::Timeout, Some(Sent::Maybe), "the platform did not answer in time".to_owned())
    } else if is_no_http(&*error) {
        let message = format!("the answer is no HTTP: {}", innermost(&*error));
        (ErrorKind::Decode, Some(Sent::Maybe), message)
    } else {
        let message = format!("the connection broke: {}", innermost(&*error));
        (ErrorKind::Connection, Some(Sent::Maybe), message)
    };
    Error::new(kind, message).with(|e| e.sent = sent).with_source(error)
}

type Cause<'a> = &'a (dyn std::error::Error + 'static);

/// The error and its causes, also those that an `io::Error` only wraps.
fn causes(error: Cause<'_>) -> impl Iterator<Item = Cause<'_>> {
    std::iter::successors(Some(error), |error| {
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        }
    })
}

fn innermost(error: Cause<'_>) -> String {
    causes(error).last().map(ToString::to_string).unwrap_or_default()
}

fn is_no_http(error: Cause<'_>) -> bool {
    causes(error).any(|e| e.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse))
}

fn is_timeout(error: Cause<'_>) -> bool {
    causes(error).any(|e| {
        e.is::<ConnectTimedOut>()
            || e.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::TimedOut)
    })
}

/// What is wrong with whoever answered, where trying again would not help.
fn refused(error: Cause<'_>, host: Option<&str>) -> Option<String> {
    if is_distrust(error) {
        return Some(format!("the platform is not trusted: {}", innermost(error)));
    }
    let host = host.unwrap_or_default();
    is_no_tls(error).then(|| {
        format!(
            "no connection{host}: what answers there speaks no TLS; a base URL with http:// would reach it"
        )
    })
}

/// A certificate of the platform's that does not hold.
fn is_distrust(error: Cause<'_>) -> bool {
    causes(error).any(|e| {
        matches!(e.downcast_ref::<rustls::Error>(), Some(rustls::Error::InvalidCertificate(_)))
    })
}

/// Whether something else than TLS came, as from a server that speaks plain HTTP at an address with `https://`.
fn is_no_tls(error: Cause<'_>) -> bool {
    causes(error).any(|e| {
        let message = rustls::InvalidMessage::InvalidContentType;
        e.downcast_ref::<rustls::Error>() == Some(&rustls::Error::InvalidMessage(message))
    })
}

/// The value of `X-Request-Id`.
pub(crate) fn request_id(headers: &HeaderMap) -> Option<String> {
    // `const`: a name that is a text is read, byte by byte, where it is looked up.
    let name = const { HeaderName::from_static("x-request-id") };
    let value = headers.get(name)?.to_str().ok()?;
    // Of visible ASCII alone, every byte is a character.
    Some(value[..value.len().min(200)].to_owned())
}

/// The error of an answer with a status that means one. `body` may be a part of it.
pub(crate) fn of_answer(status: StatusCode, headers: &HeaderMap, body: &Bytes) -> Error {
    let said = said(body);
    let kind = ErrorKind::of_status(status.as_u16());
    let message = said.message.unwrap_or_else(|| {
        if status.is_redirection() {
            format!("the platform redirected ({status}), which API calls do not follow: check the base URL")
        } else {
            format!("the platform answered {status}")
        }
    });
    Error::new(kind, message)
        .with(|e| {
            e.status = Some(status.as_u16());
            e.code = said.code;
            e.param = said.param;
            e.details = said.details;
            e.request_id = request_id(headers);
            e.retry_after = retry_after::parse(headers, SystemTime::now());
            e.should_retry = match headers.get("x-should-retry").map(http::HeaderValue::as_bytes) {
                Some(b"true") => Some(true),
                Some(b"false") => Some(false),
                _ => None,
            };
        })
        .with_body(String::from_utf8_lossy(&body[..body.len().min(MAX_ERROR_BODY)]).into_owned())
}

/// Text of the platform's without what would steer a terminal or begin a line of somebody's log.
fn printable(text: &str) -> String {
    text.replace(|c: char| c.is_control(), " ")
}

/// What an error's body says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    code: Option<String>,
    message: Option<String>,
    param: Option<String>,
    details: Option<Value>,
}

/// Reads `{"error": {"code", "message", "details"}}`, `{"error": "text"}`, `{"detail": …}`, `{"message": …}`; of what is
/// no JSON a short plain text is a message and a page is not.
fn said(body: &[u8]) -> Said {
    let Ok(value) = serde_json::from_slice::<Value>(body) else {
        let text = std::str::from_utf8(body).unwrap_or_default().trim();
        let plain = !text.is_empty() && text.len() <= 200 && !text.contains(['<', '{', '\n']);
        return Said { message: plain.then(|| printable(text)), ..Said::default() };
    };
    let text = |value: &Value| value.as_str().filter(|t| !t.is_empty()).map(printable);
    match &value["error"] {
        Value::Object(error) => {
            let get = |name: &str| error.get(name).and_then(text);
            let first = error.get("details").and_then(|details| match details {
                Value::Array(all) => all.first().and_then(|d| text(&d["field"])),
                Value::Object(fields) => fields.keys().next().cloned(),
                _ => None,
            });
            Said {
                code: get("code"),
                message: get("message"),
                param: get("param").or(first),
                details: error.get("details").filter(|d| !d.is_null()).cloned(),
            }
        }
        // OAuth's form (RFC 6749): the code in `error`, the words beside it.
        Value::String(code) if value["error_description"].is_string() => Said {
            code: Some(printable(code)),
            message: text(&value["error_description"]),
            ..Said::default()
        },
        Value::String(message) => Said {
            message: Some(printable(message)),
            code: text(&value["code"]),
            ..Said::default()
        },
        _ => {
            let detail = &value["detail"];
            // FastAPI's form for wrong fields.
            let first = &detail[0];
            let param = first["loc"].as_array().and_then(|l| l.last()).and_then(text);
            let message =
                text(detail).or_else(|| text(&first["msg"])).or_else(|| text(&value["message"]));
            let details = (!detail.is_null() && !detail.is_string()).then(|| detail.clone());
            Said { code: text(&value["code"]), message, param, details }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> (Option<String>, Option<String>, Option<String>) {
        let Said { code, message, param, .. } = said(body.as_bytes());
        (code, message, param)
    }

    #[test]
    fn every_form_of_error_is_read() {
        let some = |t: &str| Some(t.to_owned());
        assert_eq!(
            read(
                r#"{"error":{"code":"unprocessable","message":"name: too long","details":[{"field":"name"}]}}"#
            ),
            (some("unprocessable"), some("name: too long"), some("name"))
        );
        assert_eq!(read(r#"{"error":"no such project"}"#).1, some("no such project"));
        assert_eq!(
            read(r#"{"error":"invalid_grant","error_description":"used"}"#),
            (some("invalid_grant"), some("used"), None)
        );
        assert_eq!(read(r#"{"detail":"Not found"}"#).1, some("Not found"));
        assert_eq!(
            read(r#"{"detail":[{"loc":["body","name"],"msg":"field required"}]}"#),
            (None, some("field required"), some("name"))
        );
        assert_eq!(read(r#"{"message":"gone"}"#).1, some("gone"));
        assert_eq!(read("upstream timed out").1, some("upstream timed out"));
        assert_eq!(read("<html><body>502</body></html>"), (None, None, None));
        assert_eq!(read(""), (None, None, None));
        assert_eq!(read(r#"{"error": {"mess"#), (None, None, None));
        assert_eq!(read(r#"[1]"#), (None, None, None));
    }

    #[test]
    fn a_proxys_page_keeps_status_and_request_id() {
        let mut headers = HeaderMap::new();
        headers.insert("x-request-id", "req_1".parse().unwrap());
        let error =
            of_answer(StatusCode::BAD_GATEWAY, &headers, &Bytes::from("<html>".repeat(10_000)));
        assert_eq!(
            (error.kind(), error.status(), error.request_id()),
            (ErrorKind::Server, Some(502), Some("req_1"))
        );
        assert_eq!(error.body().unwrap().len(), MAX_ERROR_BODY);
    }
}
