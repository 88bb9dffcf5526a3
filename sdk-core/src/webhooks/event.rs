//! A verified delivery, read: its common fields, its data by family, and everything else as it came.

use std::{borrow::Cow, fmt, ops::Range, sync::OnceLock};

use bytes::Bytes;
use jiff::Timestamp;
use serde::{
    Deserialize, Deserializer as _,
    de::{Error as _, IgnoredAny, MapAccess, Visitor},
};
use serde_json::{Map, Value};

use super::{body::RawBody, verify::refused};
use crate::{
    error::Error,
    models::{Asset, Job, Project},
};

/// An event that the platform told of. Its id and kind are read when it is verified, the rest when it is asked for: a
/// receiver that has seen the id, or does not know the kind, need not pay for it.
#[derive(Clone)]
pub struct Event {
    raw: Bytes,
    id: Text,
    kind: Text,
    rest: OnceLock<Payload>,
}

/// What an event carries beside its id and kind.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct Payload {
    /// When it happened.
    #[serde(default, deserialize_with = "crate::times::read")]
    pub timestamp: Option<Timestamp>,
    /// In which organization.
    #[serde(default)]
    pub organization_id: Option<String>,
    /// The object it is about, as it came.
    #[serde(default)]
    pub data: Value,
    /// Fields beside these, such as the main ones that StoryCore repeats at the top.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A text of the body: where it stands there, or itself where it is written with escapes.
#[derive(Debug, Clone)]
enum Text {
    At(Range<usize>),
    Own(Box<str>),
}

impl Text {
    fn of(found: Cow<'_, str>, body: &[u8]) -> Self {
        match found {
            Cow::Borrowed(text) => {
                let start = text.as_ptr() as usize - body.as_ptr() as usize;
                Self::At(start..start + text.len())
            }
            Cow::Owned(text) => Self::Own(text.into()),
        }
    }

    fn within<'a>(&'a self, raw: &'a Bytes) -> &'a str {
        match self {
            Self::At(range) => std::str::from_utf8(&raw[range.clone()]).unwrap_or_default(),
            Self::Own(text) => text,
        }
    }
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

/// Reads an object up to where both the id and the kind are known.
#[derive(Default)]
struct Head<'a> {
    id: Option<Cow<'a, str>>,
    kind: Option<Cow<'a, str>>,
}

impl<'a> Visitor<'a> for &mut Head<'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event")
    }

    fn visit_map<M: MapAccess<'a>>(self, mut fields: M) -> Result<(), M::Error> {
        while let Some(BorrowedText(name)) = fields.next_key()? {
            match &*name {
                "id" => self.id = Some(fields.next_value::<BorrowedText<'a>>()?.0),
                "event" => self.kind = Some(fields.next_value::<BorrowedText<'a>>()?.0),
                _ => drop(fields.next_value::<IgnoredAny>()?),
            }
            if self.id.is_some() && self.kind.is_some() {
                return Ok(());
            }
        }
        Err(M::Error::custom(if self.id.is_none() { "it has no id" } else { "it has no event" }))
    }
}

/// A text that stays in the body where it can: serde's own `Cow` is always a copy.
#[derive(Deserialize)]
#[serde(transparent)]
struct BorrowedText<'a>(#[serde(borrow)] Cow<'a, str>);

