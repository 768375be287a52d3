//! `plop health`: asks the server of this configuration whether it takes requests.
//!
//! Owns: which listener is asked, the one request and what its answer means for an exit code. Does not own: what a server says of
//! itself (`server/health.rs`).
//!
//! Invariants: it talks to an address of this machine, waits for a bounded time, reads a bounded answer and sends nothing secret.
//! Where figures have a listener, that is asked: it has places of its own, so a crowd of clients does not make a server look ill.

mod pinned;

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use plop_base::Exit;
use plop_config::Config;
use plop_config::sections::Listener;

use crate::maintenance::Refusal;

/// To connect, and then for each step.
const PATIENCE: Duration = Duration::from_secs(2);
/// The answer has some hundred bytes.
const MAX_ANSWER_BYTES: u64 = 64 << 10;

const REQUEST: &[u8] = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// What the server says, if it takes requests.
pub fn ask(config: &Config) -> Result<String, Refusal> {
    let unhealthy = |text: String| Refusal { exit: Exit::Failed, text };
    let (listener, address) = listener(config).ok_or_else(|| {
        unhealthy("Each address has port 0: only the log of the server tells which it took.".to_owned())
    })?;
    let answer = exchange(listener, address);
    let answer = answer.map_err(|error| unhealthy(format!("{address} does not answer: {error}")))?;
    verdict(&answer).map_err(|text| unhealthy(format!("{address} does not take requests: {text}")))
}

/// The listener to ask, and where it is reached from here.
fn listener(config: &Config) -> Option<(&Listener, SocketAddr)> {
    let mut all = [&config.metrics, &config.client]
        .into_iter()
        .flat_map(|listener| listener.addresses.iter().map(move |address| (listener, *address)));
    all.find(|(_, address)| address.port() != 0).map(|(listener, address)| (listener, from_here(address)))
}

/// Who listens on every address is reached on loopback.
fn from_here(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn exchange(listener: &Listener, address: SocketAddr) -> io::Result<Vec<u8>> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    match &listener.tls_certificate_file {
        None => request(stream),
        Some(certificate) => request(pinned::handshake(stream, certificate)?),
    }
}

fn request(mut stream: impl Read + Write) -> io::Result<Vec<u8>> {
    stream.write_all(REQUEST)?;
    let mut answer = Vec::new();
    match stream.take(MAX_ANSWER_BYTES).read_to_end(&mut answer) {
        // A TLS connection that ends without saying so; what came tells whether it was whole.
        Err(error) if error.kind() != ErrorKind::UnexpectedEof => Err(error),
        _ => Ok(answer),
    }
}

/// The body of a 200.
fn verdict(answer: &[u8]) -> Result<String, String> {
    let text = String::from_utf8_lossy(answer);
    let (head, body) = text.split_once("\r\n\r\n").ok_or("that was no answer of HTTP")?;
    match head.split(' ').nth(1) {
        Some("200") => Ok(body.to_owned()),
        status => Err(format!("{} {body}", status.unwrap_or_default())),
    }
}
