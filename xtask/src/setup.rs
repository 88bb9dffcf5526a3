//! What the commands need beyond cargo: ffmpeg, Python packages, redis. Each is taken from the
//! machine or put under `target/`, and each says in one line which.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::process;

/// ffmpeg alone, without ffprobe; the version is pinned so that two runs use the same.
const FFMPEG_PACKAGE: &str = "imageio-ffmpeg==0.8.1\n";
/// What other people's clients and servers for tus on node are.
const TUS_OF_NPM: [&str; 3] = ["tus-js-client@4.3.1", "@tus/server@2.4.5", "@tus/file-store@2.1.1"];
const INSTALL: Duration = Duration::from_secs(15 * 60);

/// Programs for the tests, found or installed on demand.
pub(crate) struct Setup {
    target: PathBuf,
    say: fn(std::fmt::Arguments<'_>),
}

impl Setup {
    pub(crate) fn new(target: &Path) -> Self {
        Setup { target: target.to_owned(), say: |words| println!("setup: {words}") }
    }

    /// For commands whose output is data.
    pub(crate) fn to_stderr(target: &Path) -> Self {
        Setup { target: target.to_owned(), say: |words| eprintln!("setup: {words}") }
    }

    /// The `PATH` to run with, on which there is an `ffmpeg`.
    pub(crate) fn path_with_ffmpeg(&self) -> Result<String> {
        let path = std::env::var("PATH").context("PATH is not set")?;
        if let Some(found) = on_path("ffmpeg") {
            (self.say)(format_args!("ffmpeg is {}", found.display()));
            return Ok(path);
        }
        (self.say)(format_args!(
            "no ffmpeg on the path, using the PyPI package {}",
            FFMPEG_PACKAGE.trim()
        ));
        let python = self.venv("ffmpeg", FFMPEG_PACKAGE)?;
        let mut ask = Command::new(python);
        ask.args(["-c", "import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())"]);
        let executable = process::output(ask)?;
        let folder = self.target.join("tools");
        std::fs::create_dir_all(&folder)?;
        let link = folder.join("ffmpeg");
        if std::fs::read_link(&link).ok().as_deref() != Some(Path::new(executable.trim())) {
            let _ = std::fs::remove_file(&link);
            std::os::unix::fs::symlink(executable.trim(), &link)?;
        }
        Ok(format!("{}:{path}", folder.display()))
    }

    /// The `PATH` for tests, on which there is an `ffprobe` too: they hold what the platform makes and says against it, and the
    /// PyPI package has none.
    pub(crate) fn path_with_ffprobe(&self) -> Result<String> {
        let path = std::env::var("PATH").context("PATH is not set")?;
        if ["ffmpeg", "ffprobe"].into_iter().all(|program| on_path(program).is_some()) {
            return Ok(path);
        }
        if !is_root() || on_path("apt-get").is_none() {
            bail!(
                "the tests need ffmpeg and ffprobe: install ffmpeg, or run this as root where there is apt-get"
            );
        }
        (self.say)(format_args!("installing ffmpeg with apt-get"));
        apt_install("ffmpeg")?;
        on_path("ffprobe").context("apt-get installed no ffprobe")?;
        Ok(path)
    }

