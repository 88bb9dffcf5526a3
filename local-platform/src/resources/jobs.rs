//! `/api/jobs`: work on media. What a job is asked to do is checked here, at once; it is done in `crate::jobs`.

use std::sync::Arc;

use axum::{
    Router,
    extract::{RawQuery, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{assets, job_parameters::Work, projects};
use crate::{
    app::App,
    clock,
    error::ApiError,
    events::{self, NewEvent},
    http::{Ctx, Json, Path, Reply},
    store::{Filter, ListQuery, Table, Tx},
    validate::Checks,
};

pub(crate) static TABLE: Table = Table {
    name: "jobs",
    prefix: "job",
    what: "job",
    sortable: &["created_at", "started_at", "completed_at", "type", "status", "progress"],
    newest_by: "created_at",
    filters: &[
        Filter::one_of("status", &["queued", "processing", "completed", "failed", "cancelled"]),
        Filter::one_of("type", &["video_processing", "thumbnail", "probe", "audio_extraction"]),
        Filter::text("project_id"),
    ],
    slot: 5,
};

/// What an answer about an unfinished job says of when to ask again, in seconds.
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("1");

pub(crate) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/api/jobs", get(list).post(create))
        .route("/api/jobs/{id}", get(retrieve))
        .route("/api/jobs/{id}/cancel", post(cancel))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    VideoProcessing,
    Thumbnail,
    Probe,
    AudioExtraction,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    Queued,
    Processing,
    Completed,
    Failed,
    Cancelled,
}

impl Status {
    pub(crate) fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

/// A job as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) id: String,
    #[serde(rename = "type")]
    pub(crate) kind: Kind,
    pub(crate) project_id: Option<String>,
    pub(crate) status: Status,
    /// In percent.
    pub(crate) progress: i64,
    pub(crate) parameters: Map<String, Value>,
    pub(crate) result: Option<Map<String, Value>>,
    pub(crate) error_message: Option<String>,
    pub(crate) created_at: String,
    pub(crate) started_at: Option<String>,
    pub(crate) completed_at: Option<String>,
}

/// A job as it is sent: where its result is depends on the address that this platform has today.
#[derive(Debug, Serialize)]
pub(crate) struct Sent<'a> {
    #[serde(flatten)]
    job: &'a Job,
    result_url: Option<String>,
}

impl Job {
    pub(crate) fn sent(&self, app: &App) -> Sent<'_> {
        let asset = self.result.as_ref().and_then(|result| result.get("asset_id")?.as_str());
        Sent { job: self, result_url: asset.map(|id| assets::content_url(app, id)) }
    }

    /// The name of the event that tells of its end; nothing before that.
    pub(crate) fn event(&self) -> Option<&'static str> {
        match self.status {
            Status::Completed => Some("job.completed"),
            Status::Failed => Some("job.failed"),
            Status::Cancelled => Some("job.cancelled"),
            Status::Queued | Status::Processing => None,
        }
    }

    fn answer(&self, app: &App, status: StatusCode) -> Result<Response, ApiError> {
        Ok(self.hint(Reply::object(status, &self.sent(app))?))
    }

    fn hint(&self, reply: Reply) -> Response {
        let mut response = reply.into_response();
        if !self.status.is_final() {
            response.headers_mut().insert(header::RETRY_AFTER, ASK_AGAIN);
        }
        response
    }
}

#[derive(Debug, Deserialize)]
struct Create {
    #[serde(rename = "type")]
    kind: Kind,
    #[serde(default)]
    project_id: Option<String>,
    parameters: Map<String, Value>,
}

