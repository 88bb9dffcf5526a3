//! `GET /api/jobs/{id}/events`: what happens to a job, as Server-Sent Events, until it is over. Each event's id is a number
//! that grows with the job's runs and its progress, so that a stream that broke, even in a restart of the platform,
//! goes on behind `Last-Event-ID`.

use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::State,
    http::HeaderMap,
    response::{
        IntoResponse as _, Response, Sse,
        sse::{Event, KeepAlive},
    },
    routing::get,
};
use futures_util::stream;
use sqlx::Row as _;
use tokio::sync::watch;

use super::jobs::{Job, Status, TABLE};
use crate::{
    app::App,
    error::ApiError,
    http::{Ctx, Path},
    jobs::Channel,
};

/// The most time without a line.
const SILENCE: Duration = Duration::from_secs(15);
/// Ids of one run: its progress in percent, and its end.
const PER_RUN: i64 = 1_000;
const END: i64 = PER_RUN - 1;

pub(crate) fn router() -> Router<Arc<App>> {
    Router::new().route("/api/jobs/{id}/events", get(events))
}

async fn events(
    State(app): State<Arc<App>>,
    ctx: Ctx,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    app.store.document(&TABLE, &ctx.organization_id, &id).await?;
    let channel = app.jobs.channel(&id);
    let follower = Follower {
        changed: channel.listen(),
        channel,
        organization: Arc::clone(&ctx.organization_id),
        job: id,
        seen: last_event_id(&headers)?,
        ready: VecDeque::new(),
        over: false,
        app,
    };
    let events = stream::unfold(follower, |mut follower| async move {
        let event = follower.next().await?;
        Some((Ok::<_, Infallible>(event), follower))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(SILENCE)).into_response())
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<i64>, ApiError> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let digits =
        |text: &&str| (1..=18).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let id = value.to_str().ok().filter(digits).and_then(|text| text.parse().ok());
    id.map(Some).ok_or_else(|| {
        ApiError::parameter("Last-Event-ID", "must be the id of an event of this job")
    })
}

/// One listener.
struct Follower {
    app: Arc<App>,
    organization: Arc<str>,
    job: String,
    channel: Arc<Channel>,
    changed: watch::Receiver<()>,
    /// The id of the last event that was sent.
    seen: Option<i64>,
    ready: VecDeque<Event>,
    over: bool,
}

impl Follower {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.over {
                return None;
            }
            // Marked as heard before it is looked at: what changes in between is looked at once more.
            self.changed.mark_unchanged();
            if let Err(error) = self.look().await {
                tracing::error!(error = error.message, "an event stream ends early");
                return None;
            }
            if self.ready.is_empty() && !self.over {
                tokio::select! {
                    changed = self.changed.changed() => changed.ok()?,
                    () = self.app.stopping.cancelled() => return None,
                }
            }
        }
    }

    /// Makes ready what has happened since the last event.
    async fn look(&mut self) -> Result<(), ApiError> {
        let row = sqlx::query("SELECT doc, run FROM jobs WHERE id = ?1 AND organization_id = ?2")
            .bind(&self.job)
            .bind(&*self.organization)
            .fetch_optional(self.app.store.reader())
            .await?;
        // Gone: the platform was emptied.
        let Some(row) = row else {
            self.over = true;
            return Ok(());
        };
        let job: Job = serde_json::from_str(row.try_get(0)?).map_err(ApiError::internal)?;
        let run: i64 = row.try_get(1)?;
        let mut told = self.channel.told(run);
        if told.is_empty() || job.status.is_final() {
            told = self.written(run).await?;
        }
        for progress in told {
            self.push(run * PER_RUN + progress, "job.progress", &as_it_was(&job, progress))?;
        }
        if let Some(name) = job.event() {
            self.push(run * PER_RUN + END, name, &job)?;
            self.over = true;
        }
        Ok(())
    }

    async fn written(&self, run: i64) -> Result<Vec<i64>, ApiError> {
        Ok(sqlx::query_scalar(
            "SELECT progress FROM job_progress WHERE job_id = ?1 AND run = ?2 ORDER BY progress",
        )
        .bind(&self.job)
        .bind(run)
        .fetch_all(self.app.store.reader())
        .await?)
    }

    fn push(&mut self, id: i64, name: &str, job: &Job) -> Result<(), ApiError> {
        if self.seen.is_some_and(|seen| id <= seen) {
            return Ok(());
        }
        self.seen = Some(id);
        let data = serde_json::to_string(&job.sent(&self.app)).map_err(ApiError::internal)?;
        self.ready.push_back(Event::default().id(id.to_string()).event(name).data(data));
        Ok(())
    }
}

/// The job when it had this progress.
fn as_it_was(job: &Job, progress: i64) -> Job {
    Job {
        status: Status::Processing,
        progress,
        result: None,
        error_message: None,
        completed_at: None,
        ..job.clone()
    }
}