/// Where the id and the kind stand, if that is first and in plain ASCII, as the platform writes them: most deliveries need
/// no more.
fn first_two(body: &[u8]) -> Option<(Range<usize>, Range<usize>)> {
    let text_behind = |start: usize, before: &[u8]| -> Option<Range<usize>> {
        let rest = body.get(start..)?.strip_prefix(before)?;
        let start = start + before.len();
        let length = memchr::memchr(b'"', rest)?;
        let plain =
            rest[..length].iter().all(|byte| (b' '..=b'~').contains(byte) && *byte != b'\\');
        plain.then_some(start..start + length)
    };
    let id = text_behind(0, br#"{"id":""#)?;
    let kind = text_behind(id.end, br#"","event":""#)?;
    matches!(body.get(kind.end + 1), Some(b',' | b'}')).then_some((id, kind))
}

impl Event {
    /// Reads a delivery that was verified before, such as one out of a queue. Nothing is verified here.
    ///
    /// # Errors
    /// [`ErrorKind::WebhookSignature`](crate::ErrorKind::WebhookSignature) when it is no event.
    pub fn from_verified<'a>(raw: impl Into<RawBody<'a>>) -> Result<Self, Error> {
        Self::read(raw.into())
    }

    pub(crate) fn read(body: RawBody<'_>) -> Result<Self, Error> {
        let bytes = body.as_bytes();
        let (id, kind) = match first_two(bytes) {
            Some((id, kind)) => (Text::At(id), Text::At(kind)),
            None => {
                let mut head = Head::default();
                let mut reader = serde_json::Deserializer::from_slice(bytes);
                // What stands behind the head is not looked at, of which the reader complains.
                let read = reader.deserialize_map(&mut head);
                match (head.id, head.kind, read) {
                    (Some(id), Some(kind), _) => (Text::of(id, bytes), Text::of(kind, bytes)),
                    (_, _, read) => return Err(no_event(read.err())),
                }
            }
        };
        Ok(Self { raw: body.keep(), id, kind, rest: OnceLock::new() })
    }

    /// Its id, such as `evt_…`: the same however often it is delivered.
    #[must_use]
    pub fn id(&self) -> &str {
        self.id.within(&self.raw)
    }

    /// What happened, such as `job.completed`.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.kind.within(&self.raw)
    }

    /// The rest of what it carries.
    ///
    /// # Errors
    /// [`ErrorKind::WebhookSignature`](crate::ErrorKind::WebhookSignature) when the platform signed what is no whole event.
    pub fn payload(&self) -> Result<&Payload, Error> {
        if let Some(payload) = self.rest.get() {
            return Ok(payload);
        }
        let mut payload: Payload =
            serde_json::from_slice(&self.raw).map_err(|e| no_event(Some(e)))?;
        for known in ["id", "event"] {
            payload.extra.remove(known);
        }
        Ok(self.rest.get_or_init(|| payload))
    }

    /// The delivery as it arrived.
    #[must_use]
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// The data, typed; what cannot be read as its family's object is [`EventData::Unknown`].
    #[must_use]
    pub fn typed(&self) -> EventData {
        let unknown = || EventData::Unknown { kind: self.kind().to_owned(), raw: self.raw.clone() };
        let Ok(Payload { data, .. }) = self.payload() else { return unknown() };
        let typed = match self.kind() {
            "project.created"
            | "project.updated"
            | "project.deleted"
            | "project.status_changed" => {
                Project::deserialize(data).ok().map(|o| EventData::Project(Box::new(o)))
            }
            "asset.ready" | "asset.failed" => {
                Asset::deserialize(data).ok().map(|o| EventData::Asset(Box::new(o)))
            }
            "job.completed" | "job.failed" | "job.cancelled" => {
                Job::deserialize(data).ok().map(|o| EventData::Job(Box::new(o)))
            }
            kind if PORTFOLIO.contains(&kind) => {
                data.as_object().cloned().map(EventData::Portfolio)
            }
            _ => None,
        };
        typed.unwrap_or_else(unknown)
    }
}

impl PartialEq for Event {
    /// One delivery is the other, byte for byte.
    fn eq(&self, other: &Self) -> bool {
        self.raw == other.raw
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("id", &self.id())
            .field("kind", &self.kind())
            .finish_non_exhaustive()
    }
}

fn no_event(error: Option<serde_json::Error>) -> Error {
    match error {
        Some(e) => {
            refused(format!("the signature holds, but the body is no event: {e}")).with_source(e)
        }
        None => refused("the signature holds, but the body is no event"),
    }
}
