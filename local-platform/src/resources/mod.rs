//! What the platform has, one file a resource: its paths, its fields, its rules.

pub(crate) mod api_keys;
mod asset_content;
mod asset_upload;
pub(crate) mod assets;
pub(crate) mod audit;
pub(crate) mod deliveries;
pub(crate) mod events;
mod job_events;
pub(crate) mod job_parameters;
pub(crate) mod jobs;
pub(crate) mod projects;
pub(crate) mod uploads;
pub(crate) mod webhooks;

use std::sync::Arc;

use axum::Router;

use crate::{app::App, oauth};

/// Every resource under StoryCore's names for the paths.
pub(crate) fn router() -> Router<Arc<App>> {
    Router::new()
        .merge(projects::router())
        .merge(events::router())
        .merge(webhooks::router())
        .merge(deliveries::router())
        .merge(assets::router())
        .merge(asset_upload::router())
        .merge(uploads::router())
        .merge(asset_content::router())
        .merge(jobs::router())
        .merge(job_events::router())
        .merge(api_keys::router())
        .merge(audit::router())
        .merge(oauth::router())
}
