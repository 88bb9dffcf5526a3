//! Which certificates are trusted: the system's, the bundled Mozilla ones where the system has none, and what the caller
//! adds. No process-wide provider is installed: each client brings its own.

use std::sync::Arc;

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

use crate::error::Error;

/// What a client trusts and shows beside the defaults.
#[derive(Debug, Default, Clone)]
pub(crate) struct TlsOptions {
    /// Further roots, in PEM.
    pub(crate) extra_roots: Vec<Vec<u8>>,
    /// A certificate chain and its key, in PEM.
    pub(crate) identity: Option<(Vec<u8>, crate::Secret)>,
}

/// The configuration of a client's TLS.
pub(crate) fn config(options: &TlsOptions) -> Result<ClientConfig, Error> {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(system.certs);
    if roots.is_empty() {
        roots.add_parsable_certificates(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned());
    }
    for pem in &options.extra_roots {
        let mut found = false;
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate
                .map_err(|e| Error::config("a root certificate is no PEM").with_source(e))?;
            roots
                .add(certificate)
                .map_err(|e| Error::config("a root certificate cannot be used").with_source(e))?;
            found = true;
        }
        if !found {
            return Err(Error::config("a root certificate's PEM holds no certificate"));
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| Error::config("TLS cannot be set up").with_source(e))?
        .with_root_certificates(roots);
    match &options.identity {
        None => Ok(builder.with_no_client_auth()),
        Some((chain, key)) => {
            let chain = CertificateDer::pem_slice_iter(chain)
                .collect::<Result<Vec<_>, _>>()
                .map_err(|e| Error::config("the client certificate is no PEM").with_source(e))?;
            let key = PrivateKeyDer::from_pem_slice(key.expose().as_bytes())
                .map_err(|_| Error::config("the client certificate's key is no PEM"))?;
            builder.with_client_auth_cert(chain, key).map_err(|e| {
                Error::config("the client certificate and its key do not fit").with_source(e)
            })
        }
    }
}
