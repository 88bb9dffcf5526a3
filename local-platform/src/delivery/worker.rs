//! The worker: one lane a webhook, so that a slow receiver holds up only itself. A lane sends in order as long as its
//! receiver is quick and several at a time when it is not; it does not wait for outcomes to be written down.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use tokio::{
    sync::{Notify, Semaphore, mpsc, oneshot},
    task::{Id, JoinError, JoinSet},
    time::Instant,
};

use super::{
    queue::{self, Next},
    record::{self, Ended},
    target::{Target, attempt_now},
};
use crate::{app::App, error::ApiError, resources::deliveries::Delivery};

/// Attempts at a time, of all webhooks and of one. The first is a bound on open sockets; it is well above the second, so
/// that it takes many slow receivers to fill it.
const AT_A_TIME: usize = 256;
const LANE: usize = 4;
/// Attempts of one webhook that were made and are not yet written down: what a crash repeats.
const UNWRITTEN: usize = 16;
/// How long an attempt of a lane may take before the next one starts beside it.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long attempts under way get to end when the platform stops; those that do not are made again at its next start.
const GRACE: Duration = Duration::from_secs(2);
/// The wait after the database failed, before it is asked again.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Sends what is in the queue until the platform stops.
pub(crate) async fn run(app: Arc<App>) {
    let (ended, outcomes) = mpsc::channel(AT_A_TIME);
    let recorder = tokio::spawn(record::run(Arc::clone(&app), outcomes));
    let mut lanes = Lanes {
        ended,
        app: Arc::clone(&app),
        permits: Arc::new(Semaphore::new(AT_A_TIME)),
        running: JoinSet::new(),
        by_webhook: HashMap::new(),
        by_task: HashMap::new(),
    };
    lanes.wake_waiting().await;
    loop {
        tokio::select! {
            woken = app.delivering.changed() => {
                for webhook in woken.webhooks {
                    lanes.wake(&webhook);
                }
                if woken.all {
                    lanes.by_webhook.values().for_each(|wake| wake.notify_one());
                }
            }
            Some(ended) = lanes.running.join_next_with_id() => lanes.ended(ended),
            () = app.stopping.cancelled() => break,
        }
    }
    while lanes.running.join_next().await.is_some() {}
    // The last sender: the recorder ends with what it has.
    drop(lanes);
    if let Err(error) = recorder.await {
        tracing::error!(%error, "deliveries could not be written down");
    }
}

/// The lanes of the webhooks that something was sent to since the start.
struct Lanes {
    app: Arc<App>,
    permits: Arc<Semaphore>,
    ended: mpsc::Sender<Ended>,
    running: JoinSet<()>,
    by_webhook: HashMap<String, Arc<Notify>>,
    by_task: HashMap<Id, String>,
}

impl Lanes {
    /// A lane for everything that an earlier run left behind.
    async fn wake_waiting(&mut self) {
        let app = Arc::clone(&self.app);
        loop {
            match queue::waiting(&app).await {
                Ok(webhooks) => {
                    webhooks.iter().for_each(|webhook| self.wake(webhook));
                    return;
                }
                Err(error) => {
                    tracing::error!(
                        error = error.message,
                        "the queue of deliveries cannot be read"
                    );
                }
            }
            tokio::select! {
                () = tokio::time::sleep(AFTER_FAILURE) => {}
                () = app.stopping.cancelled() => return,
            }
        }
    }

    fn wake(&mut self, webhook: &str) {
        if let Some(wake) = self.by_webhook.get(webhook) {
            wake.notify_one();
            return;
        }
        let wake = Arc::new(Notify::new());
        let lane = Lane {
            app: Arc::clone(&self.app),
            webhook: webhook.to_owned(),
            wake: Arc::clone(&wake),
            permits: Arc::clone(&self.permits),
            ended: self.ended.clone(),
            under_way: HashMap::new(),
            attempts: JoinSet::new(),
            last_start: Instant::now(),
        };
        let task = self.running.spawn(lane.run());
        self.by_webhook.insert(webhook.to_owned(), wake);
        self.by_task.insert(task.id(), webhook.to_owned());
    }

    fn ended(&mut self, ended: Result<(Id, ()), JoinError>) {
        let (id, failed) = match ended {
            Ok((id, ())) => (id, false),
            Err(error) => (error.id(), true),
        };
        let Some(webhook) = self.by_task.remove(&id) else { return };
        // A lane ends when its webhook is gone; there is nothing more to come.
        self.by_webhook.remove(&webhook);
        if failed && !self.app.stopping.is_cancelled() {
            tracing::error!(webhook, "the lane of a webhook broke; it begins anew");
            self.wake(&webhook);
        }
    }
}

