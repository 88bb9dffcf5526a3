//! A Debian trixie root under `target/` with Swift 6 in it: no distribution that this runs on has to have Swift itself. It takes
//! 2.5 GB, is made once, and says so.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use super::package::Package;
use crate::{process, setup};

/// What is in it beside a minimal Debian.
const PACKAGES: [&str; 3] = ["swiftlang", "libc6-dev", "ca-certificates"];

/// The root, ready.
pub(crate) struct Root {
    folder: PathBuf,
    machine: Machine,
}

/// Where Debian keeps what is the processor's.
#[derive(Clone, Copy)]
struct Machine {
    loader: &'static str,
    libraries: &'static str,
}

impl Machine {
    fn this() -> Result<Self> {
        Ok(match std::env::consts::ARCH {
            "x86_64" => {
                Self { loader: "lib64/ld-linux-x86-64.so.2", libraries: "usr/lib/x86_64-linux-gnu" }
            }
            "aarch64" => {
                Self { loader: "lib/ld-linux-aarch64.so.1", libraries: "usr/lib/aarch64-linux-gnu" }
            }
            other => bail!("Debian has Swift for x86-64 and aarch64, and this is {other}"),
        })
    }
}

impl Root {
    /// The root under `target`, made where it is not there.
    pub(crate) fn made(target: &Path) -> Result<Self> {
        let machine = Machine::this()?;
        let folder = target.join("swift");
        std::fs::create_dir_all(&folder)?;
        let lock = std::fs::File::create(folder.join("root.lock"))?;
        lock.lock()?;
        let root = folder.join("root");
        let stamp = folder.join("root.txt");
        let wanted = PACKAGES.join(" ");
        if std::fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) && root.is_dir() {
            eprintln!("setup: Swift is in {}", root.display());
            return Ok(Self { folder: root, machine });
        }
        if !setup::is_root() {
            bail!("it is a Debian root that only the user root can make (debootstrap, chroot)");
        }
        eprintln!(
            "setup: making a Debian trixie with Swift in {} (2.5 GB, about a minute)",
            root.display()
        );
        if setup::on_path("debootstrap").is_none() {
            eprintln!("setup: installing debootstrap with apt-get");
            setup::apt_install("debootstrap")
                .context("it needs debootstrap, which apt-get did not install")?;
        }
        if root.is_dir() {
            std::fs::remove_dir_all(&root).context("the root that was begun")?;
        }
        let mut make = apart("debootstrap");
        make.args(["--variant=minbase", "trixie"]).arg(&root);
        setup::run("debootstrap", make)?;
        add(&root, &PACKAGES)?;
        std::fs::write(stamp, wanted)?;
        Ok(Self { folder: root, machine })
    }

    /// Installs further packages of Debian's, where they are not there.
    pub(super) fn install(&self, packages: &[&str]) -> Result<()> {
        let lock = std::fs::File::create(self.folder.with_extension("lock"))?;
        lock.lock()?;
        let mut ask = apart("chroot");
        ask.arg(&self.folder).args([
            "dpkg-query",
            "--show",
            "--showformat",
            "${db:Status-Status}\n",
        ]);
        ask.args(packages);
        let there = process::output(ask);
        if there.is_ok_and(|there| there.lines().all(|status| status == "installed")) {
            return Ok(());
        }
        if !setup::is_root() {
            bail!("only the user root can install {} in the root", packages.join(", "));
        }
        eprintln!("setup: installing {} in {}", packages.join(", "), self.folder.display());
        apt(&self.folder, &["update", "-q"])?;
        add(&self.folder, packages)
    }

    /// Where a file of the root's is outside.
    pub(super) fn path(&self, inside: &str) -> PathBuf {
        self.folder.join(inside.trim_start_matches('/'))
    }

    /// A command inside the root, in a Swift package, which is `/package` there.
    pub(crate) fn inside(
        &self,
        package: &Path,
        command: &str,
        environment: &[(String, String)],
    ) -> Command {
        let own = [("STORYCORE_CONFORMANCE", "1"), ("LD_LIBRARY_PATH", "/package/lib")];
        let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
        self.with_folders(&[(package, "/package")], command, &[&own, environment].concat())
    }

    /// A command inside the root, in `/package`, with folders from outside under names that they have there. Mounts are its own
    /// and end with it.
    pub(super) fn with_folders(
        &self,
        folders: &[(&Path, &str)],
        command: &str,
        environment: &[(String, String)],
    ) -> Command {
        // Without /proc, Swift does not start.
        let script = "
            root=\"$1\" line=\"$2\" && shift 2 &&
            while [ \"$1\" != -- ]; do
                mkdir -p \"$root$2\" && mount --rbind \"$1\" \"$root$2\" && shift 2 || exit 1
            done && shift &&
            mount -t proc proc \"$root/proc\" && mount --rbind /dev \"$root/dev\" &&
            exec chroot \"$root\" /usr/bin/env -i HOME=/tmp PATH=/usr/bin:/bin LANG=C.UTF-8 \"$@\" \\
                /bin/bash -c \"cd /package && $line\"";
        let mut run = Command::new("unshare");
        run.args(["-m", "-p", "-f", "--kill-child", "bash", "-c", script, "swift"]);
        run.arg(&self.folder).arg(command);
        for (outside, inside) in folders {
            run.arg(outside).arg(inside);
        }
        run.arg("--");
        run.args(environment.iter().map(|(name, value)| format!("{name}={value}")));
        run
    }

    /// A program that was built inside, as a command outside: with the root's loader and libraries.
    pub(crate) fn outside(&self, package: &Package, profile: &str, name: &str) -> Vec<String> {
        let inside = |path: &str| self.folder.join(path).display().to_string();
        let libraries = [
            package.folder.join("lib").display().to_string(),
            inside("usr/libexec/swift/lib/swift/linux"),
            inside(self.machine.libraries),
        ];
        let program = package.folder.join(".build").join(profile).join(name);
        vec![
            inside(self.machine.loader),
            "--library-path".to_owned(),
            libraries.join(":"),
            program.display().to_string(),
        ]
    }
}

/// A program with mounts and processes of its own, which end with it: the `/proc` that debootstrap mounts would otherwise outlive
/// one that is stopped, and keep the root from being removed.
fn apart(program: &str) -> Command {
    let mut run = Command::new("unshare");
    run.args(["-m", "-p", "-f", "--mount-proc", "--kill-child", program]);
    run
}

/// Installs packages of Debian's in a root.
fn add(root: &Path, packages: &[&str]) -> Result<()> {
    apt(root, &[&["install", "-y", "-q", "--no-install-recommends"], packages].concat())?;
    apt(root, &["clean"])
}

fn apt(root: &Path, args: &[&str]) -> Result<()> {
    let mut run = apart("chroot");
    run.arg(root).arg("apt-get").args(args).env("DEBIAN_FRONTEND", "noninteractive");
    setup::run("apt-get in the root", run)
}
