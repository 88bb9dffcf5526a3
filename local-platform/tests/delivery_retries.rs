//! What happens when a receiver fails, when the platform stops or is killed in the middle, and when time passes.
#![allow(clippy::unwrap_used, reason = "all of it is tests")]

mod common;

use std::time::Duration;

use common::{
    Platform, child,
    receiver::{DEADLINE, Receiver, Say, say},
};
use jiff::Timestamp;
use serde_json::{Value, json};
use storycore_local::Config;

async fn hook(p: &Platform, body: Value) -> String {
    let made = p.post("/api/webhooks", body).await.expect(201).body;
    format!("/api/webhooks/{}", made["id"].as_str().unwrap())
}

async fn project(p: &Platform) {
    p.post("/api/projects", json!({"name": "Film"})).await.expect(201);
}

async fn advance(p: &Platform, seconds: u32) {
    p.post("/_local/clock", json!({"advance_seconds": seconds})).await.expect(200);
}

/// The webhook's deliveries, oldest first, once they are as `enough` wants.
async fn deliveries(p: &Platform, hook: &str, enough: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let started = std::time::Instant::now();
    loop {
        let list = p.get(&format!("{hook}/deliveries?sort=created_at.asc&limit=100")).await;
        let list = list.expect(200).body["data"].as_array().unwrap().clone();
        if enough(&list) {
            return list;
        }
        assert!(started.elapsed() < DEADLINE, "{list:#?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn none_pending(deliveries: &[Value]) -> bool {
    !deliveries.is_empty() && deliveries.iter().all(|d| d["status"] != "pending")
}

fn time(value: &Value) -> Timestamp {
    value.as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_failed_delivery_is_repeated_after_one_two_four_seconds_and_so_on() {
    let receiver = Receiver::answering(|_, _| say(503)).await;
    let p = Platform::start().await;
    let hook = hook(&p, json!({"url": receiver.url, "events": ["*"], "retry_count": 10})).await;
    project(&p).await;
    for attempt in 0..10 {
        receiver.expect(attempt + 1).await;
        let log = deliveries(&p, &hook, |d| d.len() == attempt + 2).await;
        let (made, next) = (&log[attempt], &log[attempt + 1]);
        assert_eq!((&made["status"], &made["status_code"]), (&json!("failed"), &json!(503)));
        assert_eq!(
            (&next["status"], &next["retry_attempt"]),
            (&json!("pending"), &json!(attempt + 1))
        );
        let wait = time(&next["scheduled_at"]).duration_since(time(&next["created_at"]));
        assert_eq!(wait.as_millis(), 1000 << attempt, "before retry {}", attempt + 1);
        advance(&p, 1 << attempt).await;
    }
    let arrived = receiver.expect(11).await;
    deliveries(&p, &hook, none_pending).await;
    advance(&p, 86_400).await;
    let log = deliveries(&p, &hook, |_| true).await;
    assert_eq!((log.len(), receiver.arrived().len()), (11, 11));
    for again in &arrived {
        assert_eq!(again.body, arrived[0].body);
        assert_eq!(again.header("webhook-id"), arrived[0].header("webhook-id"));
    }
    // Each attempt is signed at its own time, or a receiver would take the later ones for replays.
    assert_ne!(arrived[10].header("webhook-timestamp"), arrived[0].header("webhook-timestamp"));
    p.running.shutdown().await;
}

#[tokio::test]
async fn a_retry_waits_for_its_time() {
    let receiver = Receiver::answering(|n, _| say(if n < 3 { 500 } else { 200 })).await;
    let p = Platform::start().await;
    let hook = hook(&p, json!({"url": receiver.url, "events": ["*"]})).await;
    project(&p).await;
    // Without a clock that is moved: 1 s, then 2 s, then 4 s pass.
    receiver.expect(4).await;
    let log = deliveries(&p, &hook, none_pending).await;
    let waited = time(&log[3]["scheduled_at"]).duration_since(time(&log[0]["created_at"]));
    assert!(waited.as_millis() >= 7000, "{waited}");
    assert_eq!(log[3]["status"], "success");
    p.running.shutdown().await;
}

#[tokio::test]
async fn what_a_receiver_has_decided_is_not_repeated() {
    let elsewhere = Receiver::start().await;
    let to = format!("{}/elsewhere", elsewhere.url);
    let receiver = Receiver::answering(move |_, arrival| {
        let status = arrival.path[1..].parse().unwrap();
        Say { headers: vec![("location", to.clone())], ..say(status) }
    })
    .await;
    let p = Platform::start().await;
    let mut hooks = Vec::new();
    for status in [200, 202, 301, 302, 304, 307, 308, 400, 401, 404, 408, 410, 429] {
        let url = format!("{}/{status}", receiver.url);
        hooks.push((status, hook(&p, json!({"url": url, "events": ["*"]})).await));
    }
    project(&p).await;
    for (status, hook) in &hooks {
        let log = deliveries(&p, hook, none_pending).await;
        assert_eq!(log.len(), 1);
        let wanted = if *status < 300 { "success" } else { "failed" };
        assert_eq!((&log[0]["status"], &log[0]["status_code"]), (&json!(wanted), &json!(status)));
        assert_eq!(log[0]["error_message"].is_null(), *status < 300);
    }
    advance(&p, 60).await;
    project(&p).await;
    receiver.expect(2 * hooks.len()).await;
    p.running.shutdown().await;
    assert_eq!(receiver.arrived().len(), 2 * hooks.len());
    assert!(elsewhere.arrived().is_empty());
}

#[tokio::test]
async fn a_receiver_that_answers_too_late_or_not_at_all_is_asked_again() {
    let late = Receiver::answering(|n, _| {
        let delay = if n == 0 { DEADLINE } else { Duration::ZERO };
        Say { delay, ..say(200) }
    })
    .await;
    // Nobody listens there, and nobody else can before this does.
    let silent = tokio::net::TcpSocket::new_v4().unwrap();
    silent.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = silent.local_addr().unwrap();
    let p = Platform::start().await;
    let late_hook = hook(&p, json!({"url": late.url, "events": ["*"], "timeout_seconds": 1})).await;
    let down = hook(&p, json!({"url": format!("http://{address}"), "events": ["*"]})).await;
    let unknown = json!({"url": "http://hooks.example.invalid", "events": ["*"], "retry_count": 0});
    let unknown = hook(&p, unknown).await;
    let no_tls = late.url.replace("http:", "https:");
    let no_tls = hook(&p, json!({"url": no_tls, "events": ["*"], "retry_count": 0})).await;
    project(&p).await;
    let log = deliveries(&p, &down, |d| d.len() > 1).await;
    assert!(log[0]["status_code"].is_null());
    let why = log[0]["error_message"].as_str().unwrap();
    assert!(why.starts_with("could not connect: "), "{why}");
    let up = Receiver::on(silent.listen(1024).unwrap(), |_, _| say(200));
    up.expect(1).await;
    late.expect(2).await;
    let log = deliveries(&p, &late_hook, none_pending).await;
    assert_eq!(log[0]["error_message"], "no answer within 1 s");
    assert!(log[0]["duration_ms"].as_u64().unwrap() >= 1000);
    assert_eq!((&log[1]["status"], &log[1]["retry_attempt"]), (&json!("success"), &json!(1)));
    for (hook, part) in [(unknown, "does not resolve"), (no_tls, "could not connect")] {
        let log = deliveries(&p, &hook, none_pending).await;
        let why = log[0]["error_message"].as_str().unwrap();
        assert!(log.len() == 1 && why.contains(part), "{why}");
    }
    p.running.shutdown().await;
}

#[tokio::test]
async fn pending_deliveries_are_dropped_with_their_webhook() {
    let receiver = Receiver::answering(|_, _| say(500)).await;
    let p = Platform::start().await;
    let body = json!({"url": receiver.url, "events": ["*"], "retry_count": 10});
    let (deleted, off) = (hook(&p, body.clone()).await, hook(&p, body).await);
    project(&p).await;
    receiver.expect(2).await;
    for hook in [&deleted, &off] {
        deliveries(&p, hook, |d| d.len() >= 2 && !none_pending(d)).await;
    }
    p.delete(&deleted).await.expect(200);
    p.put(&off, json!({"is_active": false})).await.expect(200);
    let arrived = receiver.arrived().len();
    let log = deliveries(&p, &off, |_| true).await;
    assert!(none_pending(&log), "{log:#?}");
    advance(&p, 600).await;
    // Active again, it gets what happens from now on.
    p.put(&off, json!({"is_active": true})).await.expect(200);
    project(&p).await;
    let all = receiver.expect(arrived + 1).await;
    assert_ne!(all[arrived].header("webhook-id"), all[0].header("webhook-id"));
    p.running.shutdown().await;
}

#[tokio::test]
async fn emptying_the_platform_ends_what_is_being_sent() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let p = Platform::start().await;
    let gone = hook(&p, json!({"url": url, "events": ["*"], "timeout_seconds": 30})).await;
    project(&p).await;
    let (mut connection, _) = silent.accept().await.unwrap();
    p.delete("/_local/state").await.expect(200);
    p.get(&gone).await.expect(404);
    // The connection ends long before the attempt would have given up.
    let mut request = Vec::new();
    let ended = tokio::io::AsyncReadExt::read_to_end(&mut connection, &mut request);
    let _ = tokio::time::timeout(Duration::from_secs(20), ended).await.expect("it goes on");
    let receiver = Receiver::start().await;
    hook(&p, json!({"url": receiver.url, "events": ["*"]})).await;
    project(&p).await;
    let arrived = receiver.expect(1).await;
    assert_eq!(p.get("/api/events").await.body["data"][0]["id"], arrived[0].json()["id"]);
    p.running.shutdown().await;
}

#[tokio::test]
async fn what_was_pending_at_a_shutdown_is_delivered_after_the_next_start() {
    let receiver = Receiver::answering(|n, _| say(if n == 0 { 500 } else { 200 })).await;
    let folder = tempfile::tempdir().unwrap();
    let p = Platform::with(Config::in_directory(folder.path())).await;
    let hook = hook(&p, json!({"url": receiver.url, "events": ["*"]})).await;
    project(&p).await;
    let log = deliveries(&p, &hook, |d| d.len() == 2).await;
    p.running.shutdown().await;
    let p = Platform::with(Config::in_directory(folder.path())).await;
    let arrived = receiver.expect(2).await;
    assert_eq!(arrived[0].body, arrived[1].body);
    assert_eq!(arrived[1].header("x-storycore-delivery"), log[1]["id"]);
    deliveries(&p, &hook, none_pending).await;
    p.running.shutdown().await;
}

#[tokio::test]
async fn what_was_being_sent_when_the_platform_was_killed_is_sent_again() {
    // The first request is never answered: the platform is killed while it waits.
    let receiver = Receiver::answering(|n, _| {
        let delay = if n == 0 { DEADLINE } else { Duration::ZERO };
        Say { delay, ..say(200) }
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let killed = child::Platform::start(folder.path());
    let http = common::http();
    let post = |path: &str, body: Value| {
        common::answer(
            http.post(format!("{}{path}", killed.url)).bearer_auth(&killed.key).json(&body),
        )
    };
    let body = json!({"url": receiver.url, "events": ["*"], "timeout_seconds": 30});
    let made = post("/api/webhooks", body).await.expect(201).body;
    post("/api/projects", json!({"name": "Film"})).await.expect(201);
    receiver.expect(1).await;
    killed.kill();
    let p = Platform::with(Config::in_directory(folder.path())).await;
    let arrived = receiver.expect(2).await;
    assert_eq!(arrived[0].header("webhook-id"), arrived[1].header("webhook-id"));
    assert_eq!(arrived[0].body, arrived[1].body);
    assert!(arrived[1].standard_signed(made["secret"].as_str().unwrap()));
    let hook = format!("/api/webhooks/{}", made["id"].as_str().unwrap());
    let log = deliveries(&p, &hook, none_pending).await;
    assert_eq!((log.len(), &log[0]["status"]), (1, &json!("success")));
    p.running.shutdown().await;
}

#[tokio::test]
async fn a_secret_that_cannot_be_read_any_more_is_said_so_and_rotating_helps() {
    let receiver = Receiver::start().await;
    let folder = tempfile::tempdir().unwrap();
    let p = Platform::with(Config::in_directory(folder.path())).await;
    let hook = hook(&p, json!({"url": receiver.url, "events": ["*"]})).await;
    p.running.shutdown().await;
    std::fs::remove_file(folder.path().join("seal.key")).unwrap();
    let p = Platform::with(Config::in_directory(folder.path())).await;
    project(&p).await;
    let log = deliveries(&p, &hook, none_pending).await;
    let why = log[0]["error_message"].as_str().unwrap();
    assert!(log.len() == 1 && why.contains("rotate it"), "{log:?}");
    let rotated = p.post(&format!("{hook}/rotate-secret"), json!({})).await.expect(200).body;
    project(&p).await;
    assert!(receiver.expect(1).await[0].standard_signed(rotated["secret"].as_str().unwrap()));
    p.running.shutdown().await;
}

#[tokio::test]
async fn events_and_deliveries_are_kept_for_thirty_days() {
    let receiver = Receiver::answering(|_, _| say(200)).await;
    let p = Platform::start().await;
    let hook = hook(&p, json!({"url": receiver.url, "events": ["*"]})).await;
    project(&p).await;
    let log = deliveries(&p, &hook, none_pending).await;
    let event = format!("/api/events/{}", log[0]["event_id"].as_str().unwrap());
    advance(&p, 30 * 86_400 - 60).await;
    p.get(&event).await.expect(200);
    assert_eq!(deliveries(&p, &hook, |_| true).await.len(), 1);
    advance(&p, 180).await;
    p.get(&event).await.expect(404);
    assert_eq!(p.get("/api/events").await.expect(200).body["pagination"]["total"], 0);
    assert!(deliveries(&p, &hook, |_| true).await.is_empty());
    let again = format!("{hook}/deliveries/{}/redeliver", log[0]["id"].as_str().unwrap());
    p.post(&again, json!({})).await.expect(404);
    // Every ten minutes what is too old is removed for good: setting the clock back does not bring it again. A removal that
    // falls into such a moment of the past finds nothing, so that each look has one of its own before it.
    let started = std::time::Instant::now();
    loop {
        advance(&p, 660).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        let back = -(31 * 86_400_i64);
        p.post("/_local/clock", json!({"advance_seconds": back})).await.expect(200);
        let left = p.get("/api/events").await.expect(200).body["pagination"]["total"].clone();
        p.post("/_local/clock", json!({"advance_seconds": -back})).await.expect(200);
        if left == 0 && deliveries(&p, &hook, |_| true).await.is_empty() {
            break;
        }
        assert!(started.elapsed() < DEADLINE);
    }
    // The project, and the webhook, stay.
    assert_eq!(p.get("/api/projects").await.body["pagination"]["total"], 1);
    p.get(&hook).await.expect(200);
    p.running.shutdown().await;
}
