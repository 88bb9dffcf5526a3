//! Options of single calls, against the real local platform.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(missing_docs)]

use serde_json::json;
use storycore::{CallOptions, Client, ErrorKind, models::NewProject};
use storycore_local::{Config, start};

#[tokio::test]
async fn an_idempotency_key_given_as_a_header_makes_one_object() {
    let platform = start(Config::in_memory()).await.unwrap();
    let client =
        Client::builder().base_url(platform.url()).api_key(platform.api_key()).build().unwrap();
    let typed = || async {
        let options = CallOptions::new().header("Idempotency-Key", "order-1").unwrap();
        client.with(options).projects().create(NewProject::new("Film")).await.unwrap().id
    };
    assert_eq!(typed().await, typed().await);
    let untyped = || async {
        let request = client.request("POST", "/api/projects").header("idempotency-key", "order-2");
        let answer = request.json(&json!({"name": "Film"})).send().await.unwrap();
        answer.json::<serde_json::Value>().unwrap()["id"].clone()
    };
    assert_eq!(untyped().await, untyped().await);
    let error = CallOptions::new().header("idempotency-key", &"x".repeat(256)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    platform.shutdown().await;
}
