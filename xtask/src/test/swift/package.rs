//! The Swift package as it is compiled: what is committed in `bindings-swift`, what uniffi generates from the library of this
//! build, the library, and the README's example, together in a folder under `target/`.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use crate::{process, workspace::Workspace};

const COPIED: [&str; 4] = ["Package.swift", "Sources", "Tests", "Examples/CommandLine"];

/// The package, ready to be compiled.
pub(crate) struct Package {
    pub(crate) folder: PathBuf,
}

impl Package {
    /// Puts it together. Files that are as they were keep their times, so that little is compiled anew.
    pub(crate) fn assembled(
        workspace: &Workspace,
        place: &str,
        library: &Path,
        bindgen: &Path,
    ) -> Result<Self> {
        let from = workspace.root.join("bindings-swift");
        let folder = workspace.target.join(place);
        let mut files = Vec::new();
        for name in COPIED {
            listed(&from, Path::new(name), &mut files)?;
        }
        let mut kept: Vec<PathBuf> = Vec::new();
        let mut put = |name: PathBuf, bytes: Vec<u8>| -> Result<()> {
            let to = folder.join(&name);
            kept.push(to.clone());
            if std::fs::read(&to).is_ok_and(|now| now == bytes) {
                return Ok(());
            }
            std::fs::create_dir_all(to.parent().context("a file stands in a folder")?)?;
            std::fs::write(&to, bytes).with_context(|| to.display().to_string())
        };
        for file in files {
            let bytes = std::fs::read(from.join(&file))?;
            put(file, bytes)?;
        }
        let generated = workspace.target.join(format!("{place}-generated"));
        std::fs::create_dir_all(&generated)?;
        let mut generate = Command::new(bindgen);
        generate.arg("swift").arg(library).arg(&generated);
        process::output(generate)?;
        let native = "Sources/StoryCoreNative/StoryCoreNative.swift";
        put(native.into(), std::fs::read(generated.join("StoryCoreNative.swift"))?)?;
        let header = "Sources/StoryCoreFFI/include/StoryCoreFFI/StoryCoreFFI.h";
        put(header.into(), std::fs::read(generated.join("StoryCoreFFI.h"))?)?;
        let readme = std::fs::read_to_string(from.join("README.md")).context("README.md")?;
        put("Tests/Readme/main.swift".into(), first_example(&readme)?.into_bytes())?;
        put("lib/libstorycore_mobile.so".into(), std::fs::read(library)?)?;
        for name in ["Sources", "Tests"] {
            without_others(&folder.join(name), &kept)?;
        }
        Ok(Self { folder })
    }
}

/// The files below a path, by their names in `from`.
fn listed(from: &Path, name: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let path = from.join(name);
    if path.is_file() {
        files.push(name.to_owned());
        return Ok(());
    }
    for entry in std::fs::read_dir(&path).with_context(|| path.display().to_string())? {
        listed(from, &name.join(entry?.file_name()), files)?;
    }
    Ok(())
}

/// Takes away what an earlier run put there and this one did not.
fn without_others(folder: &Path, kept: &[PathBuf]) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            without_others(&path, kept)?;
        } else if !kept.contains(&path) {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// The first example of a README, as a program.
fn first_example(readme: &str) -> Result<String> {
    let (_, behind) = readme.split_once("```swift\n").context("the README has no example")?;
    let (code, _) = behind.split_once("```").context("the README's example does not end")?;
    Ok(code.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_example_is_what_runs() {
        let readme = "# X\n```sh\nls\n```\n```swift\nimport StoryCore\n```\n```swift\nother\n```\n";
        assert_eq!(first_example(readme).unwrap(), "import StoryCore\n");
        assert!(first_example("# X").is_err());
    }
}
