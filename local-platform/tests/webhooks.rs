//! Webhooks as objects: their fields, their secrets, the addresses they may have, who sees them.
#![allow(clippy::unwrap_used, reason = "all of it is tests")]

mod common;

use common::{
    Answer, Platform,
    receiver::{DEADLINE, Receiver},
};
use serde_json::{Value, json};
use storycore_local::Config;

fn path(made: &Answer) -> String {
    format!("/api/webhooks/{}", made.body["id"].as_str().unwrap())
}

async fn fields(p: &Platform, body: Value) -> Vec<String> {
    let wrong = p.post("/api/webhooks", body).await.expect(422);
    assert_eq!(wrong.code(), "unprocessable");
    let details = wrong.body["error"]["details"].as_array().unwrap();
    details.iter().map(|d| d["field"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_webhook_lives_from_creation_to_deletion_and_shows_its_secret_once() {
    let p = Platform::start().await;
    let made = p
        .post("/api/webhooks", json!({"url": "http://127.0.0.1:9/hook", "events": ["*"]}))
        .await
        .expect(201);
    let secret = made.body["secret"].as_str().unwrap();
    assert!(secret.starts_with("whsec_") && secret.len() == 6 + 44, "{secret}");
    assert!(made.body["id"].as_str().unwrap().starts_with("whk_"));
    for (field, value) in [
        ("retry_count", json!(3)),
        ("timeout_seconds", json!(10)),
        ("is_active", json!(true)),
        ("events", json!(["*"])),
        ("organization_id", json!(p.running.organization_id())),
    ] {
        assert_eq!(made.body[field], value, "{field}");
    }
    let got = p.get(&path(&made)).await.expect(200);
    assert_eq!(got.body["url"], "http://127.0.0.1:9/hook");
    let listed = p.get("/api/webhooks").await.expect(200);
    assert_eq!(listed.body["data"], json!([got.body]));
    let changes = json!({"name": "Mine", "description": "For the editors", "events": ["job.*", "job.*"], "retry_count": 0});
    let changed = p.put(&path(&made), changes).await.expect(200);
    assert_eq!((&changed.body["name"], &changed.body["retry_count"]), (&json!("Mine"), &json!(0)));
    assert_eq!(
        (&changed.body["events"], &changed.body["url"]),
        (&json!(["job.*"]), &got.body["url"])
    );
    let cleared = p.put(&path(&made), json!({"name": null})).await.expect(200);
    assert!(cleared.body["name"].is_null());
    assert_eq!(cleared.body["description"], "For the editors");
    for answer in [&got, &listed, &changed, &cleared] {
        assert!(!answer.text.contains("secret"), "{}", answer.text);
    }
    p.delete(&path(&made)).await.expect(200);
    p.get(&path(&made)).await.expect(404);
    p.delete(&path(&made)).await.expect(404);
    p.post(&format!("{}/rotate-secret", path(&made)), json!({})).await.expect(404);
    p.running.shutdown().await;
}

#[tokio::test]
async fn everything_that_is_wrong_with_a_webhook_is_named() {
    let p = Platform::start().await;
    let url = "http://127.0.0.1:9/";
    let all = json!({
        "url": "nowhere", "events": ["job.completed", "job.done", "webhook.test"], "secret": "short", "name": "",
        "retry_count": 11, "timeout_seconds": 31,
    });
    let mut wrong = fields(&p, all).await;
    wrong.sort();
    assert_eq!(
        wrong,
        ["events[1]", "events[2]", "name", "retry_count", "secret", "timeout_seconds", "url"]
    );
    assert_eq!(fields(&p, json!({"url": url, "events": []})).await, ["events"]);
    assert_eq!(fields(&p, json!({"url": url, "events": ["project.*x"]})).await, ["events[0]"]);
    assert_eq!(fields(&p, json!({"url": url, "events": ["nothing.*"]})).await, ["events[0]"]);
    for field in ["retry_count", "timeout_seconds"] {
        let at = |value: Value| json!({"url": url, "events": ["*"], field: value});
        assert_eq!(fields(&p, at(json!(-1))).await, [field]);
        assert_eq!(fields(&p, at(json!("3"))).await, [field]);
        assert_eq!(fields(&p, at(json!(null))).await, [field]);
    }
    for secret in ["whsec_", "whsec_AAAA", "whsec_!!!", "with spaces in it"] {
        let body = json!({"url": url, "events": ["*"], "secret": secret});
        assert_eq!(fields(&p, body).await, ["secret"], "{secret}");
    }
    assert_eq!(p.get("/api/webhooks").await.body["pagination"]["total"], 0);
    let made = p.post("/api/webhooks", json!({"url": url, "events": ["*"]})).await.expect(201);
    let refused =
        p.put(&path(&made), json!({"secret": "a-new-one-of-mine", "url": "ftp://x/"})).await;
    let details = refused.expect(422).body["error"]["details"].clone();
    assert_eq!((&details[0]["field"], &details[1]["field"]), (&json!("secret"), &json!("url")));
    p.running.shutdown().await;
}

/// Forbidden everywhere.
const NEVER: &[&str] = &[
    // Not http(s), no host, a credential, no port.
    "ftp://example.invalid/",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "example.invalid/hook",
    "http://",
    "http:///hook",
    "http://user@example.invalid/",
    "http://user:pass@example.invalid/",
    "http://:pass@example.invalid/",
    "http://127.0.0.1:0/",
    "http://example.invalid:99999/",
    " http://example.invalid/",
    "http://example.invalid/a\nb",
    // Link-local, and the metadata services of several clouds.
    "http://169.254.169.254/latest/meta-data/",
    "http://169.254.0.1/",
    "http://100.100.100.200/",
    "http://192.0.0.192/",
    "http://168.63.129.16/",
    "http://[fe80::1]/",
    "http://[febf::1]/",
    "http://[fd00:ec2::254]/",
    "http://[fd20:ce::254]/",
    "http://[fd00:c1::a9fe:a9fe]/",
    // The same in odd spellings.
    "http://169.254.169.254./",
    "http://2852039166/",
    "http://0xa9fea9fe/",
    "http://0xA9.0xFE.0xA9.0xFE/",
    "http://0251.0376.0251.0376/",
    "http://169.254.43518/",
    "http://169.16689662/",
    "http://①⑥⑨.②⑤④.①⑥⑨.②⑤④/",
    "http://169。254。169。254/",
    "http://%31%36%39.254.169.254/",
    "http:\\\\169.254.169.254\\",
    "https:169.254.169.254",
    // IPv6 forms that lead to an IPv4 address.
    "http://[::ffff:169.254.169.254]/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://[0:0:0:0:0:FFFF:A9FE:A9FE]/",
    "http://[::169.254.169.254]/",
    "http://[::ffff:0:a9fe:a9fe]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[64:ff9b:1::a9fe:a9fe]/",
    "http://[2002:a9fe:a9fe::1]/",
    "http://[2001::5601:5601]/",
    "http://[2001:db8::5efe:169.254.169.254]/",
    // Unspecified, multicast, broadcast, reserved.
    "http://0.0.0.0/",
    "http://0/",
    "http://0.1.2.3/",
    "http://[::]/",
    "http://[::ffff:0.0.0.0]/",
    "http://224.0.0.1/",
    "http://239.255.255.250/",
    "http://255.255.255.255/",
    "http://250.1.2.3/",
    "http://[ff02::1]/",
];

/// Taken only for development.
const LOOPBACK: &[&str] = &[
    "http://127.0.0.1:9/",
    "https://127.8.9.10/",
    "http://127.1/",
    "http://2130706433/",
    "http://0x7f.1/",
    "http://017700000001/",
    "http://127.0.0.1./",
    "http://localhost:9/",
    "http://LOCALHOST./",
    "http://hooks.localhost/",
    "http://[::1]:9/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
];

/// Taken by everyone.
const ALWAYS: &[&str] = &[
    "http://10.0.0.5/hook",
    "https://192.168.1.20:8443/hook?token=1#part",
    "http://203.0.113.7",
    "http://[2001:db8::7]/hook",
    "https://hooks.example.invalid/hook",
];

#[tokio::test]
async fn an_address_that_leads_where_no_webhook_may_go_is_refused() {
    let development = Platform::start().await;
    let mut config = Config::in_memory();
    config.allow_loopback_webhooks = false;
    let public = Platform::with(config).await;
    let hook = |url: &str| json!({"url": url, "events": ["*"]});
    for url in NEVER {
        for p in [&development, &public] {
            assert_eq!(fields(p, hook(url)).await, ["url"], "{url}");
        }
    }
    for url in LOOPBACK {
        let made = development.post("/api/webhooks", hook(url)).await.expect(201);
        assert_eq!(made.body["url"], *url);
        assert_eq!(fields(&public, hook(url)).await, ["url"], "{url}");
    }
    for url in ALWAYS {
        development.post("/api/webhooks", hook(url)).await.expect(201);
        let made = public.post("/api/webhooks", hook(url)).await.expect(201);
        let moved = public.put(&path(&made), json!({"url": "http://[::1]/"})).await.expect(422);
        assert_eq!(moved.body["error"]["details"][0]["field"], "url");
        assert_eq!(public.get(&path(&made)).await.expect(200).body["url"], *url);
    }
    let long = format!("https://hooks.example.invalid/{}", "x".repeat(2048));
    assert_eq!(fields(&public, hook(&long)).await, ["url"]);
    development.running.shutdown().await;
    public.running.shutdown().await;
}

#[tokio::test]
async fn an_address_is_checked_again_at_each_connection() {
    let receiver = Receiver::start().await;
    let port = receiver.url.rsplit(':').next().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let p = Platform::with(Config::in_directory(folder.path())).await;
    let mut hooks = Vec::new();
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"] {
        let url = format!("http://{host}:{port}/");
        let made = p.post("/api/webhooks", json!({"url": url, "events": ["project.created"]}));
        hooks.push(path(&made.await.expect(201)));
    }
    p.running.shutdown().await;
    // The same webhooks under stricter rules: what was allowed when they were made is not any more.
    let mut config = Config::in_directory(folder.path());
    config.allow_loopback_webhooks = false;
    let p = Platform::with(config).await;
    p.post("/api/projects", json!({"name": "Film"})).await.expect(201);
    for hook in hooks {
        let tested = p.post(&format!("{hook}/test"), json!({})).await.expect(200);
        assert_eq!(tested.body["status"], "failed");
        assert!(tested.body["status_code"].is_null());
        let why = tested.body["error_message"].as_str().unwrap();
        assert!(why.contains("loopback"), "{why}");
        let deliveries = decided(&p, &hook, "project.created").await;
        assert_eq!(deliveries.len(), 1, "a refused address is not tried again");
        assert_eq!(deliveries[0]["error_message"], tested.body["error_message"]);
    }
    assert!(receiver.arrived().is_empty());
    p.running.shutdown().await;
}

/// A webhook's deliveries of one kind, once none of them is pending.
async fn decided(p: &Platform, hook: &str, event: &str) -> Vec<Value> {
    let started = std::time::Instant::now();
    loop {
        let list = p.get(&format!("{hook}/deliveries?event_type={event}")).await.expect(200);
        let deliveries = list.body["data"].as_array().unwrap().clone();
        if !deliveries.is_empty() && deliveries.iter().all(|d| d["status"] != "pending") {
            return deliveries;
        }
        assert!(started.elapsed() < DEADLINE, "{deliveries:?}");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn organizations_neither_see_nor_hear_each_other() {
    let (ours, theirs) = (Receiver::start().await, Receiver::start().await);
    let mut p = Platform::start().await;
    let made = p.post("/api/webhooks", json!({"url": ours.url, "events": ["*"]})).await.expect(201);
    p.post("/api/projects", json!({"name": "Ours"})).await.expect(201);
    let delivered = decided(&p, &path(&made), "project.created").await;
    let delivery = delivered[0]["id"].as_str().unwrap();
    let other = p.post("/_local/organizations", json!({})).await.expect(201);
    let first = std::mem::replace(&mut p.key, other.body["api_key"].as_str().unwrap().to_owned());
    let hook = path(&made);
    assert_eq!(p.get("/api/webhooks").await.expect(200).body["pagination"]["total"], 0);
    p.get(&hook).await.expect(404);
    p.put(&hook, json!({"name": "Mine"})).await.expect(404);
    p.delete(&hook).await.expect(404);
    for action in ["test", "rotate-secret", &format!("deliveries/{delivery}/redeliver")] {
        p.post(&format!("{hook}/{action}"), json!({})).await.expect(404);
    }
    p.get(&format!("{hook}/deliveries")).await.expect(404);
    p.get(&format!("{hook}/stats")).await.expect(404);
    let own =
        p.post("/api/webhooks", json!({"url": theirs.url, "events": ["*"]})).await.expect(201);
    // A delivery of one webhook cannot be reached through another.
    p.post(&format!("{}/deliveries/{delivery}/redeliver", path(&own)), json!({})).await.expect(404);
    p.post("/api/projects", json!({"name": "Theirs"})).await.expect(201);
    assert_eq!(theirs.expect(1).await[0].json()["data"]["name"], "Theirs");
    p.key = first;
    p.post("/api/projects", json!({"name": "Ours again"})).await.expect(201);
    assert_eq!(ours.expect(2).await[1].json()["data"]["name"], "Ours again");
    assert_eq!(theirs.arrived().len(), 1);
    p.running.shutdown().await;
}

#[tokio::test]
async fn a_secret_is_neither_on_disk_nor_in_an_answer_after_its_first() {
    let folder = tempfile::tempdir().unwrap();
    let p = Platform::with(Config::in_directory(folder.path())).await;
    let secret = "the-one-secret-word-to-look-for";
    let body = json!({"url": "http://127.0.0.1:9/", "events": ["*"], "secret": secret});
    let made = common::answer(
        p.request(reqwest::Method::POST, "/api/webhooks")
            .header("idempotency-key", "k")
            .json(&body),
    );
    assert_eq!(made.await.expect(201).body["secret"], secret);
    assert!(!p.get("/api/webhooks").await.expect(200).text.contains(secret));
    p.running.shutdown().await;
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{} holds the secret", path.display());
        }
    }
}
