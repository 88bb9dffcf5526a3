//! What receivers get and what the log says of it, while everything is well or a receiver is slow. Retries and crashes
//! are in `delivery_retries`.
#![allow(clippy::unwrap_used, reason = "all of it is tests")]

mod common;

use std::{collections::HashSet, time::Duration};

use common::{
    Platform, media,
    receiver::{DEADLINE, Receiver, Say, say},
};
use serde_json::{Value, json};
use storycore_local::Config;

/// A webhook of the platform, by its path and secret.
struct Hook {
    path: String,
    secret: String,
}

async fn hook(p: &Platform, body: Value) -> Hook {
    let made = p.post("/api/webhooks", body).await.expect(201).body;
    Hook {
        path: format!("/api/webhooks/{}", made["id"].as_str().unwrap()),
        secret: made["secret"].as_str().unwrap().to_owned(),
    }
}

async fn project(p: &Platform, name: &str) -> Value {
    p.post("/api/projects", json!({"name": name})).await.expect(201).body
}

/// The webhook's deliveries, oldest first, once `enough` of them are there as it says.
async fn deliveries(p: &Platform, hook: &Hook, enough: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let started = std::time::Instant::now();
    loop {
        let list = p.get(&format!("{}/deliveries?sort=created_at.asc&limit=100", hook.path)).await;
        let list = list.expect(200).body["data"].as_array().unwrap().clone();
        if enough(&list) {
            return list;
        }
        assert!(started.elapsed() < DEADLINE, "{list:#?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn an_event_arrives_signed_in_both_ways() {
    let receiver = Receiver::start().await;
    let p = Platform::start().await;
    let hook = hook(&p, json!({"url": format!("{}/in", receiver.url), "events": ["*"]})).await;
    let made = project(&p, "Film").await;
    let arrived = &receiver.expect(1).await[0];
    assert!(arrived.signed_in("x-storycore-signature", "", &hook.secret));
    assert!(arrived.standard_signed(&hook.secret));
    let payload = arrived.json();
    let event = &p.get("/api/events").await.expect(200).body["data"][0];
    assert_eq!(&payload, event);
    assert_eq!((&payload["event"], &payload["data"]), (&json!("project.created"), &made));
    assert_eq!((&payload["project_id"], &payload["project_name"]), (&made["id"], &json!("Film")));
    assert_eq!(arrived.path, "/in");
    assert_eq!(arrived.header("webhook-id"), payload["id"]);
    assert_eq!(arrived.header("content-type"), "application/json");
    assert!(arrived.header("user-agent").starts_with("StoryCore-Webhooks/"));
    assert_eq!(arrived.header("x-storycore-event"), "project.created");
    let log = deliveries(&p, &hook, |d| d.iter().all(|d| d["status"] == "success")).await;
    assert_eq!(log.len(), 1);
    assert_eq!(arrived.header("x-storycore-delivery"), log[0]["id"]);
    assert_eq!((&log[0]["payload"], &log[0]["event_id"]), (&payload, &payload["id"]));
    assert_eq!((&log[0]["status_code"], &log[0]["retry_attempt"]), (&json!(204), &json!(0)));
    assert!(log[0]["duration_ms"].is_u64() && log[0]["error_message"].is_null());
    p.running.shutdown().await;
}

#[tokio::test]
async fn each_dialect_signs_in_its_own_header_and_only_storycore_repeats_fields_at_the_top() {
    let receiver = Receiver::start().await;
    let mut config = Config::in_memory();
    config.api_key = Some("hbc_0123456789abcdef".into());
    let p = Platform::with(config).await;
    let body =
        json!({"url": receiver.url, "events": ["project.created"], "secret": "my-own-secret"});
    p.post("/v1/webhooks", body.clone()).await.expect(201);
    p.post("/api/webhooks", body).await.expect(201);
    project(&p, "Film").await;
    let arrived = receiver.expect(2).await;
    for header in ["x-powalyze-signature", "x-hubchantier-signature"] {
        let one = arrived.iter().find(|a| !a.header(header).is_empty()).unwrap();
        assert!(one.signed_in(header, "sha256=", "my-own-secret"), "{header}");
        // A secret without whsec_ is the key itself.
        assert!(one.standard_signed("my-own-secret"));
        assert!(one.json()["project_id"].is_null() && one.json()["data"]["name"] == "Film");
        assert!(one.header("x-storycore-signature").is_empty());
    }
    p.running.shutdown().await;
}

#[tokio::test]
async fn only_what_was_asked_for_arrives() {
    let receiver = Receiver::start().await;
    let p = Platform::start().await;
    for (name, events) in [
        ("all", json!(["*"])),
        ("group", json!(["project.*"])),
        ("one", json!(["project.deleted", "job.completed"])),
        ("other", json!(["job.*", "asset.ready"])),
    ] {
        hook(&p, json!({"url": format!("{}/{name}", receiver.url), "events": events})).await;
    }
    let off = json!({"url": format!("{}/off", receiver.url), "events": ["*"], "is_active": false});
    let off = hook(&p, off).await;
    let made = project(&p, "Film").await;
    p.delete(&format!("/api/projects/{}", made["id"].as_str().unwrap())).await.expect(200);
    let arrived = receiver.expect(5).await;
    let mut seen: Vec<_> =
        arrived.iter().map(|a| (a.path.as_str(), a.header("x-storycore-event"))).collect();
    seen.sort_unstable();
    assert_eq!(
        seen,
        [
            ("/all", "project.created"),
            ("/all", "project.deleted"),
            ("/group", "project.created"),
            ("/group", "project.deleted"),
            ("/one", "project.deleted"),
        ]
    );
    assert!(deliveries(&p, &off, |_| true).await.is_empty());
    // A test goes out all the same, to this webhook alone.
    p.post(&format!("{}/test", off.path), json!({})).await.expect(200);
    assert_eq!(receiver.expect(6).await[5].path, "/off");
    p.running.shutdown().await;
}

#[tokio::test]
async fn a_burst_of_a_hundred_events_is_delivered_exactly_once() {
    let (first, second) = (Receiver::start().await, Receiver::start().await);
    let p = Platform::start().await;
    hook(&p, json!({"url": first.url, "events": ["project.*"]})).await;
    hook(&p, json!({"url": second.url, "events": ["*"]})).await;
    let made = futures_util::future::join_all((0..100).map(|_| project(&p, "Film")));
    assert_eq!(made.await.len(), 100);
    let happened = p.get("/api/events?limit=100&sort=timestamp.asc").await.expect(200);
    let happened: Vec<_> =
        happened.body["data"].as_array().unwrap().iter().map(|e| e["id"].clone()).collect();
    assert_eq!(happened.len(), 100);
    for receiver in [&first, &second] {
        receiver.expect(100).await;
    }
    // Nothing is left that could arrive a second time.
    p.running.shutdown().await;
    for receiver in [first, second] {
        let arrived = receiver.arrived();
        let ids: Vec<_> = arrived.iter().map(|a| a.json()["id"].clone()).collect();
        assert_eq!(ids.len(), 100);
        assert_eq!(ids.iter().collect::<HashSet<_>>(), happened.iter().collect::<HashSet<_>>());
    }
}

#[tokio::test]
async fn events_of_one_project_reach_a_quick_receiver_in_order() {
    let receiver = Receiver::start().await;
    let p = Platform::start().await;
    hook(&p, json!({"url": receiver.url, "events": ["*"]})).await;
    let path = format!("/api/projects/{}", project(&p, "Film").await["id"].as_str().unwrap());
    for progress in 1..=20 {
        p.put(&path, json!({"progress": progress})).await.expect(200);
    }
    let arrived = receiver.expect(21).await;
    let progress: Vec<_> =
        arrived.iter().map(|a| a.json()["data"]["progress"].as_f64().unwrap() as u32).collect();
    assert_eq!(progress, (0..=20).collect::<Vec<_>>());
    p.running.shutdown().await;
}

#[tokio::test]
async fn a_slow_receiver_holds_up_nobody_else() {
    let slow = Receiver::answering(|_, _| Say { delay: Duration::from_secs(60), ..say(200) }).await;
    let quick = Receiver::start().await;
    let p = Platform::start().await;
    let held = hook(&p, json!({"url": slow.url, "events": ["*"], "timeout_seconds": 30})).await;
    hook(&p, json!({"url": quick.url, "events": ["*"]})).await;
    for n in 0..20 {
        project(&p, &format!("{n}")).await;
    }
    quick.expect(20).await;
    // The slow one is asked several times at once, but not for everything.
    let asked = slow.expect(2).await.len();
    assert!(asked <= 4, "{asked}");
    let log = deliveries(&p, &held, |d| d.len() == 20).await;
    assert!(log.iter().all(|d| d["status"] == "pending"));
    p.running.shutdown().await;
}

#[tokio::test]
async fn of_an_answer_no_more_than_four_kib_are_read_and_kept() {
    let receiver = Receiver::answering(|n, _| match n {
        0 => Say { body: vec![b'x'; 1 << 20], ..say(200) },
        // A character that the limit cuts through is left out.
        1 => Say { body: format!("x{}", "é".repeat(4096)).into_bytes(), ..say(200) },
        2 => Say { body: vec![b'y'; 64 << 10], endless: true, ..say(200) },
        3 => Say { body: b"\xff\xfe\0".to_vec(), ..say(400) },
        _ => Say { body: b"fine".to_vec(), ..say(200) },
    })
    .await;
    let p = Platform::start().await;
    let hook = hook(&p, json!({"url": receiver.url, "events": ["*"]})).await;
    let mut kept = Vec::new();
    for _ in 0..5 {
        let answer = p.post(&format!("{}/test", hook.path), json!({})).await.expect(200);
        kept.push(answer.body["response_body"].as_str().unwrap().to_owned());
    }
    assert_eq!(kept[0], "x".repeat(4096));
    assert_eq!(kept[1], format!("x{}", "é".repeat(2047)));
    assert_eq!(kept[2], "y".repeat(4096));
    assert_eq!(kept[3], "\u{fffd}\u{fffd}\0");
    assert_eq!(kept[4], "fine");
    p.running.shutdown().await;
}

#[tokio::test]
async fn a_test_is_sent_at_once_and_answered_with_its_delivery() {
    let receiver = Receiver::answering(|n, _| say(if n == 0 { 200 } else { 500 })).await;
    let p = Platform::start().await;
    let hook = hook(&p, json!({"url": receiver.url, "events": ["job.failed"]})).await;
    let test = format!("{}/test", hook.path);
    let good = p.post(&test, json!({})).await.expect(200).body;
    assert_eq!((&good["status"], &good["status_code"]), (&json!("success"), &json!(200)));
    assert_eq!(good["event_type"], "webhook.test");
    let arrived = &receiver.arrived()[0];
    assert_eq!(arrived.json(), good["payload"]);
    assert!(arrived.standard_signed(&hook.secret));
    // A test that fails is not tried again, and one sent again under the same key is not made again.
    let send = || p.request(reqwest::Method::POST, &test).header("idempotency-key", "one").body("");
    let bad = common::answer(send()).await.expect(200).body;
    assert_eq!(
        (&bad["status"], &bad["error_message"]),
        (&json!("failed"), &json!("the receiver answered 500 Internal Server Error"))
    );
    assert_eq!(common::answer(send()).await.expect(200).body["id"], bad["id"]);
    let log = deliveries(&p, &hook, |_| true).await;
    assert_eq!(log, [good, bad]);
    assert_eq!(receiver.arrived().len(), 2);
    // It did not happen to anything: it is no event.
    assert_eq!(p.get("/api/events").await.expect(200).body["pagination"]["total"], 0);
    p.running.shutdown().await;
}

#[tokio::test]
async fn while_a_secret_rotates_both_are_good_and_a_day_later_only_the_new_one() {
    let receiver = Receiver::start().await;
    let p = Platform::start().await;
    let hook = hook(&p, json!({"url": receiver.url, "events": ["*"]})).await;
    let rotated = p.post(&format!("{}/rotate-secret", hook.path), json!({})).await.expect(200).body;
    let new = rotated["secret"].as_str().unwrap();
    assert_ne!(new, hook.secret);
    assert!(rotated["previous_secret_valid_until"].is_string());
    project(&p, "Film").await;
    let arrived = &receiver.expect(1).await[0];
    assert_eq!(arrived.header("webhook-signature").split(' ').count(), 2);
    assert!(arrived.standard_signed(new) && arrived.standard_signed(&hook.secret));
    assert!(arrived.signed_in("x-storycore-signature", "", new));
    p.post("/_local/clock", json!({"advance_seconds": 86_399})).await.expect(200);
    let newest = p.post(&format!("{}/rotate-secret", hook.path), json!({})).await.expect(200).body;
    project(&p, "Film 2").await;
    assert_eq!(receiver.expect(2).await[1].header("webhook-signature").split(' ').count(), 3);
    p.post("/_local/clock", json!({"advance_seconds": 2})).await.expect(200);
    project(&p, "Film 3").await;
    let arrived = &receiver.expect(3).await[2];
    assert!(!arrived.standard_signed(&hook.secret));
    assert!(arrived.standard_signed(new));
    assert!(arrived.standard_signed(newest["secret"].as_str().unwrap()));
    p.running.shutdown().await;
}

#[tokio::test]
async fn a_delivery_is_sent_again_on_demand_with_the_same_bytes() {
    let receiver = Receiver::answering(|n, _| say(if n == 0 { 410 } else { 200 })).await;
    let p = Platform::start().await;
    let hook = hook(&p, json!({"url": receiver.url, "events": ["*"]})).await;
    project(&p, "Film").await;
    let log = deliveries(&p, &hook, |d| d.iter().any(|d| d["status"] == "failed")).await;
    assert_eq!(log[0]["status_code"], 410);
    let again = format!("{}/deliveries/{}/redeliver", hook.path, log[0]["id"].as_str().unwrap());
    let queued = p.post(&again, json!({})).await.expect(202).body;
    assert_eq!((&queued["status"], &queued["event_id"]), (&json!("pending"), &log[0]["event_id"]));
    let arrived = receiver.expect(2).await;
    assert_eq!(arrived[0].body, arrived[1].body);
    assert_eq!(arrived[0].header("webhook-id"), arrived[1].header("webhook-id"));
    assert_eq!(arrived[1].header("x-storycore-delivery"), queued["id"]);
    deliveries(&p, &hook, |d| {
        d.iter().any(|d| d["id"] == queued["id"] && d["status"] == "success")
    })
    .await;
    let missing = format!("{}/deliveries/dlv_none/redeliver", hook.path);
    assert_eq!(p.post(&missing, json!({})).await.expect(404).code(), "not_found");
    p.put(&hook.path, json!({"is_active": false})).await.expect(200);
    assert_eq!(p.post(&again, json!({})).await.expect(409).code(), "conflict");
    p.running.shutdown().await;
}

#[tokio::test]
async fn statistics_count_triggers_and_not_attempts() {
    // The first event fails twice and then arrives; the second is refused; the third arrives.
    let receiver = Receiver::answering(|n, _| say([500, 503, 200, 404, 200][n])).await;
    let p = Platform::start().await;
    let hook = hook(&p, json!({"url": receiver.url, "events": ["project.created"]})).await;
    let stats = format!("{}/stats", hook.path);
    let empty = p.get(&stats).await.expect(200).body;
    assert_eq!((&empty["total_triggers"], &empty["recent_logs"]), (&json!(0), &json!([])));
    assert!(empty["success_rate"].is_null() && empty["avg_duration_ms"].is_null());
    let done = |count: usize| {
        move |d: &[Value]| d.len() == count && d.iter().all(|d| d["status"] != "pending")
    };
    project(&p, "One").await;
    receiver.expect(1).await;
    let pending = p.get(&stats).await.expect(200).body;
    assert_eq!(
        (&pending["total_triggers"], &pending["failed_triggers"]),
        (&json!(1), &json!(0)),
        "a trigger that is still retried has not failed"
    );
    deliveries(&p, &hook, done(3)).await;
    project(&p, "Two").await;
    deliveries(&p, &hook, done(4)).await;
    project(&p, "Three").await;
    let log = deliveries(&p, &hook, done(5)).await;
    let got = p.get(&format!("{stats}?period_days=7")).await.expect(200).body;
    for (field, value) in [
        ("webhook_id", json!(hook.path.rsplit('/').next())),
        ("period_days", json!(7)),
        ("total_triggers", json!(3)),
        ("successful_triggers", json!(2)),
        ("failed_triggers", json!(1)),
        ("success_rate", json!(66.67)),
    ] {
        assert_eq!(got[field], value, "{field}");
    }
    let total: u64 = log.iter().map(|d| d["duration_ms"].as_u64().unwrap()).sum();
    assert_eq!(got["avg_duration_ms"].as_f64().unwrap(), (total as f64 * 20.0).round() / 100.0);
    let newest_first: Vec<_> = log.iter().rev().cloned().collect();
    assert_eq!(got["recent_logs"], json!(newest_first));
    // Eight days later that week holds nothing, the month still does.
    p.post("/_local/clock", json!({"advance_seconds": 8 * 86_400})).await.expect(200);
    assert_eq!(p.get(&format!("{stats}?period_days=7")).await.body["total_triggers"], 0);
    assert_eq!(p.get(&stats).await.body["total_triggers"], 3);
    for wrong in ["0", "31", "-1", "x", ""] {
        let refused = p.get(&format!("{stats}?period_days={wrong}")).await.expect(400);
        assert_eq!(refused.body["error"]["details"][0]["field"], "period_days");
    }
    p.running.shutdown().await;
}

#[tokio::test]
async fn a_webhook_is_told_of_every_asset_that_came_after_it() {
    let receiver = Receiver::start().await;
    let p = Platform::start().await;
    let api = media::Api::of(&p);
    let burst = async |name: &str| {
        let one = |n: usize| {
            let (api, name) = (&api, format!("{name}-{n}.bin"));
            async move { api.asset("document", &name, name.as_bytes()).await["id"].clone() }
        };
        futures_util::future::join_all((0..40).map(one)).await.into_iter().collect::<HashSet<_>>()
    };
    // Nobody wants to be told, which the platform knows by the time that the webhook is made.
    let (before, ()) = futures_util::future::join(burst("before"), async {
        hook(&p, json!({"url": receiver.url, "events": ["asset.*"]})).await;
    })
    .await;
    let after = burst("after").await;
    assert_eq!((before.len(), after.len()), (40, 40));
    let started = std::time::Instant::now();
    let told = loop {
        let arrived = receiver.arrived();
        let told: Vec<_> = arrived.iter().map(|a| a.json()["data"]["id"].clone()).collect();
        if after.iter().all(|id| told.contains(id)) {
            break told;
        }
        assert!(started.elapsed() < DEADLINE, "{} arrived", told.len());
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert_eq!(told.iter().collect::<HashSet<_>>().len(), told.len(), "each is told once");
    p.running.shutdown().await;
}
