//! The steps that are Swift: the package with the native library of this build, in Swift 6 with warnings as errors, its tests,
//! its conformance driver, its documentation and its examples. The compiler is in a root of its own (`root`).

mod package;
pub(crate) mod root;
pub(super) mod targets;

use std::{
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

use self::{package::Package, root::Root};
use super::Context;
use crate::{
    counts::Counts,
    process::{self, Reaped},
    workspace::{Workspace, check, tally, tally_lines},
};

const COMPILE: Duration = Duration::from_secs(20 * 60);
const TESTS: Duration = Duration::from_secs(20 * 60);

/// What builds, on every machine and with no warning left.
const STRICT: &str = "-Xswiftc -warnings-as-errors -Xlinker -L/package/lib";

/// The package, put together and compiled once for all steps.
pub(crate) struct Swift {
    pub(crate) root: Root,
    pub(crate) package: Package,
}

impl Swift {
    fn made(cx: &Context) -> Result<Self, Counts> {
        let failed =
            |what: &str, error: anyhow::Error| Counts::failed(format!("{what}: {error:#}"));
        let build = cx.build()?;
        let (Some(library), Some(bindgen)) =
            (build.libraries.get("storycore_mobile"), build.bins.get("storycore-bindgen"))
        else {
            return Err(Counts::failed(
                "swift: storycore-mobile or storycore-bindgen does not compile",
            ));
        };
        let root = Root::made(&cx.workspace.target)
            .map_err(|error| failed("set-up of Swift (or leave it out: --without swift)", error))?;
        let package = Package::assembled(&cx.workspace, "swift/package", library, bindgen)
            .map_err(|error| failed("the Swift package", error))?;
        Ok(Self { root, package })
    }

    /// A command inside the root, in the package.
    pub(crate) fn inside(&self, command: &str, environment: &[(String, String)]) -> Command {
        self.root.inside(&self.package.folder, command, environment)
    }

    /// A program of the package, which runs outside the root with the root's libraries.
    pub(crate) fn program(&self, profile: &str, name: &str) -> Vec<String> {
        self.root.outside(&self.package, profile, name)
    }
}

fn swift(cx: &Context) -> Result<&Swift, Counts> {
    cx.swift.get_or_init(|| Swift::made(cx)).as_ref().map_err(Clone::clone)
}

/// The package and everything beside it compiles.
pub(super) fn build(cx: &Context) -> Counts {
    let swift = match swift(cx) {
        Ok(swift) => swift,
        Err(counts) => return counts,
    };
    check("swift build", swift.inside(&format!("swift build --build-tests {STRICT}"), &[]), COMPILE)
}

/// Its tests, in Swift Testing, against a platform of this build.
pub(super) fn tests(cx: &Context) -> Counts {
    with_platform(cx, |swift, environment| {
        // Suites share counters of the library's: one after another.
        let run = swift.inside(&format!("swift test --no-parallel {STRICT}"), environment);
        tally_lines("swift test", run, TESTS, |tally, line| {
            as_ours(line).iter().for_each(|line| tally.line(line));
        })
    })
}

/// A line of Swift Testing's as our own runners would have it.
fn as_ours(line: &str) -> Vec<String> {
    let one = |passed: u8, failed: u8, skipped: u8| {
        format!("{passed} passed, {failed} failed, {skipped} skipped")
    };
    match line.split_once("Test ").map(|(_, rest)| rest) {
        // The sum of those before it.
        Some(rest) if rest.starts_with("run with ") => Vec::new(),
        Some(rest) if rest.contains(" passed after ") => vec![one(1, 0, 0)],
        Some(rest) if rest.contains(" failed after ") => {
            vec![format!("failed: {rest}"), one(0, 1, 0)]
        }
        Some(rest) if rest.contains(" skipped") => vec![format!("skipped: {rest}"), one(0, 0, 1)],
        _ => Vec::new(),
    }
}

/// The scenarios through the Swift client.
pub(super) fn conformance(cx: &Context) -> Counts {
    let (swift, environment) = match (swift(cx), cx.environment()) {
        (Ok(swift), Ok(environment)) => (swift, environment),
        (Err(counts), _) | (_, Err(counts)) => return counts,
    };
    let Some(runner) = cx.build().ok().and_then(|build| build.bins.get("conformance")) else {
        return Counts::failed("swift: the conformance runner does not compile");
    };
    let mut run = Command::new(runner);
    run.envs(environment.iter().cloned());
    let driver = swift.program("debug", "storycore-driver").join(" ");
    run.args(["--language", "swift", "--driver", &driver]);
    tally("conformance of Swift", run, TESTS)
}

/// What `docc` makes of the comments and the articles, without a warning.
pub(super) fn documentation(cx: &Context) -> Counts {
    let swift = match swift(cx) {
        Ok(swift) => swift,
        Err(counts) => return counts,
    };
    let dump = "
        rm -rf .build/symbols && mkdir -p .build/symbols &&
        swift package STRICT dump-symbol-graph --minimum-access-level public > .build/symbols.log 2>&1 || {
            cat .build/symbols.log; exit 1; }
        cp .build/*/symbolgraph/StoryCore.symbols.json .build/symbols/ &&
        /usr/libexec/swift/bin/docc convert Sources/StoryCore/StoryCore.docc --additional-symbol-graph-dir .build/symbols \\
            --output-path .build/docs --fallback-display-name StoryCore \\
            --fallback-bundle-identifier io.storycore --warnings-as-errors";
    check("docc", swift.inside(&dump.replace("STRICT", STRICT), &[]), COMPILE)
}

/// The README's first screen and the program that does the main job, against a platform of this build.
pub(super) fn examples(cx: &Context) -> Counts {
    let video = cx.workspace.target.join("swift/film.mp4");
    if let Err(error) = film(cx, &video) {
        return Counts::failed(format!("a film for the example: {error:#}"));
    }
    let mut counts = Counts::default();
    for (name, program, args) in [
        ("the README's example", "storycore-readme", Vec::new()),
        ("the command-line example", "storycore-sample", vec![video.display().to_string()]),
    ] {
        counts += with_platform(cx, |swift, environment| {
            let line = swift.program("debug", program);
            let mut run = Command::new(&line[0]);
            run.args(&line[1..]).args(&args).envs(environment.iter().cloned());
            run.current_dir(cx.workspace.target.join("swift"));
            check(name, run, TESTS)
        });
    }
    counts
}

/// The command line of Swift's side of `cargo xtask bench mobile`, compiled with a library that counts its calls.
pub(crate) fn bench(
    workspace: &Workspace,
    library: &std::path::Path,
    bindgen: &std::path::Path,
) -> Result<String> {
    let root = Root::made(&workspace.target)?;
    let package = Package::assembled(workspace, "swift/bench", library, bindgen)?;
    let swift = Swift { root, package };
    let build = format!("swift build -c release --product storycore-bench {STRICT}");
    // Standard output is the table's.
    process::output(swift.inside(&build, &[]))?;
    Ok(swift.program("release", "storycore-bench").join(" "))
}

/// A second of film.
fn film(cx: &Context, to: &PathBuf) -> Result<()> {
    if to.is_file() {
        return Ok(());
    }
    let environment = cx.environment().map_err(|counts| anyhow::anyhow!(counts.why.join(", ")))?;
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.envs(environment.iter().cloned());
    ffmpeg.args([
        "-v",
        "error",
        "-y",
        "-f",
        "lavfi",
        "-i",
        "testsrc=duration=1:size=320x240:rate=10",
    ]);
    ffmpeg.args(["-pix_fmt", "yuv420p"]).arg(to);
    process::output(ffmpeg)?;
    Ok(())
}

/// Runs something beside a platform in memory, which ends with it.
fn with_platform(cx: &Context, run: impl FnOnce(&Swift, &[(String, String)]) -> Counts) -> Counts {
    let (swift, environment) = match (swift(cx), cx.environment()) {
        (Ok(swift), Ok(environment)) => (swift, environment),
        (Err(counts), _) | (_, Err(counts)) => return counts,
    };
    let started = cx.build().map_err(|counts| anyhow::anyhow!(counts.why.join(", ")));
    let started = started.and_then(|build| {
        let storycore =
            build.bins.get("storycore").context("the storycore binary does not compile")?;
        platform(storycore, environment)
    });
    match started {
        Ok((_platform, mut settings)) => {
            // Inside the root it is a folder of the root's.
            settings.extend(environment.iter().filter(|(name, _)| name == super::STATE).cloned());
            run(swift, &settings)
        }
        Err(error) => Counts::failed(format!("swift: the platform: {error:#}")),
    }
}

/// A platform in memory, and the environment that leads to it.
pub(crate) fn platform(
    storycore: &std::path::Path,
    environment: &[(String, String)],
) -> Result<(Reaped, Vec<(String, String)>)> {
    let mut command = Command::new(storycore);
    command.args(["dev", "--listen", "127.0.0.1:0", "--in-memory", "--json"]);
    command.envs(environment.iter().cloned()).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut platform = Reaped(command.spawn()?);
    let stdout = platform.0.stdout.take().context("the platform has no output")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    let told: serde_json::Value =
        serde_json::from_str(&line).with_context(|| format!("the platform said {line:?}"))?;
    let (Some(url), Some(key)) = (told["url"].as_str(), told["api_key"].as_str()) else {
        bail!("the platform said {line:?}");
    };
    let settings = [("STORYCORE_BASE_URL", url), ("STORYCORE_API_KEY", key)];
    Ok((platform, settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counts::Tally;

    #[test]
    fn what_swift_testing_says_is_counted() {
        let lines = [
            "◇ Test run started.",
            "◇ Test one() started.",
            "✔ Test one() passed after 0.001 seconds.",
            "✘ Test \"two, in words\" failed after 0.1 seconds with 1 issue.",
            "➜ Test three() skipped: \"not here\"",
            "✔ Suite Lists passed after 0.001 seconds.",
            "✘ Test run with 3 tests failed after 0.2 seconds with 1 issue.",
        ];
        let mut tally = Tally::default();
        lines.iter().flat_map(|line| as_ours(line)).for_each(|line| tally.line(&line));
        let counts = tally.so_far();
        assert_eq!((counts.passed, counts.failed, counts.skipped), (1, 1, 1));
    }
}
