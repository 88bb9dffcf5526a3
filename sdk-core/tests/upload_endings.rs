//! Uploads that end before their end, against the real local platform: what was not wanted any more leaves nothing there.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(missing_docs)]

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use storycore::{
    Client, ErrorKind,
    models::{ListParams, UploadOptions},
    upload::{Journal, Upload, UploadControl, UploadSource},
};
use storycore_local::{Config, Running, start};

const MIB: usize = 1024 * 1024;
const LONG: Duration = Duration::from_secs(60);

async fn world() -> (Running, Client) {
    let platform = start(Config::in_memory()).await.unwrap();
    let client =
        Client::builder().base_url(platform.url()).api_key(platform.api_key()).build().unwrap();
    (platform, client)
}

fn upload(client: &Client, source: UploadSource) -> Upload {
    client.media().prepare_upload(source, UploadOptions::new("document")).journal(Journal::Off)
}

fn small() -> UploadSource {
    UploadSource::bytes("note.bin", vec![7; 1000])
}

/// How many requests with this method and path there were.
async fn requests(client: &Client, method: &str, path: &str) -> usize {
    let answer = client.request("GET", "/_local/requests").send().await.unwrap();
    let all: serde_json::Value = answer.json().unwrap();
    let is = |r: &&serde_json::Value| {
        r["method"] == method && r["path"].as_str().unwrap().starts_with(path)
    };
    all["data"].as_array().unwrap().iter().filter(is).count()
}

#[tokio::test]
async fn a_small_file_that_was_cancelled_before_is_not_sent() {
    let (platform, client) = world().await;
    let control = UploadControl::new();
    control.cancel();
    let files = vec![small(), small(), small()];
    let uploads = client.media().upload_all(files, UploadOptions::new("document"));
    let uploads = uploads.each(move |upload| upload.control(&control).journal(Journal::Off));
    for file in uploads.collect().await {
        assert_eq!(file.result.unwrap_err().kind(), ErrorKind::Cancelled);
    }
    assert_eq!(requests(&client, "POST", "/api/assets/upload").await, 0);
    platform.shutdown().await;
}

#[tokio::test]
async fn a_small_file_on_its_way_is_cancelled_at_once() {
    let (platform, client) = world().await;
    let fault = json!({"method": "POST", "path": "/api/assets/upload", "times": 0, "action": {"stall": true}});
    client.request("POST", "/_local/faults").json(&fault).send().await.unwrap();
    let control = UploadControl::new();
    let sending = upload(&client, small()).control(&control).send();
    let cancel = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        control.cancel();
    };
    let (outcome, ()) =
        tokio::time::timeout(LONG / 2, async { tokio::join!(sending, cancel) }).await.unwrap();
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Cancelled);
    platform.shutdown().await;
}

#[tokio::test]
async fn a_small_file_that_is_paused_goes_when_it_is_resumed() {
    let (platform, client) = world().await;
    let control = UploadControl::new();
    control.pause();
    let sending = upload(&client, small()).control(&control).send();
    let resume = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let before = requests(&client, "POST", "/api/assets/upload").await;
        control.resume();
        before
    };
    let (outcome, before) = tokio::join!(sending, resume);
    assert_eq!((outcome.unwrap().asset.size, before), (Some(1000), 0));
    platform.shutdown().await;
}

#[tokio::test]
async fn a_stream_that_breaks_leaves_nothing_on_the_platform() {
    let (platform, client) = world().await;
    let piece = |n: usize| match n {
        0..40 => Ok(Bytes::from(vec![7; MIB])),
        _ => Err(std::io::Error::other("the camera is gone")),
    };
    let stream = futures_util::stream::iter((0..41).map(piece));
    let error = upload(&client, UploadSource::stream("live.bin", stream)).send().await.unwrap_err();
    assert!(error.message().contains("the camera is gone"), "{error}");
    let made = requests(&client, "POST", "/api/assets/uploads").await;
    assert_eq!((made, requests(&client, "DELETE", "/api/assets/uploads/").await), (1, 1));
    assert!(client.media().list(ListParams::new()).await.unwrap().data.is_empty());
    platform.shutdown().await;
}
