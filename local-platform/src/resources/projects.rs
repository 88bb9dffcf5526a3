//! `/api/projects` (Hub Chantier's `chantiers`): what media and jobs belong to.

use std::sync::Arc;

use axum::{
    Router,
    extract::{RawQuery, State},
    http::StatusCode,
    routing::get,
};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{
    app::App,
    clock,
    error::ApiError,
    events::{self, NewEvent},
    http::{Ctx, Json, Path, Reply},
    store::{Filter, ListQuery, Table, Tx},
    validate::{Checks, Day, nullable, present},
};

pub(crate) static TABLE: Table = Table {
    name: "projects",
    prefix: "prj",
    what: "project",
    sortable: &[
        "created_at",
        "updated_at",
        "name",
        "status",
        "rag_status",
        "progress",
        "budget",
        "spent",
        "start_date",
        "end_date",
    ],
    newest_by: "created_at",
    filters: &[
        Filter::one_of("status", &["planned", "in_progress", "on_hold", "completed", "archived"]),
        Filter::one_of("rag_status", &["GREEN", "YELLOW", "RED"]),
        Filter::text("name"),
    ],
    slot: 0,
};

const MAX_NAME: usize = 200;
const MAX_DESCRIPTION: usize = 5_000;
const MAX_MONEY: f64 = 1e15;

pub(crate) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/api/projects", get(list).post(create))
        .route("/api/projects/{id}", get(retrieve).put(update).delete(delete))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Planned,
    InProgress,
    OnHold,
    Completed,
    Archived,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum RagStatus {
    Green,
    Yellow,
    Red,
}

/// A project as it is stored and sent.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Project {
    id: String,
    name: String,
    description: Option<String>,
    status: Status,
    rag_status: RagStatus,
    progress: f64,
    budget: Option<f64>,
    spent: Option<f64>,
    start_date: Option<Date>,
    end_date: Option<Date>,
    settings: Map<String, Value>,
    organization_id: String,
    created_at: String,
    updated_at: String,
}

#[derive(Debug, Deserialize)]
struct Create {
    name: String,
    #[serde(flatten)]
    rest: Changes,
}

/// The fields that a caller may set; on an update an absent one stays and `null` clears.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Changes {
    #[serde(deserialize_with = "nullable")]
    description: Option<Option<String>>,
    #[serde(deserialize_with = "present")]
    status: Option<Status>,
    #[serde(deserialize_with = "present")]
    rag_status: Option<RagStatus>,
    #[serde(deserialize_with = "present")]
    progress: Option<f64>,
    #[serde(deserialize_with = "nullable")]
    budget: Option<Option<f64>>,
    #[serde(deserialize_with = "nullable")]
    spent: Option<Option<f64>>,
    #[serde(deserialize_with = "nullable")]
    start_date: Option<Option<Day>>,
    #[serde(deserialize_with = "nullable")]
    end_date: Option<Option<Day>>,
    #[serde(deserialize_with = "nullable")]
    settings: Option<Option<Map<String, Value>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Update {
    #[serde(deserialize_with = "present")]
    name: Option<String>,
    #[serde(flatten)]
    rest: Changes,
}

impl Project {
    fn apply(&mut self, changes: Changes) {
        let Changes {
            description,
            status,
            rag_status,
            progress,
            budget,
            spent,
            start_date,
            end_date,
            settings,
        } = changes;
        set(&mut self.description, description);
        set(&mut self.status, status);
        set(&mut self.rag_status, rag_status);
        set(&mut self.progress, progress);
        set(&mut self.budget, budget);
        set(&mut self.spent, spent);
        set(&mut self.start_date, start_date.map(|day| day.map(|day| day.0)));
        set(&mut self.end_date, end_date.map(|day| day.map(|day| day.0)));
        set(&mut self.settings, settings.map(Option::unwrap_or_default));
    }

    fn check(&self) -> Result<(), ApiError> {
        let mut checks = Checks::default();
        checks.text(&self.name, "name", 1, MAX_NAME);
        if let Some(description) = &self.description {
            checks.text(description, "description", 0, MAX_DESCRIPTION);
        }
        checks.number(self.progress, "progress", 0.0, 100.0);
        for (value, field) in [(self.budget, "budget"), (self.spent, "spent")] {
            checks.number(value.unwrap_or_default(), field, 0.0, MAX_MONEY);
        }
        if let (Some(start), Some(end)) = (self.start_date, self.end_date) {
            checks.that(start <= end, "end_date", "must not be before start_date");
        }
        checks.finish()
    }
}

