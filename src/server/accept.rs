//! Connections: accepted, bounded, given deadlines, and let go at the stop.
//!
//! Owns: sockets, the TLS handshake, HTTP/1.1 and HTTP/2 framing. Does not own: what a request means.
//!
//! Invariants:
//! - a connection that sends nothing, or sends its first request slowly, is closed after `limits.head_seconds`; one that
//!   is idle for as long is, too (HTTP/2: after twice as long at most, whether it answers pings or not);
//! - a peer that takes nothing for a minute is cut off by the kernel (`TCP_USER_TIMEOUT`), a peer that vanished by
//!   HTTP/2's own pings;
//! - above `limits.connections` each listener holds one more that waits, and new ones wait in the kernel's queue; an address that
//!   has its share is closed at once; a listener for figures has places of its own ([`super::places`]);
//! - what a connection can make this process keep of what it sends has a limit: a head, and the windows of HTTP/2;
//! - HTTP/2 is spoken where the TLS handshake chose it; plain connections speak HTTP/1.1;
//! - every request is part of a task that the process lists, and waits for at the stop: an HTTP/1.1 request of its connection's, an HTTP/2
//!   request of its own.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::rt::{Executor, Read, Write};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use metrics::counter;
use plop_base::tasks::TaskError;
use plop_base::{Clock, TaskKind, Tasks};
use plop_client_api::Kept;
use plop_config::Config;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;
use tracing::{debug, warn};

use super::client_address::PeerAddress;
use super::listener_api::ListenerApi;
use super::places::{Place, Places};
use super::tls::HTTP_2;

/// Connections that wait in the kernel to be accepted.
const BACKLOG: i32 = 1024;
/// How long the kernel keeps trying to hand over what was written, and how long it lets a silent peer be.
const UNRESPONSIVE: Duration = Duration::from_secs(60);
/// Between two pings on an HTTP/2 connection.
const PING_EVERY: Duration = Duration::from_secs(30);
/// Requests at the same time on one HTTP/2 connection.
const STREAMS: u32 = 100;
/// What an HTTP/2 connection may send before anybody reads it; for one stream as much as for all.
const WINDOW: u32 = 256 << 10;
/// What an HTTP/1.1 connection may send before anybody reads it: a head with the longest path and query.
const HEAD_BYTES: usize = 128 << 10;
/// After a failed accept (no file descriptors, say), so that the loop does not spin.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// One address of the configuration.
pub struct Listener {
    pub serves: Vec<ListenerApi>,
    pub address: SocketAddr,
    pub tls: Option<TlsAcceptor>,
}

/// A listener that holds its address.
pub struct Bound {
    listener: Listener,
    socket: TcpListener,
}

impl Bound {
    /// Takes the address.
    pub fn new(mut listener: Listener) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(listener.address), Type::STREAM, Some(Protocol::TCP))?;
        // A restart need not wait for the old process's closed connections.
        socket.set_reuse_address(true)?;
        if listener.address.is_ipv6() {
            // "[::]:80" and "0.0.0.0:80" are two addresses, whatever the system's default.
            socket.set_only_v6(true)?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&listener.address.into())?;
        socket.listen(BACKLOG)?;
        let socket = TcpListener::from_std(socket.into())?;
        listener.address = socket.local_addr()?;
        Ok(Self { listener, socket })
    }

    /// The address; the one the system chose where the port was 0.
    pub fn address(&self) -> SocketAddr {
        self.listener.address
    }

    pub fn serves(&self) -> &[ListenerApi] {
        &self.listener.serves
    }

    pub fn is_tls(&self) -> bool {
        self.listener.tls.is_some()
    }
}

/// What all listeners share.
#[derive(Clone)]
pub struct Acceptor {
    clock: Clock,
    tasks: Tasks,
    places: Places,
    figures: Places,
    head: Duration,
    http: Arc<auto::Builder<Streams>>,
}

impl Acceptor {
    pub fn new(config: &Config, clock: &Clock, tasks: &Tasks) -> Self {
        // There from the start: of a figure that appears with its first count the first rise is not seen.
        counter!("plop_connections_refused_total").increment(0);
        let head = Duration::from_secs(config.limits.head_seconds.get());
        let mut http = auto::Builder::new(Streams(tasks.clone()));
        http.http1()
            .timer(TokioTimer::new())
            .header_read_timeout(head)
            .half_close(false)
            .max_buf_size(HEAD_BYTES);
        http.http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(UNRESPONSIVE)
            .max_concurrent_streams(STREAMS)
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW);
        Self {
            clock: clock.clone(),
            tasks: tasks.clone(),
            places: Places::new(&config.limits, &config.server),
            figures: Places::for_figures(&config.server),
            head,
            http: Arc::new(http),
        }
    }

    /// Accepts until the process stops; `app` answers the requests.
    pub async fn accept(self, listener: Bound, app: Router) -> Result<(), TaskError> {
        let serves_figures_alone = listener.serves().iter().all(|api| *api == ListenerApi::Metrics);
        let places = if serves_figures_alone { &self.figures } else { &self.places };
        loop {
            let accepted = tokio::select! {
                accepted = next(&listener.socket, places) => accepted,
                _ = self.tasks.shutdown_requested() => return Ok(()),
            };
            match accepted {
                Ok((place, stream, peer)) => {
                    let connection = Connection {
                        acceptor: self.clone(),
                        tls: listener.listener.tls.clone(),
                        app: app.clone(),
                        peer,
                        place,
                    };
                    self.tasks.spawn_once(TaskKind::Connection, peer.to_string(), connection.run(stream));
                }
                Err(error) => {
                    warn!(%error, address = %listener.address(), "cannot accept");
                    self.clock.sleep(ACCEPT_AGAIN).await;
                }
            }
        }
    }
}

