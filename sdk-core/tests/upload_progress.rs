//! What is told of an upload while it goes on: no byte is taken back that does not go again, and none counts twice. The platform
//! here holds requests where these tests look.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(missing_docs)]

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    body::{Body, HttpBody as _},
    extract::Request,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use http_body_util::BodyExt as _;
use serde_json::json;
use storycore::{
    Client,
    models::UploadOptions,
    oauth::OAuthCredential,
    upload::{Journal, Progress, UploadSource},
};
use tokio::{net::TcpSocket, sync::Semaphore};

const LONG: Duration = Duration::from_secs(60);
/// What is told too much has the time to be: progress is told each 0.1 s.
const WHILE: Duration = Duration::from_millis(400);
const MIB: usize = 1 << 20;

/// What was told, in order.
type Told = Arc<Mutex<Vec<Progress>>>;

async fn serve<F>(answer: impl Fn(Request) -> F + Clone + Send + Sync + 'static) -> String
where
    F: Future<Output = Response> + Send + 'static,
{
    let router = Router::new().fallback(answer);
    // What nobody reads yet is with the client, whatever this system's connections may hold.
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 * 1024).unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let listener = socket.listen(64).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

/// Reads a body but for its last `rest` bytes.
async fn read(body: &mut Body, rest: usize) {
    let mut left = usize::try_from(body.size_hint().exact().unwrap()).unwrap();
    while left > rest
        && let Some(frame) = body.frame().await
    {
        left -= frame.unwrap().into_data().map_or(0, |data| data.len());
    }
}

fn asset() -> Response {
    Json(json!({"id": "ast_1"})).into_response()
}

/// No byte is sent twice here, so that what is told rises.
fn rises(told: &Told) {
    let told = told.lock().unwrap();
    assert!(told.len() > 1, "it was told too little to tell: {told:?}");
    assert!(
        told.is_sorted_by_key(|p| p.sent) && told.is_sorted_by_key(|p| p.acknowledged),
        "{told:?}"
    );
}

#[tokio::test]
async fn a_small_file_is_on_its_way_until_it_is_answered() {
    let seen = Arc::new(Semaphore::new(0));
    let looked = Arc::clone(&seen);
    let url = serve(move |request: Request| {
        let looked = Arc::clone(&looked);
        async move {
            let mut body = request.into_body();
            looked.acquire().await.unwrap().forget();
            read(&mut body, 0).await;
            tokio::time::sleep(WHILE).await;
            asset()
        }
    })
    .await;
    let client = Client::builder().base_url(&url).api_key("key").build().unwrap();
    let told = Told::default();
    let notes = Arc::clone(&told);
    let source = UploadSource::bytes("film.bin", vec![7; 15 * MIB]);
    let upload = client.media().prepare_upload(source, UploadOptions::new("document"));
    let upload = upload.journal(Journal::Off).on_progress(move |progress| {
        if progress.sent > 0 {
            seen.add_permits(1);
        }
        notes.lock().unwrap().push(progress);
    });
    tokio::time::timeout(LONG, upload.send()).await.unwrap().unwrap();
    rises(&told);
}

/// What holds up a chunk whose bytes have all arrived.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Held {
    /// A disk that takes its time to write the journal.
    Journal,
    /// The answer was lost, and the platform is asked how much it has.
    Offset,
}

