//! Webhooks: where the platform tells of events, and how that went.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Extra;
use crate::{field::Patch, secret::Secret};

/// A webhook.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Webhook {
    /// Its id, such as `whk_…`.
    pub id: String,
    /// Where it is told.
    #[serde(default, deserialize_with = "super::or_default")]
    pub url: String,
    /// What it is told of: names such as `job.completed`, groups such as `project.*`, or `*`.
    #[serde(default, deserialize_with = "super::or_default")]
    pub events: Vec<String>,
    /// Its name.
    #[serde(default)]
    pub name: Option<String>,
    /// How often a delivery is tried again.
    #[serde(default)]
    pub retry_count: Option<u32>,
    /// How long an attempt may take, in seconds.
    #[serde(default)]
    pub timeout_seconds: Option<u32>,
    /// Whether it is told at all.
    #[serde(default)]
    pub is_active: Option<bool>,
    /// When it was made.
    #[serde(default, deserialize_with = "crate::times::read")]
    pub created_at: Option<Timestamp>,
    /// When it was last changed.
    #[serde(default, deserialize_with = "crate::times::read")]
    pub updated_at: Option<Timestamp>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// A webhook with its secret, which is shown at creation and rotation alone.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct CreatedWebhook {
    /// What signs its deliveries. Keep it: it is not shown again.
    pub secret: Secret,
    /// The webhook.
    #[serde(flatten)]
    pub webhook: Webhook,
}

/// A webhook to be made.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct NewWebhook {
    /// Where it is told: http or https.
    pub url: String,
    /// What it is told of.
    pub events: Vec<String>,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A secret of one's own. Default: the platform makes one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
    /// How often a delivery is tried again. Default 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_count: Option<u32>,
    /// How long an attempt may take, in seconds. Default 10.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u32>,
    /// Whether it is told at all. Default true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_active: Option<bool>,
}

impl NewWebhook {
    /// A webhook at `url` for these events.
    #[must_use]
    pub fn new<E: Into<String>>(
        url: impl Into<String>,
        events: impl IntoIterator<Item = E>,
    ) -> Self {
        Self {
            url: url.into(),
            events: events.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }
}

/// Changes to a webhook; what is kept is not sent.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct WebhookUpdate {
    /// Where it is told.
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub url: Patch<String>,
    /// What it is told of.
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub events: Patch<Vec<String>>,
    /// Its name.
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub name: Patch<String>,
    /// How often a delivery is tried again.
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub retry_count: Patch<u32>,
    /// How long an attempt may take, in seconds.
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub timeout_seconds: Patch<u32>,
    /// Whether it is told at all.
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub is_active: Patch<bool>,
}

/// One attempt to tell a webhook of an event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// Its id, such as `dlv_…`.
    pub id: String,
    /// The webhook that was told.
    #[serde(default)]
    pub webhook_id: Option<String>,
    /// The event it was told of.
    #[serde(default)]
    pub event_id: Option<String>,
    /// The event's name.
    #[serde(default, deserialize_with = "super::or_default")]
    pub event_type: String,
    /// What was sent.
    #[serde(default, deserialize_with = "super::or_default")]
    pub payload: Value,
    /// The status that came back.
    #[serde(default)]
    pub status_code: Option<u16>,
    /// The first 4 KiB of what came back.
    #[serde(default)]
    pub response_body: Option<String>,
    /// Why nothing came back.
    #[serde(default)]
    pub error_message: Option<String>,
    /// How long it took, in milliseconds.
    #[serde(default)]
    pub duration_ms: Option<f64>,
    /// Which attempt it was, from 0.
    #[serde(default)]
    pub retry_attempt: Option<u32>,
    /// When it was made.
    #[serde(default, deserialize_with = "crate::times::read")]
    pub created_at: Option<Timestamp>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// How deliveries went over some days.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct WebhookStats {
    /// Events sent to it, however many attempts each took.
    #[serde(deserialize_with = "super::or_default")]
    pub total_triggers: u64,
    /// Those that were answered with 2xx in the end.
    #[serde(deserialize_with = "super::or_default")]
    pub successful_triggers: u64,
    /// Those that were not, and are not tried again.
    #[serde(deserialize_with = "super::or_default")]
    pub failed_triggers: u64,
    /// The share of the successful among those that are decided, in percent.
    pub success_rate: Option<f64>,
    /// How long an attempt took on average, in milliseconds.
    pub avg_duration_ms: Option<f64>,
    /// The last attempts.
    #[serde(deserialize_with = "super::or_default")]
    pub recent_logs: Vec<Delivery>,
    /// Over how many days.
    pub period_days: Option<u32>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}
