//! The same file with several accounts and one journal: each has an upload of its own, which outlives its key's rotation.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(missing_docs)]

mod common;

use std::{path::Path, time::Duration};

use common::{MIB, World};
use serde_json::{Value, json};
use storycore::{
    CallOptions, Client, ErrorKind,
    models::{ListParams, NewApiKey, UploadOptions},
    oauth::OAuthCredential,
    upload::{Upload, UploadControl},
};

fn client(world: &World, key: &str) -> Client {
    Client::builder().base_url(world.platform.url()).api_key(key).build().unwrap()
}

/// A client with a user's tokens, all of them given to one OAuth client.
fn signed_in(world: &World, access_token: &str) -> Client {
    let tokens = json!({"access_token": access_token, "token_type": "Bearer", "expires_in": 3600});
    let tokens = OAuthCredential::tokens("cut", serde_json::from_value(tokens).unwrap());
    Client::builder().base_url(world.platform.url()).oauth(tokens).build().unwrap()
}

/// A client without a credential that has one in a header of the caller's.
fn by_header(world: &World, key: &str) -> Client {
    let client = Client::builder().base_url(world.platform.url()).anonymous();
    client.header("authorization", &format!("Bearer {key}")).build().unwrap()
}

/// The key of another organization.
async fn key_of_another(world: &World) -> String {
    let request = world.client.request("POST", "/_local/organizations").json(&json!({}));
    let made: Value = request.send().await.unwrap().json().unwrap();
    made["api_key"].as_str().unwrap().to_owned()
}

/// A client of another organization.
async fn neighbour(world: &World) -> Client {
    client(world, &key_of_another(world).await)
}

fn upload(world: &World, client: &Client, path: &Path) -> Upload {
    let upload = client.media().prepare_upload(path, UploadOptions::new("document"));
    upload.journal(world.journal()).chunk_size(2 * MIB as u64)
}

/// Stops an upload in its middle, as a crash does.
async fn crash(world: &World, client: &Client, path: &Path) {
    world.crash(upload(world, client, path), 8).await;
}

/// Two keys of the account: the second takes the place of the first.
async fn rotate(world: &World, begin: impl AsyncFnOnce(Client)) -> Client {
    let key = |name: &str| NewApiKey::new(name, ["read", "write", "admin"]);
    let first = world.client.api_keys().create(key("first")).await.unwrap();
    begin(client(world, first.secret.expose())).await;
    let second = world.client.api_keys().create(key("second")).await.unwrap();
    world.client.api_keys().revoke(&first.key.id).await.unwrap();
    client(world, second.secret.expose())
}

/// How many uploads are written down.
fn lines(world: &World) -> i64 {
    let journal = rusqlite::Connection::open(world.path("journal.sqlite3")).unwrap();
    journal.query_row("SELECT count(*) FROM upload", [], |row| row.get(0)).unwrap()
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
    assert!(uploaded.sent < 40 * MIB as u64, "{} bytes went again", uploaded.sent);
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
    let second = rotate(&world, async |first| crash(&world, &first, &path).await).await;
    let uploaded = upload(&world, &second, &path).send().await.unwrap();
    assert!(uploaded.sent < 40 * MIB as u64, "{} bytes went again", uploaded.sent);
    assert_eq!(uploaded.restarts, [""; 0]);
    world.only_asset(&sha256).await;
    assert_eq!(lines(&world), 0);
    world.end().await;
}

#[tokio::test]
async fn a_small_file_is_one_asset_with_the_key_that_took_the_place_of_its_own() {
    let world = World::new().await;
    let (path, sha256) = world.file("note.bin", 1000, 4);
    let second = rotate(&world, async |first| {
        let lost = json!({"method": "POST", "path": "/api/assets/upload", "times": 0, "action": {"drop_after": true}});
        world.fault(lost).await;
        upload(&world, &first, &path).send().await.unwrap_err();
        world.no_faults().await;
    });
    let second = second.await;
    assert_eq!(world.assets().await, 1);
    upload(&world, &second, &path).send().await.unwrap();
    world.only_asset(&sha256).await;
    world.end().await;
}

#[tokio::test]
async fn a_small_file_of_another_account_is_an_upload_of_ones_own() {
    let world = World::new().await;
    let other = neighbour(&world).await;
    let (path, sha256) = world.file("note.bin", 1000, 5);
    let lost = json!({"method": "POST", "path": "/api/assets/upload", "times": 0, "action": {"drop_after": true}});
    world.fault(lost).await;
    upload(&world, &world.client, &path).send().await.unwrap_err();
    world.no_faults().await;
    upload(&world, &other, &path).send().await.unwrap();
    assert_eq!(other.media().list(ListParams::new()).await.unwrap().data.len(), 1);
    // The first one finds its own.
    assert_eq!(lines(&world), 1);
    upload(&world, &world.client, &path).send().await.unwrap();
    world.only_asset(&sha256).await;
    world.end().await;
}

