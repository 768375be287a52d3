//! Starts and stops a server through its launcher script (`bench/servers/`).
//!
//! The contract of a launcher is in `bench/README.md`: `setup`, `run`, `helpers`, `stop`, told by environment
//! variables where to listen and where the data is. `run` stays in the foreground as one process, which can be killed.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::http::{Connection, Target, TargetError};
use crate::process::Processes;
use bytes::Bytes;
use hyper::Method;

/// The longest that a start or a stop may take.
const PATIENCE: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(2);

/// What can go wrong around a server process.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    #[error("{0}: {1}")]
    Io(PathBuf, io::Error),
    #[error("launcher `{0}` failed: {1}")]
    Launcher(String, String),
    #[error("the server ended by itself ({0}); its log: {1}")]
    Ended(std::process::ExitStatus, PathBuf),
    #[error("something else listens on {0}: another server would be measured")]
    Occupied(String),
    #[error("the server did not answer within {PATIENCE:?}; its log: {0}")]
    Mute(PathBuf),
    #[error(transparent)]
    Target(#[from] TargetError),
}

/// How to start one kind of server.
#[derive(Clone, Debug)]
pub struct Launcher {
    pub script: PathBuf,
    pub data: PathBuf,
    /// `ip:port`
    pub bind: String,
    pub shared_secret: String,
    /// What else the launcher is told.
    pub environment: Vec<(&'static str, OsString)>,
}

/// A running server process. Dropping it kills the process.
#[derive(Debug)]
pub struct Running {
    child: Child,
    log: PathBuf,
}

impl Launcher {
    pub fn target(&self) -> Result<Target, TargetError> {
        Target::resolve(&format!("http://{}", self.bind), false)
    }

    /// Makes the data folder ready and starts what the server needs beside it.
    pub fn setup(&self) -> Result<(), ServerError> {
        fs::create_dir_all(&self.data).map_err(|error| ServerError::Io(self.data.clone(), error))?;
        self.output("setup").map(drop)
    }

    /// Ends what `setup` started.
    pub fn stop_helpers(&self) -> Result<(), ServerError> {
        self.output("stop").map(drop)
    }

    /// The processes of a running server and its helpers.
    pub fn processes(&self, running: &Running) -> Result<Processes, ServerError> {
        let helpers = self.output("helpers")?.split_whitespace().filter_map(|pid| pid.parse().ok()).collect();
        Ok(Processes { server: vec![running.child.id()], helpers })
    }

    /// Starts the server process; it may not answer yet.
    pub fn spawn(&self) -> Result<Running, ServerError> {
        let log = self.log();
        let open = || File::options().create(true).append(true).open(&log);
        let output = open().map_err(|error| ServerError::Io(log.clone(), error))?;
        let errors = open().map_err(|error| ServerError::Io(log.clone(), error))?;
        let child = self
            .command("run")
            .stdout(output)
            .stderr(errors)
            // Ctrl-C at the terminal reaches the generator alone, which then ends the server.
            .process_group(0)
            .spawn()
            .map_err(|error| ServerError::Io(self.script.clone(), error))?;
        Ok(Running { child, log })
    }

    /// Starts the server and waits for its first answer. Gives the time that took.
    pub async fn start(&self) -> Result<(Running, Duration), ServerError> {
        if std::net::TcpStream::connect(&self.bind).is_ok() {
            return Err(ServerError::Occupied(self.bind.clone()));
        }
        let started = Instant::now();
        let mut running = self.spawn()?;
        running.ready(&self.target()?).await?;
        Ok((running, started.elapsed()))
    }

    fn output(&self, step: &str) -> Result<String, ServerError> {
        let output =
            self.command(step).output().map_err(|error| ServerError::Io(self.script.clone(), error))?;
        if !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(ServerError::Launcher(step.to_owned(), errors));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn command(&self, step: &str) -> Command {
        let mut command = Command::new(&self.script);
        command
            .arg(step)
            .env("DATA_DIR", &self.data)
            .env("BIND", &self.bind)
            .env("SHARED_SECRET", &self.shared_secret)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    fn log(&self) -> PathBuf {
        self.data.with_extension("log")
    }
}

impl Running {
    /// Waits until `GET /_matrix/client/versions` answers 200.
    pub async fn ready(&mut self, target: &Target) -> Result<(), ServerError> {
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            if let Some(status) = self.ended()? {
                return Err(ServerError::Ended(status, self.log.clone()));
            }
            let mut connection = Connection::new(target);
            if connection.call(Method::GET, "/_matrix/client/versions", None, Bytes::new()).await.is_ok() {
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
        Err(ServerError::Mute(self.log.clone()))
    }

    /// The exit status, if the process has ended.
    pub fn ended(&mut self) -> Result<Option<std::process::ExitStatus>, ServerError> {
        self.child.try_wait().map_err(|error| ServerError::Io(self.log.clone(), error))
    }

    /// Asks the server to stop (SIGTERM) and waits until it did.
    pub async fn stop(mut self) -> Result<(), ServerError> {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::TERM).map_err(|error| ServerError::Io(self.log.clone(), error.into()))?;
        let started = Instant::now();
        while self.ended()?.is_none() {
            if started.elapsed() > PATIENCE {
                return Err(ServerError::Mute(self.log.clone()));
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// `kill -9`. Returns once the process is gone.
    pub fn kill(&mut self) -> Result<(), ServerError> {
        let killed = self.child.kill().and_then(|()| self.child.wait());
        killed.map(drop).map_err(|error| ServerError::Io(self.log.clone(), error))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // An error means that the process has ended already.
        drop(self.kill());
    }
}

/// Refuses a data folder that holds something: a run begins with nothing.
pub fn require_empty(folder: &Path) -> Result<(), ServerError> {
    let occupied = fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
    if occupied {
        let error = io::Error::new(io::ErrorKind::AlreadyExists, "not empty");
        return Err(ServerError::Io(folder.to_owned(), error));
    }
    Ok(())
}