fn set<T>(field: &mut T, change: Option<T>) {
    if let Some(value) = change {
        *field = value;
    }
}

async fn create(
    State(app): State<Arc<App>>,
    ctx: Ctx,
    Json(Create { name, rest }): Json<Create>,
) -> Result<Reply, ApiError> {
    let now = clock::text(app.clock.now());
    let mut project = Project {
        id: TABLE.new_id(),
        name,
        description: None,
        status: Status::Planned,
        rag_status: RagStatus::Green,
        progress: 0.0,
        budget: None,
        spent: None,
        start_date: None,
        end_date: None,
        settings: Map::new(),
        organization_id: ctx.organization_id.to_string(),
        created_at: now.clone(),
        updated_at: now,
    };
    project.apply(rest);
    project.check()?;
    let mut tx = app.store.begin().await?;
    tx.insert(&TABLE, &ctx.organization_id, &project.id, &project).await?;
    emit(&app, &mut tx, &ctx, "project.created", &project).await?;
    ctx.finish(tx, StatusCode::CREATED, &project).await
}

async fn list(
    State(app): State<Arc<App>>,
    ctx: Ctx,
    RawQuery(query): RawQuery,
) -> Result<Reply, ApiError> {
    let query = ListQuery::parse(&TABLE, query.as_deref())?;
    Ok(Reply::page(app.store.page(&TABLE, &ctx.organization_id, &query).await?))
}

async fn retrieve(
    State(app): State<Arc<App>>,
    ctx: Ctx,
    Path(id): Path<String>,
) -> Result<Reply, ApiError> {
    Ok(Reply::document(app.store.document(&TABLE, &ctx.organization_id, &id).await?))
}

async fn update(
    State(app): State<Arc<App>>,
    ctx: Ctx,
    Path(id): Path<String>,
    Json(Update { name, rest }): Json<Update>,
) -> Result<Reply, ApiError> {
    let mut tx = app.store.begin().await?;
    let mut project: Project = tx.read(&TABLE, &ctx.organization_id, &id).await?;
    let before = project.status;
    set(&mut project.name, name);
    project.apply(rest);
    project.check()?;
    project.updated_at = clock::text(app.clock.now());
    tx.replace(&TABLE, &ctx.organization_id, &id, &project).await?;
    emit(&app, &mut tx, &ctx, "project.updated", &project).await?;
    if project.status != before {
        emit(&app, &mut tx, &ctx, "project.status_changed", &project).await?;
    }
    ctx.finish(tx, StatusCode::OK, &project).await
}

async fn delete(
    State(app): State<Arc<App>>,
    ctx: Ctx,
    Path(id): Path<String>,
) -> Result<Reply, ApiError> {
    let mut tx = app.store.begin().await?;
    let project: Project = tx.read(&TABLE, &ctx.organization_id, &id).await?;
    tx.delete(&TABLE, &ctx.organization_id, &id).await?;
    emit(&app, &mut tx, &ctx, "project.deleted", &project).await?;
    tx.commit().await?;
    Ok(Reply::deleted(&id))
}

/// Whether the organization has this project: what names one is refused otherwise.
pub(crate) async fn exists(
    tx: &mut Tx<'_>,
    organization: &str,
    id: &str,
) -> Result<bool, ApiError> {
    let found: Option<i64> =
        sqlx::query_scalar("SELECT 1 FROM projects WHERE id = ?1 AND organization_id = ?2")
            .bind(id)
            .bind(organization)
            .fetch_optional(tx.sql())
            .await?;
    Ok(found.is_some())
}

async fn emit(
    app: &App,
    tx: &mut Tx<'_>,
    ctx: &Ctx,
    name: &str,
    project: &Project,
) -> Result<(), ApiError> {
    let top = [("project_id", json!(project.id)), ("project_name", json!(project.name))];
    events::emit(
        app,
        tx,
        NewEvent {
            organization_id: &ctx.organization_id,
            name,
            data: serde_json::to_value(project).map_err(ApiError::internal)?,
            top: top.into_iter().map(|(k, v)| (k.to_owned(), v)).collect(),
        },
    )
    .await
}
