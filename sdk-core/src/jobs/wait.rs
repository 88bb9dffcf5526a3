//! Waiting for a job: its events first, asking for it again and again where there are none or they fall silent.

use std::{sync::Arc, time::Duration};

use http::Method;
use tokio::time::Instant;

use super::{JobEvents, poll::PollSchedule};
use crate::{
    client::Client,
    decode,
    error::{Error, ErrorKind},
    models::{Job, JobStatus},
    platform::Resource,
    transport::{Request, below, retry_after},
};

/// How long no event may come before the job is asked for: once, where comments come meanwhile, else from then on.
const SILENCE: Duration = Duration::from_secs(30);

/// Times in a row that the job could not be asked for, each with the retries of a call, before waiting fails.
const MOST_FAILURES: u32 = 5;

/// How to wait.
#[derive(Clone)]
pub struct WaitOptions {
    timeout: Duration,
    on_progress: Option<Arc<OnProgress>>,
}

type OnProgress = dyn Fn(&Job) + Send + Sync;

impl Default for WaitOptions {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(30 * 60), on_progress: None }
    }
}

impl std::fmt::Debug for WaitOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WaitOptions").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

impl WaitOptions {
    /// Every default.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How long to wait at most. Default 30 minutes. The job goes on when it is over.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Is told of the job each time that it is seen.
    #[must_use]
    pub fn on_progress(mut self, told: impl Fn(&Job) + Send + Sync + 'static) -> Self {
        self.on_progress = Some(Arc::new(told));
        self
    }
}

/// Waits for a job to complete.
pub(crate) async fn wait(client: &Client, id: &str, options: WaitOptions) -> Result<Job, Error> {
    let path = below(client.platform().path(Resource::Jobs)?, id)?;
    let started = Instant::now();
    let mut last = None;
    let seen = async {
        let mut watch = Watch { client, path, options: &options, last: &mut last };
        match watch.by_events().await? {
            Some(job) => Ok(job),
            None => watch.by_asking().await,
        }
    };
    match tokio::time::timeout(options.timeout, seen).await {
        Ok(ended) => ended.and_then(outcome),
        Err(_) => {
            let message =
                format!("the job {id} did not end within {:?}; it goes on", options.timeout);
            Err(Error::new(ErrorKind::WaitTimeout, message).with(|e| {
                e.elapsed = started.elapsed();
                // A job that was never seen is still named by its id.
                e.job = Some(Box::new(last.unwrap_or_else(|| Job::with_id(id))));
            }))
        }
    }
}

/// What the end of a job means to who waited for it.
fn outcome(job: Job) -> Result<Job, Error> {
    let (kind, what) = match job.status {
        JobStatus::Failed => (ErrorKind::JobFailed, "failed"),
        JobStatus::Cancelled => (ErrorKind::JobCancelled, "was cancelled"),
        _ => return Ok(job),
    };
    let message = match &job.error_message {
        Some(why) => format!("the job {} {what}: {why}", job.id),
        None => format!("the job {} {what}", job.id),
    };
    Err(Error::new(kind, message).with(|e| e.job = Some(Box::new(job))))
}

struct Watch<'a> {
    client: &'a Client,
    path: String,
    options: &'a WaitOptions,
    last: &'a mut Option<Job>,
}

impl Watch<'_> {
    /// Follows the job's events to its end; nothing when there are none, or none for too long.
    async fn by_events(&mut self) -> Result<Option<Job>, Error> {
        let events = JobEvents::new(self.client, Ok(format!("{}/events", self.path)));
        let mut events = events.ending_after(SILENCE);
        loop {
            let next = tokio::time::timeout(SILENCE, events.next_event());
            let Ok(next) = next.await else {
                // Comments show that the platform is there, and say nothing of the job: its last event may have been lost.
                match self.ask().await {
                    Ok((job, _)) if job.status.is_final() => return Ok(Some(job)),
                    Err(error) if !error.is_retryable() => return Err(error),
                    _ => continue,
                }
            };
            match next {
                Ok(Some(event)) => {
                    let ended = event.job.status.is_final();
                    self.note(event.job);
                    if ended {
                        break;
                    }
                }
                Ok(None) => break,
                // Whoever may not read events may not ask for the job either.
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::Authentication | ErrorKind::Permission
                    ) =>
                {
                    return Err(error);
                }
                Err(error) => {
                    tracing::debug!(%error, "no events of the job: asking for it instead");
                    return Ok(None);
                }
            }
        }
        // An event may tell a part; the whole job is asked for once.
        match self.ask().await {
            Ok((job, _)) => Ok(job.status.is_final().then_some(job)),
            Err(error) if error.is_retryable() => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn by_asking(&mut self) -> Result<Job, Error> {
        let mut schedule = PollSchedule::default();
        let mut failed = 0;
        loop {
            let asked = match self.ask().await {
                Ok((job, _)) if job.status.is_final() => return Ok(job),
                Ok((_, asked)) => {
                    failed = 0;
                    asked
                }
                // The job goes on while the platform cannot be asked; what will not pass is told at once.
                Err(error) if error.is_retryable() && failed < MOST_FAILURES => {
                    failed += 1;
                    tracing::debug!(%error, failed, "the job could not be asked for");
                    error.retry_after()
                }
                Err(error) => return Err(error),
            };
            tokio::time::sleep(schedule.wait(asked, rand::random())).await;
        }
    }

    async fn ask(&mut self) -> Result<(Job, Option<Duration>), Error> {
        let request = Request::new(Method::GET, "/jobs/{id}", self.path.clone());
        let answer = self.client.send(&request).await?;
        let job: Job = decode::object(&answer.body).map_err(|e| decode::from(e, &answer))?;
        self.note(job.clone());
        Ok((job, retry_after::parse(&answer.headers, std::time::SystemTime::now())))
    }

    fn note(&mut self, job: Job) {
        if let Some(told) = &self.options.on_progress {
            told(&job);
        }
        *self.last = Some(job);
    }
}
