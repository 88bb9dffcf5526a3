//! Jobs: each type from its request to its result, what is refused, failures, cancellation.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use common::{
    Platform, answer,
    held::Held,
    media::{Api, eventually, ffmpeg, files, film, look},
};
use reqwest::Method;
use serde_json::{Value, json};
use storycore_local::Config;

#[tokio::test]
async fn a_film_is_made_anew_in_another_size_and_format() {
    let data = tempfile::tempdir().unwrap();
    let p = Platform::with(Config::in_directory(data.path())).await;
    let api = Api::of(&p);
    let project =
        api.post("/api/projects", json!({"name": "Film"})).await.expect(201).body["id"].clone();
    let film = api.asset("video", "clip.mp4", &film(3, "320x240")).await;
    for (settings, shape, kind, name) in [
        (
            json!({"format": "mp4", "resolution": "160x90", "quality": "low"}),
            "h264,160,90",
            "video",
            "clip.mp4",
        ),
        (json!({"format": "webm", "resolution": "64x48"}), "vp9,64,48", "video", "clip.webm"),
        (json!({"format": "mov"}), "h264,320,240", "video", "clip.mov"),
        (json!({"format": "gif", "resolution": "64x48"}), "gif,64,48", "image", "clip.gif"),
        (Value::Null, "h264,320,240", "video", "clip.mp4"),
    ] {
        let parameters = json!({"input": film["id"], "output_settings": settings});
        let body =
            json!({"type": "video_processing", "project_id": project, "parameters": parameters});
        let made = api.post("/api/jobs", body).await.expect(202);
        assert_eq!(made.header("retry-after"), "1");
        assert_eq!((&made.body["status"], &made.body["progress"]), (&json!("queued"), &json!(0)));
        assert_eq!(made.body["parameters"], parameters);
        let id = made.body["id"].as_str().unwrap();
        assert!(id.starts_with("job_"));
        let job = api.ended(id).await;
        assert_eq!((&job["status"], &job["error_message"]), (&json!("completed"), &json!(null)));
        assert_eq!(job["progress"], 100);
        let (began, ended) =
            (job["started_at"].as_str().unwrap(), job["completed_at"].as_str().unwrap());
        assert!(job["created_at"].as_str().unwrap() <= began && began <= ended);
        let result = job["result"]["asset_id"].as_str().unwrap();
        assert_eq!(job["result_url"], format!("{}/api/assets/{result}/content", api.url));
        let bytes = api.bytes(job["result_url"].as_str().unwrap()).await;
        assert_eq!(look(&bytes, "codec_name,width,height"), shape);
        let asset = api.get(&format!("/api/assets/{result}")).await.expect(200).body;
        assert_eq!(
            (&asset["name"], &asset["type"], &asset["project_id"], &asset["size"]),
            (&json!(name), &json!(kind), &project, &json!(bytes.len()))
        );
        assert_eq!(asset["metadata"], job["result"]["metadata"]);
        assert_eq!(api.get(&format!("/api/jobs/{id}")).await.header("retry-after"), "");
        let events = api.get("/api/events?event=job.completed").await.expect(200).body;
        let event = &events["data"][0];
        assert_eq!(
            (&event["job_id"], &event["project_id"], &event["result_url"], &event["data"]),
            (&job["id"], &project, &job["result_url"], &job)
        );
    }
    // Six files, and nothing of the runs that made them.
    assert_eq!(files(data.path()).len(), 6);
    p.running.shutdown().await;
}

