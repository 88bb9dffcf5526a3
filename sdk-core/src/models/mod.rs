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
pub use page::{ListParams, Page, Pagination, RawPage};
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
    #[serde(default, deserialize_with = "or_default")]
    pub deleted: bool,
}

/// Reads `null` as what a field is when it is left out.
fn or_default<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Default + serde::Deserialize<'de>,
    D: serde::Deserializer<'de>,
{
    Ok(<Option<T> as serde::Deserialize>::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_object_only_the_id_is_required() {
        let nulls = r#"{"id":"x","name":null,"status":null,"rag_status":null,"settings":null,"type":null,
            "parameters":null,"result":null,"url":null,"events":null,"permissions":null,"scopes":null,
            "metadata":null,"event":null,"data":null,"payload":null,"event_type":null,"created_at":null}"#;
        for text in [r#"{"id":"x"}"#, nulls] {
            macro_rules! read {
                ($($model:ty),+) => {$(
                    assert_eq!(serde_json::from_str::<$model>(text).expect(stringify!($model)).id, "x");
                    assert!(serde_json::from_str::<$model>("{}").is_err());
                )+};
            }
            read!(Project, Asset, Job, Webhook, Delivery, ApiKey, PlatformEvent, Deleted);
        }
    }

    #[test]
    fn what_is_not_known_is_kept() {
        let text = r#"{"id":"x","status":"frozen","mood":{"a":1}}"#;
        let project: Project = serde_json::from_str(text).unwrap();
        assert_eq!(project.status, ProjectStatus::Other("frozen".into()));
        assert_eq!(project.extra["mood"]["a"], 1);
        let again = serde_json::to_value(&project).unwrap();
        assert_eq!((&again["status"], &again["mood"]["a"]), (&"frozen".into(), &1.into()));
    }
}
