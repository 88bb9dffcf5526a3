//! Uploads: from a file, from bytes, and from what an app gives piece by piece, which it does when there is room. A foreign
//! listener hears of the progress.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{FutureExt as _, stream};
use storycore::{models::UploadOptions, upload};
use tokio::sync::mpsc;

use crate::{
    failure::{self, CallbackFailure, Failure},
    given::{Given, given},
    models::Asset,
    options::CallOptions,
    resources::Assets,
};

/// Pieces that wait to be sent.
const AHEAD: usize = 4;

/// Where an upload's bytes come from.
#[derive(uniffi::Enum)]
pub enum UploadSource {
    /// A file.
    Path {
        /// Where it is.
        path: String,
    },
    /// Bytes, under a file's name.
    Bytes {
        /// The name that the platform is told.
        file_name: String,
        /// The bytes.
        data: Vec<u8>,
    },
    /// Pieces that come one after another.
    Feed {
        /// The name that the platform is told.
        file_name: String,
        /// What gives them.
        feed: Arc<UploadFeed>,
    },
}

impl UploadSource {
    fn read(self) -> Result<upload::UploadSource, Failure> {
        Ok(match self {
            Self::Path { path } => upload::UploadSource::Path(path.into()),
            Self::Bytes { file_name, data } => upload::UploadSource::bytes(file_name, data),
            Self::Feed { file_name, feed } => {
                upload::UploadSource::stream(file_name, feed.pieces()?)
            }
        })
    }
}

/// A stream that an app feeds.
#[derive(uniffi::Object)]
pub struct UploadFeed {
    sender: Mutex<Option<mpsc::Sender<io::Result<Bytes>>>>,
    receiver: Mutex<Option<mpsc::Receiver<io::Result<Bytes>>>>,
}

#[uniffi::export]
impl UploadFeed {
    /// An empty one.
    #[uniffi::constructor]
    #[allow(clippy::new_without_default, reason = "it is the languages' constructor")]
    pub fn new() -> Arc<Self> {
        let (sender, receiver) = mpsc::channel(AHEAD);
        Arc::new(Self { sender: Mutex::new(Some(sender)), receiver: Mutex::new(Some(receiver)) })
    }

    /// Gives the next piece, once there is room for it. Whether more are wanted: not, when the upload has ended.
    ///
    /// # Errors
    /// None; it can be told of a cancelled call.
    pub async fn push(&self, data: Vec<u8>) -> Result<bool, Failure> {
        let sender = self.lock().clone();
        Ok(match sender {
            Some(sender) => sender.send(Ok(data.into())).await.is_ok(),
            None => false,
        })
    }

    /// Says that there are no more.
    pub fn finish(&self) {
        *self.lock() = None;
    }

    /// Says that reading failed, which ends the upload with an error.
    ///
    /// # Errors
    /// None; it can be told of a cancelled call.
    pub async fn fail(&self, reason: String) -> Result<(), Failure> {
        let sender = self.lock().take();
        if let Some(sender) = sender {
            // Nobody reads it any more where this fails: its upload has ended.
            drop(sender.send(Err(io::Error::other(reason))).await);
        }
        Ok(())
    }
}

impl UploadFeed {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<mpsc::Sender<io::Result<Bytes>>>> {
        self.sender.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pieces(
        &self,
    ) -> Result<impl futures_util::Stream<Item = io::Result<Bytes>> + Send + 'static + use<>, Failure>
    {
        let receiver = self.receiver.lock().unwrap_or_else(PoisonError::into_inner).take();
        let receiver = receiver.ok_or_else(|| Failure::config("a stream can be sent once only"))?;
        Ok(stream::unfold(receiver, |mut receiver| async move {
            receiver.recv().await.map(|piece| (piece, receiver))
        }))
    }
}

/// Where uploads are written down, so that they go on after the app was ended.
#[derive(uniffi::Enum)]
pub enum Journal {
    /// In the user's state directory, where there is one.
    User,
    /// In this SQLite file.
    At {
        /// Where it is.
        path: String,
    },
    /// Nowhere.
    Off,
}

/// What is said of a file that is uploaded, and how it is sent; what is not set is as the Rust client has it.
#[derive(uniffi::Record)]
pub struct UploadSettings {
    /// `video`, `audio`, `image` or `document`. By the file's name where it is left out.
    pub kind: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// What it shows.
    pub description: Option<String>,
    /// The project it belongs to.
    pub project_id: Option<String>,
    /// Its media type.
    pub content_type: Option<String>,
    /// Where it is written down.
    pub journal: Journal,
    /// The bytes of a chunk.
    pub chunk_size: Option<u64>,
    /// The most requests side by side.
    pub max_streams: Option<u32>,
    /// Files of fewer bytes go as one request.
    pub multipart_below: Option<u64>,
    /// Whether the SHA-256 of each chunk is sent.
    pub chunk_checksums: Option<bool>,
    /// Failures in a row that are survived.
    pub retries: Option<u32>,
    /// How long no byte may move.
    pub stall_timeout: Option<Duration>,
}

/// How far an upload is.
#[derive(uniffi::Record)]
pub struct UploadProgress {
    /// Bytes given to the network.
    pub sent: u64,
    /// Bytes that the platform said it has.
    pub acknowledged: u64,
    /// Bytes of the file; of a stream, those that were read.
    pub total: u64,
    /// Bytes a second over the last five seconds.
    pub rate: f64,
    /// Time left at that rate.
    pub time_left: Option<Duration>,
    /// Time since the upload began.
    pub elapsed: Duration,
}

/// What came of an upload.
#[derive(uniffi::Record)]
pub struct UploadReport {
    /// The asset.
    pub asset: Asset,
    /// Bytes that went out.
    pub sent: u64,
    /// Requests that failed and were made good. To be told that the joining of the parts is under way is no failure.
    pub failures: u32,
    /// What had to be begun anew, and why.
    pub restarts: Vec<String>,
}

/// Hears of an upload's progress, at most ten times a second.
#[uniffi::export(with_foreign)]
pub trait ProgressListener: Send + Sync {
    /// How far it is.
    fn on_progress(&self, progress: UploadProgress) -> Result<(), CallbackFailure>;
}

/// The handle that pauses, resumes and cancels an upload.
#[derive(uniffi::Object)]
pub struct UploadControl(upload::UploadControl);

#[uniffi::export]
impl UploadControl {
    /// A handle of an upload that runs.
    #[uniffi::constructor]
    #[allow(clippy::new_without_default, reason = "it is the languages' constructor")]
    pub fn new() -> Arc<Self> {
        Arc::new(Self(upload::UploadControl::new()))
    }

