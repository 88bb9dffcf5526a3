//! Requests of an unusual form: what is right is taken however it is written, what is wrong is named.

mod common;

use common::{Platform, answer};
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn a_filter_with_a_value_that_cannot_be_is_refused_and_not_an_empty_list() {
    let p = Platform::start().await;
    for (path, name) in [
        ("/api/projects?status=complete", "status"),
        ("/api/projects?rag_status=green", "rag_status"),
        ("/api/assets?type=film", "type"),
        ("/api/jobs?status=done", "status"),
        ("/api/webhooks?is_active=yes", "is_active"),
        ("/api/events?event=project.renamed", "event"),
        ("/api/audit?action=key.lost", "action"),
    ] {
        let refused = p.get(path).await.expect(400);
        assert_eq!(refused.code(), "invalid_request");
        assert_eq!(refused.body["error"]["details"][0]["field"], name);
    }
    p.get("/api/projects?status=completed&rag_status=GREEN").await.expect(200);
    p.running.shutdown().await;
}

#[tokio::test]
async fn a_path_that_is_no_utf8_gets_an_error_in_json() {
    let p = Platform::start().await;
    assert_eq!(p.get("/api/projects/%FF").await.expect(400).code(), "invalid_request");
    assert_eq!(p.get("/api/projects/%C3%A9").await.expect(404).code(), "not_found");
    p.running.shutdown().await;
}

#[tokio::test]
async fn the_type_of_a_body_that_nobody_reads_changes_nothing() {
    let p = Platform::start().await;
    let hook = json!({"url": "http://127.0.0.1:9/", "events": ["*"]});
    let id = p.post("/api/webhooks", hook).await.expect(201).body["id"].as_str().map(str::to_owned);
    let path = format!("/api/webhooks/{}/rotate-secret", id.expect("it has an id"));
    let rotate = || {
        p.request(Method::POST, &path)
            .header("idempotency-key", "rotated once")
            .header("content-type", "multipart/form-data")
    };
    let first = answer(rotate()).await.expect(200);
    let again = answer(rotate()).await.expect(200);
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_eq!(again.body, first.body);

    let token =
        p.request(Method::POST, "/auth/oauth/token").header("content-type", "multipart/form-data");
    assert_eq!(answer(token).await.expect(400).body["error"], "invalid_request");
    p.running.shutdown().await;
}

#[tokio::test]
async fn a_whole_number_may_be_written_with_a_point() {
    let p = Platform::start().await;
    let key = json!({"name": "Key", "expires_in_days": 30.0, "rate_limit": 1e3});
    let key = p.post("/api/auth/api-keys", key).await.expect(201);
    assert_eq!(key.body["rate_limit"], 1000);
    let hook = json!({"url": "http://127.0.0.1:9/", "events": ["*"], "retry_count": 2.0});
    assert_eq!(p.post("/api/webhooks", hook).await.expect(201).body["retry_count"], 2);
    for days in
        [json!(30.5), json!(-1), json!(1e300), json!("30"), json!(18_446_744_073_709_551_615_u64)]
    {
        let key = json!({"name": "Key", "expires_in_days": days});
        let refused = p.post("/api/auth/api-keys", key).await.expect(422);
        assert_eq!(refused.body["error"]["details"][0]["field"], "expires_in_days", "{days}");
    }
    p.running.shutdown().await;
}

#[tokio::test]
async fn a_strict_platform_knows_the_settings_of_every_type_of_job() {
    let p = Platform::strict().await;
    for (kind, settings) in [
        ("video_processing", json!({"quality": "low", "format": "mp4", "resolution": "64x64"})),
        ("thumbnail", json!({"at": 1, "width": 64.0, "format": "png"})),
        ("audio_extraction", json!({"format": "mp3"})),
    ] {
        let parameters = json!({"input": "ast_none", "output_settings": settings});
        let refused =
            p.post("/api/jobs", json!({"type": kind, "parameters": parameters})).await.expect(422);
        // The asset is all that is wrong.
        let details = refused.body["error"]["details"].as_array().map(Vec::as_slice);
        assert_eq!(details.map(<[_]>::len), Some(1), "{}", refused.text);
        assert_eq!(refused.body["error"]["details"][0]["field"], "parameters.input");
    }
    let parameters = json!({"input": "ast_none", "output_settings": {"colour": "red"}});
    let refused = p
        .post("/api/jobs", json!({"type": "thumbnail", "parameters": parameters}))
        .await
        .expect(422);
    assert!(refused.text.contains("parameters.output_settings.colour"), "{}", refused.text);
    p.running.shutdown().await;
}

#[tokio::test]
async fn a_day_is_a_day_and_nothing_of_it_is_dropped() {
    let p = Platform::start().await;
    let project = json!({"name": "Film", "start_date": "2026-06-01", "end_date": null});
    assert_eq!(p.post("/api/projects", project).await.expect(201).body["start_date"], "2026-06-01");
    for day in ["2026-06-01T10:00:00", "20260601", "2026-02-30", "06/01/2026", ""] {
        let refused =
            p.post("/api/projects", json!({"name": "Film", "end_date": day})).await.expect(422);
        assert!(refused.text.contains("must be a day such as 2026-06-01"), "{}", refused.text);
    }
    p.running.shutdown().await;
}