/// What is told of a file of one chunk.
async fn one_chunk(held: Held) -> Told {
    const CHUNK: usize = 15 * MIB;
    let folder = tempfile::tempdir().unwrap();
    let (path, journal) = (folder.path().join("film.bin"), folder.path().join("journal.sqlite3"));
    std::fs::write(&path, vec![7; CHUNK]).unwrap();
    let seen = Arc::new(Semaphore::new(0));
    let (looked, locked) = (Arc::clone(&seen), journal.clone());
    let url = serve(move |request: Request| {
        let (looked, locked) = (Arc::clone(&looked), locked.clone());
        async move {
            if request.uri().path() == "/api/assets/ast_1" {
                return asset();
            }
            let (mut status, mut offset) = (StatusCode::OK, 0);
            match request.method().as_str() {
                "POST" => status = StatusCode::CREATED,
                "PATCH" => {
                    looked.acquire().await.unwrap().forget();
                    read(&mut request.into_body(), 0).await;
                    if held == Held::Offset {
                        return StatusCode::BAD_GATEWAY.into_response();
                    }
                    offset = CHUNK;
                    let journal = rusqlite::Connection::open(locked).unwrap();
                    journal.execute_batch("BEGIN IMMEDIATE").unwrap();
                    tokio::spawn(async move {
                        tokio::time::sleep(WHILE).await;
                        journal.execute_batch("ROLLBACK").unwrap();
                    });
                }
                "HEAD" => {
                    tokio::time::sleep(WHILE).await;
                    offset = CHUNK;
                }
                _ => {}
            }
            let headers = [
                ("tus-version", "1.0.0".to_owned()),
                ("tus-extension", "creation".to_owned()),
                ("location", "/api/assets/uploads/1".to_owned()),
                ("upload-offset", offset.to_string()),
                ("x-asset-id", "ast_1".to_owned()),
            ];
            (status, headers).into_response()
        }
    })
    .await;
    let client = Client::builder().base_url(&url).api_key("key").build().unwrap();
    let told = Told::default();
    let notes = Arc::clone(&told);
    let upload = client.media().prepare_upload(&*path, UploadOptions::new("document"));
    let upload = upload.journal(Journal::At(journal)).multipart_below(0).max_streams(1);
    let upload = upload.chunk_size(CHUNK as u64).on_progress(move |progress| {
        if progress.sent > 0 {
            seen.add_permits(1);
        }
        notes.lock().unwrap().push(progress);
    });
    tokio::time::timeout(LONG, upload.send()).await.unwrap().unwrap();
    told
}

#[tokio::test]
async fn a_chunk_is_on_its_way_until_it_is_acknowledged() {
    rises(&one_chunk(Held::Journal).await);
}

#[tokio::test]
async fn a_chunk_whose_answer_was_lost_is_on_its_way_until_the_platform_tells_its_offset() {
    rises(&one_chunk(Held::Offset).await);
}

/// A connection whose request was refused may be read on, while the request goes again on another one.
#[tokio::test]
async fn a_form_that_is_sent_again_with_a_new_token_is_on_its_way_once() {
    const SIZE: usize = 48 * MIB;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.bin");
    std::fs::write(&path, vec![7; SIZE]).unwrap();
    let (tokens, seen) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
    let looked = Arc::clone(&seen);
    let url = serve(move |request: Request| {
        let (tokens, looked) = (Arc::clone(&tokens), Arc::clone(&looked));
        async move {
            if request.uri().path() == "/auth/oauth/token" {
                let token = format!("access-{}", tokens.fetch_add(1, SeqCst));
                let token =
                    json!({"access_token": token, "token_type": "Bearer", "expires_in": 3600});
                return Json(token).into_response();
            }
            let is_first = request.headers()["authorization"] == "Bearer access-0";
            let mut body = request.into_body();
            if is_first {
                read(&mut body, SIZE / 2).await;
                looked.acquire().await.unwrap().forget();
                // More than connections hold by themselves is left in the end.
                tokio::spawn(async move {
                    read(&mut body, SIZE / 4).await;
                    tokio::time::sleep(LONG).await;
                });
                return StatusCode::UNAUTHORIZED.into_response();
            }
            tokio::time::sleep(WHILE).await;
            read(&mut body, 0).await;
            asset()
        }
    })
    .await;
    let oauth = OAuthCredential::client_credentials("cut", "secret-of-cut", ["write"]);
    rustls::crypto::ring::default_provider().install_default().unwrap();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let client = Client::builder().base_url(&url).oauth(oauth).http_client(http).build().unwrap();
    let told = Told::default();
    let notes = Arc::clone(&told);
    let upload = client.media().prepare_upload(&*path, UploadOptions::new("document"));
    let upload = upload.journal(Journal::Off).multipart_below(u64::MAX);
    let upload = upload.on_progress(move |progress| {
        if progress.sent >= (SIZE / 2) as u64 {
            seen.add_permits(1);
        }
        notes.lock().unwrap().push(progress);
    });
    tokio::time::timeout(LONG, upload.send()).await.unwrap().unwrap();
    let told = told.lock().unwrap();
    // Nobody reads the second one for a while, so that less of it is on its way than was of the first.
    let rises = told.is_sorted_by_key(|p| p.sent);
    assert!(!rises, "both are told to be on their way: {told:?}");
}
