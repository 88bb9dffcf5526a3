//! What every request and every background task shares.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock,
    config::Config,
    delivery::{Delivering, Wanted},
    error::ApiError,
    events,
    faults::Faults,
    files::Files,
    http::{Watch, idempotency::InProgress, journal::Journal, strict::Spec},
    jobs::Jobs,
    keys::KeyRing,
    media::Media,
    oauth::Grants,
    resources,
    seal::Seal,
    store::Store,
};

/// The running platform.
pub(crate) struct App {
    pub(crate) config: Config,
    /// `http://ADDRESS:PORT`, without a slash at the end.
    pub(crate) url: String,
    pub(crate) store: Store,
    pub(crate) files: Files,
    pub(crate) media: Media,
    pub(crate) jobs: Jobs,
    pub(crate) uploads: resources::uploads::Active,
    pub(crate) seal: Seal,
    pub(crate) clock: Clock,
    pub(crate) keys: KeyRing,
    pub(crate) grants: Grants,
    pub(crate) faults: Faults,
    pub(crate) journal: Journal,
    pub(crate) watch: Watch,
    pub(crate) in_progress: InProgress,
    /// What sends to webhooks.
    pub(crate) delivering: Arc<Delivering>,
    /// Which events webhooks want.
    pub(crate) wanted: Wanted,
    /// What the contract knows, where the platform is strict.
    pub(crate) spec: Option<Spec>,
    /// Set when the platform stops: what waits or streams ends then.
    pub(crate) stopping: CancellationToken,
    request_ids: AtomicU64,
    /// Sets this process's request ids apart from another's.
    instance: String,
}

/// What is made before the rest of [`App`] can be.
pub(crate) struct Parts {
    pub(crate) config: Config,
    pub(crate) url: String,
    pub(crate) store: Store,
    pub(crate) files: Files,
    pub(crate) seal: Seal,
    pub(crate) keys: KeyRing,
    pub(crate) grants: Grants,
    pub(crate) spec: Option<Spec>,
}

impl App {
    pub(crate) fn new(parts: Parts) -> Arc<Self> {
        let Parts { config, url, store, files, seal, keys, grants, spec } = parts;
        Arc::new(Self {
            delivering: Arc::new(Delivering::new(&config)),
            wanted: Wanted::default(),
            media: Media::new(config.ffmpeg.clone()),
            jobs: Jobs::default(),
            uploads: resources::uploads::Active::default(),
            files,
            config,
            url,
            store,
            seal,
            clock: Clock::default(),
            keys,
            grants,
            faults: Faults::default(),
            journal: Journal::default(),
            watch: Watch::default(),
            in_progress: InProgress::default(),
            spec,
            stopping: CancellationToken::new(),
            request_ids: AtomicU64::new(0),
            instance: hex::encode(crate::ids::random::<6>()),
        })
    }

    /// A new request id. A counter and not randomness: it is made for every request.
    pub(crate) fn request_id(&self) -> String {
        let number = self.request_ids.fetch_add(1, Ordering::Relaxed);
        format!("req_{}{number:08x}", self.instance)
    }
}

impl App {
    /// Empties the platform but for its organizations, users and first keys.
    pub(crate) async fn clear(&self) -> Result<(), ApiError> {
        let mut tx = self.store.begin().await?;
        for (sql, table) in [
            ("DELETE FROM jobs", Some(&resources::jobs::TABLE)),
            ("DELETE FROM projects", Some(&resources::projects::TABLE)),
            ("DELETE FROM events", Some(&events::TABLE)),
            ("DELETE FROM deliveries", Some(&resources::deliveries::TABLE)),
            ("DELETE FROM webhooks", Some(&resources::webhooks::TABLE)),
            ("DELETE FROM key_usage", None),
            ("DELETE FROM audit_log", Some(&resources::audit::TABLE)),
            ("DELETE FROM key_graces", None),
            ("DELETE FROM api_keys WHERE is_first = 0", Some(&resources::api_keys::TABLE)),
            ("DELETE FROM oauth_tokens", None),
            ("DELETE FROM oauth_codes", None),
            ("DELETE FROM idempotency", None),
        ] {
            sqlx::query(sql).execute(tx.sql()).await?;
            if let Some(table) = table {
                tx.touch(table);
            }
        }
        let assets: Vec<String> =
            sqlx::query_scalar("DELETE FROM assets RETURNING id").fetch_all(tx.sql()).await?;
        tx.touch(&resources::assets::TABLE);
        let uploads: Vec<String> =
            sqlx::query_scalar("DELETE FROM uploads RETURNING id").fetch_all(tx.sql()).await?;
        tx.commit().await?;
        self.jobs.end_all();
        for upload in &uploads {
            self.uploads.end(upload);
            self.files.remove_upload(upload).await;
        }
        for asset in &assets {
            self.files.remove(asset).await;
        }
        // What is being sent ends when its webhook is gone.
        self.delivering.wake_all();
        self.faults.forget();
        self.journal.clear();
        self.clock.reset();
        for key in self.keys.all() {
            key.rate.reset();
            key.usage.reset();
        }
        self.reload_keys().await?;
        self.grants.reset(jiff::Timestamp::MAX);
        Ok(())
    }

    /// Takes over what the database says of every key.
    pub(crate) async fn reload_keys(&self) -> Result<(), ApiError> {
        let mut ids: Vec<String> =
            sqlx::query_scalar("SELECT id FROM api_keys").fetch_all(self.store.reader()).await?;
        // Those that are gone from the database too.
        ids.extend(self.keys.all().iter().map(|key| key.id.to_string()));
        for id in ids {
            self.keys.reload(&self.store, &self.seal, &id).await?;
        }
        Ok(())
    }
}
