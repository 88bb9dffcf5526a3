//! The Kotlin package as Maven builds it: the native library into its jar, what uniffi writes of it, and `bindings-kotlin`.
//! Tests and benchmarks share it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::process;
use crate::setup::Setup;
use crate::workspace::Workspace;

/// Where things are put, below the target folder.
pub(crate) struct Package {
    source: PathBuf,
    target: PathBuf,
}

impl Package {
    /// The package of the workspace at `root`, built below `target`.
    pub(crate) fn new(root: &Path, target: &Path) -> Self {
        Package { source: root.join("bindings-kotlin"), target: target.join("kotlin") }
    }

    /// Makes ready what Maven takes: the library that is put into the jar, and the Kotlin that `bindgen` writes of
    /// `described`, which has its symbols still.
    pub(crate) fn prepare(&self, bindgen: &Path, described: &Path, library: &Path) -> Result<()> {
        let generated = self.target.join("generated");
        std::fs::create_dir_all(&generated)?;
        let mut generate = Command::new(bindgen);
        generate.arg("kotlin").arg(described).arg(&generated);
        process::output(generate)?;
        let folder = self.natives();
        std::fs::create_dir_all(&folder)?;
        let name = library.file_name().context("a library has a name")?;
        std::fs::copy(library, folder.join(name))?;
        Ok(())
    }

    /// Where JNA looks for the library inside a jar: by system and processor.
    pub(crate) fn natives(&self) -> PathBuf {
        let system = if cfg!(target_os = "macos") { "darwin" } else { std::env::consts::OS };
        let processor = match std::env::consts::ARCH {
            "x86_64" => "x86-64",
            other => other,
        };
        self.target.join("native").join(format!("{system}-{processor}"))
    }

    /// Maven over the package, which must be installed.
    pub(crate) fn maven(&self, setup: &Setup, goals: &[&str]) -> Result<Command> {
        setup.maven()?;
        let mut maven = Command::new("mvn");
        maven.arg(format!("-Dstorycore.target={}", self.target.display())).args(goals);
        // Here Maven finds its settings in `.mvn`.
        maven.current_dir(&self.source);
        Ok(maven)
    }

    /// The words that start a class of `bindings-kotlin/tests`. Without spaces in any of them.
    pub(crate) fn java(&self, class: &str, options: &[&str]) -> Result<String> {
        self.java_over(&self.natives(), class, options)
    }

    /// The same over the library in another folder than the jar's.
    pub(crate) fn java_over(
        &self,
        natives: &Path,
        class: &str,
        options: &[&str],
    ) -> Result<String> {
        let folder = self.target.join("storycore-tests");
        let tests = folder.join("classes");
        let libraries = folder.join("lib/*");
        // Whoever is killed leaves what JNA took out of the jar: here, and emptied each time.
        let temporary = self.target.join("jna");
        let _ = std::fs::remove_dir_all(&temporary);
        std::fs::create_dir_all(&temporary)?;
        Ok(format!(
            "java {} -Djna.tmpdir={} -Djna.library.path={} -cp {}:{} {class}",
            options.join(" "),
            temporary.display(),
            natives.display(),
            tests.display(),
            libraries.display(),
        ))
    }
}

/// The command line of the bench's Kotlin side, over a library that counts its calls. It has a folder of its own beside what
/// the tests build.
pub(crate) fn bench(
    setup: &Setup,
    workspace: &Workspace,
    library: &Path,
    bindgen: &Path,
) -> Result<String> {
    let package = Package::new(&workspace.root, &workspace.target.join("bench"));
    package.prepare(bindgen, library, library)?;
    process::output(package.maven(setup, &["--quiet", "package", "-DskipTests"])?)?;
    // A heap that is full early, so that what grows is not the heap.
    package.java("io.storycore.bench.WorkerKt", &["-Xms64m", "-Xmx64m"])
}
