//! What the platform sends and takes, one file a resource. Of an object only `id` is required; what this version does not
//! know is kept in `extra`; a text, list or map that was left out is empty.

mod api_keys;
mod assets;
mod events;
mod jobs;
mod page;
mod projects;
mod webhooks;

pub use api_keys::{ApiKey, ApiKeyStatus, ApiKeyUsage, CreatedApiKey, EndpointUsage, NewApiKey};
pub use assets::{Asset, AssetStatus, UploadOptions};
pub use events::PlatformEvent;
pub use jobs::{AudioSettings, Job, JobEvent, JobStatus, NewJob, ThumbnailSettings, VideoSettings};
pub use page::{ListParams, Page, Pagination};
pub use projects::{NewProject, Project, ProjectStatus, ProjectUpdate, RagStatus};
pub use webhooks::{CreatedWebhook, Delivery, NewWebhook, Webhook, WebhookStats, WebhookUpdate};

/// Fields that this version does not know, by name.
pub type Extra = serde_json::Map<String, serde_json::Value>;

/// The answer to a deletion, which some platforms leave empty.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Deleted {
    /// The id of what was deleted.
    pub id: String,
    /// Whether it was.
    #[serde(default)]
    pub deleted: bool,
}
