//! What every request meets: credentials, envelopes, lists, errors, idempotency, limits, strictness, faults, restart.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use common::{Platform, answer};
use reqwest::Method;
use serde_json::json;
use sqlx::{Connection as _, SqliteConnection};
use storycore_local::{Config, StartError};

#[tokio::test]
async fn a_project_lives_from_creation_to_deletion() {
    let p = Platform::start().await;
    let made =
        p.post("/api/projects", json!({"name": "Film", "settings": {"fps": 24}})).await.expect(201);
    let id = made.body["id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("prj_"));
    assert!(!made.header("x-request-id").is_empty());
    assert_eq!(made.body["status"], "planned");
    let path = format!("/api/projects/{id}");
    assert_eq!(p.get(&path).await.expect(200).body, made.body);
    let changed = p.put(&path, json!({"description": "A film", "progress": 40})).await.expect(200);
    assert_eq!((&changed.body["name"], &changed.body["progress"]), (&json!("Film"), &json!(40.0)));
    let cleared = p.put(&path, json!({"description": null})).await.expect(200);
    assert!(cleared.body["description"].is_null());
    assert_eq!(p.get(&path).await.expect(200).body, cleared.body);
    assert_eq!(p.delete(&path).await.expect(200).body, json!({"id": id, "deleted": true}));
    assert_eq!(p.get(&path).await.expect(404).code(), "not_found");
    assert_eq!(p.delete(&path).await.expect(404).code(), "not_found");
    let names: Vec<_> = p.get("/api/events?sort=timestamp.asc").await.expect(200).body["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["event"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["project.created", "project.updated", "project.updated", "project.deleted"]);
    p.running.shutdown().await;
}

#[tokio::test]
async fn each_dialect_sees_the_same_project_in_its_own_envelope() {
    let p = Platform::start().await;
    let made = p.post("/v1/projects", json!({"name": "Film"})).await.expect(201);
    let id = made.body["data"]["id"].as_str().unwrap();
    assert_eq!(p.get(&format!("/api/projects/{id}")).await.expect(200).body, made.body["data"]);
    assert_eq!(p.get(&format!("/api/v1/chantiers/{id}")).await.expect(200).body, made.body);
    let list = p.get("/v1/projects").await.expect(200);
    assert_eq!(
        list.body["pagination"],
        json!({"total": 1, "limit": 50, "offset": 0, "has_more": false})
    );
    p.running.shutdown().await;
}

#[tokio::test]
async fn lists_are_paged_sorted_and_filtered() {
    let p = Platform::start().await;
    for n in 0..5 {
        let status = if n % 2 == 0 { "planned" } else { "completed" };
        p.post(
            "/api/projects",
            json!({"name": format!("Film {n}"), "status": status, "progress": n}),
        )
        .await
        .expect(201);
    }
    let page = p.get("/api/projects?limit=2&offset=1").await.expect(200);
    assert_eq!(page.body["data"][0]["name"], "Film 3");
    assert_eq!(
        page.body["pagination"],
        json!({"total": 5, "limit": 2, "offset": 1, "has_more": true})
    );
    let page = p.get("/api/projects?sort=progress.asc&status=completed").await.expect(200);
    assert_eq!(
        (&page.body["data"][0]["name"], &page.body["pagination"]["total"]),
        (&json!("Film 1"), &json!(2))
    );
    let beyond = p.get("/api/projects?offset=100").await.expect(200);
    assert_eq!(beyond.body["pagination"]["has_more"], false);
    for (query, name) in [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=+5", "limit"),
        ("offset=-1", "offset"),
        ("limit=1&limit=2", "limit"),
        ("sort=name", "sort"),
        ("sort=secret.asc", "sort"),
        ("sort=name.up", "sort"),
        ("status=", "status"),
    ] {
        let wrong = p.get(&format!("/api/projects?{query}")).await.expect(400);
        assert_eq!(
            (wrong.code(), &wrong.body["error"]["details"][0]["field"]),
            ("invalid_request", &json!(name))
        );
    }
    p.running.shutdown().await;
}

#[tokio::test]
async fn bad_bodies_get_the_error_that_names_what_is_wrong() {
    let p = Platform::start().await;
    let post = |body: &'static str, kind: &'static str| {
        answer(p.request(Method::POST, "/api/projects").header("content-type", kind).body(body))
    };
    assert_eq!(post("{\"name\": ", "application/json").await.expect(400).code(), "invalid_request");
    assert_eq!(
        post("name=Film", "application/x-www-form-urlencoded").await.expect(415).code(),
        "unsupported_media_type"
    );
    let wrong = post("{\"name\": 5}", "application/json").await.expect(422);
    assert_eq!(wrong.body["error"]["details"][0]["field"], "name");
    let several = post("{\"name\": \"\", \"progress\": 101, \"budget\": -1}", "application/json")
        .await
        .expect(422);
    assert_eq!(several.body["error"]["details"].as_array().unwrap().len(), 3);
    post("{\"name\": null}", "application/json").await.expect(422);
    post("{\"name\": \"a\", \"status\": \"done\"}", "application/json").await.expect(422);
    let huge = answer(
        p.request(Method::POST, "/api/projects").json(&json!({"name": "x".repeat(2 << 20)})),
    )
    .await;
    assert_eq!(huge.expect(413).code(), "payload_too_large");
    assert_eq!(p.get("/api/nothing").await.expect(404).code(), "not_found");
    assert_eq!(
        answer(p.request(Method::PATCH, "/api/projects")).await.expect(405).header("allow"),
        "GET,HEAD,POST"
    );
    assert_eq!(p.get("/api/projects").await.body["pagination"]["total"], 0);
    p.running.shutdown().await;
}

#[tokio::test]
async fn nobody_gets_in_without_a_live_key_and_organizations_do_not_see_each_other() {
    let mut p = Platform::start().await;
    let anonymous =
        answer(p.http.get(format!("{}/api/projects", p.running.url()))).await.expect(401);
    assert_eq!(
        (anonymous.code(), anonymous.header("www-authenticate")),
        ("unauthorized", "Bearer")
    );
    let made = p.post("/api/projects", json!({"name": "Film"})).await.expect(201);
    let path = format!("/api/projects/{}", made.body["id"].as_str().unwrap());
    let other = p.post("/_local/organizations", json!({})).await.expect(201);
    let first = std::mem::replace(&mut p.key, other.body["api_key"].as_str().unwrap().to_owned());
    p.get(&path).await.expect(404);
    p.put(&path, json!({"name": "Mine"})).await.expect(404);
    p.delete(&path).await.expect(404);
    assert_eq!(p.get("/api/projects").await.expect(200).body["pagination"]["total"], 0);
    assert_eq!(p.get("/api/events").await.expect(200).body["pagination"]["total"], 0);
    p.key = first;
    assert_eq!(p.get(&path).await.expect(200).body["name"], "Film");
    p.key = "not-a-key-at-all".into();
    p.get(&path).await.expect(401);
    p.running.shutdown().await;
}

#[tokio::test]
async fn a_post_sent_again_has_its_effect_once() {
    let p = Platform::start().await;
    let send = |key: &'static str, name: &'static str| {
        answer(
            p.request(Method::POST, "/api/projects")
                .header("idempotency-key", key)
                .json(&json!({"name": name})),
        )
    };
    let first = send("k1", "Film").await.expect(201);
    let again = send("k1", "Film").await.expect(201);
    assert_eq!((again.header("idempotent-replayed"), &again.body), ("true", &first.body));
    assert_eq!(send("k1", "Other").await.expect(422).code(), "idempotency_mismatch");
    send("k2", "").await.expect(422);
    send("k2", "Film").await.expect(201);
    let long: &'static str = "k".repeat(256).leak();
    send(long, "Film").await.expect(400);
    assert_eq!(p.get("/api/projects").await.body["pagination"]["total"], 2);
    p.post("/_local/clock", json!({"advance_seconds": 86_401})).await.expect(200);
    assert_ne!(send("k1", "Film").await.expect(201).body["id"], first.body["id"]);
    p.running.shutdown().await;
}

#[tokio::test]
async fn planted_faults_happen_and_are_seen_in_the_journal() {
    let p = Platform::start().await;
    p.post("/_local/faults", json!({"method": "GET", "path": "/api/projects", "times": 1, "action": {"status": 503}, "headers": {"retry-after": "7"}})).await.expect(201);
    let failed = p.get("/api/projects").await.expect(503);
    assert_eq!((failed.code(), failed.header("retry-after")), ("unavailable", "7"));
    p.get("/api/projects").await.expect(200);
    for action in ["drop_before", "drop_after", "reset", "truncate"] {
        let fault = json!({"path": "/api/projects", "action": {action: true}});
        p.post("/_local/faults", fault).await.expect(201);
        let got = p.request(Method::GET, "/api/projects").send().await;
        let failed = match got {
            Err(_) => true,
            Ok(response) => response.bytes().await.is_err(),
        };
        assert!(failed, "{action}");
        p.get("/api/projects").await.expect(200);
    }
    p.post("/_local/faults", json!({"path": "/api/projects", "action": {"bad_json": true}}))
        .await
        .expect(201);
    assert!(p.get("/api/projects").await.expect(200).body.is_null());
    let journal = p.get("/_local/requests").await.expect(200);
    let entries = journal.body["data"].as_array().unwrap();
    assert_eq!(entries.len(), 11);
    assert_eq!(entries[0]["status"], 503);
    assert!(!journal.text.contains(&p.key));
    for wrong in [
        json!({"path": "x", "action": {"status": 500}}),
        json!({"path": "/", "action": {}}),
        json!({"path": "/", "action": {"status": 99}}),
    ] {
        p.post("/_local/faults", wrong).await.expect(422);
    }
    p.delete("/_local/state").await.expect(200);
    p.running.shutdown().await;
}

#[tokio::test]
async fn data_and_key_are_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let p = Platform::with(Config::in_directory(folder.path())).await;
    let made = p.post("/api/projects", json!({"name": "Film"})).await.expect(201);
    let second = storycore_local::start(Config::in_directory(folder.path())).await;
    assert!(matches!(second, Err(StartError::DataLocked(_))));
    let key = p.key.clone();
    p.running.shutdown().await;
    let p = Platform::with(Config::in_directory(folder.path())).await;
    assert_eq!(p.key, key);
    let path = format!("/api/projects/{}", made.body["id"].as_str().unwrap());
    assert_eq!(p.get(&path).await.expect(200).body, made.body);
    let port = p.running.url().rsplit(':').next().unwrap().parse().unwrap();
    let mut config = Config::in_memory();
    config.listen.set_port(port);
    assert!(matches!(storycore_local::start(config).await, Err(StartError::PortTaken(_))));
    p.running.shutdown().await;
}

#[tokio::test]
async fn a_platform_that_was_stopped_leaves_its_data_to_the_next_whatever_is_started_meanwhile() {
    let data = tempfile::tempdir().unwrap();
    // Between its start and its program, a process has every file of this one.
    let over = Arc::new(AtomicBool::new(false));
    let starters = [(); 8].map(|()| {
        let over = Arc::clone(&over);
        std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                assert!(std::process::Command::new("true").status().unwrap().success());
            }
        })
    });
    let mut refused = None;
    for _ in 0..50 {
        match storycore_local::start(Config::in_directory(data.path())).await {
            Ok(platform) => platform.shutdown().await,
            Err(error) => refused = Some(error),
        }
    }
    over.store(true, Ordering::Relaxed);
    for starter in starters {
        starter.join().unwrap();
    }
    assert!(refused.is_none(), "{refused:?}");
}

