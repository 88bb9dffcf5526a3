//! Transactions whose callers go, or wait too long.

use std::time::Duration;

use sqlx::sqlite::SqlitePoolOptions;

use super::together::tests::{count, store};
use crate::resources::assets::TABLE;

#[tokio::test(flavor = "multi_thread")]
async fn whoever_goes_during_its_commit_leaves_nobody_with_what_was_before() {
    let store = store().await;
    let mut was_left = false;
    // SQLite's own thread may be done before anybody could go.
    for made in 1..=100 {
        let before = store.generation(&TABLE);
        let mut tx = store.begin().await.expect("the writer");
        let sql =
            "INSERT INTO assets (id, organization_id, file_name, doc) VALUES (?, 'org', 'a', '{}')";
        let asset = sqlx::query(sql).bind(made.to_string());
        asset.execute(tx.sql()).await.expect("an asset");
        tx.touch(&TABLE);
        {
            let mut committing = Box::pin(tx.commit());
            was_left = futures_util::poll!(&mut committing).is_pending();
        }
        // The next one has its turn when that one is over.
        drop(store.begin().await.expect("the writer"));
        assert_eq!(count(&store).await, made);
        assert_ne!(store.generation(&TABLE), before);
        if was_left {
            break;
        }
    }
    assert!(was_left, "nobody went during a commit");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_the_writer_for_ever() {
    let mut store = store().await;
    let options = (*store.writer.connect_options()).clone();
    store.writer.close().await;
    let impatient = SqlitePoolOptions::new().acquire_timeout(Duration::from_millis(100));
    store.writer = impatient.connect_with(options).await.expect("the database");
    let held = store.begin().await.expect("the writer");
    let waits = tokio::time::timeout(Duration::from_secs(30), store.begin()).await;
    let outcome = waits.expect("it waits for 100 ms");
    assert!(matches!(outcome, Err(sqlx::Error::PoolTimedOut)));
    drop(held);
    store.begin().await.expect("the writer is free again");
    store.close().await;
}
