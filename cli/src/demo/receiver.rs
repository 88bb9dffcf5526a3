//! Where the demo's webhook arrives: a server on loopback that takes a delivery only when its
//! signature verifies, as any program that receives webhooks should.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use storycore::webhooks::{Event, Webhook};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// What arrived: an event, or why the delivery was turned away.
type Arrived = Result<Event, storycore::Error>;

/// A running receiver.
pub(crate) struct Receiver {
    address: SocketAddr,
    verifier: Arc<OnceLock<Webhook>>,
    arrived: mpsc::UnboundedReceiver<Arrived>,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<std::io::Result<()>>,
}

struct Shared {
    verifier: Arc<OnceLock<Webhook>>,
    arrived: mpsc::UnboundedSender<Arrived>,
}

impl Receiver {
    pub(crate) async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("cannot receive webhooks")?;
        let address = listener.local_addr()?;
        let verifier = Arc::new(OnceLock::new());
        let (sender, arrived) = mpsc::unbounded_channel();
        let (stop, stopped) = oneshot::channel();
        let shared = Arc::new(Shared { verifier: Arc::clone(&verifier), arrived: sender });
        let router = Router::new().route("/webhook", post(receive)).with_state(shared);
        let serving = tokio::spawn(async move {
            let server = axum::serve(listener, router);
            server.with_graceful_shutdown(async move { drop(stopped.await) }).await
        });
        Ok(Self { address, verifier, arrived, stop, serving })
    }

    /// The address to give to the platform.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/webhook", self.address)
    }

    /// From now on deliveries are verified by `webhook`; those that came before are asked to return.
    pub(crate) fn verify_with(&self, webhook: Webhook) {
        // A second one would be ignored: the demo has one webhook.
        let _ = self.verifier.set(webhook);
    }

    /// The next delivery.
    pub(crate) async fn next(&mut self) -> Result<Event> {
        let arrived = self.arrived.recv().await.context("the webhook receiver has ended")?;
        arrived.context("a webhook arrived that does not verify")
    }

    /// Frees the port.
    pub(crate) async fn stop(self) {
        // Both fail only when the server has ended already.
        let _ = self.stop.send(());
        let _ = self.serving.await;
    }
}

async fn receive(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let Some(webhook) = shared.verifier.get() else { return StatusCode::SERVICE_UNAVAILABLE };
    let verified = webhook.verify(&body, &headers);
    let status = if verified.is_ok() { StatusCode::NO_CONTENT } else { StatusCode::BAD_REQUEST };
    // The demo may have ended between the two; the platform is answered all the same.
    let _ = shared.arrived.send(verified);
    status
}
