//! What is not typed: any method and path, with JSON, bytes or a stream, and the whole answer.

use std::sync::Arc;

use bytes::Bytes;
use napi::{
    Env,
    bindgen_prelude::{Either, Uint8Array},
};
use napi_derive::napi;
use serde_json::{Map, Value, json};
use storycore_shards::Place;

use super::feed::NativeFeed;
use crate::{
    bridge::{Bridge, Reply},
    client::{Call, NativeClient},
};

#[napi]
impl NativeClient {
    /// Sends a request: `[method, path, {query?, headers?, json?, contentType?, length?}]`, and beside it the bytes or the
    /// stream that is its body.
    #[napi]
    #[allow(clippy::too_many_arguments, reason = "an object would be taken apart field by field")]
    pub fn request(
        &self,
        env: Env,
        bridge: &Bridge,
        id: u32,
        arguments: String,
        body: Option<Either<&NativeFeed, Uint8Array>>,
        options: Option<String>,
    ) -> napi::Result<()> {
        let place = Place::choose();
        let client = self.on(&place)?.clone();
        let environment = Arc::clone(&bridge.0);
        let body = match body {
            None => None,
            Some(Either::A(feed)) => {
                let pieces = feed.pieces(&environment, id).map_err(|failure| failure.thrown())?;
                Some((None, Either::A(pieces)))
            }
            Some(Either::B(bytes)) => {
                let bytes = Bytes::copy_from_slice(&bytes);
                Some((Some(bytes.len() as u64), Either::B(bytes)))
            }
        };
        let work = async move {
            let mut call = Call::new(&client, &arguments, options.as_deref())?;
            let method: String = call.arguments.need("method")?;
            let path: String = call.arguments.need("path")?;
            let mut given = call.arguments.fields("options")?;
            let mut request = call.client.request(&method, &path);
            if let Some(query) = given.inner("query")? {
                for (name, value) in query.texts()? {
                    request = request.query(&name, value);
                }
            }
            if let Some(json) = given.take::<Value>("json")? {
                request = request.json(&json);
            }
            let kind: Option<String> = given.take("contentType")?;
            let length: Option<u64> = given.take("length")?;
            given.end()?;
            if let Some((known, body)) = body {
                let kind = kind.as_deref().unwrap_or("application/octet-stream");
                request = match body {
                    Either::A(pieces) => request.stream(kind, length, pieces),
                    Either::B(bytes) => {
                        let one = futures_util::stream::iter([std::io::Result::Ok(bytes)]);
                        request.stream(kind, known, one)
                    }
                };
            }
            let answer = request.send().await?;
            let mut headers = Map::new();
            for (name, value) in &answer.headers {
                let value = String::from_utf8_lossy(value.as_bytes());
                match headers.get_mut(name.as_str()) {
                    // As `Headers` of the Fetch standard joins them.
                    Some(Value::String(before)) => {
                        before.push_str(", ");
                        before.push_str(&value);
                    }
                    _ => drop(headers.insert(name.to_string(), value.into())),
                }
            }
            let head = json!({
                "status": answer.status, "headers": headers, "requestId": answer.request_id,
            });
            Ok(Reply::Answer(head.to_string(), answer.body))
        };
        bridge.0.run(&env, id, place, self.seen(work))
    }
}