#[tokio::test]
async fn thumbnails_sounds_and_descriptions_are_taken_of_a_film() {
    let p = Platform::start().await;
    let api = Api::of(&p);
    let film = api.asset("video", "clip.mp4", &film(2, "320x240")).await;
    for (kind, settings, shape, content_type) in [
        ("thumbnail", json!({}), "mjpeg,320,240", "image/jpeg"),
        ("thumbnail", json!({"format": "png", "width": 80, "at": 1.5}), "png,80,60", "image/png"),
        ("thumbnail", json!({"format": "webp"}), "webp,320,240", "image/webp"),
        ("audio_extraction", json!({}), "mp3", "audio/mpeg"),
        ("audio_extraction", json!({"format": "aac"}), "aac", "audio/aac"),
        ("audio_extraction", json!({"format": "m4a"}), "aac", "audio/mp4"),
        ("audio_extraction", json!({"format": "wav"}), "pcm_s16le", "audio/wav"),
        ("audio_extraction", json!({"format": "flac"}), "flac", "audio/flac"),
        ("audio_extraction", json!({"format": "opus"}), "opus", "audio/ogg"),
    ] {
        let id = api.job(kind, json!({"input": film["id"], "output_settings": settings})).await;
        let job = api.ended(&id).await;
        assert_eq!(
            (&job["status"], &job["error_message"]),
            (&json!("completed"), &json!(null)),
            "{settings}"
        );
        let bytes = api.bytes(job["result_url"].as_str().unwrap()).await;
        let entries = if kind == "thumbnail" { "codec_name,width,height" } else { "codec_name" };
        assert_eq!(look(&bytes, entries), shape);
        let asset = format!("/api/assets/{}", job["result"]["asset_id"].as_str().unwrap());
        assert_eq!(api.get(&asset).await.body["content_type"], content_type);
    }
    let id = api.job("probe", json!({"input": film["id"]})).await;
    let job = api.ended(&id).await;
    assert_eq!((&job["result"]["metadata"], &job["result_url"]), (&film["metadata"], &json!(null)));
    p.running.shutdown().await;
}

#[tokio::test]
async fn a_job_that_cannot_work_is_refused_at_once() {
    let p = Platform::start().await;
    let api = Api::of(&p);
    let film = api.asset("video", "clip.mp4", &film(1, "64x64")).await;
    let input = &film["id"];
    let video = |settings: Value| {
        ("video_processing", json!({"input": input, "output_settings": settings}))
    };
    let thumbnail =
        |settings: Value| ("thumbnail", json!({"input": input, "output_settings": settings}));
    for ((kind, parameters), field) in [
        (("video_processing", json!({"input": "ast_none"})), "parameters.input"),
        (("video_processing", json!({})), "parameters.input"),
        (("video_processing", json!({"input": 7})), "parameters.input"),
        (("probe", json!({"input": input, "output_settings": {}})), "parameters.output_settings"),
        (("probe", json!({"input": input, "other": 1})), "parameters.other"),
        (video(json!("mp4")), "parameters.output_settings"),
        (video(json!({"resolution": "1920"})), "parameters.output_settings.resolution"),
        (video(json!({"resolution": "1921x1080"})), "parameters.output_settings.resolution"),
        (video(json!({"resolution": "0x0"})), "parameters.output_settings.resolution"),
        (video(json!({"resolution": 1080})), "parameters.output_settings.resolution"),
        (video(json!({"quality": "best"})), "parameters.output_settings.quality"),
        (video(json!({"format": "exe"})), "parameters.output_settings.format"),
        (video(json!({"fps": 25})), "parameters.output_settings.fps"),
        (thumbnail(json!({"at": -1})), "parameters.output_settings.at"),
        (thumbnail(json!({"at": 5})), "parameters.output_settings.at"),
        (thumbnail(json!({"width": 3})), "parameters.output_settings.width"),
        (("dance", json!({"input": input})), "type"),
    ] {
        let wrong = api
            .post("/api/jobs", json!({"type": kind, "parameters": parameters}))
            .await
            .expect(422);
        assert_eq!(
            (wrong.code(), &wrong.body["error"]["details"][0]["field"]),
            ("unprocessable", &json!(field))
        );
    }
    let body = json!({"type": "probe", "project_id": "prj_none", "parameters": {"input": input}});
    assert_eq!(
        api.post("/api/jobs", body).await.expect(422).body["error"]["details"][0]["field"],
        "project_id"
    );
    assert_eq!(api.get("/api/jobs").await.expect(200).body["pagination"]["total"], 0);
    api.get("/api/jobs/job_none").await.expect(404);
    api.get("/api/jobs/job_none/events").await.expect(404);
    api.post("/api/jobs/job_none/cancel", json!({})).await.expect(404);
    p.running.shutdown().await;
}

