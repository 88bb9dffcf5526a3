//! `cargo xtask bindings`: reads the public models and resources of `sdk-core` into one form (`form.rs`), writes that to
//! `spec/sdk.json`, and has each language's writer make plain code of it. `--check` writes nothing and fails when what is
//! committed is not what would be written.
//!
//! A further language is a further module beside `python`, with one function from the form to files, and a line in `files`.

mod docs;
mod form;
mod kotlin;
mod mobile;
mod names;
mod node;
mod operations;
mod python;
mod read_errors;
mod read_models;
mod read_resources;
mod swift;
mod types;

use std::{
    collections::BTreeMap,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};

use anyhow::{Context as _, Result, bail};
use syn::Item;

use self::form::Sdk;
use crate::workspace::Workspace;

/// What is written, by its path in the repository.
type Files = BTreeMap<PathBuf, String>;

pub(crate) fn run(args: &[String]) -> Result<ExitCode> {
    let only_check = match args {
        [] => false,
        [flag] if flag == "--check" => true,
        [other, ..] => bail!("there is no {other}; there is --check"),
    };
    let root = Workspace::load()?.root;
    if only_check {
        let stale = stale(&root)?;
        for file in &stale {
            println!("stale: {}", file.display());
        }
        return Ok(if stale.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    for (path, text) in files(&root)? {
        let path = root.join(path);
        if std::fs::read_to_string(&path).is_ok_and(|now| now == text) {
            continue;
        }
        println!("writing {}", path.display());
        std::fs::create_dir_all(path.parent().context("a file stands in a folder")?)?;
        std::fs::write(path, text)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The generated files that are not what would be written now.
pub(crate) fn stale(root: &Path) -> Result<Vec<PathBuf>> {
    let mut stale = Vec::new();
    for (path, text) in files(root)? {
        if std::fs::read_to_string(root.join(&path)).ok().as_deref() != Some(&text) {
            stale.push(path);
        }
    }
    Ok(stale)
}

/// Every generated file.
fn files(root: &Path) -> Result<Files> {
    let sdk = read(root)?;
    let mut files = Files::new();
    files.insert("spec/sdk.json".into(), serde_json::to_string_pretty(&sdk)? + "\n");
    files.insert("docs/operations.md".into(), operations::page(&sdk));
    python::write(&sdk, &mut files)?;
    node::write(&sdk, &mut files)?;
    mobile::write(&sdk, &mut files)?;
    swift::write(&sdk, &mut files)?;
    kotlin::write(&sdk, &mut files)?;
    for (path, text) in &mut files {
        if path.extension().is_some_and(|extension| extension == "rs") {
            *text = formatted(root, text).with_context(|| path.display().to_string())?;
        }
    }
    Ok(files)
}

fn read(root: &Path) -> Result<Sdk> {
    let core = root.join("sdk-core/src");
    let models = read_models::read(&core.join("models"))?;
    let resources = read_resources::read(&core.join("resources"), &models.models, &models.known)?;
    Ok(Sdk {
        accessors: read_resources::accessors(&core.join("client.rs"), &resources)?,
        errors: read_errors::read(&core.join("error/kind.rs"))?,
        enums: models.enums,
        models: models.models,
        list_params: models.list_params,
        resources,
    })
}

/// The items of each file of a folder, by the file's name without its ending.
fn read_files(folder: &Path) -> Result<BTreeMap<String, Vec<Item>>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path)?;
        let parsed = syn::parse_file(&text).with_context(|| path.display().to_string())?;
        files.insert(name, parsed.items);
    }
    Ok(files)
}

/// Rust code as `cargo fmt` would have it.
fn formatted(root: &Path, text: &str) -> Result<String> {
    let mut rustfmt = Command::new("rustfmt")
        .args(["--edition", "2024", "--config-path"])
        .arg(root.join("rustfmt.toml"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("rustfmt is needed")?;
    let mut stdin = rustfmt.stdin.take().context("rustfmt has an input")?;
    let given = text.to_owned();
    // From another thread: rustfmt may answer before it has read all.
    let writer = std::thread::spawn(move || stdin.write_all(given.as_bytes()));
    let output = rustfmt.wait_with_output()?;
    if writer.join().is_err() || !output.status.success() {
        bail!("rustfmt refused what was generated:\n{text}");
    }
    Ok(String::from_utf8(output.stdout)?)
}