/// The platform answers the other account's question late.
async fn slow_question(world: &World) {
    let late = json!({"method": "HEAD", "path": "/api/assets/uploads/*", "times": 1, "action": {"delay_ms": 2000}});
    world.fault(late).await;
}

async fn questions(world: &World, count: usize) {
    while world.requests("HEAD").await < count {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn an_upload_is_its_owners_while_another_account_asks_for_it() {
    let world = World::new().await;
    let other = neighbour(&world).await;
    let (path, sha256) = world.file("film.bin", 40 * MIB, 6);
    crash(&world, &world.client, &path).await;
    let before = world.requests("HEAD").await;
    slow_question(&world).await;
    let (theirs, ours) = tokio::join!(upload(&world, &other, &path).send(), async {
        questions(&world, before + 1).await;
        upload(&world, &world.client, &path).send().await
    });
    let ours = ours.unwrap();
    assert!(ours.sent < 40 * MIB as u64, "{} bytes went again", ours.sent);
    assert_eq!(ours.restarts, [""; 0]);
    assert_eq!(theirs.unwrap().sent, 40 * MIB as u64);
    world.only_asset(&sha256).await;
    world.end().await;
}

#[tokio::test]
async fn an_upload_that_is_cancelled_while_it_asks_for_another_ones_leaves_that_alone() {
    let world = World::new().await;
    let (path, sha256) = world.file("film.bin", 40 * MIB, 7);
    let second = rotate(&world, async |first| crash(&world, &first, &path).await).await;
    let before = world.requests("HEAD").await;
    slow_question(&world).await;
    let control = UploadControl::new();
    let (outcome, ()) =
        tokio::join!(upload(&world, &second, &path).control(&control).send(), async {
            questions(&world, before + 1).await;
            control.cancel();
        });
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Cancelled);
    assert_eq!((lines(&world), world.requests("DELETE").await), (1, 0));
    let uploaded = upload(&world, &second, &path).send().await.unwrap();
    assert!(uploaded.sent < 40 * MIB as u64, "{} bytes went again", uploaded.sent);
    world.only_asset(&sha256).await;
    world.end().await;
}

#[tokio::test]
async fn two_users_of_one_oauth_client_have_an_upload_each() {
    let world = World::new().await;
    let other = signed_in(&world, &key_of_another(&world).await);
    let (path, sha256) = world.file("film.bin", 40 * MIB, 8);
    crash(&world, &signed_in(&world, world.platform.api_key()), &path).await;
    let uploaded = upload(&world, &other, &path).send().await.unwrap();
    assert_eq!((uploaded.sent, uploaded.restarts.len()), (40 * MIB as u64, 0));
    // The first one's next tokens.
    let next = NewApiKey::new("next", ["read", "write", "admin"]);
    let next = world.client.api_keys().create(next).await.unwrap();
    let next = signed_in(&world, next.secret.expose());
    let uploaded = upload(&world, &next, &path).send().await.unwrap();
    assert!(uploaded.sent < 40 * MIB as u64, "{} bytes went again", uploaded.sent);
    assert_eq!(uploaded.restarts, [""; 0]);
    world.only_asset(&sha256).await;
    world.end().await;
}

#[tokio::test]
async fn a_credential_in_a_header_of_the_callers_is_an_account() {
    let world = World::new().await;
    let other = by_header(&world, &key_of_another(&world).await);
    let (path, sha256) = world.file("film.bin", 40 * MIB, 9);
    crash(&world, &by_header(&world, world.platform.api_key()), &path).await;
    let uploaded = upload(&world, &other, &path).send().await.unwrap();
    assert_eq!((uploaded.sent, uploaded.restarts.len()), (40 * MIB as u64, 0));
    // The first one's header is now one of the call alone.
    let anonymous = Client::builder().base_url(world.platform.url()).anonymous().build().unwrap();
    let header = format!("Bearer {}", world.platform.api_key());
    let first = anonymous.with(CallOptions::new().header("authorization", &header).unwrap());
    let uploaded = upload(&world, &first, &path).send().await.unwrap();
    assert!(uploaded.sent < 40 * MIB as u64, "{} bytes went again", uploaded.sent);
    assert_eq!(uploaded.restarts, [""; 0]);
    world.only_asset(&sha256).await;
    world.end().await;
}
