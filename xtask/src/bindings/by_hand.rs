//! The methods that stream from files, take callbacks or have options of their own: no writer makes them. What each is called
//! in each language stands here, or why it is left out, and that it is there is looked up in the sources that declare it.

use std::path::Path;

use anyhow::{Context as _, Result, bail};

/// The languages, and the files that declare what is written by hand in each.
pub(crate) const LANGUAGES: [(&str, &[&str]); 4] = [
    ("Python", &["bindings-python/python/storycore/_by_hand.pyi"]),
    ("JavaScript", &["bindings-node/lib/by_hand.d.ts"]),
    (
        "Swift",
        &[
            "bindings-swift/Sources/StoryCore/Uploads.swift",
            "bindings-swift/Sources/StoryCore/UploadOptions.swift",
            "bindings-swift/Sources/StoryCore/Downloads.swift",
            "bindings-swift/Sources/StoryCore/Waiting.swift",
        ],
    ),
    (
        "Kotlin",
        &[
            "bindings-kotlin/sdk/src/main/kotlin/io/storycore/resources/AssetsByHand.kt",
            "bindings-kotlin/sdk/src/main/kotlin/io/storycore/resources/JobsByHand.kt",
        ],
    ),
];

/// A method of the Rust client, and what it is in the other languages, in their order.
pub(crate) struct ByHand {
    /// Its resource and its name.
    pub(crate) method: &'static str,
    pub(crate) names: [Name; LANGUAGES.len()],
}

