//! An asset's bytes on their way out: one piece after another, when JavaScript asks for it.

use bytes::{Bytes, BytesMut};
use futures_util::{FutureExt as _, future::BoxFuture};
use napi_derive::napi;
use serde_json::json;
use storycore::{Client, download::ContentStream};
use storycore_shards::Place;

use crate::{
    bridge::{Outcome, Reply},
    client::{Call, NativeClient},
    failure::Failure,
    streams::{NativeStream, Stream},
};

/// What has arrived already is handed over together, up to so many bytes: each piece costs a turn of the event loop.
const ENOUGH: usize = 256 * 1024;

#[napi]
impl NativeClient {
    /// Opens an asset's content: `[id]`. Its first piece is `{size?, contentType?}`, the others are bytes.
    #[napi]
    pub fn open_content(
        &self,
        arguments: String,
        options: Option<String>,
    ) -> napi::Result<NativeStream> {
        let place = Place::choose();
        let opened =
            Call::new(self.on(&place)?, &arguments, options.as_deref()).and_then(|mut call| {
                let id: String = call.arguments.need("id")?;
                let closed = Content::Closed { client: call.client, id };
                Ok(Box::new(closed) as Box<dyn Stream>)
            });
        Ok(NativeStream::new(self, &place, opened))
    }
}

enum Content {
    Closed { client: Client, id: String },
    Open { stream: Box<ContentStream>, failed: Option<Failure> },
}

impl Stream for Content {
    fn next(&mut self) -> BoxFuture<'_, Outcome> {
        async {
            match self {
                Self::Closed { client, id } => {
                    let stream = client.media().content_stream(id).await?;
                    let mut head = serde_json::Map::new();
                    head.extend(stream.size().map(|size| ("size".to_owned(), json!(size))));
                    let kind = stream.content_type().map(|kind| json!(kind));
                    head.extend(kind.map(|kind| ("contentType".to_owned(), kind)));
                    *self = Self::Open { stream: Box::new(stream), failed: None };
                    Ok(Reply::Text(serde_json::Value::Object(head).to_string()))
                }
                Self::Open { failed: failed @ Some(_), .. } => {
                    failed.take().map_or(Ok(Reply::Nothing), Err)
                }
                Self::Open { stream, failed } => {
                    let Some(first) = stream.next_piece().await? else { return Ok(Reply::Nothing) };
                    Ok(Reply::Bytes(gathered(first, stream, failed)))
                }
            }
        }
        .boxed()
    }
}

/// The first piece, and with it what is there without waiting.
fn gathered(first: Bytes, stream: &mut ContentStream, failed: &mut Option<Failure>) -> Bytes {
    let mut all: Option<BytesMut> = None;
    while all.as_ref().map_or(first.len(), BytesMut::len) < ENOUGH {
        match stream.next_piece().now_or_never() {
            Some(Ok(Some(piece))) => {
                all.get_or_insert_with(|| BytesMut::from(&*first)).extend_from_slice(&piece);
            }
            Some(Err(error)) => {
                *failed = Some(error.into());
                break;
            }
            Some(Ok(None)) | None => break,
        }
    }
    all.map_or(first, BytesMut::freeze)
}
