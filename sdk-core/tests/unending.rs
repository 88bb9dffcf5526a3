//! What a platform can do that would never end: each is over within a bound, and says what was wrong.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(missing_docs)]

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::Path,
    http::{HeaderMap, Response, StatusCode},
    routing::{any, get, options, patch, post},
};
use futures_util::StreamExt as _;
use storycore::{
    Client, ErrorKind,
    models::UploadOptions,
    oauth::{Authorization, OAuthCredential},
    upload::{Journal, UploadSource},
};
use tokio::{net::TcpListener, task::JoinHandle, time::timeout};

/// Longer than any of them takes.
const LONG: Duration = Duration::from_secs(60);

/// A platform; ends when dropped.
struct Server {
    url: String,
    task: JoinHandle<()>,
}

impl Server {
    async fn start(router: Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, task }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[tokio::test]
async fn signing_in_at_a_platform_that_never_answers_is_a_timeout() {
    let silent = any(std::future::pending::<StatusCode>);
    let server = Server::start(Router::new().route("/auth/oauth/token", silent)).await;
    let client = Client::builder().base_url(&server.url).anonymous();
    let client = client.attempt_timeout(Duration::from_millis(200)).build().unwrap();
    let authorization = Authorization::new("cut", "http://127.0.0.1:1/back", ["read"]);
    let page = authorization.url(&client).unwrap();
    let (_, state) = page.split_once("state=").unwrap();
    let state = state.split('&').next().unwrap();
    let outcome = timeout(LONG, authorization.exchange(&client, "code", state)).await.unwrap();
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Timeout);
}

#[tokio::test]
async fn calls_that_wait_for_one_token_share_its_failure() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let refuse = post(move || async move {
        count.fetch_add(1, Relaxed);
        // Every call waits by then.
        tokio::time::sleep(Duration::from_millis(500)).await;
        (StatusCode::BAD_REQUEST, r#"{"error":"invalid_grant","error_description":"revoked"}"#)
    });
    let server = Server::start(Router::new().route("/auth/oauth/token", refuse)).await;
    let oauth = OAuthCredential::client_credentials("cut", "secret-of-cut", ["read"]);
    let client = Client::builder().base_url(&server.url).oauth(oauth).build().unwrap();
    let projects = client.projects();
    let calls = (0..20).map(|_| projects.get("prj_1"));
    for outcome in futures_util::future::join_all(calls).await {
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Authentication);
    }
    assert_eq!(asked.load(Relaxed), 1);
}

#[tokio::test]
async fn an_error_whose_words_never_come_keeps_its_status() {
    let answer = get(|| async {
        let begun = futures_util::stream::once(async { Ok::<_, std::io::Error>("{\"err") });
        let body = Body::from_stream(begun.chain(futures_util::stream::pending()));
        let answer = Response::builder().status(404).header("x-request-id", "req_7");
        answer.header("content-length", "1000").body(body).unwrap()
    });
    let server = Server::start(Router::new().route("/api/projects/{id}", answer)).await;
    let client = Client::builder().base_url(&server.url).api_key("key").build().unwrap();
    let error = timeout(LONG, client.projects().get("prj_1")).await.unwrap().unwrap_err();
    assert_eq!(
        (error.status(), error.request_id(), error.attempts()),
        (Some(404), Some("req_7"), 1)
    );
}

#[tokio::test]
async fn events_without_an_id_of_their_own_are_given_out() {
    let events = get(|| async {
        let text = "id: 1\nevent: job.progress\ndata: {\"id\":\"job_1\",\"progress\":10}\n\n\
            event: job.progress\ndata: {\"id\":\"job_1\",\"progress\":20}\n\n\
            event: job.completed\ndata: {\"id\":\"job_1\",\"status\":\"completed\"}\n\n";
        ([("content-type", "text/event-stream")], text)
    });
    let server = Server::start(Router::new().route("/api/jobs/{id}/events", events)).await;
    let client = Client::builder().base_url(&server.url).api_key("key").build().unwrap();
    let mut events = client.jobs().events("job_1");
    let mut seen = Vec::new();
    while let Some(event) = timeout(LONG, events.next_event()).await.unwrap().unwrap() {
        seen.push((event.id, event.job.progress));
    }
    assert_eq!(seen, [(Some("1".to_owned()), Some(10.0)), (None, Some(20.0)), (None, None)]);
}

/// A platform on several nodes, say, that do not share what they store: it takes each upload's first chunk, and does not
/// know the upload when it is asked for again.
#[tokio::test]
async fn a_platform_that_loses_each_upload_again_is_an_error() {
    let (made, taken) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(HashMap::new())));
    let count = Arc::clone(&made);
    let create = move || async move {
        let number = count.fetch_add(1, Relaxed);
        (StatusCode::CREATED, [("location", format!("/api/assets/uploads/{number}"))])
    };
    let able = || async {
        let able = [("tus-version", "1.0.0"), ("tus-extension", "creation")];
        (StatusCode::NO_CONTENT, able)
    };
    let take = move |Path(id): Path<String>, headers: HeaderMap, body: Bytes| async move {
        let offset: u64 = headers["upload-offset"].to_str().unwrap().parse().unwrap();
        if taken.lock().unwrap().insert(id, ()).is_some() {
            return Err(StatusCode::NOT_FOUND);
        }
        Ok((StatusCode::NO_CONTENT, [("upload-offset", (offset + body.len() as u64).to_string())]))
    };
    let lost = || async { StatusCode::NOT_FOUND };
    let router = Router::new()
        .route("/api/assets/uploads", options(able).post(create))
        .route("/api/assets/uploads/{id}", patch(take).head(lost));
    let server = Server::start(router).await;
    let client = Client::builder().base_url(&server.url).api_key("key").build().unwrap();
    let upload = client
        .media()
        .prepare_upload(UploadSource::bytes("a.bin", vec![7; 4000]), UploadOptions::new("document"))
        .multipart_below(0)
        .chunk_size(1000)
        .journal(Journal::Off);
    let error = timeout(LONG, upload.send()).await.expect("it goes on for ever").unwrap_err();
    assert_eq!(error.status(), Some(404));
    assert!(error.message().contains("upload the same bytes again"), "{error}");
    assert!(made.load(Relaxed) <= 5, "{made:?} uploads");
}

/// Its events are a connection that lives and tells nothing: the last event was lost.
#[tokio::test]
async fn a_job_whose_last_event_was_lost_is_seen_to_have_ended() {
    let comments = || async {
        let comment = |n: u64| async move {
            if n > 0 {
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            Ok::<_, std::convert::Infallible>(Bytes::from_static(b": here\n\n"))
        };
        let body = Body::from_stream(futures_util::stream::iter(0..).then(comment));
        Response::builder().header("content-type", "text/event-stream").body(body).unwrap()
    };
    let job = || async { axum::Json(serde_json::json!({"id": "job_1", "status": "completed"})) };
    let router = Router::new()
        .route("/api/jobs/job_1/events", get(comments))
        .route("/api/jobs/job_1", get(job));
    let server = Server::start(router).await;
    let client = Client::builder().base_url(&server.url).anonymous().build().unwrap();
    let job =
        timeout(LONG + LONG, client.jobs().wait("job_1")).await.expect("it waits without end");
    assert_eq!(job.unwrap().id, "job_1");
}
