//! What a job says of itself while it runs: each percent, in order, taken up where a stream broke.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use common::{
    Platform,
    held::Held,
    media::{Api, film},
    sse::{Event, Events, Item},
};
use serde_json::json;
use storycore_local::Config;

/// A platform with this ffmpeg and one worker.
async fn platform(held: &Held) -> Platform {
    let mut config = Config::in_memory();
    config.job_workers = 1;
    config.ffmpeg = Some(held.program());
    Platform::with(config).await
}

/// A film that is made anew, which takes as long as the platform's ffmpeg is held.
async fn job(api: &Api, seconds: u32) -> String {
    let film = api.asset("video", "clip.mp4", &film(seconds, "64x64")).await;
    let settings = json!({"format": "webm", "resolution": "64x48"});
    api.job("video_processing", json!({"input": film["id"], "output_settings": settings})).await
}

fn check(events: &[Event]) {
    for pair in events.windows(2) {
        assert!(pair[0].id < pair[1].id, "{pair:?}");
    }
    let (last, progress) = events.split_last().unwrap();
    assert_eq!((last.name.as_str(), &last.data["status"]), ("job.completed", &json!("completed")));
    assert_eq!(last.data["progress"], 100);
    for pair in progress.windows(2) {
        assert!(pair[0].data["progress"].as_i64() < pair[1].data["progress"].as_i64(), "{pair:?}");
    }
    for event in progress {
        assert_eq!(
            (event.name.as_str(), &event.data["status"]),
            ("job.progress", &json!("processing"))
        );
        assert_eq!(
            (&event.data["result"], &event.data["completed_at"]),
            (&json!(null), &json!(null))
        );
    }
}

#[tokio::test]
async fn a_job_tells_its_progress_and_its_end() {
    let held = Held::at_the_films_pace();
    let p = platform(&held).await;
    let api = Api::of(&p);
    let id = job(&api, 4).await;
    let (first, second) =
        tokio::join!(async { Events::of(&api, &id, None).await.rest().await }, async {
            Events::of(&api, &id, None).await.rest().await
        });
    check(&first);
    assert_eq!(first, second);
    // ffmpeg tells ten times a second, and this takes it four.
    assert!(first.len() > 5, "{first:?}");
    let ended = api.ended(&id).await;
    assert_eq!(first.last().unwrap().data, ended);
    // Who comes late hears the same.
    assert_eq!(Events::of(&api, &id, None).await.rest().await, first);
    p.running.shutdown().await;
}

#[tokio::test]
async fn a_broken_stream_goes_on_behind_the_last_event() {
    let held = Held::at_the_films_pace();
    let p = platform(&held).await;
    let api = Api::of(&p);
    let id = job(&api, 4).await;
    let mut heard = Vec::new();
    // Hung up after every third event.
    while heard.last().is_none_or(|event: &Event| event.name == "job.progress") {
        let mut events = Events::of(&api, &id, heard.last().map(|event| event.id)).await;
        for _ in 0..3 {
            heard.extend(events.next().await);
        }
    }
    check(&heard);
    assert_eq!(heard, Events::of(&api, &id, None).await.rest().await);
    let middle = heard.len() / 2;
    let behind = Events::of(&api, &id, Some(heard[middle].id)).await.rest().await;
    assert_eq!(behind, heard[middle + 1..]);
    let end = heard.last().unwrap().id;
    assert!(Events::of(&api, &id, Some(end)).await.rest().await.is_empty());
    for wrong in ["", "x", "-1", "1.5"] {
        let request = api.request(reqwest::Method::GET, &format!("/api/jobs/{id}/events"));
        let refused = common::answer(request.header("last-event-id", wrong)).await.expect(400);
        assert_eq!(refused.body["error"]["details"][0]["field"], "Last-Event-ID");
    }
    p.running.shutdown().await;
}

#[tokio::test]
async fn failure_and_cancellation_end_the_stream() {
    let held = Held::in_a_circle();
    let p = platform(&held).await;
    let api = Api::of(&p);
    let noise = api.asset("video", "noise.mp4", &[0x5a; 5000]).await;
    let failing = api.job("thumbnail", json!({"input": noise["id"]})).await;
    let failed = Events::of(&api, &failing, None).await.rest().await;
    let last = failed.last().unwrap();
    assert_eq!(last.name, "job.failed");
    assert!(last.data["error_message"].as_str().unwrap().contains("Invalid data"));

    let (running, waiting) = (job(&api, 2).await, job(&api, 2).await);
    for id in [waiting, running] {
        let mut events = Events::of(&api, &id, None).await;
        let cancel = api.post(&format!("/api/jobs/{id}/cancel"), json!({})).await.expect(200);
        let mut last = None;
        while let Some(event) = events.next().await {
            last = Some(event);
        }
        let last = last.unwrap();
        assert_eq!((last.name.as_str(), &last.data), ("job.cancelled", &cancel.body));
    }
    p.running.shutdown().await;
}

#[tokio::test]
async fn a_silent_stream_says_that_it_lives_and_ends_when_the_platform_stops() {
    let held = Held::in_a_circle();
    let p = platform(&held).await;
    let api = Api::of(&p);
    job(&api, 2).await;
    let waiting = job(&api, 2).await;
    let mut events = Events::of(&api, &waiting, None).await;
    assert!(matches!(events.item().await, Some(Item::Comment)));
    let stopped = tokio::spawn(p.running.shutdown());
    assert_eq!(events.next().await, None);
    stopped.await.unwrap();
}

#[tokio::test]
async fn emptying_the_platform_ends_jobs_and_their_streams() {
    let held = Held::in_a_circle();
    let p = platform(&held).await;
    let api = Api::of(&p);
    let id = job(&api, 2).await;
    let mut events = Events::of(&api, &id, None).await;
    events.next().await.unwrap();
    api.delete("/_local/state").await.expect(200);
    while events.next().await.is_some() {}
    api.get(&format!("/api/jobs/{id}")).await.expect(404);
    p.running.shutdown().await;
}
