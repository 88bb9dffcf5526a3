//! What goes on by itself: the pages of a list, the events of a job. One thing is asked for after another; between them, what
//! was asked for ahead waits on its thread.

use std::{future::Future, sync::Arc};

use serde::de::DeserializeOwned;
use storycore::{Pages, models as core};
use tokio::sync::Mutex;

use crate::{
    failure::Failure,
    models::JobEvent,
    runtime::{self, Closing, Place, Running},
};

/// Something that comes piece by piece.
pub(crate) trait Pieces: Send + 'static {
    type Piece: Send + 'static;

    /// The next piece, or nothing at the end.
    fn next(
        &mut self,
    ) -> impl Future<Output = Result<Option<Self::Piece>, storycore::Error>> + Send;
}

impl<T: DeserializeOwned + Send + 'static> Pieces for Pages<T> {
    type Piece = core::Page<T>;

    async fn next(&mut self) -> Result<Option<Self::Piece>, storycore::Error> {
        self.next_page().await
    }
}

impl Pieces for storycore::jobs::JobEvents {
    type Piece = core::JobEvent;

    async fn next(&mut self) -> Result<Option<Self::Piece>, storycore::Error> {
        self.next_event().await
    }
}

/// A stream as the languages hold it.
pub(crate) struct Stream<S: Pieces> {
    /// Its connections are there.
    thread: usize,
    closing: Closing,
    /// Why it could not be opened is told with the first piece.
    stream: Arc<Mutex<Option<Result<S, Failure>>>>,
}

impl<S: Pieces> Stream<S> {
    pub(crate) fn new(thread: usize, opened: Result<S, Failure>, closing: Closing) -> Self {
        Self { thread, closing, stream: Arc::new(Mutex::new(Some(opened))) }
    }

    pub(crate) async fn next<T: From<S::Piece> + Send + 'static>(
        &self,
    ) -> Result<Option<T>, Failure> {
        let stream = Arc::clone(&self.stream);
        let next = async move {
            let mut held = stream.lock().await;
            match held.take() {
                // Put back before it is waited for: a call that is dropped must not lose it.
                Some(Ok(opened)) => {
                    let Ok(opened) = held.insert(Ok(opened)) else { return Ok(None) };
                    Ok(opened.next().await?.map(T::from))
                }
                Some(Err(failure)) => Err(failure),
                None => Ok(None),
            }
        };
        Running::begin(Place::on(self.thread), &self.closing, next).await
    }
}

impl<S: Pieces> Drop for Stream<S> {
    fn drop(&mut self) {
        runtime::drop_on(self.thread, Arc::clone(&self.stream));
    }
}

/// What happens to a job, as it happens.
#[derive(uniffi::Object)]
pub struct JobEvents(pub(crate) Stream<storycore::jobs::JobEvents>);

#[uniffi::export]
impl JobEvents {
    /// What happens next, or nothing when the job has ended.
    pub async fn next(&self) -> Result<Option<JobEvent>, Failure> {
        self.0.next().await
    }
}
