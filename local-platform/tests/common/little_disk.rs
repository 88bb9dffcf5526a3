//! A disk with too little room, for the tests of this crate and of `tests/faults`.

use std::{path::Path, process::Command};

/// What starts a program with 16 MiB of disk at `directory`: a file system of its own (which is told), where the system lets
/// us mount one, else a limit on each file.
pub(crate) fn little_disk(directory: &Path) -> (Vec<String>, bool) {
    let unshare = ["unshare", "--map-root-user", "--mount"];
    let mount =
        format!("mount -t tmpfs -o size=16m tmpfs '{}' && exec \"$0\" \"$@\"", directory.display());
    let mounts = Command::new(unshare[0])
        .args(&unshare[1..])
        .args(["sh", "-c", &mount, "true"])
        .status()
        .is_ok_and(|status| status.success());
    if mounts {
        let words = unshare.into_iter().chain(["sh", "-c", &mount]);
        return (words.map(str::to_owned).collect(), true);
    }
    let limit = "trap '' XFSZ; ulimit -f 32768; exec \"$0\" \"$@\"";
    (["sh", "-c", limit].map(str::to_owned).to_vec(), false)
}
