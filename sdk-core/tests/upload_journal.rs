//! The resume journal over weeks: it keeps what can be continued, and nothing else.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(missing_docs)]

mod common;

use std::{
    fs::File,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use common::MIB;
use rusqlite::Connection;
use storycore::{
    ErrorKind,
    upload::{Upload, UploadControl},
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A world, and a look into its journal.
struct World(common::World);

impl World {
    async fn new() -> Self {
        Self(common::World::new().await)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path(name)
    }

    fn file(&self, name: &str, size: usize) -> PathBuf {
        self.0.file(name, size, name.len() as u64).0
    }

    fn journal(&self) -> PathBuf {
        self.path("journal.sqlite3")
    }

    fn locks(&self) -> PathBuf {
        self.path("journal.sqlite3.locks")
    }

    fn upload(&self, path: &Path) -> Upload {
        self.0.upload(path).chunk_size(MIB as u64)
    }

    /// An upload that stops in the middle, as at a crash.
    async fn crash(&self, path: &Path) {
        self.0.crash(self.upload(path), 4).await;
    }

    /// The files whose uploads are in the journal.
    fn written(&self) -> Vec<String> {
        let db = Connection::open(self.journal()).unwrap();
        let mut paths = db.prepare("SELECT path FROM upload").unwrap();
        let paths = paths.query_map([], |row| row.get::<_, String>(0)).unwrap();
        paths.map(|path| path.unwrap().rsplit('/').next().unwrap().to_owned()).collect()
    }

    fn sql(&self, text: &str) {
        Connection::open(self.journal()).unwrap().execute_batch(text).unwrap();
    }

    async fn end(self) {
        self.0.end().await;
    }
}

#[tokio::test]
async fn an_upload_that_can_be_continued_stays_and_the_others_are_forgotten() {
    let world = World::new().await;
    let note = world.file("note.bin", 1000);
    for name in ["stays.bin", "removed.bin", "expired.bin", "untouched.bin"] {
        let path = world.file(name, 20 * MIB);
        world.crash(&path).await;
    }
    assert_eq!(world.written().len(), 4);
    world.sql("UPDATE upload SET expires_at = unixepoch() - 10 WHERE path LIKE '%expired.bin'");
    world.sql("UPDATE upload SET expires_at = NULL, touched_at = unixepoch() - 3000000 WHERE path LIKE '%untouched.bin'");
    std::fs::remove_file(world.path("removed.bin")).unwrap();
    world.upload(&note).send().await.unwrap();
    assert_eq!(world.written(), ["stays.bin"]);
    let uploaded = world.upload(&world.path("stays.bin")).send().await.unwrap();
    assert!(uploaded.sent < 20 * MIB as u64, "it went on");
    assert_eq!(world.written(), [""; 0]);
    world.end().await;
}

#[tokio::test]
async fn a_file_on_a_disk_that_is_not_there_now_is_waited_for() {
    let world = World::new().await;
    let disk = world.path("disk");
    std::fs::create_dir(&disk).unwrap();
    let film = world.file("disk/film.bin", 20 * MIB);
    world.crash(&film).await;
    let away = world.path("away");
    std::fs::rename(&disk, &away).unwrap();
    world.upload(&world.file("note.bin", 1000)).send().await.unwrap();
    assert_eq!(world.written(), ["film.bin"]);
    std::fs::rename(&away, &disk).unwrap();
    assert!(world.upload(&film).send().await.unwrap().sent < 20 * MIB as u64);
    world.end().await;
}

#[tokio::test]
async fn the_locks_of_killed_processes_are_removed_after_a_day() {
    let world = World::new().await;
    let note = world.file("note.bin", 1000);
    world.upload(&note).send().await.unwrap();
    for (name, age) in [("left-behind", 2 * DAY), ("just-taken", Duration::ZERO), ("held", 2 * DAY)]
    {
        let lock = File::create(world.locks().join(name)).unwrap();
        lock.set_modified(SystemTime::now() - age).unwrap();
    }
    let held = File::open(world.locks().join("held")).unwrap();
    held.lock().unwrap();
    world.upload(&note).send().await.unwrap();
    let locks = std::fs::read_dir(world.locks()).unwrap();
    let mut locks: Vec<_> = locks.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    locks.sort();
    assert_eq!(locks, ["held", "just-taken", "opening"]);
    world.end().await;
}

#[tokio::test]
async fn a_journal_of_the_version_before_is_read() {
    let world = World::new().await;
    let film = world.file("film.bin", 20 * MIB);
    world.crash(&film).await;
    world.sql("UPDATE upload SET identity = any_account");
    world.sql("ALTER TABLE upload DROP COLUMN any_account");
    world.sql("ALTER TABLE upload DROP COLUMN touched_at");
    world.sql("ALTER TABLE part DROP COLUMN is_taken_back");
    let uploaded = world.upload(&film).send().await.unwrap();
    assert!(uploaded.sent < 20 * MIB as u64, "it went on");
    world.end().await;
}

#[tokio::test]
async fn a_journal_that_another_process_never_opens_to_the_end_is_an_error_and_no_wait_without_end()
{
    let world = World::new().await;
    let note = world.file("note.bin", 1000);
    world.upload(&note).send().await.unwrap();
    let opening = File::open(world.locks().join("opening")).unwrap();
    opening.lock().unwrap();
    let upload = tokio::time::timeout(Duration::from_secs(60), world.upload(&note).send());
    let error = upload.await.expect("it waits without end").unwrap_err();
    assert!(error.message().contains("another process"), "{error}");
    drop(opening);
    world.upload(&note).send().await.unwrap();
    world.end().await;
}

#[tokio::test]
async fn cancelling_is_heard_while_another_process_opens_the_journal() {
    let world = World::new().await;
    let film = world.file("film.bin", 20 * MIB);
    world.crash(&film).await;
    let opening = File::open(world.locks().join("opening")).unwrap();
    opening.lock().unwrap();
    let control = UploadControl::new();
    let upload = world.upload(&film).control(&control).send();
    let cancel = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        control.cancel();
    };
    let (outcome, ()) = tokio::join!(upload, cancel);
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Cancelled);
    drop(opening);
    // What was sent before is still known.
    assert!(world.upload(&film).send().await.unwrap().sent < 20 * MIB as u64);
    world.end().await;
}

