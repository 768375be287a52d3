//! TLS of the listeners: certificate and key, read once at the start.

use std::path::Path;
use std::sync::Arc;

use plop_config::sections::Listener;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls_pki_types::pem::{self, PemObject as _};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// Protocols offered in the handshake, the preferred one first.
pub const HTTP_2: &[u8] = b"h2";
const HTTP_1: &[u8] = b"http/1.1";

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{path}: {source}")]
    Pem { path: String, source: pem::Error },
    #[error("certificate and key: {0}")]
    Rejected(#[from] rustls::Error),
}

/// What accepts TLS on a listener; `None` where it is plain.
pub fn acceptor(listener: &Listener) -> Result<Option<TlsAcceptor>, TlsError> {
    let (Some(certificate), Some(key)) = (&listener.tls_certificate_file, &listener.tls_key_file) else {
        return Ok(None);
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .map_err(|source| pem_error(certificate, source))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|source| pem_error(key, source))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![HTTP_2.to_vec(), HTTP_1.to_vec()];
    Ok(Some(TlsAcceptor::from(Arc::new(config))))
}

fn pem_error(path: &Path, source: pem::Error) -> TlsError {
    TlsError::Pem { path: path.display().to_string(), source }
}
