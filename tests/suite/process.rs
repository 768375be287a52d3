//! The binary as its admin meets it: started, asked, stopped, refused.

use std::io::{Read as _, Write as _};
use std::time::{Duration, Instant};

use tempfile::tempdir;

use crate::plop::{Plop, command, connect, free_port, get, read_all};

#[test]
fn without_any_configuration_it_is_ready_and_ends_on_sigterm_with_0() {
    let data = tempdir().unwrap();
    let (mut plop, listeners) = Plop::start(data.path(), &[]);
    let (status, _, body) = get(listeners[0].1, "/health");
    assert_eq!(listeners.len(), 1);
    assert_eq!((status, body.as_str()), (200, r#"{"live":true,"ready":true,"read_only":false}"#));
    assert!(data.path().join("data/database").is_dir());

    let stopped = Instant::now();
    plop.terminate();
    assert_eq!(plop.ended().code(), Some(0));
    assert!(stopped.elapsed() < Duration::from_secs(10));
    // What it made it can open again.
    let (plop, _) = Plop::start(data.path(), &[]);
    plop.kill();
    Plop::start(data.path(), &[]);
}

#[test]
fn an_idle_connection_does_not_delay_the_stop() {
    let data = tempdir().unwrap();
    let (mut plop, listeners) = Plop::start(data.path(), &[]);
    let mut idle = connect(listeners[0].1);
    let stopped = Instant::now();
    plop.terminate();
    assert_eq!(plop.ended().code(), Some(0));
    assert!(stopped.elapsed() < Duration::from_secs(5), "{:?}", stopped.elapsed());
    assert_eq!(idle.read(&mut [0; 1]).unwrap_or(0), 0);
}

#[test]
fn an_unknown_endpoint_answers_404_unrecognized_on_every_api() {
    let data = tempdir().unwrap();
    let (_plop, listeners) =
        Plop::start(data.path(), &[("PLOP_FEDERATION__ADDRESSES", r#"["127.0.0.1:0"]"#)]);
    assert_eq!(listeners.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["client", "federation"]);
    for (_, address) in listeners {
        let (status, head, body) = get(address, "/_matrix/client/v3/nowhere");
        assert_eq!(status, 404);
        assert!(head.contains("access-control-allow-origin: *"), "{head}");
        assert!(body.contains("M_UNRECOGNIZED"), "{body}");
    }
}

#[test]
fn client_and_federation_may_share_an_address() {
    let data = tempdir().unwrap();
    let address = format!(r#"["127.0.0.1:{}"]"#, free_port());
    let settings = [("PLOP_CLIENT__ADDRESSES", address.as_str()), ("PLOP_FEDERATION__ADDRESSES", &address)];
    let (_plop, listeners) = Plop::start(data.path(), &settings);
    assert_eq!(listeners.len(), 1);
    assert_eq!(listeners[0].0, "client and federation");
    assert_eq!(get(listeners[0].1, "/health").0, 200);
}

#[test]
fn figures_are_on_the_metrics_listener_only_and_their_labels_are_bounded() {
    let data = tempdir().unwrap();
    let (_plop, listeners) = Plop::start(data.path(), &[("PLOP_METRICS__ADDRESSES", r#"["127.0.0.1:0"]"#)]);
    let (client, metrics) = (listeners[0].1, listeners[1].1);
    assert_eq!(get(client, "/metrics").0, 404);
    get(client, "/some/path/that/nobody/has");
    get(client, "/health");
    let (status, _, figures) = get(metrics, "/metrics");
    assert_eq!(status, 200);
    for figure in [
        r#"plop_http_requests_total{method="GET",route="/health",status="200"} 1"#,
        r#"plop_http_requests_total{method="GET",route="unknown",status="404"} 2"#,
        "plop_http_request_seconds_bucket",
        "plop_store_read_only 0",
    ] {
        assert!(figures.contains(figure), "{figure} is missing in\n{figures}");
    }
    assert!(!figures.contains("nobody"));
}

#[test]
fn a_client_that_sends_its_head_slowly_or_nothing_at_all_is_let_go() {
    let data = tempdir().unwrap();
    let (_plop, listeners) = Plop::start(data.path(), &[("PLOP_LIMITS__HEAD_SECONDS", "1")]);
    for begin in ["", "GET /health HT"] {
        let mut slow = connect(listeners[0].1);
        slow.write_all(begin.as_bytes()).unwrap();
        let started = Instant::now();
        let answer = read_all(&mut slow);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    }
}

#[test]
fn above_the_limit_of_connections_a_new_one_waits_until_another_ends() {
    let data = tempdir().unwrap();
    let settings = [("PLOP_LIMITS__CONNECTIONS", "1"), ("PLOP_LIMITS__HEAD_SECONDS", "1")];
    let (_plop, listeners) = Plop::start(data.path(), &settings);
    let first = connect(listeners[0].1);
    // Answered once the first, which says nothing, has been let go.
    let started = Instant::now();
    assert_eq!(get(listeners[0].1, "/health").0, 200);
    assert!(started.elapsed() > Duration::from_millis(500), "{:?}", started.elapsed());
    drop(first);
}

#[test]
fn all_mistakes_of_the_configuration_are_printed_and_nothing_is_made() {
    let data = tempdir().unwrap();
    let settings = [("PLOP_SERVER__NAEM", "x"), ("PLOP_LIMITS__CONNECTIONS", "0")];
    for arguments in [&["serve"][..], &["config", "check"]] {
        let output = command(data.path(), &settings).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(78));
        let printed = String::from_utf8(output.stderr).unwrap();
        assert!(
            printed.contains("PLOP_SERVER__NAEM") && printed.contains("PLOP_LIMITS__CONNECTIONS"),
            "{printed}"
        );
    }
    assert!(!data.path().join("data").exists());
    let output = command(data.path(), &[]).args(["config", "check"]).output().unwrap();
    assert!(output.status.success());
}

/// A container listens on every address.
#[test]
fn without_a_name_it_listens_to_nobody_but_this_machine() {
    let data = tempdir().unwrap();
    let output = command(data.path(), &[("PLOP_CLIENT__ADDRESSES", r#"["0.0.0.0:0"]"#)]).output().unwrap();
    assert_eq!(output.status.code(), Some(78));
    let printed = String::from_utf8(output.stderr).unwrap();
    assert!(printed.contains("server.name") && printed.contains("PLOP_SERVER__NAME"), "{printed}");
    assert!(!data.path().join("data").exists());
}

#[test]
fn the_values_in_force_are_shown_without_secrets() {
    let data = tempdir().unwrap();
    let settings = [("PLOP_SERVER__NAME", "example.org"), ("PLOP_REGISTRATION__SHARED_SECRET", "hush")];
    let output = command(data.path(), &settings).args(["config", "show"]).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.contains("name = \"example.org\""), "{printed}");
    assert!(printed.contains("shared_secret = \"(secret)\"") && !printed.contains("hush"), "{printed}");
}

#[test]
fn an_address_that_is_taken_and_a_folder_that_is_not_ours_are_refused_with_their_codes() {
    let data = tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("[\"{}\"]", taken.local_addr().unwrap());
    let output = command(data.path(), &[("PLOP_CLIENT__ADDRESSES", &address)]).output().unwrap();
    assert_eq!(output.status.code(), Some(71));

    let foreign = data.path().join("foreign");
    std::fs::create_dir(&foreign).unwrap();
    std::fs::write(foreign.join("homeserver.db"), "somebody's data").unwrap();
    let output =
        command(data.path(), &[("PLOP_DATABASE__PATH", foreign.to_str().unwrap())]).output().unwrap();
    assert_eq!(output.status.code(), Some(65));
    let entries: Vec<_> =
        std::fs::read_dir(&foreign).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(entries, ["homeserver.db"], "left untouched");
}

#[test]
fn a_backup_of_a_stopped_server_is_restored_and_both_are_sound() {
    let data = tempdir().unwrap();
    let plop = |arguments: &[&str], settings: &[(&str, &str)]| {
        let output = command(data.path(), settings).args(arguments).output().unwrap();
        let printed = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.code(), printed)
    };
    let (mut running, _) = Plop::start(data.path(), &[]);
    let (code, printed) = plop(&["backup", "copy"], &[]);
    assert_eq!(code, Some(65), "a running server holds its folder: {printed}");
    running.terminate();
    assert_eq!(running.ended().code(), Some(0));

    for arguments in [&["check"][..], &["backup", "copy"], &["check"]] {
        let (code, printed) = plop(arguments, &[]);
        assert_eq!(code, Some(0), "{arguments:?}: {printed}");
    }
    let (code, printed) = plop(&["backup", "copy"], &[]);
    assert_eq!(code, Some(1), "the target is in the way: {printed}");
    let elsewhere = [("PLOP_DATABASE__PATH", "restored")];
    let (code, printed) = plop(&["restore", "copy"], &elsewhere);
    assert_eq!(code, Some(0), "{printed}");
    let (code, printed) = plop(&["check"], &elsewhere);
    assert_eq!(code, Some(0), "{printed}");
    Plop::start(data.path(), &elsewhere);
}
