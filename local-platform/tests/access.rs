//! Who gets in and what they may do: keys, rotation, limits, JWTs, OAuth, the audit log.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use common::{
    Platform,
    access::{get, text, with},
};
use reqwest::Method;
use serde_json::json;
use storycore_local::Config;

#[tokio::test]
async fn a_key_opens_what_it_may_until_it_is_revoked() {
    let p = Platform::start().await;
    let made = p
        .post("/api/auth/api-keys", json!({"name": "CI", "permissions": ["write"]}))
        .await
        .expect(201);
    let (secret, id) = (text(&made.body["secret"]), text(&made.body["id"]));
    assert_eq!((&made.body["status"], &made.body["rate_limit"]), (&json!("active"), &json!(1000)));
    assert_eq!(made.body["prefix"], secret[..8]);
    let project = with(&p, &secret, Method::POST, "/api/projects", Some(json!({"name": "Film"})))
        .await
        .expect(201);
    let path = format!("/api/projects/{}", text(&project.body["id"]));
    assert_eq!(
        with(&p, &secret, Method::DELETE, &path, None).await.expect(403).code(),
        "forbidden"
    );
    let listed = p.get("/api/auth/api-keys").await.expect(200);
    assert!(!listed.text.contains(&secret) && listed.text.contains(&id));
    let stronger = json!({"name": "Root", "permissions": ["admin"]});
    with(&p, &secret, Method::POST, "/api/auth/api-keys", Some(stronger)).await.expect(403);
    p.delete(&format!("/api/auth/api-keys/{id}")).await.expect(200);
    assert_eq!(get(&p, &secret).await.expect(401).code(), "unauthorized");
    assert_eq!(
        p.get(&format!("/api/auth/api-keys/{id}")).await.expect(200).body["status"],
        "revoked"
    );
    let actions: Vec<_> = p
        .get(&format!("/api/audit?key_id={id}&sort=created_at.asc"))
        .await
        .expect(200)
        .body["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| text(&e["action"]))
        .collect();
    assert_eq!(actions, ["key.created", "key.used", "key.revoked"]);
    p.running.shutdown().await;
}

#[tokio::test]
async fn keys_expire_and_say_so_a_week_before() {
    let p = Platform::start().await;
    let made = p
        .post("/api/auth/api-keys", json!({"name": "Short", "expires_in_days": 10}))
        .await
        .expect(201);
    let (secret, path) =
        (text(&made.body["secret"]), format!("/api/auth/api-keys/{}", text(&made.body["id"])));
    let forever = p
        .post("/api/auth/api-keys", json!({"name": "Long", "expires_in_days": null}))
        .await
        .expect(201);
    assert!(forever.body["expires_at"].is_null());
    for (days, status, opens) in
        [(0, "active", 200), (4, "expiring_soon", 200), (7, "expired", 401)]
    {
        p.post("/_local/clock", json!({"advance_seconds": days * 86_400})).await.expect(200);
        assert_eq!(p.get(&path).await.expect(200).body["status"], status);
        get(&p, &secret).await.expect(opens);
    }
    p.running.shutdown().await;
}

#[tokio::test]
async fn a_rotated_keys_old_text_is_good_for_the_grace_time_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let p = Platform::with(Config::in_directory(folder.path())).await;
    let made = p.post("/api/auth/api-keys", json!({"name": "CI"})).await.expect(201);
    let (old, id) = (text(&made.body["secret"]), text(&made.body["id"]));
    let path = format!("/api/auth/api-keys/{id}/rotate");
    let new = text(&p.post(&path, json!({"grace_seconds": 600})).await.expect(200).body["secret"]);
    assert_ne!(old, new);
    get(&p, &old).await.expect(200);
    p.running.shutdown().await;
    let p = Platform::with(Config::in_directory(folder.path())).await;
    get(&p, &old).await.expect(200);
    get(&p, &new).await.expect(200);
    p.post("/_local/clock", json!({"advance_seconds": 601})).await.expect(200);
    get(&p, &old).await.expect(401);
    let third = text(&p.post(&path, json!({})).await.expect(200).body["secret"]);
    get(&p, &new).await.expect(401);
    get(&p, &third).await.expect(200);
    p.running.shutdown().await;
}

#[tokio::test]
async fn at_most_ten_live_keys_however_many_ask_at_once() {
    let p = Platform::start().await;
    let asks = (0..20).map(|n| p.post("/api/auth/api-keys", json!({"name": format!("Key {n}")})));
    let answers = futures_util::future::join_all(asks).await;
    let made = answers.iter().filter(|a| a.status == 201).count();
    // The first key is one of the ten.
    assert_eq!((made, answers.iter().filter(|a| a.code() == "conflict").count()), (9, 11));
    let id = text(&answers.iter().find(|a| a.status == 201).unwrap().body["id"]);
    p.delete(&format!("/api/auth/api-keys/{id}")).await.expect(200);
    p.post("/api/auth/api-keys", json!({"name": "Again"})).await.expect(201);
    p.running.shutdown().await;
}

#[tokio::test]
async fn dialects_and_scopes_give_keys_their_mark() {
    let p = Platform::start().await;
    let made = p.post("/v1/api-keys", json!({"name": "P"})).await.expect(201);
    assert!(text(&made.body["data"]["secret"]).starts_with("pk_live_"));
    let made = p
        .post("/api/auth/api-keys", json!({"name": "H", "scopes": ["chantiers:*"]}))
        .await
        .expect(201);
    let secret = text(&made.body["secret"]);
    assert!(secret.starts_with("hbc_"));
    with(&p, &secret, Method::GET, "/api/v1/chantiers", None).await.expect(200);
    with(&p, &secret, Method::GET, "/api/events", None).await.expect(403);
    for wrong in [
        json!({"name": ""}),
        json!({"name": "x", "permissions": ["root"]}),
        json!({"name": "x", "scopes": ["a"]}),
        json!({"name": "x", "expires_in_days": 0}),
        json!({"name": "x", "rate_limit": 0}),
    ] {
        p.post("/api/auth/api-keys", wrong).await.expect(422);
    }
    p.running.shutdown().await;
}

#[tokio::test]
async fn a_key_is_limited_and_its_usage_counted() {
    let p = Platform::start().await;
    let made =
        p.post("/api/auth/api-keys", json!({"name": "Small", "rate_limit": 3})).await.expect(201);
    let (secret, id) = (text(&made.body["secret"]), text(&made.body["id"]));
    for left in ["2", "1", "0"] {
        assert_eq!(get(&p, &secret).await.expect(200).header("x-ratelimit-remaining"), left);
    }
    let refused = get(&p, &secret).await.expect(429);
    assert_eq!(refused.code(), "rate_limit_exceeded");
    assert!(refused.header("retry-after").parse::<u32>().unwrap() > 3_500);
    let usage = p.get(&format!("/api/auth/api-keys/{id}/usage")).await.expect(200).body;
    assert_eq!((&usage["total_requests"], &usage["failed_requests"]), (&json!(4), &json!(1)));
    assert_eq!(usage["top_endpoints"], json!([{"endpoint": "GET /api/projects", "requests": 4}]));
    p.post("/_local/clock", json!({"advance_seconds": 3600})).await.expect(200);
    get(&p, &secret).await.expect(200);
    p.get(&format!("/api/auth/api-keys/{id}/usage?period_days=0")).await.expect(400);
    p.running.shutdown().await;
}
