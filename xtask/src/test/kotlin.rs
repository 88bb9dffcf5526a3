//! The steps that are Kotlin: the tests of the package and its sample, KDoc on what is public, and the conformance scenarios
//! through it, with the native library of this build.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::Context;
use crate::counts::Counts;
use crate::kotlin::Package;
use crate::workspace::{Build, tally};

const TESTS: Duration = Duration::from_secs(20 * 60);

/// What writes, reads, changes and cleans the journal, an upload that is broken off and taken up included.
const WRITTEN_DOWN: [&str; 5] = [
    "a_stopped_upload_continues_where_it_was",
    "a_file_that_became_another_is_never_mixed",
    "a_small_file_whose_answer_was_lost_is_one_asset",
    "one_file_is_not_uploaded_twice_at_a_time",
    "an_upload_that_the_platform_lost_is_begun_anew_and_told",
];

/// A function of SQLite's that an app's has not.
const WHOLE: &[u8] = b"json_extract";

fn package(cx: &Context) -> Package {
    Package::new(&cx.workspace.root, &cx.workspace.target)
}

/// Builds the package and runs its tests, against the platform of this build.
pub(super) fn tests(cx: &Context) -> Counts {
    let (environment, build) = match (cx.environment(), cx.build()) {
        (Ok(environment), Ok(build)) => (environment, build),
        (Err(counts), _) | (_, Err(counts)) => return counts,
    };
    let (Some(library), Some(bindgen), Some(storycore)) = (
        build.libraries.get("storycore_mobile"),
        build.bins.get("storycore-bindgen"),
        build.bins.get("storycore"),
    ) else {
        return Counts::failed(
            "kotlin: storycore-mobile, storycore-bindgen or storycore-cli does not compile",
        );
    };
    let package = package(cx);
    let prepared = package.prepare(bindgen, library, library);
    let maven = prepared.and_then(|()| package.maven(&cx.setup, &["package"]));
    let mut maven = match maven {
        Ok(maven) => maven,
        Err(error) => return Counts::failed(format!("set-up of kotlin: {error:#}")),
    };
    maven.envs(environment.iter().cloned()).env("STORYCORE_CLI", storycore);
    tally("kotlin", maven, TESTS)
}

/// Whatever is public has its KDoc: what the compiler does not ask for.
pub(super) fn documentation(cx: &Context) -> Counts {
    let folder = cx.workspace.root.join("bindings-kotlin/sdk/src/main/kotlin");
    match undocumented(&folder) {
        Ok(bare) if bare.is_empty() => Counts::passed(),
        Ok(bare) => Counts::failed(format!("without KDoc: {}", bare.join(", "))),
        Err(error) => Counts::failed(format!("KDoc: {error:#}")),
    }
}

/// The public declarations in a folder of Kotlin that have no KDoc, by file and line.
fn undocumented(folder: &Path) -> Result<Vec<String>> {
    let mut bare = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path: PathBuf = entry?.path();
        if path.is_dir() {
            bare.extend(undocumented(&path)?);
        } else if path.extension().is_some_and(|ending| ending == "kt") {
            let text = std::fs::read_to_string(&path)?;
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            bare.extend(bare_lines(&text).into_iter().map(|line| format!("{name}:{line}")));
        }
    }
    Ok(bare)
}

/// The lines, from 1, with a public declaration that has no KDoc above it. What a class takes may be told in the class's own.
fn bare_lines(text: &str) -> Vec<usize> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let mut bare = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(declared) = line.strip_prefix("public ") else { continue };
        let above = lines[..at].iter().rev().find(|line| !line.starts_with('@'));
        if above.is_some_and(|line| line.ends_with("*/")) {
            continue;
        }
        let param = declared
            .strip_prefix("val ")
            .and_then(|rest| rest.split_once(':'))
            .map(|(name, _)| format!("* @param {name} "));
        let told = lines[..at].iter().rev().take_while(|line| !line.starts_with("/**"));
        if !param.is_some_and(|param| told.into_iter().any(|line| line.starts_with(&param))) {
            bare.push(at + 1);
        }
    }
    bare
}

/// The scenarios through the Kotlin client.
pub(super) fn conformance(cx: &Context) -> Counts {
    scenarios(cx, &package(cx).natives(), &[])
}

/// Those in which an upload is written down, over a library whose SQLite has only the parts that an app's has.
pub(super) fn journal(cx: &Context) -> Counts {
    match with_apps_sqlite(cx) {
        Ok(library) => match library.parent() {
            Some(folder) => {
                let mut counts = scenarios(cx, folder, &WRITTEN_DOWN);
                counts += killed(cx, folder);
                counts
            }
            None => Counts::failed("kotlin: the library is in no folder"),
        },
        Err(error) => Counts::failed(format!("kotlin: a library with an app's SQLite: {error:#}")),
    }
}

