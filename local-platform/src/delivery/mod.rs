//! From an event to the receivers of its webhooks. `queue` holds what is to be sent, in the database; `worker` takes it
//! from there; `send` makes one attempt, to where `address` and `resolve` allow, with the headers of `sign`; `record`
//! writes down how it ended.
//! Webhooks and the log of deliveries over HTTP are in `resources`.

mod address;
pub(crate) mod queue;
mod record;
mod resolve;
pub(crate) mod secret;
pub(crate) mod send;
mod sign;
pub(crate) mod target;
mod wanted;
mod worker;

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use tokio::sync::Notify;

pub(crate) use queue::fan_out;
pub(crate) use target::attempt_now;
pub(crate) use wanted::Wanted;
pub(crate) use worker::run;

use crate::config::Config;

/// What the platform has for sending.
pub(crate) struct Delivering {
    pub(crate) sender: send::Sender,
    woken: Mutex<Woken>,
    wake: Notify,
}

/// Whose deliveries changed since the worker last looked.
#[derive(Debug, Default)]
struct Woken {
    webhooks: HashSet<String>,
    all: bool,
}

impl Delivering {
    pub(crate) fn new(config: &Config) -> Self {
        let rules = address::Rules { allow_loopback: config.allow_loopback_webhooks };
        Self {
            sender: send::Sender::new(resolve::Resolver::new(rules)),
            woken: Mutex::default(),
            wake: Notify::new(),
        }
    }

    /// The URL that a webhook is to have, or why not.
    pub(crate) async fn admit(&self, url: &str) -> Result<(), String> {
        self.sender.resolver.admit(url).await
    }

    /// Has the worker look at these webhooks' deliveries; to be called once they are committed.
    pub(crate) fn wake(&self, webhooks: impl IntoIterator<Item = String>) {
        self.woken.lock().unwrap_or_else(PoisonError::into_inner).webhooks.extend(webhooks);
        self.wake.notify_one();
    }

    /// Has the worker look at everything anew.
    pub(crate) fn wake_all(&self) {
        self.woken.lock().unwrap_or_else(PoisonError::into_inner).all = true;
        self.wake.notify_one();
    }

    /// Waits until something changed, and says what.
    async fn changed(&self) -> Woken {
        self.wake.notified().await;
        std::mem::take(&mut *self.woken.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
