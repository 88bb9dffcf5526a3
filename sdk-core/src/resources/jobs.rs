//! Jobs: making, watching, waiting for and cancelling them.

use super::Endpoint;
use crate::{
    client::Client,
    error::Error,
    jobs::{JobEvents, WaitOptions, wait},
    list::{self, Items, Pages},
    models::{Job, ListParams, NewJob, Page},
    platform::Resource,
};

const ALL: &str = "/jobs";
const ONE: &str = "/jobs/{id}";

/// Jobs: work that the platform does on media.
#[derive(Debug, Clone, Copy)]
pub struct Jobs<'a>(Endpoint<'a>);

impl<'a> Jobs<'a> {
    pub(crate) fn new(client: &'a Client) -> Self {
        Self(Endpoint::new(client, Resource::Jobs))
    }

    /// Makes a job, which then waits for its turn.
    ///
    /// ```no_run
    /// # async fn run(client: storycore::Client) -> Result<(), storycore::Error> {
    /// use storycore::models::{NewJob, VideoSettings};
    /// let settings = VideoSettings::default().format("webm").resolution("1280x720");
    /// let job = client.jobs().create(NewJob::video_processing("ast_1", settings)).await?;
    /// let done = client.jobs().wait(&job.id).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `invalid_request` for an asset that is not there or a wrong setting, and as every call.
    pub async fn create(&self, job: NewJob) -> Result<Job, Error> {
        self.0.post(ALL, self.0.path(), &job).await
    }

    /// The job with this id, as it is now.
    ///
    /// # Errors
    /// `not_found` when there is none, and as every call.
    pub async fn get(&self, id: &str) -> Result<Job, Error> {
        self.0.get(ONE, self.0.object(id)).await
    }

    /// Cancels the job.
    ///
    /// # Errors
    /// `conflict` when it has ended already, `not_found` when there is none, and as every call.
    pub async fn cancel(&self, id: &str) -> Result<Job, Error> {
        self.0.post_empty("/jobs/{id}/cancel", self.0.part(id, "cancel")).await
    }

    /// One page of jobs. Filters: `status`, `type`, `project_id`.
    ///
    /// # Errors
    /// `invalid_request` naming a wrong parameter, and as every call.
    pub async fn list(&self, params: ListParams) -> Result<Page<Job>, Error> {
        list::page(self.0.client, ALL, self.0.path(), &params).await
    }

    /// Every page, one after another, the next fetched ahead.
    pub fn pages(&self, params: ListParams) -> Pages<Job> {
        Pages::new(self.0.client, ALL, self.0.path(), params)
    }

    /// Every job, over all pages.
    pub fn items(&self, params: ListParams) -> Items<Job> {
        Items::new(self.pages(params))
    }

    /// What happens to the job, as a stream that ends with it. A connection that breaks is taken up where it was.
    pub fn events(&self, id: &str) -> JobEvents {
        JobEvents::new(self.0.client, self.0.part(id, "events"))
    }

    /// Waits until the job has completed, for 30 minutes at most.
    ///
    /// Dropping the future ends all of its traffic; the job goes on.
    ///
    /// # Errors
    /// `job_failed`, `job_cancelled` or `wait_timeout`, each carrying the job ([`Error::job`]), and as every call.
    pub async fn wait(&self, id: &str) -> Result<Job, Error> {
        wait(self.0.client, id, WaitOptions::default()).await
    }

    /// Waits as [`wait`](Self::wait) does, with options.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub async fn wait_with(&self, id: &str, options: WaitOptions) -> Result<Job, Error> {
        wait(self.0.client, id, options).await
    }
}
