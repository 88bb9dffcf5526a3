//! Where a download may go, and where it may not.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(missing_docs)]

mod common;

use common::{World, files};
use storycore::{ErrorKind, upload::UploadSource};

async fn asset(world: &World) -> String {
    world.upload(UploadSource::bytes("film.bin", "a film")).send().await.unwrap().asset.id
}

/// How often content was asked for.
async fn asked(world: &World) -> usize {
    let all = world.asked().await;
    all.iter().filter(|r| r["path"].as_str().unwrap().ends_with("/content")).count()
}

#[tokio::test]
async fn a_place_where_no_file_can_be_is_refused_before_anything_is_asked() {
    let world = World::new().await;
    let id = asset(&world).await;
    let missing = world.path("not-there/film.bin");
    let error = world.client.media().download(&id, &missing).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.message().contains("not-there is not there: make it first"), "{error}");
    let error = world.client.media().download(&id, world.folder.path()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.message().contains("is a directory"), "{error}");
    assert_eq!(asked(&world).await, 0);
    world.end().await;
}

/// `/dev/null` would be a film from then on, for every program.
#[cfg(unix)]
#[tokio::test]
async fn what_is_no_file_is_never_replaced_by_one() {
    use std::os::unix::{fs::FileTypeExt as _, net::UnixListener};

    let world = World::new().await;
    let id = asset(&world).await;
    let path = world.path("socket");
    let _listener = UnixListener::bind(&path).unwrap();
    let error = world.client.media().download(&id, &path).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.message().contains("is no file"), "{error}");
    assert!(path.metadata().unwrap().file_type().is_socket());
    assert_eq!(asked(&world).await, 0);
    world.end().await;
}

#[tokio::test]
async fn a_name_as_long_as_the_file_system_takes_is_a_target_like_any_other() {
    let world = World::new().await;
    let id = asset(&world).await;
    // 255 bytes, of one and of more a character.
    for name in ["x".repeat(255), "é".repeat(127), "🎬".repeat(63)] {
        world.client.media().download(&id, world.path(&name)).await.unwrap();
        assert_eq!(std::fs::read(world.path(&name)).unwrap(), b"a film");
        std::fs::remove_file(world.path(&name)).unwrap();
    }
    assert!(files(world.folder.path()).iter().all(|name| !name.ends_with(".part")));
    world.end().await;
}
