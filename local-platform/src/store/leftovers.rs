//! Data that a platform in memory left in the folder for temporary files because it was killed. The next one that starts
//! removes it; what a platform still holds, or may be about to hold, stays.

use std::{
    fs::File,
    io,
    path::Path,
    time::{Duration, SystemTime},
};

/// What folders of such data begin with.
pub(super) const PREFIX: &str = "storycore-";
/// What such a folder alone has in it: a user's own data directory of that name has not.
pub(super) const MARK: &str = "in-memory";
/// What every one has in it, so that nothing else of that name is taken for one.
const HOLDS: [&str; 2] = ["lock", MARK];
/// A younger one may belong to a platform that has not locked it yet.
pub(super) const AGE: Duration = Duration::from_secs(60);

/// Removes what no platform holds. What cannot be removed, such as another user's, is left for others.
pub(super) fn sweep(folder: &Path, age: Duration) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.file_name().unwrap_or_default();
        if name.to_string_lossy().starts_with(PREFIX) && is_left(&path, age).unwrap_or(false) {
            let _ = std::fs::remove_dir_all(&path);
        }
    }
}

fn is_left(path: &Path, age: Duration) -> io::Result<bool> {
    let data = path.symlink_metadata()?;
    let old = SystemTime::now().duration_since(data.modified()?).is_ok_and(|old| old >= age);
    if !data.is_dir() || !old || !HOLDS.iter().all(|name| path.join(name).is_file()) {
        return Ok(false);
    }
    // The lock goes with the process that held it, however that ended.
    Ok(File::options().write(true).open(path.join("lock"))?.try_lock().is_ok())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_platform_left_goes_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let made = |name: &str, files: &[&str]| {
            let path = folder.path().join(name);
            std::fs::create_dir(&path).unwrap();
            files.iter().for_each(|file| std::fs::write(path.join(file), "").unwrap());
            path
        };
        let killed = made("storycore-killed", &HOLDS);
        let running = made("storycore-running", &HOLDS);
        let held = File::options().write(true).open(running.join("lock")).unwrap();
        held.try_lock().unwrap();
        let others = made("storycore-films", &["film.mp4"]);
        let durable = made("storycore-durable", &["lock", "seal.key", "storycore.db"]);
        let elsewhere = made("films", &HOLDS);

        sweep(folder.path(), AGE);
        assert!(killed.exists(), "it may be about to be locked");
        sweep(folder.path(), Duration::ZERO);
        assert!(!killed.exists());
        assert!(running.exists() && others.exists() && elsewhere.exists() && durable.exists());
    }
}
