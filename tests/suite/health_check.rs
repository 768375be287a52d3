//! `plop health`, as a container runtime calls it.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;

use tempfile::tempdir;

use crate::plop::{Plop, command, free_port};

/// The exit code, and what was printed on either stream.
fn health(data: &Path, settings: &[(&str, &str)]) -> (Option<i32>, String) {
    let output = command(data, settings).arg("health").output().unwrap();
    (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

fn addresses(address: &str) -> String {
    format!("[\"{address}:{}\"]", free_port())
}

#[test]
fn a_server_that_takes_requests_is_healthy_and_one_that_has_ended_is_not() {
    let data = tempdir().unwrap();
    let addresses = addresses("127.0.0.1");
    let settings = [("PLOP_CLIENT__ADDRESSES", addresses.as_str())];
    assert_eq!(health(data.path(), &settings).0, Some(1), "not started");
    let (mut plop, _) = Plop::start(data.path(), &settings);
    let (code, printed) = health(data.path(), &settings);
    assert_eq!(code, Some(0), "{printed}");
    assert!(printed.contains(r#""ready":true"#), "{printed}");
    plop.terminate();
    plop.ended();
    assert_eq!(health(data.path(), &settings).0, Some(1), "ended");
}

#[test]
fn a_server_on_every_address_is_asked_on_loopback() {
    let data = tempdir().unwrap();
    let addresses = addresses("0.0.0.0");
    let settings = [("PLOP_CLIENT__ADDRESSES", addresses.as_str()), ("PLOP_SERVER__NAME", "hs1")];
    let (_plop, _) = Plop::start(data.path(), &settings);
    let (code, printed) = health(data.path(), &settings);
    assert_eq!(code, Some(0), "{printed}");
}

#[test]
fn where_figures_have_a_listener_that_is_asked() {
    let data = tempdir().unwrap();
    let (clients, figures) = (addresses("127.0.0.1"), addresses("127.0.0.1"));
    let settings = [("PLOP_CLIENT__ADDRESSES", clients.as_str()), ("PLOP_METRICS__ADDRESSES", &figures)];
    let (_plop, _) = Plop::start(data.path(), &settings);
    // Nobody is at the address for clients that the question is told of.
    let elsewhere = addresses("127.0.0.1");
    let settings = [("PLOP_CLIENT__ADDRESSES", elsewhere.as_str()), ("PLOP_METRICS__ADDRESSES", &figures)];
    let (code, printed) = health(data.path(), &settings);
    assert_eq!(code, Some(0), "{printed}");
}

#[test]
fn a_port_that_only_the_log_tells_is_said_to_be_that() {
    let data = tempdir().unwrap();
    let (code, printed) = health(data.path(), &[]);
    assert_eq!(code, Some(1));
    assert!(printed.contains("port 0"), "{printed}");
}

#[test]
fn under_tls_the_configured_certificate_is_believed_and_no_other() {
    let data = tempdir().unwrap();
    let (certificate, key) = (data.path().join("cert.pem"), data.path().join("key.pem"));
    let write = || {
        let certified = rcgen::generate_simple_self_signed(["example.org".to_owned()]).unwrap();
        std::fs::write(&certificate, certified.cert.pem()).unwrap();
        std::fs::write(&key, certified.signing_key.serialize_pem()).unwrap();
    };
    write();
    let addresses = addresses("127.0.0.1");
    let settings = [
        ("PLOP_CLIENT__ADDRESSES", addresses.as_str()),
        ("PLOP_CLIENT__TLS_CERTIFICATE_FILE", certificate.to_str().unwrap()),
        ("PLOP_CLIENT__TLS_KEY_FILE", key.to_str().unwrap()),
    ];
    let (_plop, _) = Plop::start(data.path(), &settings);
    let (code, printed) = health(data.path(), &settings);
    assert_eq!(code, Some(0), "{printed}");
    write();
    let (code, printed) = health(data.path(), &settings);
    assert_eq!(code, Some(1));
    assert!(printed.contains("another certificate") && printed.contains("cert.pem"), "{printed}");
}

#[test]
fn an_answer_that_is_no_200_is_unhealthy_and_shown() {
    let table = [
        ("HTTP/1.1 503 Service Unavailable\r\n\r\n{\"ready\":false}", "503 {\"ready\":false}"),
        ("HTTP/1.1 404 Not Found\r\n\r\n", "404"),
        ("SSH-2.0-OpenSSH\r\n", "no answer of HTTP"),
        ("", "no answer of HTTP"),
    ];
    for (answer, expected) in table {
        let data = tempdir().unwrap();
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        let addresses = format!("[\"{}\"]", other.local_addr().unwrap());
        let thread = std::thread::spawn(move || {
            let (mut stream, _) = other.accept().unwrap();
            let mut request = [0; 1024];
            let read = stream.read(&mut request).unwrap();
            assert!(request[..read].starts_with(b"GET /health HTTP/1.1\r\n"));
            stream.write_all(answer.as_bytes()).unwrap();
        });
        let (code, printed) = health(data.path(), &[("PLOP_CLIENT__ADDRESSES", &addresses)]);
        thread.join().unwrap();
        assert_eq!(code, Some(1));
        assert!(printed.contains(expected), "{printed}");
    }
}
