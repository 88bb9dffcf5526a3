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

/// As `curl -o` and `cp` do.
#[cfg(unix)]
#[tokio::test]
async fn what_a_link_names_is_written_and_the_link_stays() {
    use std::os::unix::fs::symlink;

    let world = World::new().await;
    let id = asset(&world).await;
    std::fs::create_dir(world.path("films")).unwrap();
    std::fs::create_dir(world.path("links")).unwrap();
    std::fs::write(world.path("films/old.bin"), "another film").unwrap();
    // To a file by its whole path, to that link by a short one, and to a file that is not there yet.
    symlink(world.path("films/old.bin"), world.path("links/whole")).unwrap();
    symlink("whole", world.path("links/short")).unwrap();
    symlink("../films/new.bin", world.path("links/new")).unwrap();
    for (link, film) in [("short", "old.bin"), ("new", "new.bin")] {
        world.client.media().download(&id, world.path(&format!("links/{link}"))).await.unwrap();
        let film = world.path(&format!("films/{film}"));
        assert!(film.symlink_metadata().unwrap().is_file());
        assert_eq!(std::fs::read(film).unwrap(), b"a film");
    }
    for link in ["whole", "short", "new"] {
        let link = world.path(&format!("links/{link}"));
        assert!(link.symlink_metadata().unwrap().is_symlink(), "{}", link.display());
    }
    assert_eq!(files(&world.path("films")).len(), 2);
    assert_eq!(files(&world.path("links")).len(), 3);
    // Neither is a link a way around what a target has to be.
    symlink("../films", world.path("links/directory")).unwrap();
    symlink("nowhere/film.bin", world.path("links/missing")).unwrap();
    symlink("circle", world.path("links/circle")).unwrap();
    for (link, why) in [
        ("directory", "is a directory"),
        ("missing", "nowhere is not there: make it first"),
        ("circle", "leads to no file"),
    ] {
        let link = world.path(&format!("links/{link}"));
        let error = world.client.media().download(&id, &link).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.message().contains(why), "{error}");
    }
    world.end().await;
}

/// As behind `/dev/stdout`: what is read from such a link is `pipe:[1234]`, or the name that a removed file had.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_link_to_what_has_no_path_is_refused() {
    use std::{fs::File, os::fd::AsRawFd as _, os::unix::fs::symlink};

    let world = World::new().await;
    let id = asset(&world).await;
    let (_reader, pipe) = std::io::pipe().unwrap();
    let removed = File::create(world.path("removed.bin")).unwrap();
    std::fs::remove_file(world.path("removed.bin")).unwrap();
    for (name, fd, why) in [
        ("pipe", pipe.as_raw_fd(), "is no file"),
        ("removed", removed.as_raw_fd(), "leads to no file"),
    ] {
        let its_own = format!("/proc/self/fd/{fd}");
        symlink(&its_own, world.path(name)).unwrap();
        for link in [its_own.into(), world.path(name)] {
            let error = world.client.media().download(&id, &link).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.message().contains(why), "{error}");
        }
    }
    assert_eq!(asked(&world).await, 0);
    assert_eq!(files(world.folder.path()).len(), 2);
    world.end().await;
}

/// The link's own directory has nothing to do with it.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_cannot_be_written_behind_a_link_is_named() {
    let world = World::new().await;
    let id = asset(&world).await;
    std::os::unix::fs::symlink("/proc/film.bin", world.path("link")).unwrap();
    let error = world.client.media().download(&id, world.path("link")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Upload);
    assert!(error.message().starts_with("/proc/film.bin cannot be written"), "{error}");
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
