//! Connections that stop, stall, wait for a place or say nothing. Names with a row are of the catalogue of hostile input.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::routing::get;
use plop_base::{Exit, Random, UnixMillis};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::sync::Notify;

use super::*;

/// Listeners on loopback whose one route answers when it is told to.
struct Fixture {
    tasks: Tasks,
    address: SocketAddr,
    /// The listener that serves figures alone.
    figures: SocketAddr,
    asked: Arc<Notify>,
    answer: Arc<Notify>,
}

fn start() -> Fixture {
    start_with(&Config::default())
}

fn start_with(config: &Config) -> Fixture {
    let clock = Clock::system();
    let tasks = Tasks::new(clock.clone(), Random::seeded(1));
    let (asked, answer) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let app = Router::new().route("/slow", {
        let (asked, answer) = (asked.clone(), answer.clone());
        get(async move || {
            asked.notify_one();
            answer.notified().await;
            "finished"
        })
    });
    let acceptor = Acceptor::new(config, &clock, &tasks);
    let listen = |api| {
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let bound = Bound::new(Listener { serves: vec![api], address, tls: None }).unwrap();
        let address = bound.address();
        tasks.spawn_once(TaskKind::Listener, "test", acceptor.clone().accept(bound, app.clone()));
        address
    };
    let (address, figures) = (listen(ListenerApi::Client), listen(ListenerApi::Metrics));
    Fixture { tasks, address, figures, asked, answer }
}

#[tokio::test]
async fn a_request_in_flight_is_answered_although_the_server_stops_and_no_new_one_is_accepted() {
    let server = start();
    let mut client = TcpStream::connect(server.address).await.unwrap();
    client.write_all(b"GET /slow HTTP/1.1\r\nHost: test\r\n\r\n").await.unwrap();
    server.asked.notified().await;
    server.tasks.shut_down(Exit::Clean);
    // The listening socket goes with its task; then nobody answers there.
    while server.tasks.running().iter().any(|task| task.kind == TaskKind::Listener) {
        tokio::task::yield_now().await;
    }
    assert!(TcpStream::connect(server.address).await.is_err());

    server.answer.notify_one();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.ends_with("finished"), "{answer}");
    assert_eq!(server.tasks.stop(Duration::from_secs(5)).await, []);
}

#[tokio::test]
async fn a_request_that_does_not_end_is_dropped_at_the_deadline_and_named() {
    let server = start();
    let mut client = TcpStream::connect(server.address).await.unwrap();
    client.write_all(b"GET /slow HTTP/1.1\r\nHost: test\r\n\r\n").await.unwrap();
    server.asked.notified().await;
    let late = server.tasks.stop(Duration::from_millis(50)).await;
    assert_eq!(late.len(), 1);
    assert_eq!(late[0].name, client.local_addr().unwrap().to_string());
}

#[tokio::test]
async fn with_all_places_taken_the_figures_still_answer_and_a_place_that_is_free_goes_to_who_waits() {
    let mut config = Config::default();
    config.limits.connections = 1.try_into().unwrap();
    let server = start_with(&config);
    let request = b"GET /slow HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
    let ask = async |address| {
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(request).await.unwrap();
        client
    };
    let answered = async |mut client: TcpStream| {
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("finished"), "{answer}");
    };
    let first = ask(server.address).await;
    server.asked.notified().await;
    let second = ask(server.address).await;
    let figures = ask(server.figures).await;
    let asked = Clock::system().timeout(Duration::from_secs(10), server.asked.notified()).await;
    asked.expect("the figures have places of their own");
    server.answer.notify_one();
    server.answer.notify_one();
    tokio::join!(answered(first), answered(figures), async {
        server.asked.notified().await;
        server.answer.notify_one();
        answered(second).await;
    });
    assert_eq!(server.tasks.stop(Duration::from_secs(5)).await, []);
}

/// One end of a connection that is served in memory, on the simulated clock.
fn connect(version: Http) -> (DuplexStream, Clock, Tasks) {
    let clock = Clock::simulated(UnixMillis(0));
    let tasks = Tasks::new(clock.clone(), Random::seeded(1));
    let acceptor = Acceptor::new(&Config::default(), &clock, &tasks);
    let waiting = clock.clone();
    let app = Router::new().route("/", get("now")).route(
        "/w",
        get(async move || {
            waiting.sleep(Duration::from_secs(310)).await;
            "later"
        }),
    );
    let (client, server) = duplex(1 << 20);
    tasks.spawn_once(TaskKind::Connection, "test", async move {
        let peer = SocketAddr::from(([127, 0, 0, 1], 1));
        let share = acceptor.places.share(peer.ip()).ok_or("no share")?;
        let place = acceptor.places.place(share).await.ok_or("no place")?;
        let connection = Connection { acceptor, tls: None, app, peer, place };
        connection.http(TokioIo::new(server), version).await
    });
    (client, clock, tasks)
}

