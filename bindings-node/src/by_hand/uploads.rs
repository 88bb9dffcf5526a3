//! Many uploads side by side: one result after another, as they end. They go on by themselves while JavaScript is busy with
//! what it was given.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{FutureExt as _, future::BoxFuture};
use napi::bindgen_prelude::{Either3, Uint8Array};
use napi_derive::napi;
use serde_json::{json, value::RawValue};
use storycore::upload::{UploadAll, UploadControl, UploadSource, UploadedFile};
use storycore_shards::Place;
use tokio::{sync::mpsc, task::JoinHandle};
use tracing::Instrument as _;

use super::{
    assets::{NativeControl, told},
    feed::{NativeFeed, Source},
    upload_options::Settings,
};
use crate::{
    bridge::{Bridge, Environment, Outcome, Reply},
    client::{Call, NativeClient},
    failure::{Failure, without_nulls},
    fields::Arguments,
    streams::{NativeStream, Stream},
};

/// What is to be uploaded, put together one by one.
#[napi]
#[derive(Default)]
pub struct NativeSources(Mutex<Vec<Result<Given, Failure>>>);

/// A source, and its media type where it knows that.
type Given = (UploadSource, Option<String>);

#[napi]
impl NativeSources {
    #[napi(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one: `[fileName?]`, and its media type where it has one. A stream asks for its pieces by telling `listener`.
    #[napi]
    pub fn add(
        &self,
        bridge: &Bridge,
        source: Either3<String, &NativeFeed, Uint8Array>,
        arguments: String,
        content_type: Option<String>,
        listener: u32,
    ) {
        let source = Source::read(source, &bridge.0, listener);
        let source =
            source.and_then(|source| source.named(Arguments::parse(&arguments).may("fileName")?));
        self.lock().push(source.map(|source| (source, content_type)));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Result<Given, Failure>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[napi]
impl NativeClient {
    /// Uploads all of `sources`: `[{type?, …, chunkSize?, …, atOnce?}]`. Pieces of the stream are `{index, asset, …}` or
    /// `{index, error}`; progress is told to `listener`, where there is one.
    #[napi]
    pub fn upload_all(
        &self,
        bridge: &Bridge,
        sources: &NativeSources,
        arguments: String,
        control: Option<&NativeControl>,
        listener: Option<u32>,
        options: Option<String>,
    ) -> napi::Result<NativeStream> {
        let place = Place::choose();
        let sources = std::mem::take(&mut *sources.lock());
        let told = listener.map(|number| (Arc::clone(&bridge.0), number));
        let control = control.map(|control| control.0.clone());
        let opened = Call::new(self.on(&place)?, &arguments, options.as_deref())
            .and_then(|call| prepared(call, sources, control, told));
        let stream =
            opened.map(|uploads| Box::new(Uploads::Waiting(Box::new(uploads))) as Box<dyn Stream>);
        Ok(NativeStream::new(self, &place, stream))
    }
}

fn prepared(
    mut call: Call,
    sources: Vec<Result<Given, Failure>>,
    control: Option<UploadControl>,
    listener: Option<(Arc<Environment>, u32)>,
) -> Result<UploadAll, Failure> {
    let sources = sources.into_iter().collect::<Result<Vec<_>, _>>()?;
    let (sources, types): (Vec<_>, Vec<_>) = sources.into_iter().unzip();
    let mut given = call.arguments.fields("options")?;
    let at_once: Option<usize> = given.take("atOnce")?;
    let (described, knobs) = Settings::read(given, control)?.split();
    let mut uploads = call.client.media().upload_all(sources, described).content_types(types);
    uploads = uploads.each(move |upload| knobs.on(upload));
    if let Some(files) = at_once {
        uploads = uploads.at_once(files);
    }
    if let Some((environment, number)) = listener {
        uploads = uploads.on_progress(move |now| {
            let files = json!({
                "files": now.files, "filesDone": now.files_done, "filesFailed": now.files_failed,
                "bytes": told(now.bytes),
            });
            environment.tell(number, &files.to_string());
        });
    }
    Ok(uploads)
}

/// The results, by the task that does the uploads; it begins with the first that is asked for.
enum Uploads {
    Waiting(Box<UploadAll>),
    Running(Running),
    Begun,
}

/// The task, which ends with whoever holds this, and its results.
struct Running {
    results: mpsc::UnboundedReceiver<String>,
    work: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.work.abort();
    }
}

impl Stream for Uploads {
    fn next(&mut self) -> BoxFuture<'_, Outcome> {
        async move {
            if let Self::Waiting(_) = self
                && let Self::Waiting(mut uploads) = std::mem::replace(self, Self::Begun)
            {
                // Not bounded: a result a file, each of some hundred bytes.
                let (sender, results) = mpsc::unbounded_channel();
                let work = tokio::spawn(
                    async move {
                        while let Some(file) = uploads.next().await {
                            if sender.send(ended(file)).is_err() {
                                return;
                            }
                        }
                    }
                    .in_current_span(),
                );
                *self = Self::Running(Running { results, work });
            }
            match self {
                Self::Running(running) => {
                    Ok(running.results.recv().await.map_or(Reply::Nothing, Reply::Text))
                }
                _ => Ok(Reply::Nothing),
            }
        }
        .boxed()
    }
}

fn ended(file: UploadedFile) -> String {
    match file.result {
        Ok(done) => json!({
            "index": file.index,
            "asset": without_nulls(json!(done.asset)),
            "sent": done.sent,
            "failures": done.failures,
            "restarts": done.restarts,
        }),
        Err(error) => {
            // Every field, as of a call that fails.
            let error = RawValue::from_string(Failure::from(error).to_json());
            json!({"index": file.index, "error": error.ok()})
        }
    }
    .to_string()
}
