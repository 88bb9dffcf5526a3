//! API keys: what opens the platform, and what for.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Extra;
use crate::{field::Patch, secret::Secret};

open_enum! {
    /// Whether a key opens anything.
    ApiKeyStatus {
        /// It does.
        Active = "active",
        /// It does, for at most seven more days.
        ExpiringSoon = "expiring_soon",
        /// It does no longer.
        Expired = "expired",
        /// It was revoked.
        Revoked = "revoked",
    }
}

/// A key, without its text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApiKey {
    /// Its id, such as `key_…`.
    pub id: String,
    /// Its name.
    #[serde(default, deserialize_with = "super::or_default")]
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub description: Option<String>,
    /// The beginning of its text, which may be shown.
    #[serde(default)]
    pub prefix: Option<String>,
    /// What it may do: `read`, `write`, `admin`.
    #[serde(default, deserialize_with = "super::or_default")]
    pub permissions: Vec<String>,
    /// Where it may do so: `projects:read`, `chantiers:*` …; empty: everywhere.
    #[serde(default, deserialize_with = "super::or_default")]
    pub scopes: Vec<String>,
    /// Whether it opens anything.
    #[serde(default, deserialize_with = "super::or_default")]
    pub status: ApiKeyStatus,
    /// Requests that it may make in an hour.
    #[serde(default)]
    pub rate_limit: Option<u32>,
    /// Requests that it has made.
    #[serde(default)]
    pub usage_count: Option<u64>,
    /// When it was last used.
    #[serde(default, deserialize_with = "crate::times::read")]
    pub last_used_at: Option<Timestamp>,
    /// When it ends; never when absent.
    #[serde(default, deserialize_with = "crate::times::read")]
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    #[serde(default, deserialize_with = "crate::times::read")]
    pub revoked_at: Option<Timestamp>,
    /// When it was made.
    #[serde(default, deserialize_with = "crate::times::read")]
    pub created_at: Option<Timestamp>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// A key with its text, which is shown at creation and rotation alone.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct CreatedApiKey {
    /// Its text. Keep it: it is not shown again.
    pub secret: Secret,
    /// The key.
    #[serde(flatten)]
    pub key: ApiKey,
}

/// A key to be made.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct NewApiKey {
    /// Its name.
    pub name: String,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What it may do: `read`, `write`, `admin`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub permissions: Vec<String>,
    /// Where it may do so; empty: everywhere.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// After how many days it ends. Default 90; cleared: never.
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub expires_in_days: Patch<u32>,
    /// Requests that it may make in an hour. Default 1000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<u32>,
    /// Whether its text may sign JWTs. Default false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_jwt: Option<bool>,
}

impl NewApiKey {
    /// A key with this name and these permissions: `read`, `write`, `admin`.
    #[must_use]
    pub fn new<P: Into<String>>(
        name: impl Into<String>,
        permissions: impl IntoIterator<Item = P>,
    ) -> Self {
        Self {
            name: name.into(),
            permissions: permissions.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }
}

/// What a key was used for over some days.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ApiKeyUsage {
    /// Requests.
    #[serde(deserialize_with = "super::or_default")]
    pub total_requests: u64,
    /// Requests that were answered with 2xx.
    #[serde(deserialize_with = "super::or_default")]
    pub successful_requests: u64,
    /// The others.
    #[serde(deserialize_with = "super::or_default")]
    pub failed_requests: u64,
    /// The share of the first, in percent.
    pub success_rate: Option<f64>,
    /// How long one took on average, in milliseconds.
    pub avg_duration_ms: Option<f64>,
    /// What it was used for most.
    pub top_endpoints: Vec<EndpointUsage>,
    /// Over how many days.
    pub period_days: Option<u32>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// How often one endpoint was asked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct EndpointUsage {
    /// Such as `GET /api/projects/{id}`.
    pub endpoint: String,
    /// How often.
    pub requests: u64,
}
