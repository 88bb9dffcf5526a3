//! API keys.

use http::Method;
use serde_json::json;

use super::Endpoint;
use crate::{
    client::Client,
    error::Error,
    list::{self, Items, Pages},
    models::{ApiKey, ApiKeyUsage, CreatedApiKey, Deleted, ListParams, NewApiKey, Page},
    platform::Resource,
    transport::Request,
};

const ALL: &str = "/api-keys";
const ONE: &str = "/api-keys/{id}";

/// API keys: what opens the platform.
#[derive(Debug, Clone, Copy)]
pub struct ApiKeys<'a>(Endpoint<'a>);

impl<'a> ApiKeys<'a> {
    pub(crate) fn new(client: &'a Client) -> Self {
        Self(Endpoint::new(client, Resource::ApiKeys))
    }

    /// Makes a key; its text is shown this once.
    ///
    /// # Errors
    /// `permission` for a key that may do more than the caller's, `conflict` or `invalid_request` when there are too many,
    /// and as every call.
    pub async fn create(&self, key: NewApiKey) -> Result<CreatedApiKey, Error> {
        self.0.post(ALL, self.0.path(), &key).await
    }

    /// The key with this id, without its text.
    ///
    /// # Errors
    /// `not_found` when there is none, and as every call.
    pub async fn get(&self, id: &str) -> Result<ApiKey, Error> {
        self.0.get(ONE, self.0.object(id)).await
    }

    /// Revokes the key at once.
    ///
    /// # Errors
    /// `not_found` when there is no such key, and as every call.
    pub async fn revoke(&self, id: &str) -> Result<Deleted, Error> {
        self.0.delete(ONE, id).await
    }

    /// Gives the key a new text, shown this once; the old one stays valid for `grace_seconds`, by default not at all.
    ///
    /// # Errors
    /// `not_found` when there is no such key, and as every call.
    pub async fn rotate(
        &self,
        id: &str,
        grace_seconds: Option<u32>,
    ) -> Result<CreatedApiKey, Error> {
        let body =
            grace_seconds.map_or_else(|| json!({}), |seconds| json!({"grace_seconds": seconds}));
        self.0.post("/api-keys/{id}/rotate", self.0.part(id, "rotate"), &body).await
    }

    /// What the key was used for over the last `period_days` days; the platform's default is 30.
    ///
    /// # Errors
    /// `not_found` when there is no such key, and as every call.
    pub async fn usage(&self, id: &str, period_days: Option<u32>) -> Result<ApiKeyUsage, Error> {
        let mut request =
            Request::new(Method::GET, "/api-keys/{id}/usage", self.0.part(id, "usage")?);
        if let Some(days) = period_days {
            request.query.push(("period_days".into(), days.to_string()));
        }
        self.0.send(Ok(Box::new(request))).await
    }

    /// One page of one's own keys.
    ///
    /// # Errors
    /// `invalid_request` naming a wrong parameter, and as every call.
    pub async fn list(&self, params: ListParams) -> Result<Page<ApiKey>, Error> {
        list::page(self.0.client, ALL, self.0.path(), &params).await
    }

    /// Every page, one after another, the next fetched ahead.
    pub fn pages(&self, params: ListParams) -> Pages<ApiKey> {
        Pages::new(self.0.client, ALL, self.0.path(), params)
    }

    /// Every key, over all pages.
    pub fn items(&self, params: ListParams) -> Items<ApiKey> {
        Items::new(self.pages(params))
    }
}
