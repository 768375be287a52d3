//! One keep-alive HTTP/1.1 connection, as cheap as it can be made.
//!
//! The generator shares two cores with the server that it measures, so a worker owns its connection: no pool, no
//! redirects, no TLS, no compression. Owns the difference between "refused" (the server answered) and "broken" (it
//! did not, so what was asked may or may not have happened). Does not know Matrix paths.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, Response, Uri};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::TcpStream;

/// No request is waited for longer than this.
const REQUEST_LIMIT: Duration = Duration::from_secs(120);

/// Where the server listens.
#[derive(Clone, Debug)]
pub struct Target {
    address: SocketAddr,
    host: HeaderValue,
}

/// Why a request did not end in 2xx.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Failure {
    /// The server answered with another status.
    #[error("{status} {errcode}: {message}")]
    Refused { status: u16, errcode: String, message: String },
    /// No whole answer came: what was asked may or may not have happened.
    #[error("no answer: {0}")]
    Broken(String),
    /// An answer came that is not what the spec promises.
    #[error("unexpected answer: {0}")]
    Unexpected(String),
}

impl Failure {
    /// The key under which a report counts it: short, and the same for the same cause.
    pub fn kind(&self) -> String {
        match self {
            Failure::Refused { status, errcode, .. } => format!("{status} {errcode}"),
            Failure::Broken(_) => "no answer".to_owned(),
            Failure::Unexpected(_) => "unexpected answer".to_owned(),
        }
    }
}

/// Why a URL cannot be a target.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    #[error("{0}: not a URL of the form http://host:port")]
    Form(String),
    #[error("{0}: cannot be resolved: {1}")]
    Resolve(String, std::io::Error),
    #[error("{0} is not a loopback address: --remote says that the server is yours")]
    Remote(IpAddr),
}

impl Target {
    /// Resolves `http://host:port`. Only loopback is accepted unless `remote`: a load test of a server that is not
    /// one's own is an attack.
    pub fn resolve(url: &str, remote: bool) -> Result<Self, TargetError> {
        let form = || TargetError::Form(url.to_owned());
        let uri: Uri = url.parse().map_err(|_| form())?;
        let authority = uri.authority().filter(|_| uri.scheme_str() == Some("http")).ok_or_else(form)?;
        let address = (authority.host(), authority.port_u16().unwrap_or(80))
            .to_socket_addrs()
            .map_err(|error| TargetError::Resolve(url.to_owned(), error))?
            .next()
            .ok_or_else(form)?;
        if !remote && !address.ip().is_loopback() {
            return Err(TargetError::Remote(address.ip()));
        }
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| form())?;
        Ok(Self { address, host })
    }
}