/// Row 17 of the hostile input: one byte per 10 s in the head.
#[tokio::test(start_paused = true)]
async fn row_17_a_head_that_drips_ends_its_connection() {
    let (mut client, clock, _tasks) = connect(Http::One);
    let started = clock.monotonic();
    for byte in b"GET / HTTP/1.1\r\nHost: test\r\n".chunks(1) {
        if client.write_all(byte).await.is_err() {
            break;
        }
        clock.sleep(Duration::from_secs(10)).await;
    }
    // Nothing, or what hyper says of a head that is late.
    let _ = client.read_to_end(&mut Vec::new()).await;
    assert!(client.write_all(b"x").await.is_err(), "the other end is gone");
    let waited = clock.monotonic().saturating_sub(started);
    assert!(waited <= Duration::from_secs(60), "{waited:?}");
}

/// The kinds of HTTP/2 frames that the tests look at.
mod frame {
    pub const DATA: u8 = 0;
    pub const SETTINGS: u8 = 4;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;
    pub const ACK: u8 = 1;
    pub const END_STREAM: u8 = 1;
}

/// A client of HTTP/2 that answers pings for as long as it is asked to.
struct H2(DuplexStream);

impl H2 {
    async fn new(mut stream: DuplexStream) -> Self {
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        let mut client = Self(stream);
        client.send(frame::SETTINGS, 0, 0, &[]).await;
        client
    }

    async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let [_, length @ ..] = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let stream = stream.to_be_bytes();
        let head = [&length[..], &[kind, flags], &stream].concat();
        // The other end may be gone: then the next read says so.
        let _ = self.0.write_all(&[head.as_slice(), payload].concat()).await;
    }

    /// Asks for a path of one letter at most: HEADERS, END_HEADERS and END_STREAM.
    async fn get(&mut self, stream: u32, path: &str) {
        let mut block = vec![0x82, 0x86, 0x41, 4];
        block.extend(b"test");
        // The path as a literal without indexing, its name from the static table.
        block.extend([0x04, u8::try_from(path.len()).unwrap()]);
        block.extend(path.bytes());
        self.send(1, 0x05, stream, &block).await;
    }

    /// The next frame; pings and settings are answered on the way. `None` at the end.
    async fn next(&mut self) -> Option<(u8, u8)> {
        loop {
            let mut head = [0; 9];
            self.0.read_exact(&mut head).await.ok()?;
            let [a, b, c, kind, flags, ..] = head;
            let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
            self.0.read_exact(&mut payload).await.ok()?;
            match kind {
                frame::SETTINGS | frame::PING if flags & frame::ACK == 0 => {
                    let answer = if kind == frame::PING { payload.as_slice() } else { &[] };
                    self.send(kind, frame::ACK, 0, answer).await;
                }
                _ => return Some((kind, flags)),
            }
        }
    }

    /// Reads until a stream has ended.
    async fn answered(&mut self) {
        while let Some((kind, flags)) = self.next().await {
            assert_ne!(kind, frame::GOAWAY, "closed before the answer");
            if kind == frame::DATA && flags & frame::END_STREAM != 0 {
                return;
            }
        }
        panic!("ended before the answer");
    }
}

#[tokio::test(start_paused = true)]
async fn row_17_an_http_2_connection_that_only_answers_pings_is_let_go_and_one_that_waits_is_not() {
    let (client, clock, _tasks) = connect(Http::Two);
    let mut client = H2::new(client).await;
    client.get(1, "/").await;
    client.answered().await;
    // A long poll lasts longer than any deadline of an idle connection.
    client.get(3, "/w").await;
    client.answered().await;
    let started = clock.monotonic();
    let mut was_told = false;
    let ended = clock.timeout(Duration::from_secs(3_600), async {
        while let Some((kind, _)) = client.next().await {
            was_told |= kind == frame::GOAWAY;
        }
    });
    assert!(ended.await.is_some(), "kept for an hour");
    let waited = clock.monotonic().saturating_sub(started);
    let head = Duration::from_secs(30);
    assert!(was_told && waited >= head && waited <= 3 * head, "{waited:?}");
}

#[tokio::test]
async fn a_request_of_an_http_2_connection_is_a_task_that_the_stop_waits_for() {
    let tasks = Tasks::new(Clock::system(), Random::seeded(1));
    let (answer, finished) = (Arc::new(Notify::new()), Arc::new(AtomicBool::new(false)));
    Streams(tasks.clone()).execute({
        let (answer, finished) = (answer.clone(), finished.clone());
        async move {
            answer.notified().await;
            finished.store(true, Ordering::Relaxed);
        }
    });
    assert_eq!(tasks.running().len(), 1);
    answer.notify_one();
    assert_eq!(tasks.stop(Duration::from_secs(5)).await, []);
    assert!(finished.load(Ordering::Relaxed));
}
