//! What is not typed: any method and path, and the whole answer.

use std::sync::Arc;

use bytes::Bytes;

use crate::{client::Client, failure::Failure, given::Given, options::CallOptions};

/// A request that is not typed.
#[derive(uniffi::Record)]
pub struct RawRequest {
    /// `GET`, `POST` …
    pub method: String,
    /// Below the base URL, beginning with `/`.
    pub path: String,
    /// Query parameters.
    pub query: Vec<NameAndValue>,
    /// What is sent.
    pub body: RawBody,
}

/// What is sent.
#[derive(uniffi::Enum)]
pub enum RawBody {
    /// Nothing.
    None,
    /// JSON, as text.
    Json {
        /// The text.
        text: String,
    },
    /// Bytes. They are sent once: a request that fails with them is not tried again.
    Bytes {
        /// Their media type.
        content_type: String,
        /// The bytes.
        data: Vec<u8>,
    },
}

/// A name and its value.
#[derive(uniffi::Record)]
pub struct NameAndValue {
    /// The name.
    pub name: String,
    /// The value.
    pub value: String,
}

/// An answer as it came.
#[derive(uniffi::Record)]
pub struct RawResponse {
    /// The HTTP status.
    pub status: u16,
    /// Every header, in the order it came.
    pub headers: Vec<NameAndValue>,
    /// The platform's id of the request.
    pub request_id: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

#[uniffi::export]
impl Client {
    /// Sends a request that is not typed.
    pub async fn request(
        self: Arc<Self>,
        request: RawRequest,
        options: Option<CallOptions>,
    ) -> Result<Given<RawResponse>, Failure> {
        let RawRequest { method, path, query, body } = request;
        let send = move |client: storycore::Client| async move {
            let mut request = client.request(&method, &path);
            for NameAndValue { name, value } in query {
                request = request.query(&name, value);
            }
            request = match body {
                RawBody::None => request,
                RawBody::Json { text } => {
                    let json: serde_json::Value = serde_json::from_str(&text)
                        .map_err(|e| Failure::invalid("body", format!("it is no JSON: {e}")))?;
                    request.json(&json)
                }
                RawBody::Bytes { content_type, data } => {
                    let length = Some(data.len() as u64);
                    let one = futures_util::stream::iter([std::io::Result::Ok(Bytes::from(data))]);
                    request.stream(&content_type, length, one)
                }
            };
            let answer = request.send().await?;
            let headers = answer.headers.iter().map(|(name, value)| NameAndValue {
                name: name.to_string(),
                value: String::from_utf8_lossy(value.as_bytes()).into_owned(),
            });
            Ok(Given::of(RawResponse {
                status: answer.status,
                headers: headers.collect(),
                request_id: answer.request_id,
                body: answer.body.into(),
            }))
        };
        self.shared.long_call(options, send).await
    }
}
