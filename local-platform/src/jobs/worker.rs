//! The workers: each takes the oldest waiting job, runs it, and writes down how it ended. A run that a stop or a crash cut
//! off leaves its job `processing`, and the next start puts that back into the queue.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use sqlx::Row as _;
use tokio::{task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;

use super::outcome::{self, Outcome};
use crate::{
    app::App,
    clock,
    error::ApiError,
    files::Temporary,
    media::{self, Failure, Task},
    resources::{
        assets,
        job_parameters::Work,
        jobs::{Job, Status, TABLE},
    },
    validate::Checks,
};

/// How often a run's progress is written down; those who listen hear of it at once.
const WRITE_EVERY: Duration = Duration::from_millis(250);
/// The wait after the database failed, before it is asked again.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// The most that a run tells: the last percent is its result's being hashed, moved and written down.
const ALMOST: i64 = 99;
/// How often it is looked for ffmpeg while jobs wait for it.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// A job that a worker has taken.
pub(super) struct Taken {
    pub(super) organization: String,
    pub(super) run: i64,
    pub(super) job: Job,
}

/// Puts the jobs back into the queue that ran when the platform ended; to be called before the workers start.
pub(crate) async fn requeue(app: &App) -> Result<(), ApiError> {
    let mut tx = app.store.begin().await?;
    let rows = sqlx::query(
        "SELECT organization_id, doc FROM jobs
         WHERE doc ->> 'status' IN ('queued', 'processing') AND doc ->> 'status' = 'processing' ORDER BY seq",
    )
    .fetch_all(tx.sql())
    .await?;
    for row in rows {
        let organization: String = row.try_get(0)?;
        let mut job: Job = serde_json::from_str(row.try_get(1)?).map_err(ApiError::internal)?;
        tracing::info!(job = job.id, "a job that was cut off is run again");
        job.status = Status::Queued;
        job.progress = 0;
        job.started_at = None;
        tx.replace(&TABLE, &organization, &job.id, &job).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Runs jobs until the platform stops.
pub(crate) async fn run(app: Arc<App>) {
    if let Err(missing) = app.media.programs() {
        tracing::error!("jobs cannot run: {missing}");
    }
    let mut workers = JoinSet::new();
    for _ in 0..app.config.job_workers.max(1) {
        workers.spawn(work(Arc::clone(&app)));
    }
    while let Some(ended) = workers.join_next().await {
        if let Err(error) = ended
            && !app.stopping.is_cancelled()
        {
            tracing::error!(%error, "a worker broke; another takes its place");
            workers.spawn(work(Arc::clone(&app)));
        }
    }
}

async fn work(app: Arc<App>) {
    while !app.stopping.is_cancelled() {
        let wait = match app.media.programs() {
            Err(_) => LOOK_EVERY,
            Ok(programs) => match take(&app).await {
                Ok(Some(taken)) => {
                    perform(&app, &programs, taken).await;
                    continue;
                }
                Ok(None) => Duration::MAX,
                Err(error) => {
                    tracing::error!(error = error.message, "the queue of jobs cannot be read");
                    AFTER_FAILURE
                }
            },
        };
        tokio::select! {
            () = app.jobs.waiting.notified() => {}
            () = tokio::time::sleep(wait) => {}
            () = app.stopping.cancelled() => {}
        }
    }
}

/// Takes the oldest job that waits.
async fn take(app: &Arc<App>) -> Result<Option<Taken>, ApiError> {
    let mut tx = app.store.begin().await?;
    let row = sqlx::query(
        "SELECT organization_id, doc, run FROM jobs
         WHERE doc ->> 'status' IN ('queued', 'processing') AND doc ->> 'status' = 'queued' ORDER BY seq LIMIT 1",
    )
    .fetch_optional(tx.sql())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let organization: String = row.try_get(0)?;
    let mut job: Job = serde_json::from_str(row.try_get(1)?).map_err(ApiError::internal)?;
    let run = row.try_get::<i64, _>(2)? + 1;
    job.status = Status::Processing;
    job.started_at = Some(clock::text(app.clock.now()));
    sqlx::query("UPDATE jobs SET run = ?2 WHERE id = ?1")
        .bind(&job.id)
        .bind(run)
        .execute(tx.sql())
        .await?;
    tx.replace(&TABLE, &organization, &job.id, &job).await?;
    tx.commit().await?;
    Ok(Some(Taken { organization, run, job }))
}

/// Runs a job to its end, unless it is cancelled or the platform stops; both end the child.
async fn perform(app: &Arc<App>, programs: &media::Programs, taken: Taken) {
    let channel = app.jobs.channel(&taken.job.id);
    let cancel = app.stopping.child_token();
    channel.begin(taken.run, cancel.clone());
    let mut progress =
        Progress { app, taken: &taken, channel: &channel, last: -1, unwritten: Vec::new() };
    progress.tell(0);
    let outcome = match attempt(app, programs, &taken, &mut progress, &cancel).await {
        Ok(Some(outcome)) => outcome,
        Ok(None) => return,
        Err(error) => Outcome::Failed(error.message),
    };
    let unwritten = std::mem::take(&mut progress.unwritten);
    outcome::keep(app, &taken, outcome, unwritten).await;
}

/// Does the work. Nothing where the job is not to be ended by this run: it was cancelled, or is to be run again.
async fn attempt(
    app: &Arc<App>,
    programs: &media::Programs,
    taken: &Taken,
    progress: &mut Progress<'_>,
    cancel: &CancellationToken,
) -> Result<Option<Outcome>, ApiError> {
    // A cancellation that came before this run could be told of it is in the database.
    if !progress.write().await? {
        return Ok(None);
    }
    let mut checks = Checks::default();
    let work = Work::parse(taken.job.kind, &taken.job.parameters, &mut checks);
    checks.finish()?;
    let work = work.ok_or_else(|| ApiError::internal("a job without an input was taken"))?;
    let gone = "the input asset was deleted before the job began";
    let Some((input, input_file)) = assets::find(app, &taken.organization, &work.input).await?
    else {
        return Ok(Some(Outcome::Failed(gone.to_owned())));
    };
    let folder = app.files.work_folder().await?;
    match link(&app.files.asset(&input.id), &folder).await {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Some(Outcome::Failed(gone.to_owned())));
        }
        Err(error) => return Err(error.into()),
    }
    let path = folder.path().join(media::INPUT);
    let found = tokio::select! {
        found = media::probe(programs, &path) => found,
        () = cancel.cancelled() => return Ok(None),
    };
    let found = match found {
        Ok(found) => found,
        Err(words) => return Ok(Some(Outcome::Failed(words))),
    };
    let Some(task) = work.task else { return Ok(Some(Outcome::Looked(found.metadata()))) };
    let made = follow(programs, &task, folder.path(), found.duration_s, cancel, progress).await?;
    let path = match made {
        Ok(path) => path,
        Err(Failure::Cancelled) => return Ok(None),
        Err(Failure::Words(words)) => return Ok(Some(Outcome::Failed(words))),
        Err(Failure::System(error)) => return Err(error.into()),
    };
    let made = outcome::made(app, taken, &input, &input_file, &task, path).await?;
    Ok(Some(Outcome::Made { made: Box::new(made), _folder: folder }))
}

/// Runs ffmpeg and tells of its progress.
async fn follow(
    programs: &media::Programs,
    task: &Task,
    folder: &Path,
    duration_s: Option<f64>,
    cancel: &CancellationToken,
    progress: &mut Progress<'_>,
) -> Result<Result<PathBuf, Failure>, ApiError> {
    let mut writes = tokio::time::interval_at(Instant::now() + WRITE_EVERY, WRITE_EVERY);
    writes.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let run = media::run(programs, task, folder, duration_s, cancel, move |share| {
        // Nobody listens any more once the run is over.
        let _ = tell.send((share * 100.0) as i64);
    });
    tokio::pin!(run);
    let made = loop {
        tokio::select! {
            made = &mut run => break made,
            Some(percent) = told.recv() => progress.tell(percent.min(ALMOST)),
            // Whether the job is still this run's is for the cancellation to say, which ends the child first.
            _ = writes.tick() => if let Err(error) = progress.write().await {
                // The run goes on, and tells of its progress with its end.
                tracing::warn!(error = error.message, "a job's progress cannot be written down yet");
            },
        }
    };
    while let Ok(percent) = told.try_recv() {
        progress.tell(percent.min(ALMOST));
    }
    Ok(made)
}

/// Gives the input a second name in the run's folder: the run goes on when the asset is deleted meanwhile.
async fn link(asset: &Path, folder: &Temporary) -> std::io::Result<()> {
    let name = folder.path().join(media::INPUT);
    match tokio::fs::hard_link(asset, &name).await {
        // Some file systems have no second names.
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            tokio::fs::copy(asset, &name).await.map(|_| ())
        }
        linked => linked,
    }
}

/// What a run has told of its progress.
struct Progress<'a> {
    app: &'a Arc<App>,
    taken: &'a Taken,
    channel: &'a super::Channel,
    last: i64,
    unwritten: Vec<i64>,
}

impl Progress<'_> {
    /// Tells those who listen, once a whole percent.
    fn tell(&mut self, percent: i64) {
        if percent > self.last {
            self.last = percent;
            self.unwritten.push(percent);
            self.channel.tell(percent);
        }
    }

    /// Writes down what was told since the last time; `false` when the job is no longer this run's.
    async fn write(&mut self) -> Result<bool, ApiError> {
        if self.unwritten.is_empty() {
            return Ok(true);
        }
        let mut tx = self.app.store.begin().await?;
        let Some(mut job) = outcome::current(&mut tx, self.taken).await? else { return Ok(false) };
        outcome::write_progress(self.app, &mut tx, self.taken, &self.unwritten).await?;
        job.progress = self.last;
        tx.replace(&TABLE, &self.taken.organization, &job.id, &job).await?;
        tx.commit().await?;
        self.unwritten.clear();
        Ok(true)
    }
}
