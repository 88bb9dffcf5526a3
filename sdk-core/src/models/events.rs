//! What happened on the platform, as its log of events tells it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Extra;

/// An event in the platform's log, whether it was delivered to a webhook or not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlatformEvent {
    /// Its id, such as `evt_…`.
    pub id: String,
    /// What happened, such as `project.created`.
    #[serde(default, deserialize_with = "super::or_default")]
    pub event: String,
    /// When.
    #[serde(default, deserialize_with = "crate::times::read")]
    pub timestamp: Option<Timestamp>,
    /// In which organization.
    #[serde(default)]
    pub organization_id: Option<String>,
    /// The object it is about.
    #[serde(default, deserialize_with = "super::or_default")]
    pub data: Value,
    /// The main fields that StoryCore repeats at the top, and what this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}