    /// The Python of a virtual environment under `target/venv/` that holds exactly `requirements`.
    pub(crate) fn venv(&self, name: &str, requirements: &str) -> Result<PathBuf> {
        let folder = self.target.join("venv").join(name);
        std::fs::create_dir_all(&folder)?;
        // Two runs at a time must not install into the same place.
        let lock = std::fs::File::create(folder.with_extension("lock"))?;
        lock.lock()?;
        let base = {
            let mut python = Command::new("python3");
            python.arg("--version");
            process::output(python).context("python3 is needed")?
        };
        let stamp = folder.join("installed.txt");
        let wanted = format!("{base}{requirements}");
        let python = folder.join("bin/python");
        let link = folder.display();
        if std::fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) && python.exists() {
            (self.say)(format_args!("Python packages in {link} are current"));
            return Ok(python);
        }
        (self.say)(format_args!("installing Python packages into {link}"));
        std::fs::remove_dir_all(&folder)?;
        self.create_venv(&folder)?;
        let file = folder.join("requirements.txt");
        std::fs::write(&file, requirements)?;
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]);
        pip.arg(&file);
        run("pip", pip)?;
        std::fs::write(stamp, wanted)?;
        Ok(python)
    }

    /// A folder under `target/npm/` with npm packages, named with their versions, in `node_modules`.
    pub(crate) fn npm(&self, name: &str, packages: &[&str]) -> Result<PathBuf> {
        let folder = self.target.join("npm").join(name);
        std::fs::create_dir_all(&folder)?;
        let lock = std::fs::File::create(folder.with_extension("lock"))?;
        lock.lock()?;
        let (stamp, wanted) = (folder.join("installed.txt"), packages.join(" "));
        if std::fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
            return Ok(folder);
        }
        (self.say)(format_args!("installing {wanted} into {}", folder.display()));
        let mut npm = Command::new("npm");
        npm.args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"]);
        npm.arg(&folder).args(packages);
        run("npm", npm)?;
        std::fs::write(stamp, wanted)?;
        Ok(folder)
    }

    /// Installs what the lock file in `folder` names, beside it.
    pub(crate) fn npm_ci(&self, folder: &Path) -> Result<()> {
        let wanted = std::fs::read_to_string(folder.join("package-lock.json"))?;
        let modules = folder.join("node_modules");
        let stamp = modules.join(".storycore-installed");
        let guard = self.target.join("npm");
        std::fs::create_dir_all(&guard)?;
        let lock = std::fs::File::create(guard.join("ci.lock"))?;
        lock.lock()?;
        if std::fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
            return Ok(());
        }
        (self.say)(format_args!("installing npm packages into {}", modules.display()));
        let mut npm = Command::new("npm");
        npm.args(["ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"]);
        npm.current_dir(folder);
        run("npm", npm)?;
        std::fs::write(stamp, wanted)?;
        Ok(())
    }

    /// A program from crates.io, built once into `target/tools/`.
    pub(crate) fn cargo_install(
        &self,
        name: &str,
        version: &str,
        features: &str,
    ) -> Result<PathBuf> {
        let folder = self.target.join("tools").join(format!("{name}-{version}"));
        std::fs::create_dir_all(&folder)?;
        let lock = std::fs::File::create(folder.with_extension("lock"))?;
        lock.lock()?;
        let program = folder.join("bin").join(name);
        if program.is_file() {
            return Ok(program);
        }
        (self.say)(format_args!(
            "building {name} {version} of crates.io into {}",
            folder.display()
        ));
        let mut cargo = process::cargo();
        cargo.args(["install", "--quiet", name, "--version", version, "--features", features]);
        cargo.arg("--root").arg(&folder);
        run("cargo install", cargo)?;
        Ok(program)
    }

    /// Other people's tus clients: the Python that has `tuspy`, and the folder that has `tus-js-client`.
    pub(crate) fn tus_clients(&self, root: &Path) -> Result<(PathBuf, PathBuf)> {
        let packages = std::fs::read_to_string(root.join("tests/interop/requirements.txt"))
            .context("tests/interop/requirements.txt")?;
        Ok((self.venv("interop", &packages)?, self.npm("interop", &TUS_OF_NPM)?))
    }

    /// Sees to a `redis-server` on the path, or says why there is none.
    pub(crate) fn redis(&self) -> Result<()> {
        if let Some(found) = on_path("redis-server") {
            (self.say)(format_args!("redis-server is {}", found.display()));
            return Ok(());
        }
        if !is_root() || on_path("apt-get").is_none() {
            bail!("redis-server is not on the path, and only root can install it");
        }
        (self.say)(format_args!("installing redis-server with apt-get"));
        apt_install("redis-server")?;
        on_path("redis-server").map(drop).context("apt-get installed no redis-server")
    }

    /// Whether a test may mount a disk of its own, by a real try; the mount is seen by nobody else and ends with the try.
    pub(crate) fn mounts(&self) -> Result<()> {
        let mut mount = Command::new("unshare");
        mount.args([
            "--map-root-user",
            "--mount",
            "mount",
            "-t",
            "tmpfs",
            "-o",
            "size=1m",
            "tmpfs",
        ]);
        let tried = mount.arg(std::env::temp_dir()).output().context("unshare is needed")?;
        if !tried.status.success() {
            let why = String::from_utf8_lossy(&tried.stderr);
            bail!("this system lets nobody mount: {}", why.trim());
        }
        Ok(())
    }

    /// Sees to Maven and a JDK on the path; Maven keeps what it fetches in the user's own repository.
    pub(crate) fn maven(&self) -> Result<()> {
        for (program, package) in [("javac", "default-jdk-headless"), ("mvn", "maven")] {
            if on_path(program).is_some() {
                continue;
            }
            if !is_root() || on_path("apt-get").is_none() {
                bail!("{program} is not on the path, and only root can install {package}");
            }
            (self.say)(format_args!("installing {package} with apt-get"));
            apt_install(package)?;
        }
        Ok(())
    }

    /// Makes a virtual environment. Debian keeps the module for it in a package of its own.
    fn create_venv(&self, folder: &Path) -> Result<()> {
        let create = || {
            let mut venv = Command::new("python3");
            venv.args(["-m", "venv"]).arg(folder);
            process::output(venv)
        };
        match create() {
            Ok(_) => Ok(()),
            Err(_) if is_root() && on_path("apt-get").is_some() => {
                (self.say)(format_args!("installing python3-venv with apt-get"));
                apt_install("python3-venv")?;
                create().map(drop)
            }
            Err(error) => Err(error.context("apt-get install python3-venv would help")),
        }
    }
}

/// Installs a package of Debian's, with lists that are current.
pub(crate) fn apt_install(package: &str) -> Result<()> {
    let mut update = Command::new("apt-get");
    update.args(["update", "--quiet"]);
    run("apt-get update", update)?;
    let mut install = Command::new("apt-get");
    install
        .args(["install", "--yes", "--quiet", "--no-install-recommends", package])
        .env("DEBIAN_FRONTEND", "noninteractive")
        // Debian starts a service that it installs, except in the rescue run level.
        .env("RUNLEVEL", "1");
    run("apt-get install", install)
}

/// Runs a command whose words matter only when it fails.
pub(crate) fn run(name: &str, command: Command) -> Result<()> {
    let mut said = String::new();
    let status = process::listen(command, INSTALL, |line| {
        said.push_str(line);
        said.push('\n');
    })?;
    if !status.success() {
        bail!("{name} failed ({status}):\n{said}");
    }
    Ok(())
}

/// Whether this runs as the user root.
pub(crate) fn is_root() -> bool {
    let mut id = Command::new("id");
    id.arg("-u");
    process::output(id).is_ok_and(|id| id.trim() == "0")
}

/// The program of that name that would be run.
pub(crate) fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}