async fn create(
    State(app): State<Arc<App>>,
    ctx: Ctx,
    Json(new): Json<Create>,
) -> Result<Response, ApiError> {
    let Create { kind, project_id, parameters } = new;
    let mut checks = Checks::default();
    let work = Work::parse(kind, &parameters, &mut checks);
    if let Some(work) = &work {
        match assets::find(&app, &ctx.organization_id, &work.input).await? {
            None => checks.that(
                false,
                "parameters.input",
                format!("no asset has the id {:?}", work.input),
            ),
            Some((asset, _)) => {
                let ready = asset.status == assets::Status::Ready;
                checks.that(ready, "parameters.input", "this asset is not ready");
                work.fits(&asset, &mut checks);
            }
        }
    }
    checks.finish()?;
    app.media.programs().map_err(ApiError::unavailable)?;

    let job = Job {
        id: TABLE.new_id(),
        kind,
        project_id,
        status: Status::Queued,
        progress: 0,
        parameters,
        result: None,
        error_message: None,
        created_at: clock::text(app.clock.now()),
        started_at: None,
        completed_at: None,
    };
    let mut tx = app.store.begin().await?;
    if let Some(project) = &job.project_id
        && !projects::exists(&mut tx, &ctx.organization_id, project).await?
    {
        return Err(ApiError::field("project_id", format!("no project has the id {project:?}")));
    }
    tx.insert(&TABLE, &ctx.organization_id, &job.id, &job).await?;
    let told = Arc::clone(&app);
    tx.after_commit(move || told.jobs.wake());
    let reply = ctx.finish(tx, StatusCode::ACCEPTED, &job.sent(&app)).await?;
    Ok(job.hint(reply))
}

async fn list(
    State(app): State<Arc<App>>,
    ctx: Ctx,
    RawQuery(query): RawQuery,
) -> Result<Reply, ApiError> {
    let query = ListQuery::parse(&TABLE, query.as_deref())?;
    let mut page = app.store.page(&TABLE, &ctx.organization_id, &query).await?;
    for doc in &mut page.docs {
        let job: Job = serde_json::from_str(doc).map_err(ApiError::internal)?;
        *doc = serde_json::to_string(&job.sent(&app)).map_err(ApiError::internal)?;
    }
    Ok(Reply::page(page))
}

async fn retrieve(
    State(app): State<Arc<App>>,
    ctx: Ctx,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let job: Job = app.store.read(&TABLE, &ctx.organization_id, &id).await?;
    job.answer(&app, StatusCode::OK)
}

/// Cancels a job. A cancelled one is answered as it is; one that ended otherwise cannot be cancelled any more.
async fn cancel(
    State(app): State<Arc<App>>,
    ctx: Ctx,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let mut tx = app.store.begin().await?;
    let mut job: Job = tx.read(&TABLE, &ctx.organization_id, &id).await?;
    match job.status {
        Status::Completed | Status::Failed => {
            return Err(ApiError::conflict("conflict", "this job has ended already"));
        }
        Status::Cancelled => {}
        Status::Queued | Status::Processing => {
            job.status = Status::Cancelled;
            job.completed_at = Some(clock::text(app.clock.now()));
            end(&app, &mut tx, &ctx.organization_id, &job).await?;
        }
    }
    let reply = ctx.finish(tx, StatusCode::OK, &job.sent(&app)).await?;
    Ok(reply.into_response())
}

/// Writes down the end of a job, with its event; whoever runs it or listens to it hears of it once that is committed.
pub(crate) async fn end(
    app: &Arc<App>,
    tx: &mut Tx<'_>,
    organization: &str,
    job: &Job,
) -> Result<(), ApiError> {
    let name =
        job.event().ok_or_else(|| ApiError::internal("an unfinished job was to be ended"))?;
    tx.replace(&TABLE, organization, &job.id, job).await?;
    let sent = job.sent(app);
    let mut top = Map::new();
    top.insert("job_id".to_owned(), json!(job.id));
    top.insert("project_id".to_owned(), json!(job.project_id));
    match job.status {
        Status::Completed => top.insert("result_url".to_owned(), json!(sent.result_url)),
        Status::Failed => top.insert("error_message".to_owned(), json!(job.error_message)),
        _ => None,
    };
    let data = serde_json::to_value(&sent).map_err(ApiError::internal)?;
    events::emit(app, tx, NewEvent { organization_id: organization, name, data, top }).await?;
    let (told, id) = (Arc::clone(app), job.id.clone());
    tx.after_commit(move || told.jobs.end(&id));
    Ok(())
}