/// The next connection that there is a place for.
async fn next(socket: &TcpListener, places: &Places) -> io::Result<(Place, TcpStream, SocketAddr)> {
    loop {
        let (stream, peer) = socket.accept().await?;
        match places.share(peer.ip()) {
            Some(share) => {
                let place = places.place(share).await.ok_or_else(|| io::Error::other("no places"))?;
                return Ok((place, stream, peer));
            }
            None => {
                counter!("plop_connections_refused_total").increment(1);
                debug!(%peer, "closed: the address has as many connections as it may");
            }
        }
    }
}

/// Runs the requests of HTTP/2 connections.
#[derive(Clone)]
struct Streams(Tasks);

impl<Work> Executor<Work> for Streams
where
    Work: Future + Send + 'static,
{
    fn execute(&self, work: Work) {
        self.0.spawn_once(TaskKind::Connection, "HTTP/2 request", async move {
            work.await;
            Ok(())
        });
    }
}

/// One accepted connection.
struct Connection {
    acceptor: Acceptor,
    tls: Option<TlsAcceptor>,
    app: Router,
    peer: SocketAddr,
    place: Place,
}

/// What goes on on a connection.
#[derive(Default)]
struct Activity {
    /// Requests that have come, and answers that have been handed over whole.
    changes: AtomicU64,
    /// Requests whose answer has not been handed over yet.
    open: AtomicUsize,
}

/// A request that is open.
struct Open(Arc<Activity>);

impl Open {
    fn new(activity: &Arc<Activity>) -> Self {
        activity.changes.fetch_add(1, Ordering::Relaxed);
        activity.open.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(activity))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.changes.fetch_add(1, Ordering::Relaxed);
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Which HTTP a connection speaks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Http {
    One,
    Two,
}

impl Connection {
    async fn run(self, stream: TcpStream) -> Result<(), TaskError> {
        // A peer that resets or babbles is not this server's error.
        if let Err(error) = self.serve(stream).await {
            debug!(error, "connection ended");
        }
        Ok(())
    }

    async fn serve(self, stream: TcpStream) -> Result<(), TaskError> {
        stream.set_nodelay(true)?;
        let socket = SockRef::from(&stream);
        socket.set_tcp_user_timeout(Some(UNRESPONSIVE))?;
        socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(UNRESPONSIVE))?;
        let Some(tls) = &self.tls else {
            return self.http(TokioIo::new(stream), Http::One).await;
        };
        let handshake = self.acceptor.clock.timeout(self.acceptor.head, tls.accept(stream)).await;
        let stream = handshake.ok_or("no TLS handshake in time")??;
        let http = if stream.get_ref().1.alpn_protocol() == Some(HTTP_2) { Http::Two } else { Http::One };
        self.http(TokioIo::new(stream), http).await
    }

    async fn http<IO>(self, io: IO, version: Http) -> Result<(), TaskError>
    where
        IO: Read + Write + Unpin + Send + 'static,
    {
        let Self { acceptor, app, peer, place: _place, .. } = self;
        let activity = Arc::new(Activity::default());
        let service = service_fn({
            let activity = Arc::clone(&activity);
            move |mut request: Request<Incoming>| {
                let open = Open::new(&activity);
                request.extensions_mut().insert(PeerAddress(peer.ip()));
                let answer = app.clone().oneshot(request.map(Body::new));
                async move { answer.await.map(|answer| answer.map(|body| Kept::new(body, open))) }
            }
        });
        let http = acceptor.http.as_ref().clone();
        let http = match version {
            Http::One => http.http1_only(),
            Http::Two => http.http2_only(),
        };
        let mut connection = pin!(http.serve_connection(io, service));
        let mut look = pin!(acceptor.clock.sleep(acceptor.head));
        let (mut is_watched, mut seen) = (true, 0);
        let mut stopping = pin!(acceptor.tasks.shutdown_requested());
        let mut is_leaving = false;
        loop {
            tokio::select! {
                ended = connection.as_mut() => return ended,
                () = look.as_mut(), if is_watched => {
                    let changes = activity.changes.load(Ordering::Relaxed);
                    if changes == 0 {
                        return Err("no request in time".into());
                    }
                    let is_idle = changes == seen && activity.open.load(Ordering::Relaxed) == 0;
                    if is_idle && is_leaving {
                        return Err("not let go by the peer".into());
                    }
                    if is_idle {
                        connection.as_mut().graceful_shutdown();
                        is_leaving = true;
                    }
                    seen = changes;
                    // HTTP/1.1 waits for the next head under a deadline of its own.
                    is_watched = version == Http::Two;
                    look.set(acceptor.clock.sleep(acceptor.head));
                }
                _ = stopping.as_mut(), if !is_leaving => {
                    connection.as_mut().graceful_shutdown();
                    is_leaving = true;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
