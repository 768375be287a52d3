//! Where requests do not go.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use plop_outbound::OutboundError;

use crate::web::{LIMITS, Web, closed, ok, open, redirect};

/// Row 98 of the hostile input: literal addresses in all their spellings, and what is not HTTP.
#[tokio::test]
async fn row_98_no_spelling_of_an_address_gets_around_the_guard() {
    let web = Web::start(|_| ok("secret")).await;
    let client = closed(|_| vec!["127.0.0.1"]);
    let hosts = [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[fe80::1]",
        "[fc00::1]",
        "10.0.0.1",
        "169.254.169.254",
        "localhost",
        "localhost.",
        "LOCALHOST",
        "internal.example",
        "１２７.0.0.1",
        "127。0。0。1",
    ];
    for host in hosts {
        let url = web.url(host, "/");
        assert!(matches!(client.get(&url, "*/*", LIMITS).await, Err(OutboundError::Forbidden)), "{host}");
    }
    let addresses = [
        "ftp://example.org/",
        "file:///etc/passwd",
        "gopher://example.org/",
        "data:text/html,x",
        "javascript:1",
        "//example.org",
        "http://",
        "http://user@example.org/",
        "http://user:secret@example.org/",
        "http://exam ple.org/",
        "",
    ];
    for url in addresses {
        assert!(matches!(client.get(url, "*/*", LIMITS).await, Err(OutboundError::InvalidUrl(_))), "{url}");
    }
    let long = format!("http://example.org/{}", "a".repeat(5_000));
    assert!(matches!(client.get(&long, "*/*", LIMITS).await, Err(OutboundError::InvalidUrl(_))));
    assert_eq!(web.connections(), 0);
}

/// Row 98 of the hostile input: ports of something else.
#[tokio::test]
async fn row_98_ports_of_other_protocols_are_closed() {
    let client = open();
    for port in [0, 1, 22, 25, 110, 143, 444, 993, 1023, 3306, 5432, 6000, 6379, 6667, 11211] {
        let url = format!("http://127.0.0.1:{port}/");
        assert!(matches!(client.get(&url, "*/*", LIMITS).await, Err(OutboundError::Forbidden)), "{port}");
    }
}

/// Row 98 of the hostile input: each redirect is looked at.
#[tokio::test]
async fn row_98_redirects_are_guarded_like_the_first_address() {
    let secret = Web::start(|_| ok("secret")).await;
    let targets = [
        secret.url("[::1]", "/"),
        secret.url("10.0.0.1", "/"),
        secret.url("internal.example", "/"),
        "ftp://127.0.0.1/".to_owned(),
        "http://user@127.0.0.1:8080/".to_owned(),
        "http://127.0.0.1:25/".to_owned(),
    ];
    // Only 127.0.0.2 is open: the first server.
    for target in targets {
        let answered = target.clone();
        let web = Web::start(move |path| match path {
            "/far" => redirect("/near"),
            _ => redirect(&answered),
        })
        .await;
        for (path, connections) in [("/near", 1), ("/far", 3)] {
            let outcome = open_one(&web).get(&web.url("public.example", path), "*/*", LIMITS).await;
            assert!(
                matches!(outcome, Err(OutboundError::Forbidden | OutboundError::InvalidUrl(_))),
                "{target}: {:?}",
                outcome.err()
            );
            assert_eq!(web.connections(), connections, "{target} {path}");
        }
    }
    assert_eq!(secret.connections(), 0);
}

/// Names lead to loopback, which is open, but `internal.example` to a network that is not.
fn open_one(_: &Web) -> plop_outbound::Client {
    let settings = plop_outbound::Settings {
        open: vec!["127.0.0.1/32".parse().expect("a network")],
        ..plop_outbound::Settings::default()
    };
    let clock = plop_base::Clock::simulated(plop_base::UnixMillis(0));
    let names = |name: &str| {
        let address = if name == "internal.example" { "192.168.0.1" } else { "127.0.0.1" };
        vec![address.parse().expect("an address")]
    };
    plop_outbound::Client::with_names(settings, clock, names).expect("a client")
}

/// Row 99 of the hostile input.
#[tokio::test]
async fn row_99_the_checked_address_is_the_one_that_is_connected_to() {
    let web = Web::start(|_| ok("secret")).await;
    // A public address first, a private one at every later look-up: there is one look-up for each connection, and what it says is used.
    let lookups = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&lookups);
    let client = closed(move |_| match counted.fetch_add(1, Ordering::SeqCst) {
        0 => vec!["127.0.0.1", "10.0.0.1"],
        _ => vec!["::ffff:127.0.0.1"],
    });
    for _ in 0..3 {
        let outcome = client.get(&web.url("rebinding.example", "/"), "*/*", LIMITS).await;
        assert!(matches!(outcome, Err(OutboundError::Forbidden)));
    }
    assert_eq!((web.connections(), lookups.load(Ordering::SeqCst)), (0, 3));
    // Of a mix only the open ones are used.
    let mixed = plop_outbound::Settings {
        open: vec!["127.0.0.1/32".parse().expect("a network")],
        ..plop_outbound::Settings::default()
    };
    let names =
        |_: &str| ["10.0.0.1", "127.0.0.1"].map(|address| address.parse().expect("an address")).to_vec();
    let clock = plop_base::Clock::simulated(plop_base::UnixMillis(0));
    let client = plop_outbound::Client::with_names(mixed, clock, names).expect("a client");
    let answer = client.get(&web.url("mixed.example", "/"), "*/*", LIMITS).await.expect("an answer");
    assert_eq!(answer.whole().await.expect("a body"), "secret");
}

#[tokio::test]
async fn what_the_allow_list_opens_is_reached_and_redirects_are_followed() {
    let web = Web::start(|path| if path == "/" { redirect("/there?a=b#c") } else { ok("here") }).await;
    let answer = open().get(&web.url("127.0.0.1", "/"), "text/html", LIMITS).await.expect("an answer");
    assert_eq!(answer.url.path(), "/there");
    assert_eq!(answer.whole().await.expect("a body"), "here");
    let requests = web.requests();
    assert!(requests.iter().all(|head| head.contains("accept: text/html\r\n") && head.contains("Plop/")));
    assert!(requests.iter().all(|head| !head.contains("referer") && !head.contains("cookie")));
}