/// The library with the C of one for an app, in a target folder of its own; its Rust is optimised in the long form alone, which
/// takes minutes.
fn with_apps_sqlite(cx: &Context) -> Result<PathBuf> {
    let folder = cx.workspace.target.join("kotlin/app").display().to_string();
    let profile = if cx.is_long { "mobile-bench" } else { "dev" };
    let how = ["--config", "bindings-swift/mobile/size.toml", "--target-dir", &folder];
    let how = [&how[..], &["--profile", profile, "--features", "conformance"]].concat();
    let library = Build::library(&cx.workspace, "storycore-mobile", "storycore_mobile", &how)?;
    let bytes = std::fs::read(&library).with_context(|| library.display().to_string())?;
    let is_whole = bytes.windows(WHOLE.len()).any(|bytes| bytes == WHOLE);
    anyhow::ensure!(!is_whole, "its SQLite is a whole one: was size.toml not read?");
    Ok(library)
}

/// An app that is killed in the middle of an upload.
fn killed(cx: &Context, natives: &Path) -> Counts {
    let (environment, build) = match (cx.environment(), cx.build()) {
        (Ok(environment), Ok(build)) => (environment, build),
        (Err(counts), _) | (_, Err(counts)) => return counts,
    };
    let java = package(cx).java_over(natives, "io.storycore.testing.KilledKt", &[]);
    let (Ok(java), Some(storycore)) = (java, build.bins.get("storycore")) else {
        return Counts::failed("kotlin: set-up of an app that is killed");
    };
    let mut words = java.split(' ').filter(|word| !word.is_empty());
    let mut run = Command::new(words.next().unwrap_or_default());
    run.args(words).envs(environment.iter().cloned()).env("STORYCORE_CLI", storycore);
    tally("an app that is killed", run, TESTS)
}

fn scenarios(cx: &Context, natives: &Path, names: &[&str]) -> Counts {
    let (environment, build) = match (cx.environment(), cx.build()) {
        (Ok(environment), Ok(build)) => (environment, build),
        (Err(counts), _) | (_, Err(counts)) => return counts,
    };
    let Some(runner) = build.bins.get("conformance") else {
        return Counts::failed("kotlin: the conformance runner does not compile");
    };
    // A driver lives for one scenario: it is to begin quickly, and need not become fast.
    let options = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];
    let driver = package(cx).java_over(natives, "io.storycore.conformance.DriverKt", &options);
    let driver = match driver {
        Ok(driver) => driver,
        Err(error) => return Counts::failed(format!("set-up of kotlin: {error:#}")),
    };
    let mut run = Command::new(runner);
    run.args(["--language", "kotlin", "--driver", &driver]).args(names);
    run.envs(environment.iter().cloned());
    tally("conformance of kotlin", run, TESTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str) -> String {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../bindings-kotlin");
        std::fs::read_to_string(root.join(name)).unwrap()
    }

    /// What stands between two texts.
    fn between<'a>(text: &'a str, before: &str, behind: &str) -> &'a str {
        let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("there is no {before}"));
        rest.split_once(behind).unwrap().0
    }

    #[test]
    fn the_gradle_module_has_the_versions_of_the_maven_build() {
        let (maven, settings) = (read("pom.xml"), read("android/settings.gradle.kts"));
        let module = read("android/library/build.gradle.kts");
        let pinned = |name: &str| between(&maven, &format!("<{name}.version>"), "<").to_owned();
        for (gradle, before, version) in [
            (&settings, "org.jetbrains.kotlin.android\") version \"", pinned("kotlin")),
            (&module, "kotlinx-coroutines-android:", pinned("coroutines")),
            (&module, "kotlinx-serialization-json:", pinned("serialization")),
            (&module, "net.java.dev.jna:jna:", pinned("jna") + "@aar"),
            (&module, "version = \"", between(&maven, "<version>", "<").to_owned()),
        ] {
            assert_eq!(between(gradle, before, "\""), version, "{before}");
        }
    }

    #[test]
    fn an_app_can_include_the_gradle_module() {
        let code: String = read("android/library/build.gradle.kts")
            .lines()
            .filter(|line| !line.starts_with("//"))
            .collect();
        // The app's own folder, and versions beside the app's own, which Gradle refuses.
        assert!(!code.contains("rootDir") && !code.contains("rootProject"), "{code}");
        assert!(!between(&code, "plugins {", "}").contains("version"), "{code}");
        let folder =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../bindings-kotlin/android/library");
        let paths: Vec<&str> = code.split('"').filter(|text| text.starts_with("../")).collect();
        assert_eq!(paths.len(), 3, "{paths:?}");
        for path in paths {
            let target = folder.join("../../../target");
            // What is built is there once it is built, and what it is built in is this repository.
            let is_there = folder.join(path).exists() || folder.join(path).starts_with(&target);
            assert!(is_there, "{path}");
        }
    }

    #[test]
    fn what_has_no_kdoc_is_found() {
        let text = "/** A. */\n@JvmField\npublic val a = 1\n\npublic fun b() {}\n\n\
            /**\n * C.\n *\n * @param d D.\n */\npublic class C(\n    public val d: Int,\n    public val e: Int,\n)\n";
        assert_eq!(bare_lines(text), [5, 14]);
    }
}
