//! `Exceptions.kt`: one class a kind of error, and the way from what uniffi throws to it.

use super::{FOLDER, file, words};
use crate::bindings::{Files, form::Sdk};

const KNOWN: [&str; 1] = ["io.storycore.ffi.FailureDetails"];

pub(super) fn write(sdk: &Sdk, files: &mut Files) {
    let mut body = String::new();
    let mut arms = String::new();
    for error in &sdk.errors {
        let class = words::exception(&error.name);
        body += "\n";
        body += &words::documented(&[&error.doc], "");
        body += &format!(
            "public class {class} internal constructor(details: FailureDetails) : StoryCoreException(details)\n"
        );
        arms += &format!("    \"{}\" -> {class}(this)\n", error.kind);
    }
    body += &format!(
        "\n/** The exception of this kind; of one that has no class here, the root of all. */\n\
        internal fun FailureDetails.exception(): StoryCoreException = when (kind) {{\n{arms}    else -> StoryCoreException(this)\n}}\n"
    );
    let text = file("error.rs", "io.storycore", &KNOWN, &body);
    files.insert(format!("{FOLDER}/Exceptions.kt").into(), text);
}
