//! The renewal of tokens, at a platform whose refresh tokens are good for one use each.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(missing_docs)]

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use axum::{
    Form, Json, Router,
    http::StatusCode,
    response::IntoResponse as _,
    routing::{get, post},
};
use serde_json::json;
use storycore::{
    Client,
    oauth::{OAuthCredential, TokenSet},
};
use tokio::net::TcpListener;

const LONG: Duration = Duration::from_secs(60);

/// A platform that needs half a second to renew, and takes each refresh token once; how often it was asked.
async fn platform() -> (String, Arc<AtomicUsize>) {
    let (asked, count) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let told = Arc::clone(&asked);
    let token = move |Form(form): Form<HashMap<String, String>>| async move {
        asked.fetch_add(1, SeqCst);
        if form["refresh_token"] != format!("refresh-{}", count.load(SeqCst)) {
            let refused = json!({"error": "invalid_grant", "error_description": "used before"});
            return (StatusCode::BAD_REQUEST, Json(refused)).into_response();
        }
        let next = count.fetch_add(1, SeqCst) + 1;
        tokio::time::sleep(Duration::from_millis(500)).await;
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
    (url, told)
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

#[tokio::test]
async fn a_call_that_is_cancelled_while_its_token_is_renewed_loses_no_refresh_token() {
    let (url, asked) = platform().await;
    let (credential, told) = ended();
    let client = Client::builder().base_url(&url).oauth(credential).build().unwrap();
    // The first call takes what there is.
    let projects = client.projects();
    projects.get("prj_1").await.unwrap();
    let call = projects.get("prj_1");
    assert!(tokio::time::timeout(Duration::from_millis(200), call).await.is_err());
    // The renewal goes on, the next call waits for it and uses what it brought.
    let project = tokio::time::timeout(LONG, client.projects().get("prj_1")).await.unwrap();
    assert_eq!(project.unwrap().id, "prj_1");
    assert_eq!((asked.load(SeqCst), &*told.lock().unwrap()), (1, &vec!["refresh-1".to_owned()]));
}

#[test]
fn a_renewal_outlives_the_runtime_that_asked_for_it() {
    let outer = tokio::runtime::Runtime::new().unwrap();
    let (url, asked) = outer.block_on(platform());
    let (credential, told) = ended();
    let client = Client::builder().base_url(&url).oauth(credential).build().unwrap();
    let one = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let runtime = one();
    runtime.block_on(async {
        let projects = client.projects();
        projects.get("prj_1").await.unwrap();
        let call = projects.get("prj_1");
        assert!(tokio::time::timeout(Duration::from_millis(200), call).await.is_err());
    });
    runtime.shutdown_background();
    let again = client.with_own_connections();
    let project =
        one().block_on(async { tokio::time::timeout(LONG, again.projects().get("prj_1")).await });
    assert_eq!(project.unwrap().unwrap().id, "prj_1");
    assert_eq!((asked.load(SeqCst), &*told.lock().unwrap()), (1, &vec!["refresh-1".to_owned()]));
}