#[tokio::test]
async fn a_file_that_is_no_film_fails_its_job_with_ffmpegs_own_words() {
    let data = tempfile::tempdir().unwrap();
    let p = Platform::with(Config::in_directory(data.path())).await;
    let api = Api::of(&p);
    let noise = api.asset("video", "noise.mp4", &[0x5a; 5000]).await;
    let silent = ffmpeg("-f lavfi -i testsrc2=duration=1:size=64x64 -c:v libx264", "silent.mp4");
    let silent = api.asset("video", "silent.mp4", &silent).await;
    let playlist =
        api.asset("video", "list.m3u8", b"#EXTM3U\n#EXTINF:9,\nhttp://127.0.0.1:9/a.ts\n").await;
    for (kind, input, words) in [
        ("video_processing", &noise, "Invalid data found when processing input"),
        ("thumbnail", &noise, "Invalid data found when processing input"),
        ("probe", &noise, "Invalid data found when processing input"),
        ("audio_extraction", &silent, "matches no streams"),
        ("probe", &playlist, ""),
    ] {
        let id = api.job(kind, json!({"input": input["id"]})).await;
        let job = api.ended(&id).await;
        let message = job["error_message"].as_str().unwrap();
        assert_eq!(job["status"], "failed");
        assert!(message.contains(words), "{message}");
        assert!(!message.contains(data.path().to_str().unwrap()), "{message}");
        assert_eq!((&job["result"], &job["result_url"]), (&json!(null), &json!(null)));
        let events = api.get("/api/events?event=job.failed").await.expect(200).body;
        assert_eq!(
            (&events["data"][0]["job_id"], &events["data"][0]["error_message"]),
            (&job["id"], &job["error_message"])
        );
        assert_eq!(
            api.post(&format!("/api/jobs/{id}/cancel"), json!({})).await.expect(409).code(),
            "conflict"
        );
    }
    assert_eq!(files(data.path()).len(), 3);
    p.running.shutdown().await;
}

/// A film that is made anew.
async fn film_job(api: &Api) -> String {
    let film = api.asset("video", "clip.mp4", &film(2, "64x64")).await;
    let settings = json!({"format": "webm", "resolution": "64x48"});
    api.job("video_processing", json!({"input": film["id"], "output_settings": settings})).await
}

/// The processes that work under a folder.
fn workers(data: &std::path::Path) -> usize {
    let data = data.canonicalize().unwrap();
    std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter(|process| {
            std::fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(&data))
        })
        .count()
}

#[tokio::test]
async fn cancelling_ends_the_child_and_leaves_nothing_of_it() {
    let data = tempfile::tempdir().unwrap();
    let held = Held::in_a_circle();
    let mut config = Config::in_directory(data.path());
    config.job_workers = 1;
    config.ffmpeg = Some(held.program());
    let p = Platform::with(config).await;
    let api = Api::of(&p);
    let id = film_job(&api).await;
    let second = film_job(&api).await;
    api.until(&id, |job| job["progress"].as_i64().unwrap() > 0).await;
    assert_eq!(workers(data.path()), 1);
    assert_eq!(api.get(&format!("/api/jobs/{second}")).await.body["status"], "queued");
    for job in [&second, &id, &id] {
        let cancelled =
            api.post(&format!("/api/jobs/{job}/cancel"), json!({})).await.expect(200).body;
        assert_eq!(cancelled["status"], "cancelled");
        assert!(cancelled["completed_at"].is_string());
    }
    eventually("ffmpeg still runs", || workers(data.path()) == 0).await;
    eventually("its output is still there", || files(data.path()).len() == 2).await;
    let events = api.get("/api/events?event=job.cancelled").await.expect(200).body;
    assert_eq!(
        (&events["pagination"]["total"], &events["data"][0]["job_id"]),
        (&json!(2), &json!(id))
    );
    held.let_go().await;
    // The worker goes on with others.
    let film = api.asset("video", "clip.mp4", &film(1, "64x64")).await;
    let next = api.job("thumbnail", json!({"input": film["id"]})).await;
    assert_eq!(api.ended(&next).await["status"], "completed");
    assert_eq!(api.get(&format!("/api/jobs/{id}")).await.body["status"], "cancelled");
    p.running.shutdown().await;
}

#[tokio::test]
async fn a_running_job_outlives_its_input_and_a_waiting_one_does_not() {
    let held = Held::at_a_gate();
    let mut config = Config::in_memory();
    config.job_workers = 1;
    config.ffmpeg = Some(held.program());
    let p = Platform::with(config).await;
    let api = Api::of(&p);
    let film = api.asset("video", "clip.mp4", &film(2, "64x64")).await;
    let settings = json!({"format": "webm", "resolution": "64x48"});
    let running = api
        .job("video_processing", json!({"input": film["id"], "output_settings": settings}))
        .await;
    let waiting = api.job("thumbnail", json!({"input": film["id"]})).await;
    eventually("ffmpeg is not run", || held.has_begun()).await;
    api.delete(&format!("/api/assets/{}", film["id"].as_str().unwrap())).await.expect(200);
    held.let_go().await;
    assert_eq!(api.ended(&running).await["status"], "completed");
    let waiting = api.ended(&waiting).await;
    assert_eq!(waiting["status"], "failed");
    assert!(waiting["error_message"].as_str().unwrap().contains("deleted"));
    p.running.shutdown().await;
}

