//! The renewal of tokens, at a platform whose refresh tokens are good for one use each.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(missing_docs)]

use std::{
    collections::HashMap,
    fmt::Debug,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use axum::{
    Form, Json, Router,
    extract::Request,
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use serde_json::json;
use storycore::{
    Client,
    models::UploadOptions,
    oauth::{OAuthCredential, TokenSet},
    upload::UploadSource,
};
use tokio::{net::TcpListener, sync::Semaphore};

const LONG: Duration = Duration::from_secs(60);

/// A platform that takes each refresh token once, and gives what follows when it is let; how often it was asked.
async fn platform() -> (String, Arc<AtomicUsize>, Arc<Semaphore>) {
    let (asked, count) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (told, let_go) = (Arc::clone(&asked), Arc::new(Semaphore::new(0)));
    let held = Arc::clone(&let_go);
    let token = move |Form(form): Form<HashMap<String, String>>| async move {
        asked.fetch_add(1, SeqCst);
        if form["refresh_token"] != format!("refresh-{}", count.load(SeqCst)) {
            let refused = json!({"error": "invalid_grant", "error_description": "used before"});
            return (StatusCode::BAD_REQUEST, Json(refused)).into_response();
        }
        let next = count.fetch_add(1, SeqCst) + 1;
        held.acquire().await.unwrap().forget();
        Json(json!({"access_token": format!("access-{next}"), "token_type": "Bearer", "expires_in": 3600,
            "refresh_token": format!("refresh-{next}")}))
        .into_response()
    };
    let project = || async { Json(json!({"id": "prj_1"})) };
    let router = Router::new()
        .route("/auth/oauth/token", post(token))
        .route("/api/projects/prj_1", get(project));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, told, let_go)
}

/// A credential whose access token has ended, and what it tells of the tokens that follow.
fn ended() -> (OAuthCredential, Arc<Mutex<Vec<String>>>) {
    let tokens: TokenSet = serde_json::from_value(json!({
        "access_token": "access-0", "token_type": "Bearer", "expires_in": 0, "refresh_token": "refresh-0"
    }))
    .unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&told);
    let credential = OAuthCredential::tokens("cut", tokens).on_tokens(move |tokens| {
        let refresh = tokens.refresh_token.as_ref().unwrap().expose().to_owned();
        notes.lock().unwrap().push(refresh);
    });
    (credential, told)
}

/// Cancels a call while the platform renews its token.
async fn cancelled_once_it_asked<T: Debug>(call: impl Future<Output = T>, asked: &AtomicUsize) {
    let has_asked = async {
        while asked.load(SeqCst) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        ended = call => panic!("it ended: {ended:?}"),
        asked = tokio::time::timeout(LONG, has_asked) => asked.expect("nobody asks"),
    }
}

#[tokio::test]
async fn a_call_that_is_cancelled_while_its_token_is_renewed_loses_no_refresh_token() {
    let (url, asked, let_go) = platform().await;
    let (credential, told) = ended();
    let client = Client::builder().base_url(&url).oauth(credential).build().unwrap();
    // The first call takes what there is.
    let projects = client.projects();
    projects.get("prj_1").await.unwrap();
    cancelled_once_it_asked(projects.get("prj_1"), &asked).await;
    let_go.add_permits(1);
    // The renewal goes on, the next call waits for it and uses what it brought.
    let project = tokio::time::timeout(LONG, client.projects().get("prj_1")).await.unwrap();
    assert_eq!(project.unwrap().id, "prj_1");
    assert_eq!((asked.load(SeqCst), &*told.lock().unwrap()), (1, &vec!["refresh-1".to_owned()]));
}

#[test]
fn a_renewal_outlives_the_runtime_that_asked_for_it() {
    let outer = tokio::runtime::Runtime::new().unwrap();
    let (url, asked, let_go) = outer.block_on(platform());
    let (credential, told) = ended();
    let client = Client::builder().base_url(&url).oauth(credential).build().unwrap();
    let one = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let runtime = one();
    runtime.block_on(async {
        let projects = client.projects();
        projects.get("prj_1").await.unwrap();
        cancelled_once_it_asked(projects.get("prj_1"), &asked).await;
    });
    runtime.shutdown_background();
    let_go.add_permits(1);
    let again = client.with_own_connections();
    let project =
        one().block_on(async { tokio::time::timeout(LONG, again.projects().get("prj_1")).await });
    assert_eq!(project.unwrap().unwrap().id, "prj_1");
    assert_eq!((asked.load(SeqCst), &*told.lock().unwrap()), (1, &vec!["refresh-1".to_owned()]));
}

/// A platform that takes one chunk, and with the second token alone; it holds the first one until `let_go` has a permit.
async fn choosy(request: Request, tokens: Arc<AtomicUsize>, let_go: Arc<Semaphore>) -> Response {
    let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
    let credential = request.headers().get("authorization").cloned();
    let body = axum::body::to_bytes(request.into_body(), usize::MAX).await.unwrap();
    if path == "/auth/oauth/token" {
        let token = format!("access-{}", tokens.fetch_add(1, SeqCst));
        let token = json!({"access_token": token, "token_type": "Bearer", "expires_in": 3600});
        return Json(token).into_response();
    }
    if path == "/api/assets/ast_1" {
        return Json(json!({"id": "ast_1"})).into_response();
    }
    if method == "PATCH" {
        if credential.is_some_and(|credential| credential == "Bearer access-0") {
            let_go.acquire().await.unwrap().forget();
            return StatusCode::UNAUTHORIZED.into_response();
        }
        // Nothing new is to be told of it; what is told too much has the time to be.
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let headers = [
        ("tus-version", "1.0.0".to_owned()),
        ("tus-extension", "creation".to_owned()),
        ("location", "/api/assets/uploads/1".to_owned()),
        ("upload-offset", body.len().to_string()),
        ("x-asset-id", "ast_1".to_owned()),
    ];
    (if method == "POST" { StatusCode::CREATED } else { StatusCode::OK }, headers).into_response()
}

#[tokio::test]
async fn a_chunk_that_is_sent_again_with_a_new_token_is_on_its_way_once() {
    const CHUNK: u64 = 1 << 20;
    let tokens = Arc::new(AtomicUsize::new(0));
    let let_go = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&let_go);
    let router = Router::new()
        .fallback(move |request: Request| choosy(request, Arc::clone(&tokens), Arc::clone(&held)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let oauth = OAuthCredential::client_credentials("cut", "secret-of-cut", ["write"]);
    let client = Client::builder().base_url(&url).oauth(oauth).build().unwrap();
    let source = UploadSource::bytes("film.bin", vec![7; 2 * CHUNK as usize]);
    let ahead = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&ahead);
    let upload = client.media().prepare_upload(source, UploadOptions::new("document"));
    let upload = upload.multipart_below(0).chunk_size(CHUNK).max_streams(1);
    let upload = upload.retries(0).on_progress(move |progress| {
        let ahead = progress.sent - progress.acknowledged;
        told.lock().unwrap().push(ahead);
        if ahead >= CHUNK {
            let_go.add_permits(1);
        }
    });
    // The second chunk is not at the offset that this platform tells.
    let ended = tokio::time::timeout(LONG, upload.send()).await;
    ended.expect("no chunk is told to be on its way").unwrap_err();
    let ahead = ahead.lock().unwrap();
    assert_eq!(ahead.iter().max(), Some(&CHUNK), "{ahead:?}");
}
