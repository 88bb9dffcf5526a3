//! A download piece by piece, for whoever passes it on: nothing is kept, nothing is read before it is asked for. A
//! connection that breaks is taken up where it was.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};

use super::{
    content::{Content, Stop, strong_etag},
    piece,
};
use crate::{
    client::Client,
    error::{Error, ErrorKind},
    transport::{Response, backoff},
};

/// Times that a broken connection is taken up without a byte having come since.
const MOST_RESUMPTIONS: u32 = 5;

/// The bytes of an asset as they arrive, made by [`media().content_stream`](crate::resources::Assets::content_stream).
/// Dropping it ends the request. The bytes are those that the platform has from the first to the last, or an error; whoever
/// wants them compared with the asset's `sha256` hashes them, or lets [`Download`](super::Download) do it.
///
/// ```no_run
/// # async fn run(client: storycore::Client) -> Result<(), storycore::Error> {
/// let mut content = client.media().content_stream("ast_1").await?;
/// while let Some(piece) = content.next_piece().await? {
///     println!("{} bytes of {:?}", piece.len(), content.size());
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "nothing is read before next_piece() is awaited"]
pub struct ContentStream {
    client: Client,
    path: String,
    content_type: Option<String>,
    size: Option<u64>,
    etag: Option<HeaderValue>,
    /// What was given out.
    at: u64,
    /// Nothing where it broke, or has ended.
    response: Option<Response>,
    is_over: bool,
}

impl ContentStream {
    pub(crate) async fn open(client: Client, path: String) -> Result<Self, Error> {
        let content = Content { client: &client, path: path.clone(), size: None };
        let response = content.ask(None, None).await.map_err(not_the_same)?;
        let headers = response.headers();
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        // Of what is packed for the way, the length says nothing of the content.
        let size = match text(header::CONTENT_ENCODING) {
            None => text(header::CONTENT_LENGTH).and_then(|length| length.parse().ok()),
            Some(_) => None,
        };
        let content_type = text(header::CONTENT_TYPE).map(str::to_owned);
        let etag = strong_etag(headers);
        let response = Some(response);
        Ok(Self { client, path, content_type, size, etag, at: 0, response, is_over: false })
    }

    /// How many bytes there are, where the platform says so.
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// Their media type, where the platform says it.
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// The next piece, of whatever length it has; nothing at the end, or after an error. Dropping the future loses nothing.
    ///
    /// # Errors
    /// `connection` and `timeout` when it broke and could not be taken up, `upload` when the content became another one
    /// meanwhile, and as every call.
    pub async fn next_piece(&mut self) -> Result<Option<Bytes>, Error> {
        if self.is_over {
            return Ok(None);
        }
        let read = self.read().await;
        if !matches!(read, Ok(Some(_))) {
            (self.is_over, self.response) = (true, None);
        }
        read
    }

    async fn read(&mut self) -> Result<Option<Bytes>, Error> {
        let mut resumptions = 0;
        loop {
            let error = match self.once().await {
                Ok(piece) => return Ok(piece),
                Err(error) => error,
            };
            self.response = None;
            resumptions += 1;
            let passes = matches!(error.kind(), ErrorKind::Connection | ErrorKind::Timeout);
            // Without a name of the content nothing says that the rest would be of the same.
            let can_go_on = self.etag.is_some() || self.at == 0;
            if !passes || !can_go_on || resumptions > MOST_RESUMPTIONS {
                return Err(error);
            }
            tracing::debug!(%error, at = self.at, "taking the download up again");
            if resumptions > 1 {
                let delay = backoff::delay(resumptions - 2, false, rand::random(), None);
                tokio::time::sleep(delay).await;
            }
        }
    }

    async fn once(&mut self) -> Result<Option<Bytes>, Error> {
        if self.response.is_none() {
            // It broke after the last byte.
            if self.size == Some(self.at) {
                return Ok(None);
            }
            self.response = Some(self.rest().await?);
        }
        let response = self.response.as_mut().expect("it was put there");
        let read = piece(response).await?;
        let left = self.size.map(|size| size.saturating_sub(self.at));
        match (&read, left) {
            (Some(piece), Some(left)) if piece.len() as u64 > left => Err(changed()),
            (None, Some(1..)) => {
                let early = "the download broke: its body ended early";
                Err(Error::new(ErrorKind::Connection, early))
            }
            (piece, _) => {
                self.at += piece.as_ref().map_or(0, |piece| piece.len() as u64);
                Ok(read)
            }
        }
    }

    /// The answer with what is missing.
    async fn rest(&self) -> Result<Response, Error> {
        let (client, path) = (&self.client, self.path.clone());
        let content = Content { client, path, size: self.size };
        if self.at == 0 {
            let response = content.ask(None, None).await.map_err(not_the_same)?;
            let is_same = |headers: &HeaderMap| strong_etag(headers) == self.etag;
            return if is_same(response.headers()) { Ok(response) } else { Err(changed()) };
        }
        let range = self.at..self.size.unwrap_or(u64::MAX);
        let asked = content.ask(Some(&range), self.etag.as_ref()).await;
        let response = asked.map_err(not_the_same)?;
        if response.status().as_u16() == 206 { Ok(response) } else { Err(changed()) }
    }
}

fn not_the_same(stop: Stop) -> Error {
    match stop {
        Stop::Failed(error) | Stop::Broken(error) => error,
        Stop::Changed => changed(),
    }
}

fn changed() -> Error {
    Error::upload("the content became another one while it was downloaded: download it again")
}
