//! Starting and stopping: everything is made in the order of what it needs, and ended in the opposite one.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::task::TaskTracker;

use crate::{
    app::{App, Parts},
    config::{Config, Data, StartError},
    delivery,
    files::{self, Files},
    http::{self, Connection, Listener, idempotency, strict::Spec},
    jobs,
    keys::KeyRing,
    oauth::{self, Grants},
    resources::api_keys::{self, FirstKey},
    retention,
    seal::Seal,
    store::{Store, data_error},
};

/// How long open requests get to finish when the platform stops.
const GRACE: Duration = Duration::from_secs(5);
/// How often usage is written down.
const FLUSH: Duration = Duration::from_secs(1);

/// A platform that runs until it is shut down or dropped.
#[derive(Debug)]
pub struct Running {
    url: String,
    first: FirstKey,
    app: Arc<App>,
    serving: JoinHandle<()>,
    background: TaskTracker,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("url", &self.url).finish_non_exhaustive()
    }
}

/// Starts a platform; it serves once this returns.
///
/// # Errors
/// One line that says what to do: see [`StartError`].
pub async fn start(config: Config) -> Result<Running, StartError> {
    if let Some(key) = &config.api_key
        && !((16..=255).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic()))
    {
        return Err(StartError::BadKey);
    }
    let listener = listen(config.listen).await?;
    let address = listener
        .local_addr()
        .map_err(|source| StartError::Listen { address: config.listen, source })?;
    let store = Store::open(&config.data).await?;
    let seal =
        Seal::open(store.directory()).map_err(|error| data_error(store.directory(), &error))?;
    let durable = matches!(config.data, Data::Directory(_));
    let files = Files::open(store.directory(), durable)
        .map_err(|error| data_error(store.directory(), &error))?;
    let other = |error: crate::error::ApiError| StartError::Other(error.message);
    let first = api_keys::first(&store, &seal, config.api_key.as_deref()).await.map_err(other)?;
    let keys = KeyRing::load(&store, &seal).await.map_err(other)?;
    oauth::ensure_builtin(&store, &first.organization_id, &first.user_id).await.map_err(other)?;
    let grants = Grants::load(&store).await.map_err(other)?;
    let spec = if config.strict { Some(Spec::load().map_err(StartError::Other)?) } else { None };
    let url = format!("http://{address}");
    let app = App::new(Parts { config, url: url.clone(), store, files, seal, keys, grants, spec });
    idempotency::load(&app).await.map_err(other)?;
    files::sweep(&app).await.map_err(other)?;
    jobs::requeue(&app).await.map_err(other)?;

    let background = TaskTracker::new();
    background.spawn(flush_usage(Arc::clone(&app)));
    background.spawn(delivery::run(Arc::clone(&app)));
    background.spawn(jobs::run(Arc::clone(&app)));
    background.spawn(retention::run(Arc::clone(&app)));
    let serving = tokio::spawn(serve(Arc::clone(&app), listener));
    Ok(Running { url, first, app, serving, background })
}

async fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|source| match source.kind() {
        std::io::ErrorKind::AddrInUse => StartError::PortTaken(address),
        _ => StartError::Listen { address, source },
    })
}

async fn serve(app: Arc<App>, listener: TcpListener) {
    let stopping = app.stopping.clone();
    let service = http::router(&app).into_make_service_with_connect_info::<Connection>();
    let server = axum::serve(Listener(listener), service)
        .with_graceful_shutdown(async move { stopping.cancelled().await });
    let overdue = async {
        app.stopping.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        served = async { server.await } => {
            if let Err(error) = served {
                tracing::error!(%error, "the server stopped");
            }
        }
        () = overdue => tracing::warn!("requests still open after {GRACE:?} were cut off"),
    }
}

async fn flush_usage(app: Arc<App>) {
    loop {
        let stopped = tokio::select! {
            () = tokio::time::sleep(FLUSH) => false,
            () = app.stopping.cancelled() => true,
        };
        if let Err(error) = app.keys.flush_usage(&app.store).await {
            tracing::error!(error = error.message, "usage could not be written down");
        }
        if stopped {
            return;
        }
    }
}

impl Running {
    /// Where it serves: `http://ADDRESS:PORT`, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The text of the first key.
    pub fn api_key(&self) -> &str {
        &self.first.secret
    }

    /// The organization that the first key belongs to.
    pub fn organization_id(&self) -> &str {
        &self.first.organization_id
    }

    /// Stops it: open requests get five seconds, streams and jobs end, everything is on disk when this returns.
    pub async fn shutdown(mut self) {
        self.app.stopping.cancel();
        if let Err(error) = (&mut self.serving).await {
            tracing::error!(%error, "the server ended badly");
        }
        self.background.close();
        self.background.wait().await;
        // Requests answered after the last flush.
        if let Err(error) = self.app.keys.flush_usage(&self.app.store).await {
            tracing::error!(error = error.message, "usage could not be written down");
        }
        self.app.store.close().await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.app.stopping.cancel();
    }
}
