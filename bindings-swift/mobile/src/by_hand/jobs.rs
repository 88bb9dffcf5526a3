//! Waiting for a job.

use std::{sync::Arc, time::Duration};

use storycore::jobs::WaitOptions;

use crate::{
    failure::{self, CallbackFailure, Failure},
    given::{Given, given},
    models::Job,
    options::CallOptions,
    resources::Jobs,
};

/// Hears of a job each time that it is seen.
#[uniffi::export(with_foreign)]
pub trait JobListener: Send + Sync {
    /// The job as it is now.
    fn on_job(&self, job: Job) -> Result<(), CallbackFailure>;
}

#[uniffi::export]
impl Jobs {
    /// Waits until the job has completed, for 30 minutes where no time is given.
    pub async fn wait(
        &self,
        id: String,
        timeout: Option<Duration>,
        listener: Option<Arc<dyn JobListener>>,
        options: Option<CallOptions>,
    ) -> Result<Given<Job>, Failure> {
        self.0
            .long_call(options, move |client| async move {
                let mut waiting = WaitOptions::new();
                if let Some(time) = timeout {
                    waiting = waiting.timeout(time);
                }
                if let Some(listener) = listener {
                    waiting = waiting.on_progress(move |job| {
                        failure::told(listener.on_job(job.clone().into()));
                    });
                }
                given(client.jobs().wait_with(&id, waiting).await)
            })
            .await
    }
}
