//! Uploads: from a path, from bytes, and from a stream that JavaScript reads. JavaScript is asked for a piece when there is
//! room for it, so that a fast stream waits for a slow network and memory stays flat.

use std::{
    io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use futures_util::stream;
use napi::{
    Env,
    bindgen_prelude::{Either3, Uint8Array},
};
use napi_derive::napi;
use serde_json::json;
use storycore::{
    models::UploadOptions,
    upload::{Journal, Progress, UploadControl, UploadSource},
};
use tokio::sync::mpsc;

use crate::{
    bridge::{Bridge, Environment, Reply, shards::Place},
    client::{Call, NativeClient},
    failure::{Failure, milliseconds},
};

type Piece = io::Result<Bytes>;

/// A stream that JavaScript feeds.
#[napi]
pub struct NativeFeed {
    sender: Mutex<Option<mpsc::UnboundedSender<Piece>>>,
    receiver: Mutex<Option<mpsc::UnboundedReceiver<Piece>>>,
}

#[napi]
impl NativeFeed {
    #[napi(constructor)]
    #[allow(clippy::new_without_default, reason = "it is JavaScript's constructor")]
    pub fn new() -> Self {
        // Not bounded: nothing is pushed that was not asked for.
        let (sender, receiver) = mpsc::unbounded_channel();
        Self { sender: Mutex::new(Some(sender)), receiver: Mutex::new(Some(receiver)) }
    }

    /// Gives the next piece. It is copied, because its owner may write into it again.
    #[napi]
    pub fn push(&self, piece: &[u8]) {
        self.send(Ok(Bytes::copy_from_slice(piece)));
    }

    /// Says that reading failed.
    #[napi]
    pub fn fail(&self, message: String) {
        self.send(Err(io::Error::other(message)));
        self.end();
    }

    /// Says that there are no more.
    #[napi]
    pub fn end(&self) {
        *self.sender.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn send(&self, piece: Piece) {
        if let Some(sender) = &*self.sender.lock().unwrap_or_else(PoisonError::into_inner) {
            // Nobody reads it any more: its upload has ended.
            let _ = sender.send(piece);
        }
    }

    /// The pieces. Each is asked for while the one before is sent.
    pub(crate) fn pieces(
        &self,
        environment: &Arc<Environment>,
        id: u32,
    ) -> Result<impl futures_util::Stream<Item = Piece> + Send + 'static + use<>, Failure> {
        let receiver = self.receiver.lock().unwrap_or_else(PoisonError::into_inner).take();
        let receiver = receiver.ok_or_else(|| Failure::config("a stream can be sent once only"))?;
        let environment = Arc::clone(environment);
        let ask = move || environment.tell(id, "\"more\"");
        Ok(stream::unfold((receiver, ask, false), |(mut receiver, ask, asked)| async move {
            if !asked {
                ask();
            }
            let piece = receiver.recv().await?;
            ask();
            Some((piece, (receiver, ask, true)))
        }))
    }
}

/// The handle that pauses, resumes and cancels an upload.
#[napi]
pub struct NativeControl(UploadControl);

#[napi]
impl NativeControl {
    #[napi(constructor)]
    #[allow(clippy::new_without_default, reason = "it is JavaScript's constructor")]
    pub fn new() -> Self {
        Self(UploadControl::new())
    }

    /// Stops the requests; what arrived is kept.
    #[napi]
    pub fn pause(&self) {
        self.0.pause();
    }

    /// Goes on.
    #[napi]
    pub fn resume(&self) {
        self.0.resume();
    }

    /// Ends the upload, and takes back what the platform has of it.
    #[napi]
    pub fn cancel(&self) {
        self.0.cancel();
    }
}

#[napi]
impl NativeClient {
    /// Uploads: `[{fileName, type, …, journal?, chunkSize?, …}]`. It ends with `[asset, {sent, failures, restarts}]`; with
    /// `tells` it tells of its progress.
    #[napi]
    #[allow(clippy::too_many_arguments, reason = "an object would be taken apart field by field")]
    pub fn upload(
        &self,
        env: Env,
        bridge: &Bridge,
        id: u32,
        source: Either3<String, &NativeFeed, Uint8Array>,
        arguments: String,
        control: Option<&NativeControl>,
        tells: bool,
        options: Option<String>,
    ) -> napi::Result<()> {
        let place = Place::choose();
        let client = self.on(&place)?.clone();
        let control = control.map(|control| control.0.clone());
        let environment = Arc::clone(&bridge.0);
        let source = match source {
            Either3::A(path) => Source::Path(path.into()),
            Either3::B(feed) => {
                let pieces = feed.pieces(&environment, id).map_err(|failure| failure.thrown())?;
                Source::Stream(Box::pin(pieces))
            }
            Either3::C(bytes) => Source::Bytes(Bytes::copy_from_slice(&bytes)),
        };
        bridge.0.run(&env, id, place, async move {
            let mut call = Call::new(&client, &arguments, options.as_deref())?;
            let mut given = call.arguments.fields("options")?;
            let file_name: Option<String> = given.take("fileName")?;
            let source = source.named(file_name)?;
            let kind: Option<String> = given.take("type")?;
            let kind =
                kind.unwrap_or_else(|| UploadOptions::kind_of(&source.file_name()).to_owned());
            let mut described = UploadOptions::new(kind);
            described.name = given.take("name")?;
            described.description = given.take("description")?;
            described.project_id = given.take("project_id")?;
            described.content_type = given.take("content_type")?;
            let mut upload = call.client.media().prepare_upload(source, described);
            if let Some(bytes) = given.take("chunkSize")? {
                upload = upload.chunk_size(bytes);
            }
            if let Some(streams) = given.take("maxStreams")? {
                upload = upload.max_streams(streams);
            }
            if let Some(bytes) = given.take("multipartBelow")? {
                upload = upload.multipart_below(bytes);
            }
            if let Some(send) = given.take("chunkChecksums")? {
                upload = upload.chunk_checksums(send);
            }
            if let Some(failures) = given.take("uploadRetries")? {
                upload = upload.retries(failures);
            }
            if let Some(time) = given.time("stallTimeout")? {
                upload = upload.stall_timeout(time);
            }
            match given.take::<serde_json::Value>("journal")? {
                None | Some(serde_json::Value::Bool(true)) => {}
                Some(serde_json::Value::Bool(false)) => upload = upload.journal(Journal::Off),
                Some(serde_json::Value::String(path)) => {
                    upload = upload.journal(Journal::At(path.into()));
                }
                Some(_) => {
                    let message = "`journal` must be a path, or false for none";
                    return Err(Failure::invalid("journal", message));
                }
            }
            given.end()?;
            if let Some(control) = &control {
                upload = upload.control(control);
            }
            if tells {
                upload = upload.on_progress(move |now| environment.tell(id, &told(now)));
            }
            let done = upload.send().await?;
            let asset = call.object_of(&done.asset.id, &done.asset);
            let report = json!({
                "sent": done.sent, "failures": done.failures, "restarts": done.restarts,
            });
            let mut text = b"[".to_vec();
            text.extend_from_slice(&asset);
            text.extend_from_slice(format!(",{report}]").as_bytes());
            Ok(Reply::Json(text.into()))
        })
    }
}

/// Where the bytes come from, before they have a name.
enum Source {
    Path(PathBuf),
    Bytes(Bytes),
    Stream(std::pin::Pin<Box<dyn futures_util::Stream<Item = Piece> + Send>>),
}

impl Source {
    fn named(self, name: Option<String>) -> Result<UploadSource, Failure> {
        let needed = |name: Option<String>| {
            let message = "bytes and streams need a `fileName`";
            name.ok_or_else(|| Failure::invalid("fileName", message))
        };
        Ok(match self {
            Self::Path(_) if name.is_some() => {
                let message = "a path has a file name: give `name` for another one";
                return Err(Failure::invalid("fileName", message));
            }
            Self::Path(path) => UploadSource::Path(path),
            Self::Bytes(bytes) => UploadSource::bytes(needed(name)?, bytes),
            Self::Stream(pieces) => UploadSource::stream(needed(name)?, pieces),
        })
    }
}

fn told(now: Progress) -> String {
    let mut told = json!({
        "sent": now.sent, "acknowledged": now.acknowledged, "total": now.total, "rate": now.rate,
    });
    if let Some(time) = now.time_left {
        told["timeLeft"] = milliseconds(time);
    }
    told.to_string()
}