    /// Stops the requests at once; what arrived is kept. A small file's single request is not begun; one that is on its way
    /// goes on.
    pub fn pause(&self) {
        self.0.pause();
    }

    /// Goes on.
    pub fn resume(&self) {
        self.0.resume();
    }

    /// Ends the upload, and takes back what the platform has of it, as far as that goes within five seconds.
    pub fn cancel(&self) {
        self.0.cancel();
    }
}

#[uniffi::export]
impl Assets {
    /// Uploads.
    pub async fn upload(
        &self,
        source: UploadSource,
        settings: UploadSettings,
        control: Option<Arc<UploadControl>>,
        listener: Option<Arc<dyn ProgressListener>>,
        options: Option<CallOptions>,
    ) -> Result<Given<UploadReport>, Failure> {
        let source = source.read()?;
        self.0
            .long_call(options, move |client| async move {
                let mut upload = settings.read(client.media(), source);
                if let Some(control) = control {
                    upload = upload.control(&control.0);
                }
                if let Some(listener) = listener {
                    upload = upload.on_progress(move |now| {
                        failure::told(listener.on_progress(now.into()));
                    });
                }
                // On the heap: a type that has all of an upload in it is deeper than the compiler follows.
                let done = upload.send().boxed().await?;
                Ok(Given::of(UploadReport {
                    asset: done.asset.into(),
                    sent: done.sent,
                    failures: done.failures,
                    restarts: done.restarts,
                }))
            })
            .await
    }

    /// Downloads, with a say in how many ranges are asked for side by side.
    pub async fn download_with_streams(
        &self,
        id: String,
        to: String,
        max_streams: u32,
        options: Option<CallOptions>,
    ) -> Result<Given<Asset>, Failure> {
        let streams = usize::try_from(max_streams).unwrap_or(usize::MAX);
        self.0
            .long_call(options, move |client| async move {
                let media = client.media();
                let download = media.prepare_download(&id, to).max_streams(streams);
                given(download.send().boxed().await)
            })
            .await
    }
}

impl UploadSettings {
    fn read(
        self,
        media: storycore::resources::Assets<'_>,
        source: upload::UploadSource,
    ) -> upload::Upload {
        let kind =
            self.kind.unwrap_or_else(|| UploadOptions::kind_of(&source.file_name()).to_owned());
        let mut described = UploadOptions::new(kind);
        described.name = self.name;
        described.description = self.description;
        described.project_id = self.project_id;
        described.content_type = self.content_type;
        let knobs = upload::Knobs {
            chunk_size: self.chunk_size,
            max_streams: self.max_streams.map(|most| usize::try_from(most).unwrap_or(usize::MAX)),
            multipart_below: self.multipart_below,
            chunk_checksums: self.chunk_checksums,
            retries: self.retries,
            stall_timeout: self.stall_timeout,
            journal: Some(match self.journal {
                Journal::User => upload::Journal::User,
                Journal::At { path } => upload::Journal::At(path.into()),
                Journal::Off => upload::Journal::Off,
            }),
            control: None,
        };
        knobs.on(media.prepare_upload(source, described))
    }
}

impl From<upload::Progress> for UploadProgress {
    fn from(now: upload::Progress) -> Self {
        let upload::Progress { sent, acknowledged, total, rate, time_left, elapsed } = now;
        Self { sent, acknowledged, total, rate, time_left, elapsed }
    }
}
