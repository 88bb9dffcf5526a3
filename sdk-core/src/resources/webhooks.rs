//! Webhooks: where the platform tells of events. What arrives there is verified in [`crate::webhooks`].

use http::Method;

use super::Endpoint;
use crate::{
    client::Client,
    error::Error,
    list::{self, Items, Pages},
    models::{
        CreatedWebhook, Deleted, Delivery, ListParams, NewWebhook, Page, Webhook, WebhookStats,
        WebhookUpdate,
    },
    platform::Resource,
    transport::{Request, below},
};

const ALL: &str = "/webhooks";
const ONE: &str = "/webhooks/{id}";
const DELIVERIES: &str = "/webhooks/{id}/deliveries";

/// Webhooks.
#[derive(Debug, Clone, Copy)]
pub struct Webhooks<'a>(Endpoint<'a>);

impl<'a> Webhooks<'a> {
    pub(crate) fn new(client: &'a Client) -> Self {
        Self(Endpoint::new(client, Resource::Webhooks))
    }

    /// Makes a webhook; its secret is shown this once.
    ///
    /// ```no_run
    /// # async fn run(client: storycore::Client) -> Result<(), storycore::Error> {
    /// use storycore::models::NewWebhook;
    /// let hook = client.webhooks().create(NewWebhook::new("https://example.com/hook", ["job.*"])).await?;
    /// let verifier = storycore::webhooks::Webhook::new(hook.secret.expose())?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `invalid_request` for an address or event that is refused, and as every call.
    pub async fn create(&self, webhook: NewWebhook) -> Result<CreatedWebhook, Error> {
        self.0.post(ALL, self.0.path(), &webhook).await
    }

    /// The webhook with this id.
    ///
    /// # Errors
    /// `not_found` when there is none, and as every call.
    pub async fn get(&self, id: &str) -> Result<Webhook, Error> {
        self.0.get(ONE, self.0.object(id)).await
    }

    /// Changes the fields that are set or cleared.
    ///
    /// # Errors
    /// `not_found` when there is no such webhook, `invalid_request` naming a wrong field, and as every call.
    pub async fn update(&self, id: &str, update: WebhookUpdate) -> Result<Webhook, Error> {
        self.0.put(ONE, self.0.object(id), &update).await
    }

    /// Deletes the webhook; what was still to be delivered is not.
    ///
    /// # Errors
    /// `not_found` when there is no such webhook, and as every call.
    pub async fn delete(&self, id: &str) -> Result<Deleted, Error> {
        self.0.delete(ONE, id).await
    }

    /// One page of webhooks.
    ///
    /// # Errors
    /// `invalid_request` naming a wrong parameter, and as every call.
    pub async fn list(&self, params: ListParams) -> Result<Page<Webhook>, Error> {
        list::page(self.0.client, ALL, self.0.path(), &params).await
    }

    /// Every page, one after another, the next fetched ahead.
    pub fn pages(&self, params: ListParams) -> Pages<Webhook> {
        Pages::new(self.0.client, ALL, self.0.path(), params)
    }

    /// Every webhook, over all pages.
    pub fn items(&self, params: ListParams) -> Items<Webhook> {
        Items::new(self.pages(params))
    }

    /// Gives the webhook a new secret, shown this once; the old one stays valid for 24 hours.
    ///
    /// # Errors
    /// `not_found` when there is no such webhook, and as every call.
    pub async fn rotate_secret(&self, id: &str) -> Result<CreatedWebhook, Error> {
        self.0.post_empty("/webhooks/{id}/rotate-secret", self.0.part(id, "rotate-secret")).await
    }

    /// Sends a test event now and tells how that went.
    ///
    /// # Errors
    /// `not_found` when there is no such webhook, and as every call.
    pub async fn test(&self, id: &str) -> Result<Delivery, Error> {
        self.0.post_empty("/webhooks/{id}/test", self.0.part(id, "test")).await
    }

    /// One page of the attempts to deliver.
    ///
    /// # Errors
    /// `not_found` when there is no such webhook, and as every call.
    pub async fn deliveries(&self, id: &str, params: ListParams) -> Result<Page<Delivery>, Error> {
        list::page(self.0.client, DELIVERIES, self.0.part(id, "deliveries"), &params).await
    }

    /// Every attempt to deliver, over all pages.
    pub fn delivery_items(&self, id: &str, params: ListParams) -> Items<Delivery> {
        Items::new(Pages::new(self.0.client, DELIVERIES, self.0.part(id, "deliveries"), params))
    }

    /// Delivers the same event once more.
    ///
    /// # Errors
    /// `not_found` when there is no such webhook or delivery, and as every call.
    pub async fn redeliver(&self, id: &str, delivery_id: &str) -> Result<Delivery, Error> {
        let path = self.0.part(id, "deliveries").and_then(|path| below(&path, delivery_id));
        let path = path.map(|path| format!("{path}/redeliver"));
        self.0.post_empty("/webhooks/{id}/deliveries/{delivery_id}/redeliver", path).await
    }

    /// How deliveries went over the last `period_days` days; the platform's default is 30.
    ///
    /// # Errors
    /// `not_found` when there is no such webhook, and as every call.
    pub async fn stats(&self, id: &str, period_days: Option<u32>) -> Result<WebhookStats, Error> {
        let mut request =
            Request::new(Method::GET, "/webhooks/{id}/stats", self.0.part(id, "stats")?);
        if let Some(days) = period_days {
            request.query.push(("period_days".into(), days.to_string()));
        }
        self.0.send(Ok(Box::new(request))).await
    }
}
