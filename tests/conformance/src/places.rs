//! Places beside the platform that a client may be sent to: ones that never take a connection or never speak, and the
//! platform behind TLS, with certificates made for the run.

use std::{net::SocketAddr, path::Path, sync::Arc};

use anyhow::{Context as _, Result};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::PrivateKeyDer,
    server::{NoClientAuth, WebPkiClientVerifier, danger::ClientCertVerifier},
};
use serde_json::{Value, json};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpSocket, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

/// The places of one scenario; they close when this goes.
pub(crate) struct Places {
    /// What scenarios call them: `url`s, certificates, a file of roots.
    pub(crate) told: Value,
    tasks: Vec<JoinHandle<()>>,
    /// Connections that fill a queue which nobody empties.
    _waiting: Vec<TcpStream>,
    _listeners: Vec<TcpListener>,
    _files: tempfile::TempDir,
}

impl Drop for Places {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

type Authority = CertifiedIssuer<'static, KeyPair>;

impl Places {
    /// Opens them before the platform at `platform`.
    pub(crate) async fn open(platform: &str) -> Result<Self> {
        let platform: SocketAddr =
            platform.strip_prefix("http://").context("the platform speaks http")?.parse()?;
        let (full, waiting) = full().await?;
        let silent = TcpListener::bind("127.0.0.1:0").await?;
        let authority = authority()?;
        let (mut tasks, mut addresses) = (Vec::new(), Vec::new());
        for clients in [Arc::new(NoClientAuth), of_clients(&authority)?] {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            addresses.push(format!("https://localhost:{}", listener.local_addr()?.port()));
            let acceptor = TlsAcceptor::from(Arc::new(server(&authority, clients)?));
            tasks.push(tokio::spawn(front(listener, acceptor, platform)));
        }
        let files = tempfile::tempdir()?;
        let (roots, none) = (files.path().join("roots.pem"), files.path().join("none.pem"));
        std::fs::write(&roots, authority.pem())?;
        std::fs::write(&none, "")?;
        let client_key = KeyPair::generate()?;
        let client = CertificateParams::new(vec!["a-client".to_owned()])?
            .signed_by(&client_key, &authority)?;
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let told = json!({
            "full": {"url": format!("http://{}", full.local_addr()?)},
            "silent": {"url": format!("https://{}", silent.local_addr()?)},
            "tls": {
                "url": addresses[0], "roots": authority.pem(), "roots_file": text(&roots), "no_roots_file": text(&none),
            },
            "mutual": {
                "url": addresses[1], "certificate": client.pem(), "key": client_key.serialize_pem(),
            },
        });
        Ok(Self { told, tasks, _waiting: waiting, _listeners: vec![full, silent], _files: files })
    }
}

/// A listener whose queue is full: the system answers no further connection.
async fn full() -> Result<(TcpListener, Vec<TcpStream>)> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    let listener = socket.listen(1)?;
    let address = listener.local_addr()?;
    let mut waiting = Vec::new();
    // Linux takes one more than it was asked for. Of these none is given up: on a busy machine the queue would not be full then.
    for _ in 0..if cfg!(target_os = "linux") { 2 } else { 1 } {
        waiting.push(TcpStream::connect(address).await?);
    }
    // Systems differ in how many more they take.
    while waiting.len() < 64 {
        let attempt = TcpStream::connect(address);
        match tokio::time::timeout(std::time::Duration::from_millis(150), attempt).await {
            Ok(connection) => waiting.push(connection?),
            Err(_) => return Ok((listener, waiting)),
        }
    }
    anyhow::bail!("this system's queue of connections has no end")
}

fn authority() -> Result<Authority> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
}

/// Takes clients with a certificate of this authority alone.
fn of_clients(authority: &Authority) -> Result<Arc<dyn ClientCertVerifier>> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().to_vec().into())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build()?)
}

fn server(authority: &Authority, clients: Arc<dyn ClientCertVerifier>) -> Result<ServerConfig> {
    let key = KeyPair::generate()?;
    let certificate =
        CertificateParams::new(vec!["localhost".to_owned()])?.signed_by(&key, authority)?;
    let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(anyhow::Error::msg)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(clients)
        .with_single_cert(vec![certificate.der().clone()], key)?)
}

/// Passes on what comes in over TLS.
async fn front(listener: TcpListener, acceptor: TlsAcceptor, platform: SocketAddr) {
    while let Ok((connection, _)) = listener.accept().await {
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            // Whoever does not trust the front, or is not trusted, ends the handshake.
            let Ok(mut inside) = acceptor.accept(connection).await else { return };
            let Ok(mut outside) = TcpStream::connect(platform).await else { return };
            let _ = copy_bidirectional(&mut inside, &mut outside).await;
        });
    }
}
