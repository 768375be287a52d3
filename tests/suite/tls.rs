//! A listener with a certificate.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::crypto::ring;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::{CertificateDer, ServerName};
use tempfile::tempdir;

use crate::plop::{Plop, command, connect, read_all};

/// A server whose federation listener has a certificate for `hs1`, and a client's trust in it.
fn start(data: &Path) -> (Plop, SocketAddr, CertificateDer<'static>) {
    let certified = rcgen::generate_simple_self_signed(["hs1".to_owned()]).unwrap();
    let (certificate, key) = (data.join("cert.pem"), data.join("key.pem"));
    std::fs::write(&certificate, certified.cert.pem()).unwrap();
    std::fs::write(&key, certified.signing_key.serialize_pem()).unwrap();
    let settings = [
        ("PLOP_FEDERATION__ADDRESSES", r#"["127.0.0.1:0"]"#),
        ("PLOP_FEDERATION__TLS_CERTIFICATE_FILE", certificate.to_str().unwrap()),
        ("PLOP_FEDERATION__TLS_KEY_FILE", key.to_str().unwrap()),
        ("PLOP_LIMITS__HEAD_SECONDS", "1"),
    ];
    let (plop, listeners) = Plop::start(data, &settings);
    (plop, listeners[1].1, certified.cert.der().clone())
}

fn tls(
    address: SocketAddr,
    certificate: CertificateDer<'static>,
    protocol: &[u8],
) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    let name = ServerName::try_from("hs1").unwrap();
    StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), connect(address))
}

#[test]
fn federation_answers_over_tls_with_the_configured_certificate() {
    let data = tempdir().unwrap();
    let (_plop, address, certificate) = start(data.path());
    let mut stream = tls(address, certificate, b"http/1.1");
    let request = "GET /_matrix/federation/v1/version HTTP/1.1\r\nHost: hs1\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let answer = read_all(&mut stream);
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    assert!(answer.contains("M_UNRECOGNIZED"), "{answer}");
}

#[test]
fn an_http_2_connection_without_a_request_is_let_go_and_so_is_one_without_a_handshake() {
    let data = tempdir().unwrap();
    let (_plop, address, certificate) = start(data.path());
    let started = Instant::now();
    let mut silent = connect(address);
    assert_eq!(silent.read(&mut [0; 1]).unwrap_or(0), 0);
    let mut stream = tls(address, certificate, b"h2");
    stream.write_all(b"PRI * HT").unwrap();
    // The server's settings may come first; an end without a close notice is an end.
    let _ = stream.read_to_end(&mut Vec::new());
    assert_eq!(stream.conn.alpn_protocol(), Some(&b"h2"[..]));
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

#[test]
fn a_certificate_that_cannot_be_read_is_refused_at_the_start() {
    let data = tempdir().unwrap();
    let settings = [
        ("PLOP_CLIENT__TLS_CERTIFICATE_FILE", "/no/such/cert.pem"),
        ("PLOP_CLIENT__TLS_KEY_FILE", "/no/such/key.pem"),
    ];
    let output = command(data.path(), &settings).output().unwrap();
    assert_eq!(output.status.code(), Some(71));
    assert!(String::from_utf8(output.stderr).unwrap().contains("/no/such/cert.pem"));
}
