//! Projects: what media and jobs belong to.

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Extra;
use crate::field::Patch;

open_enum! {
    /// Where a project is.
    ProjectStatus {
        /// Not begun.
        Planned = "planned",
        /// Being worked on.
        InProgress = "in_progress",
        /// Paused.
        OnHold = "on_hold",
        /// Done.
        Completed = "completed",
        /// Put away.
        Archived = "archived",
    }
}

open_enum! {
    /// How a project fares.
    RagStatus {
        /// As planned.
        Green = "GREEN",
        /// At risk.
        Yellow = "YELLOW",
        /// In trouble.
        Red = "RED",
    }
}

/// A project.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Project {
    /// Its id, such as `prj_…`.
    pub id: String,
    /// Its name, 1 to 200 characters.
    #[serde(default, deserialize_with = "super::or_default")]
    pub name: String,
    /// What it is about.
    #[serde(default)]
    pub description: Option<String>,
    /// Where it is.
    #[serde(default, deserialize_with = "super::or_default")]
    pub status: ProjectStatus,
    /// How it fares.
    #[serde(default, deserialize_with = "super::or_default")]
    pub rag_status: RagStatus,
    /// How much of it is done, in percent.
    #[serde(default)]
    pub progress: Option<f64>,
    /// The money it may cost.
    #[serde(default)]
    pub budget: Option<f64>,
    /// The money it has cost.
    #[serde(default)]
    pub spent: Option<f64>,
    /// Its first day.
    #[serde(default, deserialize_with = "crate::times::read")]
    pub start_date: Option<Date>,
    /// Its last day.
    #[serde(default, deserialize_with = "crate::times::read")]
    pub end_date: Option<Date>,
    /// Settings of one's own.
    #[serde(default, deserialize_with = "super::or_default")]
    pub settings: Map<String, Value>,
    /// The organization it belongs to.
    #[serde(default)]
    pub organization_id: Option<String>,
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

/// A project to be made.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct NewProject {
    /// Its name, 1 to 200 characters.
    pub name: String,
    /// What it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where it is. Default planned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<ProjectStatus>,
    /// How it fares. Default green.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rag_status: Option<RagStatus>,
    /// How much of it is done, in percent. Default 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<f64>,
    /// The money it may cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<f64>,
    /// The money it has cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spent: Option<f64>,
    /// Its first day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_date: Option<Date>,
    /// Its last day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_date: Option<Date>,
    /// Settings of one's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings: Option<Map<String, Value>>,
}

impl NewProject {
    /// A project with this name.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }
}

/// Changes to a project; what is kept is not sent.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct ProjectUpdate {
    /// Its name, which cannot be cleared.
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub name: Patch<String>,
    /// What it is about.
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub description: Patch<String>,
    /// Where it is.
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub status: Patch<ProjectStatus>,
    /// How it fares.
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub rag_status: Patch<RagStatus>,
    /// How much of it is done, in percent.
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub progress: Patch<f64>,
    /// The money it may cost.
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub budget: Patch<f64>,
    /// The money it has cost.
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub spent: Patch<f64>,
    /// Its first day.
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub start_date: Patch<Date>,
    /// Its last day.
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub end_date: Patch<Date>,
    /// Settings of one's own; they are replaced as a whole.
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub settings: Patch<Map<String, Value>>,
}
