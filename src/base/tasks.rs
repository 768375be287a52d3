//! Background work: every task of the process is started here, and stops here.
//!
//! Owns: the kinds of task with what happens on error and on stop, the tasks that run, the request to shut down.
//! Does not own: threads for blocking work (the database's and the password hasher's pools are theirs).
//!
//! Invariants:
//! - a task that is not in [`TaskKind`] does not exist (`clippy.toml` refuses `tokio::spawn` elsewhere);
//! - a panic in a task is that task's error and never more;
//! - after [`Tasks::stop`] has returned no task runs;
//! - of several requests to shut down the first decides the exit code.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument as _, error, info_span, warn};

use crate::{Clock, Exit, Random};

#[cfg(test)]
mod tests;

/// What a task's error is to the log: its text.
pub type TaskError = Box<dyn std::error::Error + Send + Sync>;

/// The kinds of background work. A new kind is a new row here and in [`TaskKind::policy`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TaskKind {
    /// Accepts connections on one address, or signals of the operating system.
    Listener,
    /// Watches over the store: without one that takes writes again the process is of no use.
    Store,
    /// Serves one accepted connection, or one request of an HTTP/2 connection.
    Connection,
    /// Tails a stream with a stored cursor: projections, senders, pushers.
    Follower,
    /// Does one piece of work for a room outside its writer: fetches, resolutions, a resync.
    RoomWork,
    /// Comes back every while: expiry, trimming, eviction.
    Maintenance,
}

/// What a kind declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    pub on_error: OnError,
    pub on_stop: OnStop,
}

/// What happens when a task ends with an error or a panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnError {
    /// Logged, then started again after 1 s, 2 s, 4 s, ... 60 s, each up to a quarter longer.
    Restart,
    /// Logged, then the process shuts down with this code.
    ShutDown(Exit),
    /// Logged.
    Log,
}

/// What happens to a task when the process stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnStop {
    /// It sees [`Tasks::shutdown_requested`], finishes its unit of work and returns; dropped only at the deadline.
    Wait,
    /// Dropped at its next await: nothing is lost that the next start does not do again.
    Abort,
}

impl TaskKind {
    /// What happens to a task of this kind on error and on stop.
    pub const fn policy(self) -> Policy {
        use OnError::{Log, Restart, ShutDown};
        use OnStop::{Abort, Wait};
        let (on_error, on_stop) = match self {
            Self::Listener => (ShutDown(Exit::TaskEnded), Wait),
            Self::Store => (ShutDown(Exit::TaskEnded), Abort),
            Self::Connection => (Log, Wait),
            Self::Follower => (Restart, Wait),
            Self::RoomWork => (Log, Abort),
            Self::Maintenance => (Restart, Abort),
        };
        Policy { on_error, on_stop }
    }
}

const FIRST_RESTART_AFTER: Duration = Duration::from_secs(1);
const LAST_RESTART_AFTER: Duration = Duration::from_secs(60);

/// The tasks of one server. Cheap to clone; the composition root makes one and hands it down.
#[derive(Clone)]
pub struct Tasks(Arc<Inner>);

struct Inner {
    clock: Clock,
    random: Random,
    tracker: TaskTracker,
    running: Mutex<Running>,
    /// `Some` from the first request to shut down on.
    shutdown: watch::Sender<Option<Exit>>,
    /// Drops what still runs at the deadline.
    deadline: CancellationToken,
}

#[derive(Default)]
struct Running {
    next: u64,
    tasks: BTreeMap<u64, RunningTask>,
}

/// One row of the list of tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunningTask {
    pub kind: TaskKind,
    pub name: Cow<'static, str>,
}

impl fmt::Display for RunningTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.kind, self.name)
    }
}

impl Tasks {
    /// No tasks yet. `random` spreads restarts, so that tasks that failed together do not return together.
    pub fn new(clock: Clock, random: Random) -> Self {
        Self(Arc::new(Inner {
            clock,
            random,
            tracker: TaskTracker::new(),
            running: Mutex::default(),
            shutdown: watch::Sender::new(None),
            deadline: CancellationToken::new(),
        }))
    }

