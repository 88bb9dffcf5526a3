//! Uploads with their knobs, and the handles that steer them while they run.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, LazyLock, Mutex, PoisonError},
    time::Duration,
};

use futures_util::stream;
use serde_json::{Value, json};
use storycore::{
    Client, Error,
    models::UploadOptions,
    upload::{Journal, Progress, UploadControl, UploadSource},
};

static CONTROLS: LazyLock<Mutex<HashMap<String, UploadControl>>> = LazyLock::new(Mutex::default);

/// Bytes of a piece of a stream.
const PIECE: usize = 100_000;

/// What was told of the progress.
#[derive(Default)]
struct Told {
    all: Vec<Progress>,
}

/// Uploads the file at `path`: as such, or its bytes, or a stream of them.
pub(crate) async fn upload(client: &Client, args: &Value) -> Result<Value, Error> {
    let path = PathBuf::from(args["path"].as_str().unwrap_or_default());
    let read = || std::fs::read(&path).expect("the scenario wrote the file");
    let source = match args["source"].as_str() {
        Some("bytes") => UploadSource::bytes("film.bin", read()),
        Some("stream") => {
            let pieces: Vec<_> = read()
                .chunks(PIECE)
                .map(|piece| Ok(bytes::Bytes::copy_from_slice(piece)))
                .collect();
            UploadSource::stream("film.bin", stream::iter(pieces))
        }
        _ => UploadSource::from(path.clone()),
    };
    let journal = args["journal"].as_str().map_or(Journal::Off, |path| Journal::At(path.into()));
    let told: Arc<Mutex<Told>> = Arc::default();
    let notes = Arc::clone(&told);
    let mut upload = client
        .media()
        .prepare_upload(source, UploadOptions::new("document"))
        .journal(journal)
        .on_progress(move |progress| {
            let mut told = notes.lock().unwrap_or_else(PoisonError::into_inner);
            told.all.push(progress);
        });
    if let Some(kib) = args["chunk_kib"].as_u64() {
        upload = upload.chunk_size(kib * 1024);
    }
    if let Some(streams) = args["streams"].as_u64() {
        upload = upload.max_streams(usize::try_from(streams).unwrap_or(usize::MAX));
    }
    if let Some(ms) = args["stall_ms"].as_u64() {
        upload = upload.stall_timeout(Duration::from_millis(ms));
    }
    if let Some(name) = args["control"].as_str() {
        upload = upload.control(&control(name));
    }
    let uploaded = upload.send().await?;
    let told = told.lock().unwrap_or_else(PoisonError::into_inner);
    let last =
        told.all.last().map(|last| json!({"acknowledged": last.acknowledged, "total": last.total}));
    let shortest = told.all[..told.all.len().saturating_sub(1)]
        .windows(2)
        .map(|pair| pair[1].elapsed.saturating_sub(pair[0].elapsed).as_millis() as u64)
        .min();
    Ok(
        json!({"asset": uploaded.asset, "sent": uploaded.sent, "failures": uploaded.failures, "restarts": uploaded.restarts,
        "progress": {"last": last, "shortest_ms": shortest}}),
    )
}

/// Pauses, resumes or cancels the uploads that were given this handle.
pub(crate) fn steer(args: &Value) -> Value {
    let control = control(args["control"].as_str().unwrap_or_default());
    match args["say"].as_str().unwrap_or_default() {
        "pause" => control.pause(),
        "resume" => control.resume(),
        "cancel" => control.cancel(),
        other => panic!("an upload does not know how to {other}"),
    }
    Value::Null
}

fn control(name: &str) -> UploadControl {
    let mut controls = CONTROLS.lock().unwrap_or_else(PoisonError::into_inner);
    controls.entry(name.to_owned()).or_default().clone()
}