/// An attempt that is being made or written down.
struct Attempt {
    delivery: String,
    answered: Arc<AtomicBool>,
}

/// What is sent to one webhook.
struct Lane {
    app: Arc<App>,
    webhook: String,
    wake: Arc<Notify>,
    permits: Arc<Semaphore>,
    ended: mpsc::Sender<Ended>,
    /// By task.
    under_way: HashMap<Id, Attempt>,
    attempts: JoinSet<()>,
    last_start: Instant,
}

impl Lane {
    /// Runs until its webhook is gone, which ends its attempts too, or the platform stops, which lets them end.
    async fn run(mut self) {
        let stopping = self.app.stopping.clone();
        loop {
            let under_way: Vec<_> = self.under_way.values().map(|a| a.delivery.as_str()).collect();
            let next = match queue::next(&self.app, &self.webhook, &under_way).await {
                Ok(Next::Gone) => return,
                Ok(Next::Due(delivery)) if self.may_start() => {
                    self.start(*delivery);
                    continue;
                }
                Ok(next) => next,
                Err(error) => {
                    tracing::error!(
                        error = error.message,
                        "the queue of deliveries cannot be read"
                    );
                    tokio::time::sleep(AFTER_FAILURE).await;
                    Next::Nothing
                }
            };
            let patience = self.last_start + PATIENCE;
            let full = self.sending() >= LANE || self.under_way.len() >= UNWRITTEN;
            tokio::select! {
                Some(ended) = self.attempts.join_next_with_id() => self.finished(ended).await,
                () = self.wake.notified() => {}
                () = tokio::time::sleep_until(patience), if matches!(next, Next::Due(_)) && !full => {}
                () = until(&self.app, &next), if matches!(next, Next::At(_)) => {}
                () = stopping.cancelled() => break,
            }
        }
        let all = async { while self.attempts.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(GRACE, all).await;
    }

    /// How many attempts wait for their answers.
    fn sending(&self) -> usize {
        self.under_way.values().filter(|a| !a.answered.load(Ordering::Acquire)).count()
    }

    fn may_start(&self) -> bool {
        let sending = self.sending();
        let waited = self.last_start.elapsed() >= PATIENCE;
        !self.app.stopping.is_cancelled()
            && self.under_way.len() < UNWRITTEN
            && (sending == 0 || (waited && sending < LANE))
    }

    fn start(&mut self, delivery: Delivery) {
        self.last_start = Instant::now();
        let (id, answered) = (delivery.id.clone(), Arc::new(AtomicBool::new(false)));
        let attempt = Attempt { delivery: id.clone(), answered: Arc::clone(&answered) };
        let (app, permits, wake) =
            (Arc::clone(&self.app), Arc::clone(&self.permits), Arc::clone(&self.wake));
        let ended = self.ended.clone();
        let task = self.attempts.spawn(async move {
            // Closed never: it lives as long as the worker.
            let permit = permits.acquire().await;
            let made = attempt_of(&app, delivery).await;
            drop(permit);
            answered.store(true, Ordering::Release);
            wake.notify_one();
            let written = match made {
                Ok(Some((made, written))) => {
                    let _ = ended.send(made).await;
                    written.await.is_ok()
                }
                Ok(None) => true,
                Err(error) => {
                    tracing::error!(error = error.message, delivery = id, "no attempt was made");
                    false
                }
            };
            if !written {
                // It is made again; not at once, as long as the database is in trouble.
                tokio::time::sleep(AFTER_FAILURE).await;
            }
        });
        self.under_way.insert(task.id(), attempt);
    }

    async fn finished(&mut self, ended: Result<(Id, ()), JoinError>) {
        let task = match ended {
            Ok((task, ())) => task,
            Err(error) => {
                tracing::error!(%error, webhook = self.webhook, "a delivery broke; it is made again");
                tokio::time::sleep(AFTER_FAILURE).await;
                error.id()
            }
        };
        self.under_way.remove(&task);
    }
}

async fn until(app: &App, next: &Next) {
    let at = if let Next::At(at) = next { *at } else { Timestamp::MAX };
    app.clock.sleep_until(at).await;
}

/// Makes one delivery, unless its webhook was deleted meanwhile.
async fn attempt_of(
    app: &App,
    delivery: Delivery,
) -> Result<Option<(Ended, oneshot::Receiver<()>)>, ApiError> {
    let Some(target) = Target::load(app, &delivery.webhook_id).await? else { return Ok(None) };
    let outcome = attempt_now(app, &target, &delivery).await;
    tracing::debug!(delivery = delivery.id, status = ?outcome.status, took = ?outcome.took, "sent");
    let (written, wait) = oneshot::channel();
    let retries = target.settings.retry_count;
    Ok(Some((Ended { delivery, outcome, retries, written }, wait)))
}
