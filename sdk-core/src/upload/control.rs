//! Pausing, resuming and cancelling an upload from elsewhere: one state that the upload watches.

use std::sync::{Arc, OnceLock};

use tokio::{sync::watch, time::Instant};

/// What an upload is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    Run,
    Pause,
    Cancel,
}

/// The handle of one upload, given to it with [`Upload::control`](super::Upload::control). Clones steer the same one.
///
/// ```no_run
/// # async fn run(client: storycore::Client) -> Result<(), storycore::Error> {
/// use storycore::{models::UploadOptions, upload::UploadControl};
/// let control = UploadControl::new();
/// let upload = client.media().prepare_upload("film.mp4", UploadOptions::new("video")).control(&control);
/// let uploading = tokio::spawn(upload.send());
/// control.pause();
/// control.resume();
/// # drop(uploading);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct UploadControl {
    wanted: watch::Sender<Wanted>,
    /// When it was first.
    cancelled: Arc<OnceLock<Instant>>,
}

impl UploadControl {
    /// A handle of an upload that runs.
    #[must_use]
    pub fn new() -> Self {
        Self { wanted: watch::Sender::new(Wanted::Run), cancelled: Arc::default() }
    }

    /// Stops the requests at once; what arrived is kept. A small file's single request is not begun; one that is on its way
    /// goes on.
    pub fn pause(&self) {
        self.set(Wanted::Pause);
    }

    /// Goes on from where the platform is.
    pub fn resume(&self) {
        self.set(Wanted::Run);
    }

    /// Ends the upload with a `cancelled` error and takes back what the platform has of it, the asset too that it may just have
    /// become. A small file's single request may have arrived whole by then, and be an asset that stays; so may what the platform
    /// needs longer than three seconds to join or to finish: the next upload of the file is that asset. All of it takes five
    /// seconds at most.
    ///
    /// Taking back is a DELETE, for which the credential needs the permission `admin`. With `write` alone, or where the platform
    /// takes nothing back, the parts stay until they expire, and an asset that was made already stays; the next upload of the file
    /// goes on with them.
    pub fn cancel(&self) {
        let _ = self.cancelled.set(Instant::now());
        self.wanted.send_replace(Wanted::Cancel);
    }

    /// What was cancelled stays so.
    fn set(&self, wanted: Wanted) {
        self.wanted.send_if_modified(|now| {
            let changes = *now != Wanted::Cancel && *now != wanted;
            if changes {
                *now = wanted;
            }
            changes
        });
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Wanted> {
        self.wanted.subscribe()
    }

    /// Since when it is cancelled.
    pub(crate) fn cancelled(&self) -> Option<Instant> {
        self.cancelled.get().copied()
    }
}

impl Default for UploadControl {
    fn default() -> Self {
        Self::new()
    }
}

/// What is wanted once it `is` the right thing; never when that can no longer come.
pub(crate) async fn until(
    wanted: &mut watch::Receiver<Wanted>,
    is: impl Fn(Wanted) -> bool,
) -> Wanted {
    let seen = wanted.wait_for(|now| is(*now)).await.map(|now| *now);
    match seen {
        Ok(now) => now,
        Err(_) => std::future::pending().await,
    }
}

/// Ends when `wanted` is no longer what it was seen to be; never when nobody can change it any more.
pub(crate) async fn changed(wanted: &mut watch::Receiver<Wanted>) -> Wanted {
    if wanted.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
    *wanted.borrow_and_update()
}
