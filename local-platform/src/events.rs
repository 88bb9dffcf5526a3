//! What happened: an event is written in the transaction that made it true, so that neither is there without the other.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    app::App,
    clock,
    error::ApiError,
    store::{Table, Tx},
};

pub(crate) static TABLE: Table = Table {
    name: "events",
    prefix: "evt",
    what: "event",
    sortable: &["timestamp", "event"],
    newest_by: "timestamp",
    filters: &["event"],
    slot: 1,
};

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
    id: &'a str,
    event: &'a str,
    timestamp: String,
    organization_id: &'a str,
    data: Value,
    #[serde(flatten)]
    top: Map<String, Value>,
}

/// Writes the event down.
pub(crate) async fn emit(app: &App, tx: &mut Tx<'_>, event: NewEvent<'_>) -> Result<(), ApiError> {
    let id = TABLE.new_id();
    let payload = Payload {
        id: &id,
        event: event.name,
        timestamp: clock::text(app.clock.now()),
        organization_id: event.organization_id,
        data: event.data,
        top: event.top,
    };
    tx.insert(&TABLE, event.organization_id, &id, &payload).await
}