/// A connection that is opened at its first use and opened again when it broke.
#[derive(Debug)]
pub struct Connection {
    target: Target,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Connection {
    pub fn new(target: &Target) -> Self {
        Self { target: target.clone(), sender: None }
    }

    /// Sends one request, with JSON or nothing as its body, and reads the whole answer. `token` is the value of the `Authorization` header.
    pub async fn call(
        &mut self,
        method: Method,
        path: &str,
        token: Option<&HeaderValue>,
        body: Bytes,
    ) -> Result<Bytes, Failure> {
        let content_type = (!body.is_empty()).then_some("application/json");
        self.send(method, path, token, content_type, body).await
    }

    /// The same with a body of any type.
    pub async fn send(
        &mut self,
        method: Method,
        path: &str,
        token: Option<&HeaderValue>,
        content_type: Option<&'static str>,
        body: Bytes,
    ) -> Result<Bytes, Failure> {
        let may_ask_again = method == Method::GET && self.sender.is_some();
        let mut request = Request::builder().method(method).uri(path).header(HOST, &self.target.host);
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, token);
        }
        if let Some(content_type) = content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        let request =
            request.body(Full::new(body)).map_err(|error| Failure::Unexpected(error.to_string()))?;
        match self.limited(request.clone()).await {
            // RFC 9110, 9.2.2: what only reads may be asked again, where a connection that was in use before turns out to have ended.
            Err(Failure::Broken(_)) if may_ask_again => self.limited(request).await,
            answer => answer,
        }
    }

    /// One exchange, within [`REQUEST_LIMIT`].
    async fn limited(&mut self, request: Request<Full<Bytes>>) -> Result<Bytes, Failure> {
        let answer = tokio::time::timeout(REQUEST_LIMIT, self.exchange(request)).await;
        let answer = answer.unwrap_or_else(|_| Err(Failure::Broken("time limit".to_owned())));
        if matches!(answer, Err(Failure::Broken(_))) {
            self.sender = None;
        }
        answer
    }

    async fn exchange(&mut self, request: Request<Full<Bytes>>) -> Result<Bytes, Failure> {
        let response = self.respond(request).await?;
        let status = response.status();
        let bytes = response.into_body().collect().await.map_err(broken)?.to_bytes();
        if status.is_success() { Ok(bytes) } else { Err(refusal(status.as_u16(), &bytes)) }
    }

    /// Sends a request. A server closes a connection whose last request it did not read to its end (an upload that was refused, say), and may do so while the next
    /// one is about to be sent: of that nothing has left, and it goes over another connection.
    async fn respond(&mut self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Failure> {
        let mut failed = match self.sender().await?.try_send_request(request).await {
            Ok(response) => return Ok(response),
            Err(failed) => failed,
        };
        let Some(unsent) = failed.take_message() else { return Err(broken(failed.into_error())) };
        self.sender = None;
        self.sender().await?.send_request(unsent).await.map_err(broken)
    }

    /// A sender that can take a request now.
    async fn sender(&mut self) -> Result<&mut SendRequest<Full<Bytes>>, Failure> {
        let alive = match &mut self.sender {
            Some(sender) => sender.ready().await.is_ok(),
            None => false,
        };
        if !alive {
            self.sender = Some(open(&self.target).await?);
        }
        self.sender.as_mut().ok_or_else(|| Failure::Broken("no connection".to_owned()))
    }
}

async fn open(target: &Target) -> Result<SendRequest<Full<Bytes>>, Failure> {
    let stream = TcpStream::connect(target.address).await.map_err(broken)?;
    stream.set_nodelay(true).map_err(broken)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    // The connection ends with its sender; what went wrong reaches the sender as a failed request.
    tokio::spawn(async { drop(connection.await) });
    Ok(sender)
}

fn broken(error: impl std::fmt::Display) -> Failure {
    Failure::Broken(error.to_string())
}

fn refusal(status: u16, body: &[u8]) -> Failure {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct MatrixError {
        errcode: String,
        error: String,
    }
    let MatrixError { errcode, error: message } = serde_json::from_slice(body).unwrap_or_default();
    Failure::Refused { status, errcode, message }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[test]
    fn only_loopback_is_a_target_unless_said_otherwise() {
        assert!(Target::resolve("http://127.0.0.1:8008", false).is_ok());
        assert!(matches!(Target::resolve("http://192.0.2.1:8008", false), Err(TargetError::Remote(_))));
        assert!(Target::resolve("http://192.0.2.1:8008", true).is_ok());
        assert!(matches!(Target::resolve("https://127.0.0.1", false), Err(TargetError::Form(_))));
        assert!(matches!(Target::resolve("127.0.0.1:8008", false), Err(TargetError::Form(_))));
    }

    /// Whether the client knows of the end of a connection before or after it takes the next request.
    #[tokio::test]
    async fn a_connection_that_the_server_closes_after_an_answer_costs_no_request() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = [0; 1_024];
                if stream.read(&mut request).await.is_ok_and(|bytes| bytes > 0) {
                    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
                }
            }
        });
        let mut connection = Connection::new(&Target::resolve(&url, false).unwrap());
        for _ in 0..500 {
            let answer = connection.call(Method::GET, "/", None, Bytes::new()).await;
            assert_eq!(answer.unwrap(), Bytes::from_static(b"{}"));
        }
        server.abort();
    }

    #[test]
    fn a_refusal_carries_the_errcode() {
        let failure = refusal(403, br#"{"errcode":"M_FORBIDDEN","error":"no"}"#);
        assert_eq!(failure.kind(), "403 M_FORBIDDEN");
        assert_eq!(refusal(502, b"<html>").kind(), "502 ");
    }
}