#[cfg(unix)]
#[tokio::test]
async fn what_is_written_down_is_for_the_user_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new().await;
    let path = world.file("film.bin", 20 * MIB);
    world.crash(&path).await;
    let wal = world.path("journal.sqlite3-wal");
    for path in [world.journal(), wal, world.locks()] {
        let Ok(data) = std::fs::metadata(&path) else { continue };
        let mode = data.permissions().mode();
        assert_eq!(mode & 0o077, 0, "{} is open to others: {mode:o}", path.display());
    }
    assert_eq!(world.written(), ["film.bin"]);
    world.end().await;
}

/// A journal that is asked for by name and cannot be written: an error before the asset is made, never after.
#[tokio::test]
async fn a_journal_that_cannot_be_written_any_more_does_not_fail_what_is_complete() {
    let world = World::new().await;
    let (note, film) = (world.file("note.bin", 1000), world.file("film.bin", 20 * MIB));
    world.upload(&note).send().await.unwrap();
    let refuse = |of: &str| {
        world.sql(&format!(
            "CREATE TRIGGER refused BEFORE {of} BEGIN SELECT RAISE(FAIL, 'the disk is full'); END"
        ));
    };
    let allow = || world.sql("DROP TRIGGER refused");

    refuse("DELETE ON upload");
    world.upload(&note).send().await.unwrap();
    world.upload(&film).send().await.unwrap();
    world.upload(&film).multipart_below(u64::MAX).send().await.unwrap();
    allow();
    // In one stream the asset is there with the last byte.
    refuse("UPDATE OF acknowledged ON part");
    let large = world.file("large.bin", 17 * MIB);
    world.upload(&large).chunk_size(64 << 20).max_streams(1).send().await.unwrap();
    allow();

    let assets = world.0.assets().await;
    for of in ["INSERT ON upload", "UPDATE OF location ON part", "INSERT ON chunk"] {
        refuse(of);
        let path = world.file(&format!("{of}.bin"), 20 * MIB);
        let error = world.upload(&path).send().await.unwrap_err();
        assert!(error.message().contains("the disk is full"), "{of}: {error}");
        allow();
    }
    assert_eq!(world.0.assets().await, assets);
    world.end().await;
}
