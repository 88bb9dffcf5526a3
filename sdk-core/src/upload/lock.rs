//! Who has an upload: a lock of the operating system on a file beside the journal, which a killed process cannot keep. Its forked
//! children could: a lock is the open file's, which they share. So the file says whose it is.

use std::{
    fs::{File, TryLockError},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

/// An upload that is this process's own; the system takes it back however the process ends.
#[derive(Debug)]
pub(crate) struct Lock {
    path: PathBuf,
    file: File,
    process: u32,
}

impl Lock {
    /// Takes it; nothing while another has it.
    pub(crate) fn take(path: PathBuf) -> io::Result<Option<Self>> {
        match Self::of(path.clone())? {
            Ok(lock) => Ok(Some(lock)),
            Err(held) if owner::is_dead(&held) => {
                // One at a time, so that nobody removes what another one made in its place.
                let mut taking = path.clone().into_os_string();
                taking.push(".taking");
                let Ok(_taking) = Self::of(taking.into())? else { return Ok(None) };
                if is_at(&held, &path) && owner::is_dead(&held) {
                    std::fs::remove_file(&path)?;
                }
                Ok(Self::of(path)?.ok())
            }
            Err(_) => Ok(None),
        }
    }

    /// The lock, or the file of which another one is held.
    fn of(path: PathBuf) -> io::Result<Result<Self, File>> {
        loop {
            let mut options = File::options();
            let mut file =
                options.create(true).truncate(false).read(true).write(true).open(&path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(Err(file)),
                Err(TryLockError::Error(error)) => return Err(error),
            }
            // One whose owner removed it just now locks nothing.
            if is_at(&file, &path) {
                // A disk may be full: then a child that outlives this process keeps it.
                let _ = file.set_len(0).and_then(|()| file.write_all(owner::own().as_bytes()));
                return Ok(Ok(Self { path, file, process: std::process::id() }));
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if self.process != std::process::id() {
            // A forked child's copy: the lock is its parent's.
            return;
        }
        if cfg!(unix) {
            // Removed while it is held, so that nobody's else is.
            let _ = std::fs::remove_file(&self.path);
        }
        let _ = self.file.unlock();
    }
}

/// The text of a lock's file: the machine's start, the process's name space, its number and its own start. What any of these does
/// not tell for sure is taken for alive.
#[cfg(target_os = "linux")]
mod owner {
    use std::{
        fs::File,
        io::{self, Read as _, Seek as _},
    };

    pub(super) fn own() -> String {
        let id = std::process::id();
        match (here(), start(id)) {
            (Some(here), Ok(Some(start))) => format!("{here} {id} {start}\n"),
            _ => String::new(),
        }
    }

    pub(super) fn is_dead(mut file: &File) -> bool {
        let mut text = String::new();
        if file.rewind().is_err() || file.take(1024).read_to_string(&mut text).is_err() {
            return false;
        }
        let mut words = text.trim_end().rsplitn(3, ' ');
        let (began, id, there) = (words.next(), words.next(), words.next());
        let (Some(began), Some(Ok(id)), Some(there)) = (began, id.map(str::parse), there) else {
            return false;
        };
        // Of another machine on the same disk, or of another container, nothing is known.
        text.ends_with('\n')
            && here().is_some_and(|here| here == there)
            && start(id).is_ok_and(|start| start.as_deref() != Some(began))
    }

    /// Where a process's number tells it from all others.
    fn here() -> Option<String> {
        let machine = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        let space = std::fs::read_link("/proc/self/ns/pid").ok()?;
        Some(format!("{} {}", machine.trim_end(), space.display()))
    }

    /// When a process began; nothing, where it has ended, be it that nobody heard of it yet.
    fn start(id: u32) -> io::Result<Option<String>> {
        let stat = match std::fs::read_to_string(format!("/proc/{id}/stat")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            stat => stat?,
        };
        // The name before may have any characters in it.
        let odd = || io::Error::other("no such line is known");
        let (_, rest) = stat.rsplit_once(") ").ok_or_else(odd)?;
        let mut fields = rest.split(' ');
        if matches!(fields.next(), Some("Z" | "X")) {
            return Ok(None);
        }
        fields.nth(18).map(|start| Some(start.to_owned())).ok_or_else(odd)
    }
}

/// Other systems do not tell so simply; there a child that was forked keeps its parent's locks until it ends.
#[cfg(not(target_os = "linux"))]
mod owner {
    pub(super) fn own() -> String {
        String::new()
    }

    pub(super) fn is_dead(_: &super::File) -> bool {
        false
    }
}

#[cfg(unix)]
pub(crate) fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(held), Ok(there)) => (held.dev(), held.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

#[cfg(not(unix))]
pub(crate) fn is_at(_: &File, _: &Path) -> bool {
    true
}
