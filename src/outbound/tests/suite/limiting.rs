//! How much an answer may take.

use std::time::Duration;

use plop_outbound::{Limits, OutboundError};

use crate::web::{LIMITS, Web, ok, open, redirect};

/// Row 101 of the hostile input: redirects without an end.
#[tokio::test]
async fn row_101_redirects_end() {
    let web = Web::start(|_| redirect("/again")).await;
    let outcome = open().get(&web.url("127.0.0.1", "/"), "*/*", LIMITS).await;
    assert!(matches!(outcome, Err(OutboundError::TooManyRedirects)));
    assert_eq!(web.connections(), 1 + usize::from(LIMITS.redirects));
}

/// Rows 104 and 110 of the hostile input: a length that is a lie, an answer without an end.
#[tokio::test]
async fn row_104_an_answer_is_cut_at_its_limit() {
    let long = "a".repeat(100_000);
    let web = Web::start(move |path| match path {
        "/said" => ok(&long),
        _ => format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{long}").into_bytes(),
    })
    .await;
    let limits = Limits { bytes: 10_000, ..LIMITS };
    for path in ["/said", "/unsaid"] {
        let answer = open().get(&web.url("127.0.0.1", path), "*/*", limits).await.expect("a head");
        assert!(matches!(answer.whole().await, Err(OutboundError::TooLarge)), "{path}");
    }
    let answer = open().get(&web.url("127.0.0.1", "/said"), "*/*", LIMITS).await.expect("a head");
    assert_eq!(answer.beginning(5_000).await.expect("a part").len(), 5_000);
}

/// Row 104 of the hostile input: what is cut short is no answer, and garbage is none.
#[tokio::test]
async fn row_104_half_an_answer_is_none() {
    let web = Web::start(|path| match path {
        "/short" => b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc".to_vec(),
        "/garbage" => b"\x16\x03\x01 what\r\n\r\n".to_vec(),
        "/head" => {
            let line = format!("X: {}\r\n", "y".repeat(1_000));
            format!("HTTP/1.1 200 OK\r\n{}\r\n", line.repeat(10_000)).into_bytes()
        }
        _ => Vec::new(),
    })
    .await;
    let short = open().get(&web.url("127.0.0.1", "/short"), "*/*", LIMITS).await.expect("a head");
    assert!(matches!(short.whole().await, Err(OutboundError::Failed(_))));
    for path in ["/garbage", "/head", "/nothing"] {
        let outcome = open().get(&web.url("127.0.0.1", path), "*/*", LIMITS).await;
        assert!(matches!(outcome, Err(OutboundError::Failed(_))), "{path}");
    }
}

/// Rows 102 and 104 of the hostile input: a server that takes its time.
#[tokio::test]
async fn row_104_the_time_of_all_of_it_is_limited() {
    // It accepts, and nobody reads.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/", silent.local_addr().expect("an address"));
    let limits = Limits { time: Duration::from_millis(50), ..LIMITS };
    let outcome = open().get(&url, "*/*", limits).await;
    assert!(matches!(outcome, Err(OutboundError::TooSlow)));
}