#[tokio::test]
async fn an_answer_is_still_the_first_one_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut answers = Vec::new();
    for _ in 0..2 {
        let p = Platform::with(Config::in_directory(folder.path())).await;
        let request = p.request(Method::POST, "/api/projects").header("idempotency-key", "k");
        let made = answer(request.json(&json!({"name": "Film"}))).await.expect(201);
        answers.push((made.header("idempotent-replayed").to_owned(), made.body));
        p.running.shutdown().await;
    }
    assert_eq!((&*answers[0].0, &*answers[1].0), ("", "true"));
    assert_eq!(answers[0].1, answers[1].1);
}

#[tokio::test]
async fn data_of_a_newer_version_is_left_alone_and_told() {
    let data = tempfile::tempdir().unwrap();
    let running = storycore_local::start(Config::in_directory(data.path())).await.unwrap();
    running.shutdown().await;
    let file = data.path().join("storycore.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&file);
    let mut database = SqliteConnection::connect_with(&options).await.unwrap();
    // What a version that is still to come would have noted.
    sqlx::query("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'later', 1, x'00', 0)")
        .execute(&mut database)
        .await
        .unwrap();
    database.close().await.unwrap();
    let before = std::fs::read(&file).unwrap();
    let error = storycore_local::start(Config::in_directory(data.path())).await.unwrap_err();
    assert!(matches!(error, StartError::DataTooNew(_)), "{error}");
    let told = error.to_string();
    assert!(told.contains("newer") && told.contains("--data") && !told.contains('\n'), "{told}");
    assert_eq!(std::fs::read(&file).unwrap(), before);
}

#[tokio::test]
async fn a_strict_platform_refuses_what_the_contract_does_not_know() {
    let p = Platform::strict().await;
    let typo =
        p.post("/api/projects", json!({"name": "Film", "descripton": "A film"})).await.expect(422);
    assert_eq!(typo.body["error"]["details"][0]["field"], "descripton");
    p.post("/api/projects", json!({"name": "Film", "settings": {"anything": {"goes": 1}}}))
        .await
        .expect(201);
    assert_eq!(p.get("/api/projects?colour=red").await.expect(400).code(), "invalid_request");
    p.running.shutdown().await;
    let p = Platform::start().await;
    p.post("/api/projects", json!({"name": "Film", "descripton": "A film"})).await.expect(201);
    p.running.shutdown().await;
}

#[tokio::test]
async fn requests_are_counted_under_the_contracts_names() {
    let p = Platform::start().await;
    p.get("/api/projects/prj_none").await.expect(404);
    let metrics = p.get("/metrics").await.expect(200).text;
    assert!(metrics.contains("integration_requests_total{integration=\"storycore\",endpoint=\"GET /api/projects/{id}\"} 1"), "{metrics}");
    assert!(
        metrics.contains(
            "integration_errors_total{integration=\"storycore\",error_type=\"client\"} 1"
        )
    );
    assert!(metrics.contains("integration_request_duration_seconds_bucket"));
    p.running.shutdown().await;
}
