//! A verified delivery, read: its common fields, its data by family, and everything else as it came.

use bytes::Bytes;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::verify::refused;
use crate::{
    error::Error,
    models::{Asset, Job, Project},
};

/// An event that the platform told of.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its id, such as `evt_…`: the same however often it is delivered.
    pub id: String,
    /// What happened, such as `job.completed`.
    pub kind: String,
    /// When.
    pub timestamp: Option<Timestamp>,
    /// In which organization.
    pub organization_id: Option<String>,
    /// The object it is about, as it came.
    pub data: Value,
    /// Fields beside these, such as the main ones that StoryCore repeats at the top.
    pub extra: Map<String, Value>,
    raw: Bytes,
}

/// An event's data, typed by its family.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum EventData {
    /// `project.created`, `project.updated`, `project.deleted`, `project.status_changed`.
    Project(Box<Project>),
    /// `asset.ready`, `asset.failed`.
    Asset(Box<Asset>),
    /// `job.completed`, `job.failed`, `job.cancelled`.
    Job(Box<Job>),
    /// `risk.*`, `decision.*`, `report.generated`, `resource.overallocated`, `sprint.*`, `project.risk_prediction`: known by
    /// name, their data as it came.
    Portfolio(Map<String, Value>),
    /// An event that this version does not know.
    Unknown {
        /// Its name.
        kind: String,
        /// The whole delivery.
        raw: Bytes,
    },
}

const PORTFOLIO: [&str; 11] = [
    "risk.created",
    "risk.escalated",
    "risk.resolved",
    "decision.created",
    "decision.approved",
    "decision.rejected",
    "report.generated",
    "resource.overallocated",
    "sprint.completed",
    "sprint.velocity_drop",
    "project.risk_prediction",
];

impl Event {
    pub(crate) fn read(body: &[u8]) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Payload {
            id: String,
            event: String,
            #[serde(default)]
            timestamp: Option<Timestamp>,
            #[serde(default)]
            organization_id: Option<String>,
            #[serde(default)]
            data: Value,
            #[serde(flatten)]
            extra: Map<String, Value>,
        }
        let read: Payload = serde_json::from_slice(body).map_err(|e| {
            refused(format!("the signature holds, but the body is no event: {e}")).with_source(e)
        })?;
        Ok(Self {
            id: read.id,
            kind: read.event,
            timestamp: read.timestamp,
            organization_id: read.organization_id,
            data: read.data,
            extra: read.extra,
            raw: Bytes::copy_from_slice(body),
        })
    }

    /// The delivery as it arrived.
    #[must_use]
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// The data, typed; what cannot be read as its family's object is [`EventData::Unknown`].
    #[must_use]
    pub fn typed(&self) -> EventData {
        let unknown = || EventData::Unknown { kind: self.kind.clone(), raw: self.raw.clone() };
        let typed = match self.kind.as_str() {
            "project.created"
            | "project.updated"
            | "project.deleted"
            | "project.status_changed" => {
                Project::deserialize(&self.data).ok().map(|o| EventData::Project(Box::new(o)))
            }
            "asset.ready" | "asset.failed" => {
                Asset::deserialize(&self.data).ok().map(|o| EventData::Asset(Box::new(o)))
            }
            "job.completed" | "job.failed" | "job.cancelled" => {
                Job::deserialize(&self.data).ok().map(|o| EventData::Job(Box::new(o)))
            }
            kind if PORTFOLIO.contains(&kind) => {
                self.data.as_object().cloned().map(EventData::Portfolio)
            }
            _ => None,
        };
        typed.unwrap_or_else(unknown)
    }
}
