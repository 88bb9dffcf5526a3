//! The layer in a real server: what is not genuine never reaches the handler.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![cfg(feature = "axum")]
#![allow(missing_docs)]

use std::{
    sync::{Arc, Mutex},
    time::SystemTime,
};

use axum::{Router, routing::post};
use storycore::webhooks::{Event, Webhook, layer::VerifyLayer, sign};

#[tokio::test]
async fn only_genuine_deliveries_reach_the_handler() {
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let seen = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&seen);
    let handler = move |event: Event, body: axum::body::Bytes| async move {
        assert_eq!(&body, event.raw());
        told.lock().unwrap().push(event.id().to_owned());
    };
    let app: Router = Router::new()
        .route("/hook", post(handler))
        .layer(VerifyLayer::new(Webhook::new(secret).unwrap()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let server = tokio::spawn(async move { axum::serve(listener, app).await });

    let body = br#"{"id":"evt_1","event":"project.created","data":{"id":"prj_1"}}"#;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let headers = sign::standard(secret, "evt_1", SystemTime::now(), body).unwrap();
    let good = http.post(&url).headers(headers.clone()).body(body.to_vec()).send().await.unwrap();
    assert_eq!(good.status(), 200);
    let bad = http.post(&url).headers(headers.clone()).body("{}").send().await.unwrap();
    assert_eq!(bad.status(), 400);
    assert!(bad.text().await.unwrap().contains("webhook_signature"));
    let large = http.post(&url).headers(headers).body(vec![b'x'; 2 << 20]).send().await;
    assert!(large.map_or(true, |r| r.status() == 413));
    assert_eq!(*seen.lock().unwrap(), ["evt_1"]);
    server.abort();
}