    /// Starts a task that can be started again: `work` makes its future, once for each start. Returning `Ok` ends
    /// the task for good. After [`Tasks::stop`] has begun, nothing is started.
    pub fn spawn<F, Fut>(&self, kind: TaskKind, name: impl Into<Cow<'static, str>>, work: F)
    where
        F: Fn() -> Fut + Send + 'static,
        Fut: Future<Output = Result<(), TaskError>> + Send + 'static,
    {
        let tasks = self.clone();
        self.track(kind, name.into(), async move {
            let mut pause = FIRST_RESTART_AFTER;
            loop {
                let started = tasks.0.clock.monotonic();
                if tasks.run(kind, work()).await.is_ok() || kind.policy().on_error != OnError::Restart {
                    return;
                }
                if tasks.0.clock.monotonic().saturating_sub(started) > LAST_RESTART_AFTER {
                    pause = FIRST_RESTART_AFTER;
                }
                tokio::select! {
                    () = tasks.0.clock.sleep(tasks.spread(pause)) => {}
                    _ = tasks.shutdown_requested() => return,
                }
                pause = (pause * 2).min(LAST_RESTART_AFTER);
            }
        });
    }

    /// Starts a task that owns what it works on (a connection, one job) and so cannot be started again: for it
    /// [`OnError::Restart`] is no more than [`OnError::Log`].
    pub fn spawn_once<Fut>(&self, kind: TaskKind, name: impl Into<Cow<'static, str>>, work: Fut)
    where
        Fut: Future<Output = Result<(), TaskError>> + Send + 'static,
    {
        let tasks = self.clone();
        self.track(kind, name.into(), async move {
            // `run` has logged the error and done what the kind asks for.
            let _ = tasks.run(kind, work).await;
        });
    }

    /// Asks the process to stop. Returns at once; the composition root waits for it and calls [`Tasks::stop`].
    pub fn shut_down(&self, exit: Exit) {
        self.0.shutdown.send_if_modified(|requested| {
            let first = requested.is_none();
            requested.get_or_insert(exit);
            first
        });
    }

    /// Resolves with the exit code once somebody asked the process to stop.
    pub async fn shutdown_requested(&self) -> Exit {
        let mut shutdown = self.0.shutdown.subscribe();
        let requested = shutdown.wait_for(Option::is_some).await;
        // An error says that the sender is gone, but `self` holds it.
        requested.ok().and_then(|exit| *exit).unwrap_or(Exit::Clean)
    }

    /// Whether somebody asked the process to stop.
    pub fn is_stopping(&self) -> bool {
        self.0.shutdown.borrow().is_some()
    }

    /// What runs now, in the order of its start.
    pub fn running(&self) -> Vec<RunningTask> {
        self.lock().tasks.values().cloned().collect()
    }

    /// Stops every task: those of kinds that abort at once, the others when they return or at `limit` from now.
    /// Returns the ones that had to be dropped at the limit.
    pub async fn stop(&self, limit: Duration) -> Vec<RunningTask> {
        self.shut_down(Exit::Clean);
        self.0.tracker.close();
        if self.0.clock.timeout(limit, self.0.tracker.wait()).await.is_some() {
            return Vec::new();
        }
        let late = self.running();
        self.0.deadline.cancel();
        self.0.tracker.wait().await;
        late
    }

    /// Puts `work` on the list and on the runtime, and drops it when its kind's time has come.
    fn track(
        &self,
        kind: TaskKind,
        name: Cow<'static, str>,
        work: impl Future<Output = ()> + Send + 'static,
    ) {
        if self.0.tracker.is_closed() {
            return;
        }
        let span = info_span!(parent: None, "task", ?kind, %name);
        let listed = Listed::new(self.clone(), RunningTask { kind, name });
        let tasks = self.clone();
        let task = async move {
            let _listed = listed;
            tokio::select! {
                biased;
                () = tasks.must_drop(kind.policy().on_stop) => {}
                () = work => {}
            }
        };
        self.0.tracker.spawn(task.instrument(span));
    }

    async fn must_drop(&self, on_stop: OnStop) {
        match on_stop {
            OnStop::Wait => self.0.deadline.cancelled().await,
            OnStop::Abort => {
                self.shutdown_requested().await;
            }
        }
    }

    /// Runs `work` once; an error or panic is logged and answered as the kind says.
    async fn run(&self, kind: TaskKind, work: impl Future<Output = Result<(), TaskError>>) -> Result<(), ()> {
        // A task that panicked is never resumed: its future is dropped, a restart makes a new one.
        let error = match AssertUnwindSafe(work).catch_unwind().await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(panic) => format!("panic: {}", panic_text(panic.as_ref())),
        };
        match kind.policy().on_error {
            OnError::Restart | OnError::Log => warn!(error, "task failed"),
            OnError::ShutDown(exit) => {
                error!(error, ?exit, "task failed, shutting down");
                self.shut_down(exit);
            }
        }
        Err(())
    }

    /// `pause`, up to a quarter longer.
    fn spread(&self, pause: Duration) -> Duration {
        let quarter = u64::try_from(pause.as_millis() / 4).unwrap_or(u64::MAX);
        pause.saturating_add(Duration::from_millis(self.0.random.below(quarter)))
    }

    fn lock(&self) -> MutexGuard<'_, Running> {
        // Each holder leaves the list whole, whatever happens around it.
        self.0.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in the list of running tasks, left when dropped.
struct Listed {
    tasks: Tasks,
    number: u64,
}

impl Listed {
    fn new(tasks: Tasks, task: RunningTask) -> Self {
        let mut running = tasks.lock();
        let number = running.next;
        running.next += 1;
        running.tasks.insert(number, task);
        drop(running);
        Self { tasks, number }
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.tasks.lock().tasks.remove(&self.number);
    }
}

/// What a panic says.
pub fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a text")
}
