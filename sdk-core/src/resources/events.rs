//! What happened on the platform in the last 30 days, whether it was delivered to a webhook or not.

use super::Endpoint;
use crate::{
    client::Client,
    error::Error,
    list::{self, Items, Pages},
    models::{ListParams, Page, PlatformEvent},
    platform::Resource,
};

const ALL: &str = "/events";
const ONE: &str = "/events/{id}";

/// What happened.
#[derive(Debug, Clone, Copy)]
pub struct Events<'a>(Endpoint<'a>);

impl<'a> Events<'a> {
    pub(crate) fn new(client: &'a Client) -> Self {
        Self(Endpoint::new(client, Resource::Events))
    }

    /// The event with this id.
    ///
    /// # Errors
    /// `not_found` when there is none or it is older than 30 days, and as every call.
    pub async fn get(&self, id: &str) -> Result<PlatformEvent, Error> {
        self.0.get(ONE, self.0.object(id)).await
    }

    /// One page of events, newest first. Filter: `event`.
    ///
    /// # Errors
    /// `invalid_request` naming a wrong parameter, and as every call.
    pub async fn list(&self, params: ListParams) -> Result<Page<PlatformEvent>, Error> {
        list::page(self.0.client, ALL, self.0.path(), &params).await
    }

    /// Every page, one after another, the next fetched ahead.
    pub fn pages(&self, params: ListParams) -> Pages<PlatformEvent> {
        Pages::new(self.0.client, ALL, self.0.path(), params)
    }

    /// Every event, over all pages.
    pub fn items(&self, params: ListParams) -> Items<PlatformEvent> {
        Items::new(self.pages(params))
    }
}
