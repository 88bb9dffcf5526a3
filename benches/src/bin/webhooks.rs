//! How many webhooks a second a core verifies: small ones against a fixed goal, large ones against the hash alone, which is
//! the least that verifying them can cost.
#![allow(clippy::print_stdout, reason = "printing is what a bench is for")]

use std::{
    hint::black_box,
    io,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use storycore::webhooks::{Webhook, sign};
use storycore_benches::{Goal, Options, Row};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn main() -> io::Result<()> {
    let options = Options::from_args();
    let (time, runs) = if options.quick { (100, 3) } else { (1000, 9) };
    let time = Duration::from_millis(time);
    let webhook = Webhook::new(SECRET).map_err(io::Error::other)?;
    for (size, name) in [(1024, "1 KiB"), (64 * 1024, "64 KiB")] {
        let body = delivery(size);
        let headers = sign::standard(SECRET, "evt_1", SystemTime::now(), &body);
        let headers = headers.map_err(io::Error::other)?;
        let key = Hmac::<Sha256>::new_from_slice(&[7; 24]).map_err(io::Error::other)?;
        let mut pairs = Vec::new();
        for _ in 0..runs {
            let ours = a_second(time, || webhook.verify(black_box(&body), &headers).is_ok());
            let hash = a_second(time, || {
                let mut mac = key.clone();
                mac.update(black_box(&body));
                black_box(mac.finalize().into_bytes())[..] != [0; 32]
            });
            pairs.push((ours, hash));
        }
        let metric = format!("verify of {name}, a second a core");
        if size == 1024 {
            let fixed: Vec<_> = pairs.iter().map(|(ours, _)| (*ours, 1_000_000.0)).collect();
            options.print(&Row::new("webhooks", metric, "none", &fixed, Goal::AtLeast(1.0)));
        } else {
            let peer = "hmac 0.13 with sha2 0.11, the hash alone";
            options.print(&Row::new("webhooks", metric, peer, &pairs, Goal::AtLeast(0.9)));
        }
    }
    Ok(())
}

/// A delivery of `size` bytes, as the platform writes them.
fn delivery(size: usize) -> Bytes {
    let with = |text: &str| {
        format!(
            r#"{{"id":"evt_1","event":"job.completed","timestamp":"2026-01-02T03:04:05.678Z","organization_id":"org_1","data":{{"id":"job_1","type":"video_processing","status":"completed","progress":100,"parameters":{{"input":"ast_1","output_settings":{{"quality":"medium","format":"mp4","resolution":"1280x720"}}}},"result":{{"asset_id":"ast_2","note":"{text}"}},"created_at":"2026-01-02T03:04:01Z","completed_at":"2026-01-02T03:04:05Z"}},"job_id":"job_1","project_id":"prj_1","result_url":"/api/assets/ast_2/content"}}"#
        )
    };
    let rest = size - with("").len();
    with(&"x".repeat(rest)).into()
}

/// How often a second `work` is done, all of it successfully.
fn a_second(time: Duration, mut work: impl FnMut() -> bool) -> f64 {
    let (started, mut done) = (Instant::now(), 0u64);
    while started.elapsed() < time {
        for _ in 0..64 {
            assert!(work(), "what is measured fails");
        }
        done += 64;
    }
    done as f64 / started.elapsed().as_secs_f64()
}
