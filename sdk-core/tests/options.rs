//! Options of a client and of single calls, against the real local platform.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(missing_docs)]

use std::time::Duration;

use serde_json::json;
use storycore::{
    CallOptions, Capture, Client, ErrorKind, Patch,
    models::{
        ListParams, NewApiKey, NewJob, NewProject, ProjectUpdate, ThumbnailSettings, UploadOptions,
    },
    upload::UploadSource,
};
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

#[tokio::test]
async fn options_over_options_leave_what_they_do_not_say() {
    let platform = start(Config::in_memory()).await.unwrap();
    let client =
        Client::builder().base_url(platform.url()).api_key(platform.api_key()).build().unwrap();
    let capture = Capture::new();
    let first = CallOptions::new().header("x-team", "cut").unwrap().header("x-film", "1").unwrap();
    let second = CallOptions::new().capture(&capture).header("X-Film", "2").unwrap();
    let both = client.with(first.max_retries(0)).with(second);
    both.projects().create(NewProject::new("Film")).await.unwrap();
    assert_eq!(capture.response().unwrap().status, 201);
    let asked = client.request("GET", "/_local/requests").send().await.unwrap();
    let asked: serde_json::Value = asked.json().unwrap();
    let headers = &asked["data"][0]["headers"];
    assert_eq!((&headers["x-team"], &headers["x-film"]), (&json!("cut"), &json!("2")), "{asked}");

    // Within the client's own time this would be answered.
    let stalls = json!({"path": "/api/projects", "times": 0, "action": {"delay_ms": 5_000}});
    client.request("POST", "/_local/faults").json(&stalls).send().await.unwrap();
    let hasty = client.with(CallOptions::new().timeout(Duration::from_millis(300)));
    let hasty = hasty.with(CallOptions::new().max_retries(0));
    let error = hasty.projects().list(ListParams::new()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    platform.shutdown().await;
}

#[tokio::test]
async fn of_two_bodies_none_is_lost_without_a_word() {
    let platform = start(Config::in_memory()).await.unwrap();
    let client =
        Client::builder().base_url(platform.url()).api_key(platform.api_key()).build().unwrap();
    let film = json!({"name": "Film"});
    let post = || client.request("POST", "/api/projects");
    let pieces = || futures_util::stream::iter([std::io::Result::Ok(bytes::Bytes::from("{}"))]);
    let bytes = || UploadSource::bytes("film.json", "{}");
    for request in [
        post().json(&film).stream("application/json", None, pieces()),
        post().stream("application/json", None, pieces()).json(&film),
        post().json(&film).source("application/json", bytes()),
        post().source("application/json", bytes()).json(&film),
        post().json(&film).json(&film),
        post().source("application/json", bytes()).source("application/json", bytes()),
    ] {
        let error = request.send().await.unwrap_err();
        assert_eq!((error.kind(), error.attempts()), (ErrorKind::Config, 0), "{error}");
    }
    let list = client.projects().list(ListParams::new()).await.unwrap();
    assert_eq!(list.data.len(), 0);
    platform.shutdown().await;
}

#[tokio::test]
async fn a_number_that_json_does_not_have_clears_no_field() {
    let platform = start(Config::in_memory()).await.unwrap();
    let client =
        Client::builder().base_url(platform.url()).api_key(platform.api_key()).build().unwrap();
    let film = NewProject { budget: Some(9.5), ..NewProject::new("Film") };
    let project = client.projects().create(film).await.unwrap();
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let update = ProjectUpdate { budget: Patch::Set(number), ..Default::default() };
        let error = client.projects().update(&project.id, update).await.unwrap_err();
        assert_eq!((error.kind(), error.param()), (ErrorKind::InvalidRequest, Some("budget")));
        let another = NewProject { spent: Some(number), ..NewProject::new("Film") };
        let error = client.projects().create(another).await.unwrap_err();
        assert_eq!((error.kind(), error.param()), (ErrorKind::InvalidRequest, Some("spent")));

        #[derive(serde::Serialize)]
        struct Budget {
            budget: f32,
        }
        let body = Budget { budget: number as f32 };
        let path = format!("/api/projects/{}", project.id);
        let error = client.request("PUT", &path).json(&body).send().await.unwrap_err();
        assert_eq!((error.kind(), error.param()), (ErrorKind::InvalidRequest, Some("budget")));

        let settings = ThumbnailSettings { at: Some(number), ..Default::default() };
        let job = NewJob::thumbnail("ast_1", settings);
        let error = client.jobs().create(job).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(error.param().is_some_and(|param| param.ends_with("at")), "{error:?}");
    }
    assert_eq!(client.projects().get(&project.id).await.unwrap().budget, Some(9.5));
    platform.shutdown().await;
}

