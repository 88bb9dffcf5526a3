//! Files that a scenario uploads: of any size, each salt another one, and changed where the scenario says so.

use std::{io, path::Path};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::scenario::FileStep;

/// Writes the file that a step describes into `folder`, and tells of it.
pub(crate) fn write(folder: &Path, step: &FileStep) -> io::Result<Value> {
    let mut bytes = Vec::new();
    let mut state = step.salt.wrapping_mul(2).wrapping_add(1);
    while (bytes.len() as u64) < step.kib * 1024 {
        // A generator of Knuth's (MMIX); nothing of it repeats in a file.
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    if let Some(kib) = step.flip_at_kib {
        let at = usize::try_from(kib * 1024).unwrap_or(usize::MAX);
        let byte = bytes.get_mut(at).ok_or_else(|| io::Error::other("it is shorter than that"))?;
        *byte ^= 1;
    }
    let path = folder.join(&step.name);
    std::fs::write(&path, &bytes)?;
    let sha256 =
        Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    Ok(json!({"path": path.to_string_lossy(), "size": bytes.len(), "sha256": sha256}))
}

/// A multipart form of `fields` and a small file, between lines of `boundary`.
pub(crate) fn form(boundary: &str, fields: Option<&Value>) -> String {
    let mut form = String::new();
    for (name, value) in fields.and_then(Value::as_object).into_iter().flatten() {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        form.push_str(&format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        ));
    }
    form.push_str(&format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\nContent-Type: text/plain\r\n\r\nsome text\r\n--{boundary}--\r\n"
    ));
    form
}
