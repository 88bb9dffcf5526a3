//! Whom the client trusts, and as whom it is known, with certificates made for the test.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(missing_docs)]

use std::sync::Arc;

use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer},
    server::{NoClientAuth, WebPkiClientVerifier, danger::ClientCertVerifier},
};
use storycore::{Client, ClientBuilder, Error, ErrorKind};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinHandle,
};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate for `name` and its key.
fn issue(authority: &Authority, name: &str) -> (rcgen::Certificate, KeyPair) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    (params.signed_by(&key, authority).unwrap(), key)
}

/// Answers every request over TLS with an empty list; ends when dropped.
struct Server {
    url: String,
    task: JoinHandle<()>,
}

impl Server {
    async fn start(authority: &Authority, clients: Arc<dyn ClientCertVerifier>) -> Self {
        let (certificate, key) = issue(authority, "localhost");
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(clients)
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let task = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                // Whoever does not trust the server ends the handshake.
                let Ok(mut connection) = acceptor.accept(connection).await else { continue };
                let _ = connection.read(&mut [0; 8192]).await;
                let body = r#"{"data": [], "pagination": {"total": 0, "has_more": false}}"#;
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
                let _ = connection.write_all(format!("{head}{body}").as_bytes()).await;
                let _ = connection.shutdown().await;
            }
        });
        Self { url, task }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn call(
    server: &Server,
    set_up: impl FnOnce(ClientBuilder) -> ClientBuilder,
) -> Result<(), Error> {
    let builder = Client::builder().base_url(&server.url).api_key("key").max_retries(1);
    set_up(builder).build()?.projects().list(Default::default()).await.map(drop)
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_refused_and_of_an_added_one_taken() {
    let ours = authority();
    let server = Server::start(&ours, Arc::new(NoClientAuth)).await;
    let error = call(&server, |b| b).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
    assert!(error.message().contains("not trusted"), "{error}");
    assert_eq!(error.attempts(), 1, "what is not trusted is not asked again");
    let other = call(&server, |b| b.add_root_certificates(authority().pem())).await;
    assert_eq!(other.unwrap_err().kind(), ErrorKind::Connection);
    call(&server, |b| b.add_root_certificates(ours.pem())).await.unwrap();
}

#[tokio::test]
async fn a_server_that_asks_for_a_certificate_gets_the_clients() {
    let ours = authority();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(ours.der().to_vec())).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let server = Server::start(&ours, verifier.build().unwrap()).await;
    let trusting = |b: ClientBuilder| b.add_root_certificates(ours.pem());
    let error = call(&server, trusting).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
    let (certificate, key) = issue(&ours, "a-client");
    call(&server, |b| trusting(b).client_certificate(certificate.pem(), key.serialize_pem()))
        .await
        .unwrap();
    let (certificate, key) = issue(&authority(), "a-stranger");
    call(&server, |b| trusting(b).client_certificate(certificate.pem(), key.serialize_pem()))
        .await
        .unwrap_err();
}
