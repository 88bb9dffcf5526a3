//! What goes on by itself: the pages of a list, the events of a job. JavaScript asks for one thing after another.

use std::sync::Arc;

use futures_util::{FutureExt as _, future::BoxFuture};
use napi::Env;
use napi_derive::napi;
use serde::de::DeserializeOwned;
use storycore::{Pages, jobs::JobEvents, models::RawPage};
use storycore_shards::{self as shards, Begin, Place};
use tokio::sync::Mutex;
use tracing::{Instrument as _, Span};

use crate::{
    bridge::{Bridge, Outcome, Reply},
    client::{Call, NativeClient},
    failure::{Failure, without_nulls},
    operations,
};

/// Something that comes piece by piece.
pub(crate) trait Stream: Send {
    /// The next piece, or nothing at the end.
    fn next(&mut self) -> BoxFuture<'_, Outcome>;
}

/// What was opened, or why it cannot be; that is told with the first piece.
pub(crate) type Opened = Result<Box<dyn Stream>, Failure>;

impl<T: DeserializeOwned + Send + 'static> Stream for Pages<T> {
    /// `[how many objects of it are wanted, the page as it arrived]`.
    fn next(&mut self) -> BoxFuture<'_, Outcome> {
        async {
            let Some(page) = self.next_page().await? else { return Ok(Reply::Nothing) };
            let RawPage { json, wanted, keys_stand_once } = page.raw.ok_or_else(Failure::inside)?;
            let mut text = format!("[{wanted},").into_bytes();
            text.extend_from_slice(&json);
            text.push(b']');
            let json = text.into();
            Ok(if keys_stand_once { Reply::Columns(json) } else { Reply::Json(json) })
        }
        .boxed()
    }
}

impl Stream for JobEvents {
    fn next(&mut self) -> BoxFuture<'_, Outcome> {
        async {
            let Some(event) = self.next_event().await? else { return Ok(Reply::Nothing) };
            let job = without_nulls(serde_json::json!(event.job));
            let told = serde_json::json!({"id": event.id, "type": event.kind, "job": job});
            Ok(Reply::Text(told.to_string()))
        }
        .boxed()
    }
}

/// A stream, as JavaScript holds it.
#[napi]
pub struct NativeStream {
    /// Its connections are there.
    thread: usize,
    /// Nothing once it is closed.
    stream: Arc<Mutex<Option<Opened>>>,
    /// What it stands in, where its client has a logger.
    span: Span,
}

impl NativeStream {
    /// One of this client, whose connections are driven there.
    pub(crate) fn new(client: &NativeClient, place: &Place, stream: Opened) -> Self {
        let (thread, span) = (place.number(), client.span().clone());
        Self { thread, stream: Arc::new(Mutex::new(Some(stream))), span }
    }
}

#[napi]
impl NativeStream {
    /// Asks for the next piece.
    #[napi]
    pub fn next(&self, env: Env, bridge: &Bridge, id: u32) -> napi::Result<()> {
        let stream = Arc::clone(&self.stream);
        let work = async move {
            match &mut *stream.lock().await {
                Some(Ok(stream)) => stream.next().await,
                Some(Err(failure)) => Err(failure.clone()),
                None => Ok(Reply::Nothing),
            }
        };
        bridge.0.run(&env, id, Place::on(self.thread), work.instrument(self.span.clone()))
    }

    /// Ends it, and the requests that it has under way.
    #[napi]
    pub fn close(&self) {
        // What was asked for was taken back before; until that is done, the lock may be held.
        if let Ok(mut stream) = self.stream.try_lock() {
            *stream = None;
            return;
        }
        let stream = Arc::clone(&self.stream);
        let dropping = async move { *stream.lock().await = None };
        // Without a thread there is no connection either.
        let _ = shards::put(self.thread, Box::pin(dropping), Begin::There);
    }
}

#[napi]
impl NativeClient {
    /// Opens a stream by the number of its operation. Nothing is sent before its first piece is asked for.
    #[napi]
    pub fn open(
        &self,
        operation: u32,
        arguments: String,
        options: Option<String>,
    ) -> napi::Result<NativeStream> {
        let place = Place::choose();
        let opened = Call::new(self.on(&place)?, &arguments, options.as_deref())
            .and_then(|call| operations::open(operation, call));
        Ok(NativeStream::new(self, &place, opened))
    }
}
