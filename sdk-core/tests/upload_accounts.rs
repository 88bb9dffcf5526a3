//! The same file with several accounts and one journal: each has an upload of its own, which outlives its key's rotation.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(missing_docs)]

mod common;

use std::{path::Path, time::Duration};

use common::{MIB, World};
use serde_json::{Value, json};
use storycore::{
    Client,
    models::{ListParams, NewApiKey, UploadOptions},
    upload::{Upload, UploadControl},
};

fn client(world: &World, key: &str) -> Client {
    Client::builder().base_url(world.platform.url()).api_key(key).build().unwrap()
}

/// A client of another organization.
async fn neighbour(world: &World) -> Client {
    let request = world.client.request("POST", "/_local/organizations").json(&json!({}));
    let made: Value = request.send().await.unwrap().json().unwrap();
    client(world, made["api_key"].as_str().unwrap())
}

fn upload(world: &World, client: &Client, path: &Path) -> Upload {
    let upload = client.media().prepare_upload(path, UploadOptions::new("document"));
    upload.journal(world.journal()).chunk_size(2 * MIB as u64)
}

/// Stops an upload in its middle, as a crash does.
async fn crash(world: &World, client: &Client, path: &Path) {
    let enough = async {
        while world.requests("PATCH").await < 8 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        outcome = Box::pin(upload(world, client, path).send()) => panic!("it ended: {outcome:?}"),
        () = enough => {}
    }
}

#[tokio::test]
async fn an_upload_is_not_lost_to_another_account_that_uploads_the_same_file() {
    let world = World::new().await;
    let other = neighbour(&world).await;
    let (path, sha256) = world.file("film.bin", 40 * MIB, 1);
    crash(&world, &world.client, &path).await;
    let uploaded = upload(&world, &other, &path).send().await.unwrap();
    assert_eq!((uploaded.sent, uploaded.restarts.len()), (40 * MIB as u64, 0));
    let uploaded = upload(&world, &world.client, &path).send().await.unwrap();
    assert!(uploaded.sent < 34 * MIB as u64, "{} bytes went again", uploaded.sent);
    assert_eq!(uploaded.restarts, [""; 0]);
    world.only_asset(&sha256).await;
    world.end().await;
}

#[tokio::test]
async fn two_accounts_upload_the_same_file_at_the_same_time() {
    let world = World::new().await;
    let other = neighbour(&world).await;
    let (path, sha256) = world.file("film.bin", 20 * MIB, 2);
    let control = UploadControl::new();
    let paused = upload(&world, &world.client, &path).control(&control);
    let (first, second) = tokio::join!(paused.send(), async {
        while world.requests("PATCH").await < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        control.pause();
        let second = upload(&world, &other, &path).send().await;
        control.resume();
        second
    });
    assert_eq!(second.unwrap().restarts, [""; 0]);
    assert_eq!(first.unwrap().restarts, [""; 0]);
    world.only_asset(&sha256).await;
    assert_eq!(other.media().list(ListParams::new()).await.unwrap().data.len(), 1);
    world.end().await;
}

#[tokio::test]
async fn an_upload_continues_with_the_key_that_took_the_place_of_its_own() {
    let world = World::new().await;
    let (path, sha256) = world.file("film.bin", 40 * MIB, 3);
    let key = |name: &str| NewApiKey::new(name, ["read", "write", "admin"]);
    let first = world.client.api_keys().create(key("first")).await.unwrap();
    crash(&world, &client(&world, first.secret.expose()), &path).await;
    let second = world.client.api_keys().create(key("second")).await.unwrap();
    world.client.api_keys().revoke(&first.key.id).await.unwrap();
    let second = client(&world, second.secret.expose());
    let uploaded = upload(&world, &second, &path).send().await.unwrap();
    assert!(uploaded.sent < 34 * MIB as u64, "{} bytes went again", uploaded.sent);
    assert_eq!(uploaded.restarts, [""; 0]);
    world.only_asset(&sha256).await;
    let journal = rusqlite::Connection::open(world.path("journal.sqlite3")).unwrap();
    let lines = journal.query_row("SELECT count(*) FROM upload", [], |row| row.get::<_, i64>(0));
    assert_eq!(lines.unwrap(), 0);
    world.end().await;
}
