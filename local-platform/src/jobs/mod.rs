//! Jobs while they run. The queue is the table of jobs itself; `worker` takes from it; what is here tells those who
//! listen to a job what happens to it, sooner than the database has it, and ends its run when it is cancelled.

mod outcome;
mod worker;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

pub(crate) use worker::{requeue, run};

/// The jobs that somebody runs or listens to.
#[derive(Default)]
pub(crate) struct Jobs {
    channels: Mutex<HashMap<String, Weak<Channel>>>,
    /// Told of each new job.
    waiting: Notify,
}

/// Between one job's run and those who listen to it.
pub(crate) struct Channel {
    run: Mutex<Run>,
    changed: watch::Sender<()>,
}

/// One run of a job.
#[derive(Debug, Default)]
struct Run {
    number: i64,
    /// Percents, rising.
    told: Vec<i64>,
    cancel: CancellationToken,
}

impl Jobs {
    /// The channel of a job.
    pub(crate) fn channel(&self, job: &str) -> Arc<Channel> {
        let mut channels = lock(&self.channels);
        if let Some(channel) = channels.get(job).and_then(Weak::upgrade) {
            return channel;
        }
        channels.retain(|_, channel| channel.strong_count() > 0);
        let channel = Arc::new(Channel { run: Mutex::default(), changed: watch::Sender::new(()) });
        channels.insert(job.to_owned(), Arc::downgrade(&channel));
        channel
    }

    /// Has a worker look for a new job; to be called once it is committed.
    pub(crate) fn wake(&self) {
        self.waiting.notify_one();
    }

    /// Tells those who listen that the job is over, and ends its run, if it has one; to be called once the job is over in the database.
    pub(crate) fn end(&self, job: &str) {
        let channel = lock(&self.channels).get(job).and_then(Weak::upgrade);
        if let Some(channel) = channel {
            lock(&channel.run).cancel.cancel();
            channel.changed.send_replace(());
        }
    }

    /// Ends every run.
    pub(crate) fn end_all(&self) {
        let all: Vec<_> = lock(&self.channels).values().filter_map(Weak::upgrade).collect();
        for channel in all {
            lock(&channel.run).cancel.cancel();
            channel.changed.send_replace(());
        }
    }
}

impl Channel {
    /// Hears of every change from now on.
    pub(crate) fn listen(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// What run `number` has told so far, if it is the one that runs.
    pub(crate) fn told(&self, number: i64) -> Vec<i64> {
        let run = lock(&self.run);
        if run.number == number { run.told.clone() } else { Vec::new() }
    }

    /// Begins a run, which ends when `cancel` is cancelled.
    fn begin(&self, number: i64, cancel: CancellationToken) {
        *lock(&self.run) = Run { number, told: Vec::new(), cancel };
    }

    fn tell(&self, percent: i64) {
        lock(&self.run).told.push(percent);
        self.changed.send_replace(());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
