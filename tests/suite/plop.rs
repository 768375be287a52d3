//! A running server, and a client that writes its bytes by hand.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Nothing that a test waits for takes longer.
const LIMIT: Duration = Duration::from_secs(30);

/// The built binary with its data in `data`, with no other setting than `settings`.
pub fn command(data: &Path, settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_plop"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PLOP_")) {
        command.env_remove(name);
    }
    command
        .current_dir(data)
        .env("PLOP_CLIENT__ADDRESSES", r#"["127.0.0.1:0"]"#)
        .env("PLOP_LOGGING__FORMAT", "json")
        .envs(settings.iter().copied());
    command
}

/// A server process; killed when dropped.
pub struct Plop {
    process: Child,
    log: Receiver<Value>,
}

impl Plop {
    /// Starts the server and waits until it says that it is ready. Returns it with the address of each listener.
    pub fn start(data: &Path, settings: &[(&str, &str)]) -> (Self, Vec<(String, SocketAddr)>) {
        let mut process = command(data, settings).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(process.stderr.take().unwrap());
        let (sender, log) = sync_channel(10_000);
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let Ok(event) = serde_json::from_str(&line) else { panic!("not a line of JSON: {line}") };
                if sender.send(event).is_err() {
                    return;
                }
            }
        });
        let plop = Self { process, log };
        let mut listeners = Vec::new();
        loop {
            let event = plop.next_event();
            match event["message"].as_str() {
                Some("listening") => {
                    let name = event["serves"].as_str().unwrap().to_owned();
                    listeners.push((name, event["address"].as_str().unwrap().parse().unwrap()));
                }
                Some("ready") => return (plop, listeners),
                _ => {}
            }
        }
    }

    fn next_event(&self) -> Value {
        self.log.recv_timeout(LIMIT).expect("the server ended or says nothing")
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        let status = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status();
        assert!(status.unwrap().success());
    }

    /// Sends SIGKILL and waits for the end.
    pub fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// How the process ended by itself.
    pub fn ended(&mut self) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status;
            }
            assert!(started.elapsed() < LIMIT, "the process does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Plop {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A connection on which reading gives up at the limit.
pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream
}

/// Status, head and body of one request on a connection of its own.
pub fn get(address: SocketAddr, path: &str) -> (u16, String, String) {
    let mut stream = connect(address);
    write!(stream, "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").unwrap();
    parse(&read_all(&mut stream))
}

/// Everything until the other side closes.
pub fn read_all(stream: &mut impl std::io::Read) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

fn parse(response: &str) -> (u16, String, String) {
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_ascii_lowercase(), body.to_owned())
}
