//! What readers see of the commits: the published position, the view that goes with it, the notices, the store's state.
//!
//! Owns: the one board that the committer writes and everybody reads.
//!
//! Invariants: the published position only rises; when it stands at `n`, every batch up to `n` is in the engine and (under the
//! default durability) on disk. A snapshot takes the position first and the engine's view second, so its view is never behind its
//! position.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwapOption;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};

use crate::batch::Notice;
use crate::commit::StoreState;
use crate::engine::{Engine, View};
use crate::keyspace::Stream;
use crate::position::Position;
use crate::snapshot::Snapshot;

/// Publications that a slow subscriber may be behind before it is told that it lagged (and must take everything as changed).
const BACKLOG: usize = 1024;

/// A group of commits became visible.
#[derive(Debug)]
pub struct Publication {
    /// Everything at or below it is visible.
    pub position: Position,
    /// In the order of the commits; one subject may come several times.
    pub notices: Vec<Notice>,
}

/// Waits until something of a stream is published; whether the store is still open. For one who lagged everything has changed.
pub async fn changed_stream<S: Stream>(publications: &mut broadcast::Receiver<Arc<Publication>>) -> bool {
    loop {
        match publications.recv().await {
            Ok(publication) => {
                if publication.notices.iter().any(|notice| notice.stream() == S::ID) {
                    return true;
                }
            }
            Err(RecvError::Lagged(_)) => return true,
            Err(RecvError::Closed) => return false,
        }
    }
}

pub(crate) struct Board {
    published: AtomicU64,
    /// The last commit that the engine has, published or not yet.
    written: AtomicU64,
    /// The engine's view as taken since the last write, with the number of that write, so that readers between two writes share one.
    view: ArcSwapOption<(u64, View)>,
    publications: broadcast::Sender<Arc<Publication>>,
    state: watch::Sender<StoreState>,
}

impl Board {
    pub fn new(published: u64) -> Board {
        Board {
            published: AtomicU64::new(published),
            written: AtomicU64::new(published),
            view: ArcSwapOption::empty(),
            publications: broadcast::Sender::new(BACKLOG),
            state: watch::Sender::new(StoreState::Writable),
        }
    }

    pub fn published(&self) -> Position {
        Position::end_of_commit(self.published.load(Ordering::Acquire))
    }

    pub fn snapshot(&self, engine: &Engine) -> Snapshot {
        let published = self.published.load(Ordering::Acquire);
        // Read before the view is taken: a view is at least as new as the number it is kept under.
        let written = self.written.load(Ordering::Acquire);
        let cached = self.view.load();
        let view = match cached.as_deref() {
            Some((number, view)) if *number == written => view.clone(),
            _ => {
                let view = engine.view();
                if view.can_read() {
                    self.view.store(Some(Arc::new((written, view.clone()))));
                }
                view
            }
        };
        Snapshot::new(Position::end_of_commit(published), view)
    }

    /// The engine has everything up to this commit. From here on every snapshot holds it, which is what an `on_commit` hook may rely on.
    pub fn wrote(&self, last_commit: u64) {
        self.written.store(last_commit, Ordering::Release);
    }

    /// The last commit that the engine has.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Acquire)
    }

    pub fn publish(&self, last_commit: u64, notices: Vec<Notice>) {
        self.published.store(last_commit, Ordering::Release);
        // A view that nobody asks for any more would keep deleted rows on disk.
        self.view.store(None);
        let publication = Publication { position: Position::end_of_commit(last_commit), notices };
        // Without subscribers there is nobody to tell.
        let _ = self.publications.send(Arc::new(publication));
    }

    /// Forgets the shared view, so that a closed database holds nothing of its engine.
    pub fn forget_view(&self) {
        self.view.store(None);
    }

    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Publication>> {
        self.publications.subscribe()
    }

    pub fn state(&self) -> watch::Receiver<StoreState> {
        self.state.subscribe()
    }

    pub fn current_state(&self) -> StoreState {
        self.state.borrow().clone()
    }

    /// Sets the state; a stopped store stays stopped.
    pub fn set_state(&self, state: StoreState) {
        self.state.send_if_modified(|current| {
            if *current == state || *current == StoreState::Stopped {
                return false;
            }
            *current = state;
            true
        });
    }
}