#[tokio::test]
async fn a_client_of_ones_own_sends_every_kind_of_body_and_is_not_overruled() {
    let platform = start(Config::in_memory()).await.unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let own = || {
        let none = reqwest::redirect::Policy::none();
        reqwest::Client::builder().no_proxy().redirect(none).user_agent("own/1").build().unwrap()
    };
    let builder = || {
        Client::builder().base_url(platform.url()).api_key(platform.api_key()).http_client(own())
    };
    let client = builder().build().unwrap();
    let project = client.projects().create(NewProject::new("Film")).await.unwrap();
    assert_eq!(client.projects().get(&project.id).await.unwrap(), project);
    let text = vec![b'x'; 300_000];
    let options = UploadOptions::new("document").name("text.txt");
    let source = UploadSource::bytes("text.txt", text.clone());
    let asset = client.media().upload(source, options).await.unwrap();
    assert_eq!(client.media().content(&asset.id).await.unwrap(), text);
    let error = client.projects().get("prj_0").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    for overruled in [
        builder().proxy("http://127.0.0.1:1"),
        builder().connect_timeout(Duration::from_secs(1)),
        builder().client_certificate("chain", "key"),
        builder().add_root_certificates("root"),
    ] {
        let error = overruled.build().unwrap_err();
        assert!(error.message().contains("http_client"), "{error}");
    }
    platform.shutdown().await;
    let error = client.projects().get(&project.id).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
    assert!(error.message().contains("127.0.0.1"), "{error}");
}

#[tokio::test]
async fn no_headers_value_and_no_body_is_in_a_debug() {
    let platform = start(Config::in_memory()).await.unwrap();
    let options = CallOptions::new().header("authorization", "Bearer hush").unwrap();
    let builder = Client::builder()
        .base_url(platform.url())
        .api_key(platform.api_key())
        .header("x-token", "hush");
    let shown = format!("{builder:?}");
    let client = builder.build().unwrap();
    let one = client.with(options.clone());
    let request = client.request("GET", "/api/projects").header("cookie", "hush");
    let shown = format!("{shown} {options:?} {client:?} {one:?} {request:?}");
    assert!(!shown.contains("hush"), "{shown}");
    assert!(
        ["authorization", "x-token", "cookie"].iter().all(|name| shown.contains(name)),
        "{shown}"
    );

    let capture = Capture::new();
    let reading = client.with(CallOptions::new().capture(&capture));
    let made = reading.api_keys().create(NewApiKey::new("Reader", ["read"])).await.unwrap();
    let answer = capture.response().unwrap();
    let secret = answer.json::<serde_json::Value>().unwrap().to_string();
    assert!(secret.contains(made.secret.expose()));
    let shown = format!("{answer:?} {capture:?}");
    assert!(!shown.contains(made.secret.expose()) && shown.contains("201"), "{shown}");
    let source = UploadSource::bytes("film.mp4", "hush");
    assert!(format!("{source:?}").contains("4 bytes"), "{source:?}");
    platform.shutdown().await;
}
