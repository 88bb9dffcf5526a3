//! What one can ask for, one file a resource. Each method is one request, typed; what they share is here.

mod api_keys;
mod assets;
mod events;
mod jobs;
mod projects;
mod webhooks;

pub use api_keys::ApiKeys;
pub use assets::Assets;
pub use events::Events;
pub use jobs::Jobs;
pub use projects::Projects;
pub use webhooks::Webhooks;

use http::Method;
use serde::{Serialize, de::DeserializeOwned};

#[cfg(feature = "rows")]
use crate::rows;
use crate::{
    client::Client,
    decode,
    error::Error,
    models::Deleted,
    options::RawResponse,
    platform::Resource,
    transport::{Request, below},
};

/// One resource of a client.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Endpoint<'a> {
    pub(crate) client: &'a Client,
    resource: Resource,
}

impl<'a> Endpoint<'a> {
    pub(crate) fn new(client: &'a Client, resource: Resource) -> Self {
        Self { client, resource }
    }

    /// The resource's own path.
    pub(crate) fn path(self) -> Result<String, Error> {
        self.client.platform().path(self.resource).map(str::to_owned)
    }

    /// The path of one object.
    pub(crate) fn object(self, id: &str) -> Result<String, Error> {
        below(self.client.platform().path(self.resource)?, id)
    }

    /// The path of something of one object.
    pub(crate) fn part(self, id: &str, part: &str) -> Result<String, Error> {
        Ok(format!("{}/{part}", self.object(id)?))
    }

    pub(crate) fn get<T: DeserializeOwned + 'static>(
        self,
        template: &'static str,
        path: Result<String, Error>,
    ) -> impl Future<Output = Result<T, Error>> + use<'a, T> {
        self.send(path.map(|path| Request::new(Method::GET, template, path).into()))
    }

    pub(crate) fn post<T: DeserializeOwned + 'static, B: Serialize>(
        self,
        template: &'static str,
        path: Result<String, Error>,
        body: &B,
    ) -> impl Future<Output = Result<T, Error>> + use<'a, T, B> {
        let request = path.and_then(|path| Request::new(Method::POST, template, path).json(body));
        self.send(request.map(Box::new))
    }

    /// A POST that says all in its path.
    pub(crate) fn post_empty<T: DeserializeOwned + 'static>(
        self,
        template: &'static str,
        path: Result<String, Error>,
    ) -> impl Future<Output = Result<T, Error>> + use<'a, T> {
        self.send(path.map(|path| Request::new(Method::POST, template, path).into()))
    }

    pub(crate) fn put<T: DeserializeOwned + 'static, B: Serialize>(
        self,
        template: &'static str,
        path: Result<String, Error>,
        body: &B,
    ) -> impl Future<Output = Result<T, Error>> + use<'a, T, B> {
        let request = path.and_then(|path| Request::new(Method::PUT, template, path).json(body));
        self.send(request.map(Box::new))
    }

    /// Deletes; an answer without a body tells the same as one with it.
    pub(crate) async fn delete(self, template: &'static str, id: &str) -> Result<Deleted, Error> {
        let answer =
            self.client.send(&Request::new(Method::DELETE, template, self.object(id)?)).await?;
        if answer.body.trim_ascii().is_empty() {
            return Ok(Deleted { id: id.to_owned(), deleted: true });
        }
        decode::answered(answer)
    }

    /// Sends what could be made into a request. Only the reading of the answer is compiled for each type. The request is on the
    /// heap: it is handed on several times.
    pub(crate) async fn send<T: DeserializeOwned + 'static>(
        self,
        request: Result<Box<Request>, Error>,
    ) -> Result<T, Error> {
        let answer = self.answer(request).await?;
        #[cfg(feature = "rows")]
        if let Some(rows) = self.client.options().rows() {
            return rows::answered(rows, answer);
        }
        decode::answered(answer)
    }

    async fn answer(self, request: Result<Box<Request>, Error>) -> Result<RawResponse, Error> {
        let request = request?;
        self.client.send(&request).await
    }
}
