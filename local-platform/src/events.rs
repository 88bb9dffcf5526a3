//! What happened: an event is written in the transaction that made it true, together with its deliveries to webhooks, so
//! that neither is there without the other. Sending them is in `delivery`.

use serde::Serialize;
use serde_json::{Map, Value, value::RawValue};

use crate::{
    app::App,
    clock, delivery,
    error::ApiError,
    store::{self, Changes, Filter, Table, Tx},
};

pub(crate) static TABLE: Table = Table {
    name: "events",
    prefix: "evt",
    what: "event",
    sortable: &["timestamp", "event"],
    newest_by: "timestamp",
    filters: &[Filter::one_of("event", &NAMES)],
    slot: 1,
};

/// Every event there is.
pub(crate) const NAMES: [&str; 21] = [
    "project.created",
    "project.updated",
    "project.deleted",
    "project.status_changed",
    "project.risk_prediction",
    "asset.ready",
    "asset.failed",
    "job.completed",
    "job.failed",
    "job.cancelled",
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
    TEST,
];
/// What a webhook is sent to try it; nobody subscribes to it and it is in no list of events.
pub(crate) const TEST: &str = "webhook.test";

/// Whether a webhook can ask for this: an event's name, a group such as `project.*`, or `*`.
pub(crate) fn is_pattern(pattern: &str) -> bool {
    NAMES.iter().any(|name| *name != TEST && matches(pattern, name))
}

/// Whether whoever asked for `pattern` wants the event.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some("") => true,
        Some(group) if group.ends_with('.') => {
            name.strip_prefix(group).is_some_and(|rest| !rest.contains('.'))
        }
        _ => pattern == name,
    }
}

/// An event about to happen.
pub(crate) struct NewEvent<'a> {
    pub(crate) organization_id: &'a str,
    /// Such as `project.created`.
    pub(crate) name: &'a str,
    /// The object it is about.
    pub(crate) data: Value,
    /// The main fields, which a StoryCore payload repeats at its top.
    pub(crate) top: Map<String, Value>,
}

/// The payload of an event: what is stored, listed and delivered.
#[derive(Debug, Serialize)]
pub(crate) struct Payload<'a> {
    pub(crate) id: String,
    pub(crate) event: &'a str,
    timestamp: String,
    pub(crate) organization_id: &'a str,
    data: Value,
    #[serde(flatten)]
    top: Map<String, Value>,
}

impl<'a> Payload<'a> {
    /// Of an event that happens now.
    pub(crate) fn new(app: &App, event: NewEvent<'a>) -> Self {
        let NewEvent { organization_id, name, data, top } = event;
        debug_assert!(NAMES.contains(&name), "{name} is no event");
        let timestamp = clock::text(app.clock.now());
        Self { id: TABLE.new_id(), event: name, timestamp, organization_id, data, top }
    }

    /// Its text, fixed once: every attempt to deliver it sends these bytes.
    pub(crate) fn text(&self) -> Result<Box<RawValue>, ApiError> {
        serde_json::value::to_raw_value(self).map_err(ApiError::internal)
    }

    /// The same without what is repeated at the top.
    pub(crate) fn without_top(mut self) -> Self {
        self.top = Map::new();
        self
    }
}

/// Writes the event down and puts its deliveries into the queue.
pub(crate) async fn emit(app: &App, tx: &mut Tx<'_>, event: NewEvent<'_>) -> Result<(), ApiError> {
    let (payload, text) = write(app, tx.at_the_end(), event)?;
    delivery::fan_out(app, tx, payload, text).await
}

/// Writes an event down that no webhook wants, as [`delivery::Wanted`] told.
pub(crate) fn write_down(
    app: &App,
    changes: &mut Changes,
    event: NewEvent<'_>,
) -> Result<(), ApiError> {
    write(app, changes, event).map(drop)
}

fn write<'a>(
    app: &App,
    changes: &mut Changes,
    event: NewEvent<'a>,
) -> Result<(Payload<'a>, Box<RawValue>), ApiError> {
    let payload = Payload::new(app, event);
    let text = payload.text()?;
    changes.add(
        "INSERT INTO events (id, organization_id, doc) VALUES (?, ?, ?)",
        [&payload.id, payload.organization_id, text.get()].map(store::Value::Text),
    );
    changes.touch(&TABLE);
    Ok((payload, text))
}
