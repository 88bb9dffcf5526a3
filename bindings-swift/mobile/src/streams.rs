//! What goes on by itself: the pages of a list, the events of a job. One thing is asked for after another; between them, what
//! was asked for ahead waits on its thread.

use std::{any::Any, future::Future, marker::PhantomData, sync::Arc};

use futures_util::future::BoxFuture;
use serde::de::DeserializeOwned;
use storycore::{Pages, models as core};
use tokio::sync::Mutex;

use uniffi::Lower;

use crate::{
    UniFfiTag,
    failure::Failure,
    given::{Given, Lowered},
    models::JobEvent,
    runtime::{self, Closing, Place, Running, Started},
};

/// A piece as the core has it.
type Piece = Box<dyn Any + Send>;

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

/// The same without the pieces' type, so that a stream is compiled once.
trait Source: Send {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Piece>, storycore::Error>>;
}

impl<S: Pieces> Source for S {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Piece>, storycore::Error>> {
        Box::pin(async move { Ok(Pieces::next(self).await?.map(|piece| Box::new(piece) as Piece)) })
    }
}

/// Makes of a piece, or of the end, what the languages have for it.
type Convert = fn(Option<Piece>) -> Result<Lowered, Failure>;

/// A stream as the languages hold it.
pub(crate) struct Stream<S> {
    held: Held,
    of: PhantomData<fn() -> S>,
}

impl<S: Pieces> Stream<S> {
    pub(crate) fn new(thread: usize, opened: Result<S, Failure>, closing: Closing) -> Self {
        let opened = opened.map(|opened| Box::new(opened) as Box<dyn Source>);
        let held = Held { thread, closing, stream: Arc::new(Mutex::new(Some(opened))) };
        Self { held, of: PhantomData }
    }

    pub(crate) fn next<T>(&self) -> Running<Option<T>>
    where
        T: From<S::Piece> + Lower<UniFfiTag>,
    {
        let convert: Convert = |piece| {
            let piece = piece.map(|piece| piece.downcast::<S::Piece>()).transpose();
            let piece = piece.map_err(|_| Failure::inside())?;
            Ok(Given::of(piece.map(|piece| T::from(*piece))).lowered())
        };
        Running::of(self.held.next(convert))
    }
}

/// A source, or why it could not be opened, which is told with the first piece; nothing behind that.
type Opened = Option<Result<Box<dyn Source>, Failure>>;

struct Held {
    /// Its connections are there.
    thread: usize,
    closing: Closing,
    stream: Arc<Mutex<Opened>>,
}

impl Held {
    fn next(&self, convert: Convert) -> Started {
        let stream = Arc::clone(&self.stream);
        let next = async move {
            let mut held = stream.lock().await;
            match held.take() {
                // Put back before it is waited for: a call that is dropped must not lose it.
                Some(Ok(opened)) => {
                    let Ok(opened) = held.insert(Ok(opened)) else { return convert(None) };
                    convert(opened.next().await?)
                }
                Some(Err(failure)) => Err(failure),
                None => convert(None),
            }
        };
        runtime::start(Place::on(self.thread), &self.closing, Box::pin(next))
    }
}

impl Drop for Held {
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
    pub async fn next(&self) -> Result<Given<Option<JobEvent>>, Failure> {
        self.0.next().await
    }
}
