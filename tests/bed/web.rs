//! A web server that says what it is told to, byte by byte.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use plop_base::{Clock, Random, TaskKind, Tasks};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// The server.
#[derive(Clone)]
pub struct Web {
    pub address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<String>>>,
    endless_parts: Arc<AtomicUsize>,
}

/// What comes behind every answer, again and again, until the client has gone.
pub struct Endless {
    pub part: Vec<u8>,
    pub every: Duration,
    pub clock: Clock,
}

impl Web {
    /// One that answers each path with what `answer` makes of it, and closes the connection.
    pub async fn start(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::serve(answer, None).await
    }

    /// The same, but no answer ends.
    pub async fn endless(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static, endless: Endless) -> Self {
        Self::serve(answer, Some(endless)).await
    }

    async fn serve(
        answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static,
        endless: Option<Endless>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (connections, requests, endless_parts) = Default::default();
        let web = Self { address, connections, requests, endless_parts };
        let (serving, answer) = (web.clone(), Arc::new(answer));
        let tasks = Tasks::new(Clock::system(), Random::seeded(1));
        tasks.spawn_once(TaskKind::Connection, "web", async move {
            loop {
                let (mut stream, _) = listener.accept().await?;
                serving.connections.fetch_add(1, Ordering::SeqCst);
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).await? == 1 {
                    head.extend_from_slice(&byte);
                }
                let head = String::from_utf8_lossy(&head).into_owned();
                let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                serving.requests.lock().expect("a lock").push(head);
                // The client may have gone.
                let mut sent = stream.write_all(&answer(&path)).await;
                while let (Ok(()), Some(Endless { part, every, clock })) = (&sent, &endless) {
                    clock.sleep(*every).await;
                    sent = stream.write_all(part).await;
                    serving.endless_parts.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
        web
    }

    /// Its address with another host.
    pub fn url(&self, host: &str, path: &str) -> String {
        format!("http://{host}:{}{path}", self.address.port())
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// How often the part was sent that has no end.
    pub fn endless_parts(&self) -> usize {
        self.endless_parts.load(Ordering::SeqCst)
    }

    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("a lock").clone()
    }
}

/// An answer with a body.
pub fn ok(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
        .into_bytes()
}

/// An answer that sends on.
pub fn redirect(to: &str) -> Vec<u8> {
    format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        .into_bytes()
}
