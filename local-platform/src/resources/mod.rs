//! What the platform has, one file a resource: its paths, its fields, its rules.

pub(crate) mod api_keys;
pub(crate) mod deliveries;
pub(crate) mod events;
pub(crate) mod projects;
pub(crate) mod webhooks;

use std::sync::Arc;

use axum::Router;

use crate::app::App;

/// Every resource under StoryCore's names for the paths.
pub(crate) fn router() -> Router<Arc<App>> {
    Router::new()
        .merge(projects::router())
        .merge(events::router())
        .merge(webhooks::router())
        .merge(deliveries::router())
}
