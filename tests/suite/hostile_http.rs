//! Requests that are no honest HTTP, against the built binary: rows 13 to 16 and 18 of the hostile input.

use std::fs::{File, read_to_string};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr};
use std::process::Stdio;

use tempfile::tempdir;

use crate::plop::{Plop, command, connect, get};

const LOGIN: &str = "POST /_matrix/client/v3/login HTTP/1.1\r\nHost: test\r\n";

/// What the server says to `request` until it closes the connection, which it does by itself or is asked to.
fn answer(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = connect(address);
    // A server that refuses need not read to the end: then writing fails.
    let _ = stream.write_all(request);
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    String::from_utf8(bytes).expect("text")
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("none")
}

#[test]
fn b1_15_what_could_be_read_in_two_ways_is_refused_and_the_connection_closed() {
    let data = tempdir().unwrap();
    let (_plop, listeners) = Plop::start(data.path(), &[]);
    let address = listeners[0].1;
    for head in [
        "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}}",
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
        "Content-Length: 2\r\nX-Folded: a\r\n b\r\n\r\n{}",
        "Content-Length : 2\r\n\r\n{}",
        "Content-Length: +2\r\n\r\n{}",
        "Content-Length: -1\r\n\r\n{}",
    ] {
        // The server closes: the answer to the second request would be there otherwise.
        let second = "GET /health HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
        let answer = answer(address, format!("{LOGIN}{head}{second}").as_bytes());
        assert_eq!(status(&answer), "400", "{head:?}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{head:?}: {answer}");
    }
    assert_eq!(get(address, "/health").0, 200);
}

#[test]
fn b1_16_a_head_has_a_bounded_size_and_number_of_fields() {
    let data = tempdir().unwrap();
    let (_plop, listeners) = Plop::start(data.path(), &[]);
    let many: String = (0..100_000).map(|number| format!("X-{number}: a\r\n")).collect();
    let long = format!("X-Long: {}\r\n", "a".repeat(1 << 20));
    for fields in [many, long] {
        let answer = answer(listeners[0].1, format!("{LOGIN}{fields}\r\n").as_bytes());
        assert!(answer.is_empty() || status(&answer) == "431", "{answer}");
    }
    assert_eq!(get(listeners[0].1, "/health").0, 200);
}

#[test]
fn b1_13_a_body_is_read_up_to_its_limit_however_it_comes() {
    let data = tempdir().unwrap();
    let (_plop, listeners) = Plop::start(data.path(), &[]);
    let address = listeners[0].1;
    let answer_to_length = answer(address, format!("{LOGIN}Content-Length: 10000000000\r\n\r\n").as_bytes());
    assert_eq!(status(&answer_to_length), "413", "{answer_to_length}");
    assert!(answer_to_length.contains("M_TOO_LARGE"), "{answer_to_length}");
    // In chunks, without a length, for as long as the server takes them.
    let mut endless = connect(address);
    endless.write_all(format!("{LOGIN}Transfer-Encoding: chunked\r\n\r\n").as_bytes()).unwrap();
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    let taken = (0..10_000).take_while(|_| endless.write_all(chunk.as_bytes()).is_ok()).count();
    assert!(taken < 1_000, "{taken} chunks of 64 KiB were taken");
    let _ = endless.shutdown(Shutdown::Write);
    // The type of a body is not what makes it JSON; its bytes are (client-server API, "API Standards").
    for kind in ["multipart/form-data; boundary=x", "text/plain", "application/x-www-form-urlencoded", "%%"] {
        let body = "--x\r\n\r\na=b\r\n--x--";
        let head =
            format!("Content-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        let answer = answer(address, format!("{LOGIN}{head}{body}").as_bytes());
        assert_eq!(status(&answer), "400", "{kind}: {answer}");
        assert!(answer.contains("M_NOT_JSON"), "{kind}: {answer}");
    }
}

#[test]
fn b1_14_no_body_is_inflated() {
    let data = tempdir().unwrap();
    let (_plop, listeners) = Plop::start(data.path(), &[]);
    for coding in ["gzip", "br", "zstd", "deflate", "gzip, gzip"] {
        let head =
            format!("Content-Encoding: {coding}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}");
        let answer = answer(listeners[0].1, format!("{LOGIN}{head}").as_bytes());
        assert_eq!(status(&answer), "415", "{coding}: {answer}");
    }
}

/// What a client can put into a line of the log stays in that line, and does not steer the terminal of who reads it.
#[test]
fn b1_18_a_line_of_the_log_stays_one_line() {
    let data = tempdir().unwrap();
    let settings = [("PLOP_LOGGING__FORMAT", "text"), ("PLOP_LOGGING__FILTER", "trace")];
    let log = data.path().join("log");
    let mut process = command(data.path(), &settings)
        .stderr(File::create(&log).unwrap())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let address = listening(&log, &mut process);
    let body = r#"{"type":"m.login.password","identifier":{"type":"m.id.user","user":"\u001b[31m\nroot\u202e"},"password":"x"}"#;
    for request in [
        "GET /_matrix/client/v3/%1b%5b31m%0aroot%e2%80%ae HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n".to_owned(),
        "GET /_matrix/client/v3/profile/%1b%5b31m%0aroot HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n".to_owned(),
        format!("{LOGIN}User-Agent: a\u{202e}b\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len()),
    ] {
        answer(address, request.as_bytes());
    }
    process.kill().unwrap();
    process.wait().unwrap();
    let log = read_to_string(&log).unwrap();
    assert!(log.contains("/login"), "the requests are in the log");
    for line in log.lines() {
        assert!(!line.contains(['\u{1b}', '\u{202e}']), "{line:?}");
        assert!(!line.starts_with("root"), "{line:?}");
    }
}

/// Waits until the server says where it listens.
fn listening(log: &std::path::Path, process: &mut std::process::Child) -> SocketAddr {
    loop {
        assert!(process.try_wait().unwrap().is_none(), "the server ended");
        let lines = BufReader::new(File::open(log).unwrap()).lines();
        for line in lines.map_while(Result::ok) {
            if let Some((_, rest)) = line.split_once("address=") {
                return rest.split(' ').next().unwrap().parse().unwrap();
            }
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}
