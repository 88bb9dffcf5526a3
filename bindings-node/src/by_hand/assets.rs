//! Uploads of one file, and downloads into one.

use std::sync::Arc;

use napi::{
    Env,
    bindgen_prelude::{Either3, Uint8Array},
};
use napi_derive::napi;
use serde_json::json;
use storycore::upload::{Progress, UploadControl};
use storycore_shards::Place;

use super::{
    feed::{NativeFeed, Source},
    upload_options::Settings,
};
use crate::{
    bridge::{Bridge, Reply},
    client::{Call, NativeClient},
    failure::milliseconds,
};

/// The handle that pauses, resumes and cancels an upload.
#[napi]
pub struct NativeControl(pub(super) UploadControl);

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
        let source = Source::read(source, &environment, id).map_err(|failure| failure.thrown())?;
        let work = async move {
            let mut call = Call::new(&client, &arguments, options.as_deref())?;
            let mut settings = Settings::read(call.arguments.fields("options")?, control)?;
            let source = source.named(settings.file_name.take())?;
            let (described, knobs) = settings.split();
            let mut upload = knobs.on(call.client.media().prepare_upload(source, described));
            if tells {
                upload = upload.on_progress(move |now| {
                    environment.tell(id, &told(now).to_string());
                });
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
        };
        bridge.0.run(&env, id, place, self.seen(work))
    }

    /// Downloads into a file: `[id, path, {maxStreams?}]`.
    #[napi]
    pub fn download(
        &self,
        env: Env,
        bridge: &Bridge,
        id: u32,
        arguments: String,
        options: Option<String>,
    ) -> napi::Result<()> {
        let place = Place::choose();
        let client = self.on(&place)?.clone();
        let work = async move {
            let mut call = Call::new(&client, &arguments, options.as_deref())?;
            let asset: String = call.arguments.need("id")?;
            let to: String = call.arguments.need("to")?;
            let mut given = call.arguments.fields("options")?;
            let mut download = call.client.media().prepare_download(&asset, to);
            if let Some(streams) = given.take("maxStreams")? {
                download = download.max_streams(streams);
            }
            given.end()?;
            let asset = download.send().await?;
            Ok(Reply::Json(call.object_of(&asset.id, &asset)))
        };
        bridge.0.run(&env, id, place, self.seen(work))
    }
}

/// Progress, as JavaScript reads it.
pub(super) fn told(now: Progress) -> serde_json::Value {
    let mut told = json!({
        "sent": now.sent, "acknowledged": now.acknowledged, "total": now.total, "rate": now.rate,
        "elapsed": milliseconds(now.elapsed),
    });
    if let Some(time) = now.time_left {
        told["timeLeft"] = milliseconds(time);
    }
    told
}