/// What a method is in one language.
pub(crate) enum Name {
    /// How it is called, and what declares it: texts of the sources, white space aside.
    Is(&'static str, &'static [&'static str]),
    /// Why it is left out.
    Not(&'static str),
}

use Name::{Is, Not};

const PASSED_ON: &str = "bytes are passed on by servers, in Rust and JavaScript; `download` writes a file, `content` gives up to 64 MiB";
const BY_TASKS: &str =
    "an app uploads its few files by as many tasks; each tells of its own progress";

pub(crate) const ALL: [ByHand; 8] = [
    ByHand {
        method: "Assets.upload",
        names: [
            Is(
                "upload(file_path)",
                &["class Assets: def upload(", "class AsyncAssets: async def upload("],
            ),
            Is("upload(source)", &["upload(source: UploadSource, options?: UploadOptions)"]),
            Is("upload(source)", &["public func upload("]),
            Is("upload(path)", &["public suspend fun upload("]),
        ],
    },
    ByHand {
        method: "Assets.upload_all",
        names: [
            Is(
                "upload_all(file_paths)",
                &[
                    "def upload_all(",
                    "-> Iterator[UploadedFile]:",
                    "-> AsyncIterator[UploadedFile]:",
                ],
            ),
            Is("uploadAll(sources)", &["uploadAll( sources: Iterable"]),
            Not(BY_TASKS),
            Not(BY_TASKS),
        ],
    },
    ByHand {
        method: "Assets.upload_with_progress",
        names: [
            Is("upload(…, progress=…)", &["progress: Callable[[Progress], object] | None"]),
            Is("upload(…, { onProgress })", &["onProgress?: ((progress: UploadProgress) => void)"]),
            Is(
                "upload(…) { now in … }, uploading(…)",
                &["onProgress: (@Sendable (UploadProgress) -> Void)?", "public func uploading("],
            ),
            Is(
                "upload(…) { … }, uploading(…)",
                &["onProgress: ((UploadProgress) -> Unit)?", "public fun uploading("],
            ),
        ],
    },
    ByHand {
        method: "Assets.prepare_upload",
        names: [
            Is(
                "upload(…, chunk_size=…)",
                &["chunk_size: int | None", "control: UploadControl | None"],
            ),
            Is(
                "uploadReport(source, { chunkSize })",
                &["uploadReport(source", "chunkSize?: number"],
            ),
            Is(
                "uploadReport(…, options: .init(chunkSize: …))",
                &["public func uploadReport(", "public var chunkSize: Int?"],
            ),
            Is(
                "uploadReport(…, tuning = UploadTuning(…))",
                &["public suspend fun uploadReport(", "tuning: UploadTuning"],
            ),
        ],
    },
    ByHand {
        method: "Assets.prepare_download",
        names: [
            Is(
                "prepare_download(id, to, max_streams=…)",
                &[
                    "max_streams: int | None = None) -> Download:",
                    "max_streams: int | None = None) -> AsyncDownload:",
                ],
            ),
            Is(
                "download(id, to, { maxStreams })",
                &["download(id: string, to: string | URL, options?: DownloadOptions)"],
            ),
            Is("download(id, to:, maxStreams:)", &["_ id: String, to: URL, maxStreams: Int"]),
            Is(
                "download(id, to, maxStreams)",
                &["fun download(id: String, to: Path, maxStreams: Int"],
            ),
        ],
    },
    ByHand {
        method: "Assets.content_stream",
        names: [
            Not(PASSED_ON),
            Is("contentStream(id)", &["contentStream(id: string"]),
            Not(PASSED_ON),
            Not(PASSED_ON),
        ],
    },
    ByHand {
        method: "Jobs.wait",
        names: [
            Is("wait(id)", &["class Jobs: def wait(", "class AsyncJobs: async def wait("]),
            Is("wait(id)", &["wait(id: string, options?: WaitOptions)"]),
            Is("wait(id)", &["public func wait( _ id: String"]),
            Is("wait(id)", &["public suspend fun wait( id: String"]),
        ],
    },
    ByHand {
        method: "Jobs.wait_with",
        names: [
            Is(
                "wait(id, timeout=…, on_progress=…)",
                &["on_progress: Callable[[Job], object] | None"],
            ),
            Is("wait(id, { timeout, onProgress })", &["onProgress?: ((job: Job) => void)"]),
            Is("wait(id, timeout:) { job in … }", &["onProgress: (@Sendable (Job) -> Void)?"]),
            Is(
                "wait(id, timeout) { … }",
                &["timeout: Duration? = null", "onProgress: ((Job) -> Unit)?"],
            ),
        ],
    },
];

/// What is said of a method: its names, and where it is left out.
pub(crate) fn told(method: &str) -> Option<String> {
    let of = ALL.iter().find(|of| of.method == method)?;
    let (mut names, mut left_out) = (Vec::new(), Vec::<(&str, Vec<&str>)>::new());
    for ((language, _), name) in LANGUAGES.iter().zip(&of.names) {
        match name {
            Is(name, _) => names.push(format!("{language} `{name}`")),
            Not(why) => match left_out.iter_mut().find(|(reason, _)| reason == why) {
                Some((_, of)) => of.push(language),
                None => left_out.push((why, vec![language])),
            },
        }
    }
    let mut told = format!("By hand: {}.", names.join(", "));
    for (why, languages) in left_out {
        told += &format!(" Not in {}: {why}.", languages.join(" and "));
    }
    Some(told.replace('|', "\\|"))
}

/// Sees that each method is declared where it is said to be.
pub(crate) fn check(root: &Path) -> Result<()> {
    let mut sources = Vec::new();
    for (_, files) in LANGUAGES {
        let mut text = String::new();
        for file in files {
            text += &std::fs::read_to_string(root.join(file)).context(*file)?;
        }
        sources.push(text);
    }
    let missing = missing(&sources);
    if !missing.is_empty() {
        bail!(
            "xtask/src/bindings/by_hand.rs and what is written by hand differ:\n{}",
            missing.join("\n")
        );
    }
    Ok(())
}

/// What is said to be there, and is not in the sources, a text a language.
fn missing(sources: &[String]) -> Vec<String> {
    let mut missing = Vec::new();
    for (number, ((language, files), source)) in LANGUAGES.iter().zip(sources).enumerate() {
        let source = plain(source);
        for of in &ALL {
            let Is(_, declared) = &of.names[number] else { continue };
            missing.extend(declared.iter().filter(|text| !source.contains(&plain(text))).map(
                |text| {
                    format!(
                        "{}: {language} declares no `{}` in {}",
                        of.method,
                        text.trim(),
                        files.join(", ")
                    )
                },
            ));
        }
    }
    missing
}

/// Without differences of white space.
fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_language_has_lost_is_named() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        check(&root).unwrap();
        let mut sources: Vec<String> = LANGUAGES
            .iter()
            .map(|(_, files)| {
                files.iter().map(|file| std::fs::read_to_string(root.join(file)).unwrap()).collect()
            })
            .collect();
        assert_eq!(missing(&sources), [""; 0]);
        sources[0] = sources[0].replace("    def wait(", "    def await_(");
        sources[1] = sources[1].replace("uploadAll(", "sendAll(");
        sources[3] = sources[3].replace("maxStreams: Int", "streams: Int");
        let missing = missing(&sources);
        assert_eq!(missing.len(), 3, "{missing:?}");
        assert!(missing[0].contains("Jobs.wait: Python declares no `class Jobs: def wait("));
        assert!(missing[1].contains("Assets.upload_all: JavaScript declares no `uploadAll("));
        assert!(missing[2].contains("Assets.prepare_download: Kotlin"));
    }
}
