//! `--targets`: the mobile crate is checked for Android and iOS, for which the machine's Rust need not have a standard library:
//! Debian's Rust compiles that from its sources, in the root. Rust alone is checked: nothing is linked, and the C of SQLite and
//! ring is not compiled, for want of the NDK's and Apple's headers.

use std::{os::unix::fs::PermissionsExt as _, path::Path, process::Command, time::Duration};

use anyhow::{Context as _, Result};

use super::root::Root;
use crate::{counts::Counts, process, setup, test::Context, workspace};

const CHECK: Duration = Duration::from_secs(30 * 60);

/// Debian's Rust for browsers' sources: the one in a stable Debian that is as new as this workspace asks.
const PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];

/// The standard library's sources in the root.
const STD: &str = "/usr/lib/rustlib/src/rust/library/Cargo.toml";

/// Stands for a C compiler of the target's: each object is an empty file, which is enough where nothing is linked. `-E` and
/// `-?` are how the `cc` crate asks what it is.
const NO_C: &str = "\
#!/bin/sh
while [ $# -gt 0 ]; do
    case $1 in
    -E) echo '#pragma message \"clang\"' ;;
    '-?') exit 1 ;;
    -o) shift && : > \"$1\" ;;
    esac
    shift
done
";

/// `cargo check` of the mobile crate for `target`.
pub(in crate::test) fn check(cx: &Context, target: &str) -> Counts {
    match command(cx, target) {
        Ok(command) => {
            println!(
                "-- Rust alone: C is not compiled (empty objects stand for it), nothing is linked"
            );
            workspace::check(&format!("cargo check --target {target}"), command, CHECK)
        }
        Err(error) => Counts::failed(format!("set-up of the check for {target}: {error:#}")),
    }
}

/// The check as a command in the root, with everything there that it needs: it does not use the network.
fn command(cx: &Context, target: &str) -> Result<Command> {
    let root = Root::made(&cx.workspace.target)?;
    root.install(&PACKAGES)?;
    let std = root.path(STD);
    fetch(&cx.workspace.root.join("Cargo.toml"), target).context("the crates")?;
    fetch(&std, target).context("the standard library's crates")?;
    let folder = cx.workspace.target.join("swift/targets");
    stand_in(&folder.join("no-c")).context("the stand-in for a C compiler")?;
    let home = process::cargo_home()?;
    let folders = [
        (cx.workspace.root.as_path(), "/package"),
        (home.as_path(), "/cargo"),
        (folder.as_path(), "/target"),
    ];
    let check = format!(
        "cargo check --offline --locked --package storycore-mobile --target {target} \
         -Z build-std=std,panic_unwind -Z warnings"
    );
    Ok(root.with_folders(&folders, &check, &environment(target)))
}

/// Gets the crates that a check for `target` compiles, from where cargo has them on this machine.
fn fetch(manifest: &Path, target: &str) -> Result<()> {
    let mut cargo = process::cargo();
    cargo.args(["fetch", "--locked", "--manifest-path"]).arg(manifest);
    // Build scripts and macros are for this machine.
    let this = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    cargo.args(["--target", target, "--target", &this]);
    // The standard library's own manifest has what only a nightly cargo reads otherwise.
    cargo.env("RUSTC_BOOTSTRAP", "1");
    setup::run("cargo fetch", cargo)
}

fn environment(target: &str) -> Vec<(String, String)> {
    let triple = target.replace('-', "_");
    [
        ("CARGO_HOME", "/cargo"),
        ("CARGO_TARGET_DIR", "/target"),
        ("RUSTC_BOOTSTRAP", "1"),
        // What is used everywhere but on a phone is dead there, and a warning.
        ("CARGO_BUILD_WARNINGS", "deny"),
        (&format!("CC_{triple}"), "/target/no-c/cc"),
        (&format!("AR_{triple}"), "/usr/bin/ar"),
        // An Apple SDK is asked for, and not opened; the release is that of Package.swift.
        ("SDKROOT", "/target/no-c"),
        ("IPHONEOS_DEPLOYMENT_TARGET", "16.0"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// Writes the stand-in for a C compiler.
fn stand_in(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    let program = folder.join("cc");
    std::fs::write(&program, NO_C)?;
    std::fs::set_permissions(program, std::fs::Permissions::from_mode(0o755))?;
    Ok(())
}
