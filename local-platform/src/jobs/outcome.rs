//! How a run ended, written down at once: the result's row beside its file, the job's own, and their events. Whoever was
//! first to end a job has ended it: a result that comes after a cancellation is dropped.

use std::{path::PathBuf, sync::Arc, time::Duration};

use serde_json::{Map, Value, json};
use sqlx::Row as _;

use super::worker::Taken;
use crate::{
    app::App,
    clock,
    error::ApiError,
    files::{self, Received, Temporary},
    media::Task,
    resources::{
        assets::{self, Asset, Kind},
        jobs::{self, Job, Status},
    },
    store::Tx,
};

/// The wait before an end is written down again that could not be.
const AGAIN: Duration = Duration::from_secs(1);

/// How a run ended.
pub(super) enum Outcome {
    /// The input was looked into.
    Looked(Map<String, Value>),
    /// Something new was made of it; the folder it lies in is kept until it is moved.
    Made { made: Box<Made>, _folder: Temporary },
    /// It did not work; why.
    Failed(String),
}

/// A file that is to be an asset.
pub(super) struct Made {
    asset: Asset,
    file_name: String,
    file: Received,
}

/// The asset that a run's output is to be.
pub(super) async fn made(
    app: &App,
    taken: &Taken,
    input: &Asset,
    input_file: &str,
    task: &Task,
    path: PathBuf,
) -> Result<Made, ApiError> {
    let (file, metadata) = tokio::join!(app.files.take(path.clone()), app.media.describe(&path));
    let file = file?;
    let file_name = format!("{}.{}", stem(input_file), task.extension());
    let kind = match task {
        Task::Audio { .. } => Kind::Audio,
        Task::Thumbnail { .. } => Kind::Image,
        Task::Video { .. } if task.extension() == "gif" => Kind::Image,
        Task::Video { .. } => Kind::Video,
    };
    let asset = Asset {
        id: assets::TABLE.new_id(),
        name: file_name.clone(),
        kind,
        description: None,
        status: assets::Status::Ready,
        size: file.size,
        content_type: files::content_type_of(&file_name).to_owned(),
        sha256: file.sha256.clone(),
        project_id: taken.job.project_id.clone().or_else(|| input.project_id.clone()),
        metadata,
        created_at: clock::text(app.clock.now()),
    };
    Ok(Made { asset, file_name, file })
}

/// A file's name without its extension.
fn stem(name: &str) -> &str {
    name.rsplit_once('.').map(|(stem, _)| stem).filter(|stem| !stem.is_empty()).unwrap_or(name)
}

/// Writes an end down, again and again while the database fails. When the platform stops meanwhile, the job stays as it
/// is and is run again.
pub(super) async fn keep(app: &Arc<App>, taken: &Taken, outcome: Outcome, unwritten: Vec<i64>) {
    let mut job = taken.job.clone();
    job.completed_at = Some(clock::text(app.clock.now()));
    let mut made = None;
    match outcome {
        Outcome::Looked(metadata) => {
            job.status = Status::Completed;
            job.result =
                Some([("metadata".to_owned(), Value::Object(metadata))].into_iter().collect());
        }
        Outcome::Made { made: output, _folder } => {
            let Made { asset, file_name, file } = *output;
            job.status = Status::Completed;
            job.result = Some(result(&asset));
            match app.files.place(file, &asset.id).await {
                Ok(()) => made = Some((asset, file_name)),
                Err(error) => {
                    job.status = Status::Failed;
                    job.result = None;
                    job.error_message = Some(ApiError::from(error).message);
                }
            }
        }
        Outcome::Failed(why) => {
            job.status = Status::Failed;
            job.error_message = Some(why);
        }
    }
    job.progress = match job.status {
        Status::Completed => 100,
        _ => unwritten.last().copied().unwrap_or_default(),
    };
    loop {
        match write(app, taken, &mut job, made.as_ref(), &unwritten).await {
            Ok(true) => return,
            // Cancelled in the last moment, or gone.
            Ok(false) => break,
            Err(error) => {
                tracing::error!(
                    error = error.message,
                    job = job.id,
                    "a job's end cannot be written down yet"
                );
            }
        }
        tokio::select! {
            () = tokio::time::sleep(AGAIN) => {}
            () = app.stopping.cancelled() => break,
        }
    }
    if let Some((asset, _)) = made {
        app.files.remove(&asset.id).await;
    }
}

fn result(asset: &Asset) -> Map<String, Value> {
    [
        ("asset_id", json!(asset.id)),
        ("name", json!(asset.name)),
        ("type", json!(asset.kind)),
        ("content_type", json!(asset.content_type)),
        ("size", json!(asset.size)),
        ("sha256", json!(asset.sha256)),
        ("metadata", json!(asset.metadata)),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

async fn write(
    app: &Arc<App>,
    taken: &Taken,
    job: &mut Job,
    made: Option<&(Asset, String)>,
    unwritten: &[i64],
) -> Result<bool, ApiError> {
    let mut tx = app.store.begin().await?;
    let Some(current) = current(&mut tx, taken).await? else { return Ok(false) };
    if job.status != Status::Completed {
        job.progress = job.progress.max(current.progress);
    }
    write_progress(app, &mut tx, taken, unwritten).await?;
    if let Some((asset, file_name)) = made {
        assets::insert(app, &mut tx, &taken.organization, asset, file_name).await?;
    }
    jobs::end(app, &mut tx, &taken.organization, job).await?;
    tx.commit().await?;
    Ok(true)
}

/// The job, if it is still this run's to end.
pub(super) async fn current(tx: &mut Tx<'_>, taken: &Taken) -> Result<Option<Job>, ApiError> {
    let row = sqlx::query("SELECT doc, run FROM jobs WHERE id = ?1")
        .bind(&taken.job.id)
        .fetch_optional(tx.sql())
        .await?;
    let Some(row) = row else { return Ok(None) };
    let job: Job = serde_json::from_str(row.try_get(0)?).map_err(ApiError::internal)?;
    let ours = job.status == Status::Processing && row.try_get::<i64, _>(1)? == taken.run;
    Ok(ours.then_some(job))
}

/// Writes down what was told.
pub(super) async fn write_progress(
    app: &App,
    tx: &mut Tx<'_>,
    taken: &Taken,
    told: &[i64],
) -> Result<(), ApiError> {
    let at = clock::text(app.clock.now());
    for percent in told {
        sqlx::query("INSERT INTO job_progress (job_id, run, progress, at) VALUES (?1, ?2, ?3, ?4)")
            .bind(&taken.job.id)
            .bind(taken.run)
            .bind(percent)
            .bind(&at)
            .execute(tx.sql())
            .await?;
    }
    Ok(())
}
