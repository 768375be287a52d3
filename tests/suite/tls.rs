//! A listener with a certificate.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::ServerName;
use tempfile::tempdir;

use crate::plop::{Plop, command, connect, read_all};

#[test]
fn federation_answers_over_tls_with_the_configured_certificate() {
    let data = tempdir().unwrap();
    let certified = rcgen::generate_simple_self_signed(["hs1".to_owned()]).unwrap();
    let (certificate, key) = (data.path().join("cert.pem"), data.path().join("key.pem"));
    std::fs::write(&certificate, certified.cert.pem()).unwrap();
    std::fs::write(&key, certified.signing_key.serialize_pem()).unwrap();
    let settings = [
        ("PLOP_FEDERATION__ADDRESSES", r#"["127.0.0.1:0"]"#),
        ("PLOP_FEDERATION__TLS_CERTIFICATE_FILE", certificate.to_str().unwrap()),
        ("PLOP_FEDERATION__TLS_KEY_FILE", key.to_str().unwrap()),
    ];
    let (_plop, listeners) = Plop::start(data.path(), &settings);
    let mut roots = RootCertStore::empty();
    roots.add(certified.cert.der().clone()).unwrap();
    let answer = get_over_tls(roots, listeners[1].1);
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    assert!(answer.contains("M_UNRECOGNIZED"), "{answer}");
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

fn get_over_tls(roots: RootCertStore, address: SocketAddr) -> String {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("hs1").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = StreamOwned::new(connection, connect(address));
    let request = "GET /_matrix/federation/v1/version HTTP/1.1\r\nHost: hs1\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    read_all(&mut stream)
}
