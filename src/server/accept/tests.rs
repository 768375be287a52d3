use std::sync::Arc;

use axum::routing::get;
use plop_base::{Exit, Random};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Notify;

use super::*;

/// A listener on loopback whose one route answers when it is told to.
struct Fixture {
    tasks: Tasks,
    address: SocketAddr,
    asked: Arc<Notify>,
    answer: Arc<Notify>,
}

fn start() -> Fixture {
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
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    let bound = Bound::new(Listener { serves: vec![Api::Client], address, tls: None }).unwrap();
    let address = bound.address();
    let acceptor = Acceptor::new(&Limits::default(), &clock, &tasks);
    tasks.spawn_once(TaskKind::Listener, "test", acceptor.accept(bound, app));
    Fixture { tasks, address, asked, answer }
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
