//! Which certificates are trusted: the system's, the bundled Mozilla ones where the system has none, and what the caller
//! adds. No process-wide provider is installed: each client brings its own.

use std::sync::Arc;

use once_cell::race::OnceBox;

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

impl TlsOptions {
    /// Checks what was given, without reading the system's roots.
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.with(RootCertStore::empty()).map(drop)
    }

    /// The configuration of a client's TLS.
    pub(crate) fn config(&self) -> Result<ClientConfig, Error> {
        self.with(system_roots().clone())
    }

    fn with(&self, mut roots: RootCertStore) -> Result<ClientConfig, Error> {
        for pem in &self.extra_roots {
            for root in certificates(pem, "a root certificate")? {
                roots.add(root).map_err(|e| {
                    Error::config("a root certificate cannot be used").with_source(e)
                })?;
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| Error::config("TLS cannot be set up").with_source(e))?
            .with_root_certificates(roots);
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let chain = certificates(chain, "the client certificate")?;
                let key = PrivateKeyDer::from_pem_slice(key.expose().as_bytes())
                    .map_err(|_| Error::config("the client certificate's key is no PEM"))?;
                builder.with_client_auth_cert(chain, key).map_err(|e| {
                    Error::config("the client certificate and its key do not fit").with_source(e)
                })?
            }
        };
        // A configuration that is handed to reqwest names the protocols itself.
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}

fn certificates(pem: &[u8], what: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
    let found = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| Error::config(format!("{what} is no PEM")).with_source(e))?;
    if found.is_empty() {
        return Err(Error::config(format!("{what}'s PEM holds no certificate")));
    }
    Ok(found)
}

/// The system's roots, bundled ones where there are none. Read once a process, at the first connection: the files are
/// many, and every client trusts the same. Without a lock, which a process that is forked meanwhile would have for ever: whoever
/// comes while they are read reads them, too.
fn system_roots() -> &'static RootCertStore {
    static ROOTS: OnceBox<RootCertStore> = OnceBox::new();
    ROOTS.get_or_init(|| Box::new(trusted(rustls_native_certs::load_native_certs().certs)))
}

fn trusted(system: Vec<CertificateDer<'static>>) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(system);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_is_no_certificate_is_refused_when_the_client_is_built() {
        let not_der = &b"-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n"[..];
        for bad in [&b""[..], b"hello", not_der] {
            let roots = TlsOptions { extra_roots: vec![bad.to_vec()], identity: None };
            assert!(roots.check().is_err());
            let identity = Some((bad.to_vec(), crate::Secret::new("no key")));
            assert!(TlsOptions { extra_roots: Vec::new(), identity }.check().is_err());
        }
    }

    #[test]
    fn there_is_something_to_trust_everywhere() {
        assert!(!system_roots().is_empty());
        assert!(trusted(Vec::new()).len() > 50, "a system without roots has the bundled ones");
        assert!(TlsOptions::default().config().is_ok());
    }
}
