//! The replay guard over a real Redis, on a socket of its own: an event is taken once, whoever asks.

#![cfg(feature = "redis")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};

use storycore::webhooks::{RedisStore, ReplayGuard, Taken};

/// A Redis that listens on a socket in its own folder and ends with this value, also when a test fails.
struct Redis {
    process: Child,
    folder: tempfile::TempDir,
}

impl Redis {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let process = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"])
            .arg(folder.path().join("redis.sock"))
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server starts: `cargo xtask test` installs it");
        Self { process, folder }
    }

    fn url(&self) -> String {
        format!("redis+unix://{}", self.folder.path().join("redis.sock").display())
    }

    /// A guard with a connection of its own, as another process would have.
    async fn guard(&self) -> ReplayGuard<RedisStore> {
        for _ in 0..200 {
            if self.folder.path().join("redis.sock").exists()
                && let Ok(store) = RedisStore::connect(&self.url()).await
            {
                return ReplayGuard::new(store);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("redis-server does not answer");
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn redis_keeps_an_event_from_being_worked_on_twice() {
    let redis = Redis::start();
    let (one, other) = (redis.guard().await, redis.guard().await);
    assert_eq!(one.take("evt_1").await.unwrap(), Taken::First);
    assert_eq!(other.take("evt_1").await.unwrap(), Taken::Processing);
    assert_eq!(other.take("evt_2").await.unwrap(), Taken::First);
    one.done("evt_1").await.unwrap();
    assert_eq!(other.take("evt_1").await.unwrap(), Taken::Done);
}

#[tokio::test]
async fn redis_gives_an_event_to_one_of_many_receivers() {
    let redis = Redis::start();
    let guards = [redis.guard().await, redis.guard().await, redis.guard().await];
    let taken =
        futures_util::future::join_all((0..60).map(|n| guards[n % guards.len()].take("evt_1")))
            .await;
    let first = taken.iter().filter(|t| *t.as_ref().unwrap() == Taken::First).count();
    assert_eq!(first, 1, "of sixty at once");
}

#[tokio::test]
async fn redis_gives_an_event_again_after_its_work_failed_or_took_too_long() {
    let redis = Redis::start();
    let guard = redis.guard().await.processing(Duration::from_millis(100));
    assert_eq!(guard.take("evt_1").await.unwrap(), Taken::First);
    guard.release("evt_1").await.unwrap();
    assert_eq!(guard.take("evt_1").await.unwrap(), Taken::First);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(guard.take("evt_1").await.unwrap(), Taken::First, "whoever had it is gone");
}

#[tokio::test]
async fn redis_forgets_what_was_done_when_its_time_is_over() {
    let redis = Redis::start();
    let guard = redis.guard().await.keep(Duration::from_millis(100));
    guard.done("evt_1").await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(guard.take("evt_1").await.unwrap(), Taken::First);
}

#[tokio::test]
async fn a_redis_that_is_gone_is_a_connection_error() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("redis+unix://{}", folder.path().join("none.sock").display());
    let connecting = tokio::time::timeout(Duration::from_secs(60), RedisStore::connect(&url));
    let error = connecting.await.expect("it gives up").unwrap_err();
    assert_eq!(error.kind(), storycore::ErrorKind::Connection);
}
