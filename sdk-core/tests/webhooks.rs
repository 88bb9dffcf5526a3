//! Verifying what a webhook receives: good deliveries pass, everything else is one typed error.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(missing_docs)]

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures_util::FutureExt as _;
use proptest::prelude::{any, prop_assert};

#[path = "../src/for_a_while.rs"]
mod for_a_while;
use for_a_while::for_a_while;
use storycore::{
    ErrorKind, Platform,
    webhooks::{EventData, MemoryStore, ReplayGuard, Taken, Webhook, new_secret, sign},
};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const BODY: &[u8] = br#"{"id":"evt_1","event":"job.completed","timestamp":"2026-01-02T03:04:05.678Z","organization_id":"org_1","data":{"id":"job_1","status":"completed"},"job_id":"job_1"}"#;

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn verifier() -> Webhook {
    Webhook::new(SECRET).unwrap().clock(|| at(1_000_000))
}

#[test]
fn the_example_of_the_standard_verifies() {
    // The message, key and signature that the Standard Webhooks specification's libraries test with.
    let headers = vec![
        ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
        ("webhook-timestamp", "1614265330"),
        ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
    ];
    let webhook = Webhook::new(SECRET).unwrap().clock(|| at(1_614_265_330));
    let body = br#"{"test": 2432232314}"#;
    let outcome = webhook.check(body, &headers);
    let ours =
        sign::standard(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", at(1_614_265_330), body).unwrap();
    assert_eq!(ours["webhook-signature"], "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    outcome.unwrap();
}

#[test]
fn a_delivery_is_read_with_its_types() {
    let headers = sign::standard(SECRET, "evt_1", at(1_000_000), BODY).unwrap();
    let event = verifier().verify(BODY, &headers).unwrap();
    assert_eq!((event.id(), event.kind()), ("evt_1", "job.completed"));
    assert_eq!(event.payload().unwrap().extra["job_id"], "job_1");
    assert!(matches!(event.typed(), EventData::Job(job) if job.id == "job_1"));
    assert_eq!(&event.raw()[..], BODY);
}

#[test]
fn each_platforms_own_signature_is_taken() {
    for platform in [Platform::storycore(), Platform::powalyze(), Platform::hub_chantier()] {
        let headers = sign::own(&platform, SECRET, BODY).unwrap();
        let webhook = verifier().platform(&platform);
        webhook.verify(BODY, &headers).unwrap();
        assert!(webhook.verify(&BODY[1..], &headers).is_err());
        assert!(webhook.clone().require_standard().verify(BODY, &headers).is_err());
    }
}

#[test]
fn an_ed25519_signature_is_taken() {
    let private = [7; 32];
    let public = ed25519_dalek::SigningKey::from_bytes(&private).verifying_key();
    let encoded =
        base64::Engine::encode(&base64::engine::general_purpose::STANDARD, public.as_bytes());
    let webhook = Webhook::new(&format!("whpk_{encoded}")).unwrap().clock(|| at(5));
    let headers = sign::standard_public(&private, "evt_1", at(5), BODY).unwrap();
    webhook.verify(BODY, &headers).unwrap();
    assert!(webhook.verify(b"{}", &headers).is_err());
}

#[test]
fn bad_deliveries_are_one_typed_error_that_says_why() {
    let good = sign::standard(SECRET, "evt_1", at(1_000_000), BODY).unwrap();
    let told = |set: &dyn Fn(&mut http::HeaderMap), body: &[u8], expected: &str| {
        let mut headers = good.clone();
        set(&mut headers);
        let error = verifier().verify(body, &headers).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WebhookSignature);
        assert!(error.message().contains(expected), "{} should say {expected}", error.message());
        assert!(!format!("{error:?}").contains(&SECRET[6..]));
    };
    told(
        &|h| {
            h.clear();
        },
        BODY,
        "no signature header",
    );
    told(
        &|h| {
            h.remove("webhook-signature");
        },
        BODY,
        "webhook-signature",
    );
    told(
        &|h| {
            h.remove("webhook-id");
        },
        BODY,
        "webhook-id",
    );
    told(
        &|h| {
            h.remove("webhook-timestamp");
        },
        BODY,
        "webhook-timestamp",
    );
    told(
        &|h| {
            h.insert("webhook-timestamp", "-5".parse().unwrap());
        },
        BODY,
        "number of seconds",
    );
    told(
        &|h| {
            h.insert("webhook-timestamp", "99999999999999999999".parse().unwrap());
        },
        BODY,
        "number of seconds",
    );
    told(
        &|h| {
            h.insert("webhook-timestamp", "999699".parse().unwrap());
        },
        BODY,
        "too old",
    );
    told(
        &|h| {
            h.insert("webhook-timestamp", "1000301".parse().unwrap());
        },
        BODY,
        "future",
    );
    told(
        &|h| {
            h.insert("webhook-signature", "v1,AAAA".parse().unwrap());
        },
        BODY,
        "no signature fits",
    );
    told(&|_| {}, b"{\n  \"id\": \"evt_1\"}", "read and written again");
    let own = sign::own(&Platform::storycore(), SECRET, BODY).unwrap();
    told(
        &|h| {
            h.remove("webhook-signature");
            h.extend(own.clone());
        },
        BODY,
        "webhook-signature",
    );
    let odd = sign::standard(SECRET, "evt_1", at(1_000_000), b"no json").unwrap();
    assert!(verifier().verify(b"no json", &odd).unwrap_err().message().contains("no event"));
}

#[test]
fn secrets_that_cannot_be_one_are_refused_when_they_are_given() {
    for bad in ["", " whsec_x", "whpk_short"] {
        assert_eq!(Webhook::new(bad).unwrap_err().kind(), ErrorKind::Config);
    }
    assert!(Webhook::with_secrets([]).is_err());
    let secret = new_secret();
    assert!(
        !format!("{secret:?} {:?}", Webhook::new(secret.expose()).unwrap())
            .contains(secret.expose())
    );
}

#[test]
fn the_old_secret_is_good_while_it_rotates() {
    let old = new_secret();
    let both = Webhook::with_secrets([SECRET, old.expose()]).unwrap().clock(|| at(9));
    for secret in [SECRET, old.expose()] {
        both.verify(BODY, &sign::standard(secret, "evt_1", at(9), BODY).unwrap()).unwrap();
    }
}

#[tokio::test]
async fn an_event_is_taken_once() {
    let guard = ReplayGuard::new(MemoryStore::new(10));
    assert_eq!(guard.take("evt_1").await.unwrap(), Taken::First);
    assert_eq!(guard.take("evt_1").await.unwrap(), Taken::Processing);
    guard.release("evt_1").await.unwrap();
    assert_eq!(guard.take("evt_1").await.unwrap(), Taken::First);
    guard.done("evt_1").await.unwrap();
    assert_eq!(guard.take("evt_1").await.unwrap(), Taken::Done);
    for n in 0..100 {
        assert_eq!(guard.take(&format!("evt_x{n}")).await.unwrap(), Taken::First);
    }
    let short = ReplayGuard::new(MemoryStore::default()).processing(Duration::ZERO);
    assert_eq!(short.take("evt_1").await.unwrap(), Taken::First);
    assert_eq!(short.take("evt_1").await.unwrap(), Taken::First);
}

#[tokio::test]
async fn a_full_guard_forgets_what_is_done_before_what_is_worked_on() {
    let guard = ReplayGuard::new(MemoryStore::new(10)).keep(Duration::MAX);
    assert_eq!(guard.take("evt_1").await.unwrap(), Taken::First);
    for n in 0..100 {
        let id = format!("evt_x{n}");
        assert_eq!(guard.take(&id).await.unwrap(), Taken::First);
        guard.done(&id).await.unwrap();
    }
    assert_eq!(guard.take("evt_1").await.unwrap(), Taken::Processing);
    assert_eq!(guard.take("evt_x99").await.unwrap(), Taken::Done);
}

#[test]
fn a_full_guard_gives_an_event_to_one_of_many_threads() {
    const THREADS: usize = 4;
    const EVENTS: usize = 5000;
    // Always full, so that room is made for each.
    let guard = ReplayGuard::new(MemoryStore::new(1));
    let (arrived, firsts) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for n in 0..EVENTS {
                    let id = format!("evt_{n}");
                    arrived.fetch_add(1, Ordering::AcqRel);
                    // Closer together than a lock lets them begin.
                    while arrived.load(Ordering::Acquire) < (n + 1) * THREADS {
                        std::thread::yield_now();
                    }
                    let taken = guard.take(&id).now_or_never().unwrap().unwrap();
                    firsts.fetch_add(usize::from(taken == Taken::First), Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(firsts.into_inner(), EVENTS);
}

#[test]
fn no_bytes_verify_or_make_it_panic() {
    let time = "[ -~]{0,20}|1000000";
    let signature = "[ -~]{0,120}|v1a?,[A-Za-z0-9+/]{40,90}={0,2}( v1,[A-Za-z0-9+/=]{0,60}){0,3}";
    let body = proptest::collection::vec(any::<u8>(), 0..100);
    let strategy = (body, "[ -~]{0,30}", time, signature, "[ -~]{0,80}|[0-9a-f]{64}");
    for_a_while(&strategy, |(body, id, time, signature, own)| {
        let headers =
            vec![("Webhook-Id", id), ("Webhook-Timestamp", time), ("Webhook-Signature", signature)];
        prop_assert!(verifier().verify(&body, &headers).is_err());
        prop_assert!(verifier().verify(&body, &vec![("X-StoryCore-Signature", own)]).is_err());
        Ok(())
    });
}

#[test]
fn a_secret_that_anybody_can_guess_is_refused() {
    let hidden = format!("{:?}", storycore::Secret::new(SECRET));
    let short = "whsec_MfKQ9r8GKYqrTwjUPD8ILA==";
    for secret in ["", "x", "secret", "whsec_", "whsec_!!", "whsec_AAAA", short, &hidden] {
        assert_eq!(Webhook::new(secret).unwrap_err().kind(), ErrorKind::Config, "{secret}");
    }
    Webhook::new("a-word-of-mine").unwrap();
}

#[test]
fn whatever_is_signed_is_read_or_refused_and_never_a_panic() {
    let json = r#"\{("(id|event|data|a)":("[ -~]{0,8}"|1|null|\[\]|\{\}),?){0,5}\}?"#;
    let head = r#"\{"id":"[ -~]{0,9}","event":"[ -~]{0,9}",?("data":[0-9]{1,3})?\}?"#;
    for_a_while(&proptest::prop_oneof![json, head, ".{0,60}"], |body| {
        let headers = sign::standard(SECRET, "evt_1", at(1_000_000), body.as_bytes()).unwrap();
        if let Ok(event) = verifier().verify(body.as_bytes(), &headers) {
            prop_assert!(body.contains(event.id()) || body.contains('\\'));
            let _ = (event.kind(), event.payload(), event.typed());
        }
        Ok(())
    });
}
