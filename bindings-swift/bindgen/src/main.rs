//! `storycore-bindgen swift|kotlin|kotlin-android LIBRARY FOLDER`: writes what uniffi generates from the mobile library (unstripped, shared)
//! into a folder. Both are changed afterwards: Swift's, in `swift`, so that cancelling a `Task` ends the call; Kotlin's, in `kotlin`,
//! so that a call takes less time.

mod change;
mod kotlin;
mod swift;

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail, ensure};
use camino::{Utf8Path, Utf8PathBuf};
use uniffi_bindgen::bindings::{
    GenerateOptions, SwiftBindingsOptions, TargetLanguage, generate, generate_swift_bindings,
};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The one place where it speaks.
            #[allow(clippy::print_stderr, reason = "it is a program's error")]
            {
                eprintln!("storycore-bindgen: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> Result<()> {
    let [language, library, folder] = args else {
        bail!("storycore-bindgen swift|kotlin|kotlin-android LIBRARY FOLDER");
    };
    let (source, out_dir) = (Utf8PathBuf::from(library), Utf8PathBuf::from(folder));
    let config = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("../mobile/uniffi.toml");
    match language.as_str() {
        "kotlin" => write_kotlin(source, out_dir, config),
        "kotlin-android" => {
            // The same with Android's own cleaner, which the JVM does not have.
            let text = std::fs::read_to_string(&config)?;
            let heading = "[crates.storycore_mobile.bindings.kotlin]\n";
            ensure!(text.contains(heading), "{config} has no {heading}");
            let changed = out_dir.join("uniffi.toml");
            std::fs::create_dir_all(&out_dir)?;
            std::fs::write(&changed, text.replace(heading, &format!("{heading}android = true\n")))?;
            write_kotlin(source, out_dir, changed)
        }
        "swift" => {
            generate_swift_bindings(SwiftBindingsOptions {
                generate_swift_sources: true,
                generate_headers: true,
                // Ours is in the package: the generated one asks for Darwin, which Linux has not.
                generate_modulemap: false,
                source,
                out_dir: out_dir.clone(),
                xcframework: false,
                module_name: None,
                modulemap_filename: None,
                metadata_no_deps: true,
                link_frameworks: Vec::new(),
                config: Some(config),
            })?;
            let file = out_dir.join("StoryCoreNative.swift");
            let text = std::fs::read_to_string(&file).with_context(|| file.to_string())?;
            std::fs::write(&file, swift::cancellable(&text)?)?;
            Ok(())
        }
        other => bail!("there is no {other}; there are swift, kotlin and kotlin-android"),
    }
}

fn write_kotlin(source: Utf8PathBuf, out_dir: Utf8PathBuf, config: Utf8PathBuf) -> Result<()> {
    let file = out_dir.join("io/storycore/ffi/storycore_mobile.kt");
    generate(GenerateOptions {
        languages: vec![TargetLanguage::Kotlin],
        source,
        out_dir,
        config_override: Some(config),
        ..GenerateOptions::default()
    })?;
    let text = std::fs::read_to_string(&file).with_context(|| file.to_string())?;
    std::fs::write(&file, kotlin::lean(&text)?)?;
    Ok(())
}