#[tokio::test]
async fn jobs_are_listed_by_what_they_are_and_only_to_their_own() {
    let p = Platform::start().await;
    let api = Api::of(&p);
    let noise = api.asset("video", "noise.mp4", b"noise").await;
    let failed = api.job("probe", json!({"input": noise["id"]})).await;
    let film = api.asset("video", "clip.mp4", &film(1, "64x64")).await;
    let done = api.job("thumbnail", json!({"input": film["id"]})).await;
    for id in [&failed, &done] {
        api.ended(id).await;
    }
    for (query, ids) in [
        ("sort=created_at.asc", vec![&failed, &done]),
        ("status=failed", vec![&failed]),
        ("type=thumbnail", vec![&done]),
        ("project_id=prj_none", vec![]),
    ] {
        let list = api.get(&format!("/api/jobs?{query}")).await.expect(200).body;
        let found: Vec<_> =
            list["data"].as_array().unwrap().iter().map(|j| j["id"].as_str().unwrap()).collect();
        assert_eq!(found, ids, "{query}");
    }
    let stranger = api.stranger().await;
    assert_eq!(stranger.get("/api/jobs").await.expect(200).body["data"], json!([]));
    for path in [format!("/api/jobs/{done}"), format!("/api/jobs/{done}/events")] {
        stranger.get(&path).await.expect(404);
    }
    stranger.post(&format!("/api/jobs/{done}/cancel"), json!({})).await.expect(404);
    p.running.shutdown().await;
}

#[tokio::test]
async fn the_same_idempotency_key_makes_one_job() {
    let p = Platform::start().await;
    let api = Api::of(&p);
    let noise = api.asset("video", "noise.mp4", b"noise").await;
    let body = json!({"type": "probe", "parameters": {"input": noise["id"]}});
    let send = || {
        answer(api.request(Method::POST, "/api/jobs").header("idempotency-key", "k").json(&body))
    };
    let (first, again) = (send().await.expect(202), send().await.expect(202));
    assert_eq!((&first.body, again.header("idempotent-replayed")), (&again.body, "true"));
    assert_eq!(api.get("/api/jobs").await.expect(200).body["pagination"]["total"], 1);
    p.running.shutdown().await;
}

#[tokio::test]
async fn without_ffmpeg_files_are_kept_and_jobs_say_what_to_do() {
    let mut config = Config::in_memory();
    config.ffmpeg = Some("/nowhere/ffmpeg".into());
    let p = Platform::with(config).await;
    let api = Api::of(&p);
    let asset = api.asset("video", "a.mp4", b"anything").await;
    assert_eq!((&asset["status"], &asset["metadata"]), (&json!("ready"), &json!({})));
    let body = json!({"type": "probe", "parameters": {"input": asset["id"]}});
    let refused = api.post("/api/jobs", body).await.expect(503);
    assert_eq!(refused.code(), "unavailable");
    assert!(refused.body["error"]["message"].as_str().unwrap().contains("STORYCORE_FFMPEG"));
    assert_eq!(api.get("/api/jobs").await.expect(200).body["pagination"]["total"], 0);
    p.running.shutdown().await;
}

#[tokio::test]
async fn stopping_the_platform_ends_what_runs_and_the_next_start_runs_it_again() {
    let data = tempfile::tempdir().unwrap();
    let held = Held::in_a_circle();
    let mut config = Config::in_directory(data.path());
    config.ffmpeg = Some(held.program());
    let p = Platform::with(config.clone()).await;
    let api = Api::of(&p);
    let id = film_job(&api).await;
    api.until(&id, |job| job["progress"].as_i64().unwrap() > 0).await;
    p.running.shutdown().await;
    assert_eq!((workers(data.path()), files(data.path()).len()), (0, 1));
    held.let_go().await;
    let p = Platform::with(config).await;
    let api = Api::of(&p);
    let job = api.ended(&id).await;
    assert_eq!(job["status"], "completed");
    assert_eq!(look(&api.bytes(job["result_url"].as_str().unwrap()).await, "codec_name"), "vp9");
    p.running.shutdown().await;
}
