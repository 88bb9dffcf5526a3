//! A webhook receiver on a loopback port: it writes down what arrives and answers as the test says.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{
    body::Body,
    extract::{Request, State},
    http::HeaderMap,
    response::Response,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;

/// How long anything may take before a test gives up.
pub const DEADLINE: Duration = Duration::from_secs(120);

/// What arrived.
#[derive(Debug, Clone)]
pub struct Arrival {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// An answer: a status, a body, headers, and how long to wait before it.
#[derive(Debug, Clone, Default)]
pub struct Say {
    pub status: u16,
    pub body: Vec<u8>,
    pub headers: Vec<(&'static str, String)>,
    pub delay: Duration,
    /// Never end the body.
    pub endless: bool,
}

type Script = dyn Fn(usize, &Arrival) -> Say + Send + Sync;

#[derive(Clone)]
struct Shared {
    arrived: Arc<Mutex<Vec<Arrival>>>,
    script: Arc<Script>,
}

/// The receiver; its port closes when it is dropped.
pub struct Receiver {
    pub url: String,
    shared: Shared,
    serving: tokio::task::JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

pub fn say(status: u16) -> Say {
    Say { status, ..Say::default() }
}

impl Receiver {
    /// One that takes everything.
    pub async fn start() -> Self {
        Self::answering(|_, _| say(204)).await
    }

    /// One whose answers depend on how many requests came before and on the request.
    pub async fn answering(
        script: impl Fn(usize, &Arrival) -> Say + Send + Sync + 'static,
    ) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener, script)
    }

    /// One on a given port.
    pub fn on(
        listener: tokio::net::TcpListener,
        script: impl Fn(usize, &Arrival) -> Say + Send + Sync + 'static,
    ) -> Self {
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Shared { arrived: Arc::default(), script: Arc::new(script) };
        let app = axum::Router::new().fallback(receive).with_state(shared.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, shared, serving }
    }

    pub fn arrived(&self) -> Vec<Arrival> {
        self.shared.arrived.lock().unwrap().clone()
    }

    pub fn count(&self) -> usize {
        self.shared.arrived.lock().unwrap().len()
    }

    /// Waits until so many requests arrived, and gives them all.
    #[track_caller]
    pub fn expect(&self, count: usize) -> impl Future<Output = Vec<Arrival>> {
        let at = std::panic::Location::caller();
        async move {
            let started = Instant::now();
            loop {
                let arrived = self.arrived();
                if arrived.len() >= count {
                    return arrived;
                }
                assert!(started.elapsed() < DEADLINE, "{at}: {} of {count} arrived", arrived.len());
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }
}

async fn receive(State(shared): State<Shared>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let arrival =
        Arrival { path: parts.uri.path().into(), headers: parts.headers, body: body.into() };
    let before = {
        let mut arrived = shared.arrived.lock().unwrap();
        arrived.push(arrival.clone());
        arrived.len() - 1
    };
    let say = (shared.script)(before, &arrival);
    tokio::time::sleep(say.delay).await;
    let mut response = Response::builder().status(say.status);
    for (name, value) in say.headers {
        response = response.header(name, value);
    }
    let body = if say.endless {
        let chunk = axum::body::Bytes::from(say.body);
        Body::from_stream(futures_util::stream::repeat_with(move || {
            Ok::<_, std::io::Error>(chunk.clone())
        }))
    } else {
        Body::from(say.body)
    };
    response.body(body).unwrap()
}

impl Arrival {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Whether the platform's own header holds the signature with this secret.
    pub fn signed_in(&self, header: &str, prefix: &str, secret: &str) -> bool {
        let mac = mac(secret.as_bytes(), &self.body);
        self.header(header) == format!("{prefix}{}", hex::encode(mac))
    }

    /// Whether a Standard Webhooks signature is there that this secret made.
    pub fn standard_signed(&self, secret: &str) -> bool {
        let key = match secret.strip_prefix("whsec_") {
            Some(encoded) => STANDARD.decode(encoded).unwrap(),
            None => secret.as_bytes().to_vec(),
        };
        let head = format!("{}.{}.", self.header("webhook-id"), self.header("webhook-timestamp"));
        let wanted =
            format!("v1,{}", STANDARD.encode(mac(&key, &[head.as_bytes(), &self.body].concat())));
        self.header("webhook-signature").split(' ').any(|signature| signature == wanted)
    }
}

/// HMAC-SHA256.
fn mac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}
