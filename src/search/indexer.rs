//! What is to be indexed next, and the one writer of the index.
//!
//! Owns: [`Indexer`], which knows how far the index goes and what has changed since. Does not own: who brings it on, and when ([`crate::following`]).
//!
//! Invariants: of what was published nothing is forgotten before a pass has been over it. What was written and not committed is lost by a crash together
//! with the progress that says so. A writer that failed is not used again.

use std::collections::BTreeSet;
use std::sync::Arc;

use plop_db::{Position, Publication};
use plop_rooms::schema::Timeline;
use plop_state_store::RoomNumber;
use tantivy::{IndexWriter, TantivyError};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::TryRecvError;

use crate::index::StoredIndex;
use crate::passes::{Piece, Visit};
use crate::progress::{PassRow, Progress};

/// Documents that are written before a commit: what a crash makes to be done again.
const UNCOMMITTED: usize = 20_000;
/// Rooms that are remembered as changed; of more than these all are looked at.
const MAX_CHANGED: usize = 10_000;

/// How far the index goes, and what has changed since.
pub(crate) struct Indexer {
    /// `None` before the first write, and after a failed one.
    writer: Option<IndexWriter>,
    /// With what was written and not committed.
    progress: Progress,
    uncommitted: usize,
    /// A write has failed.
    pub is_broken: bool,
    publications: Receiver<Arc<Publication>>,
    /// Everything up to here is among the changes.
    reached: Position,
    changed: Changed,
    /// The rooms of the pass that the progress is in.
    visit: Visit,
}

/// Rooms that have something new.
enum Changed {
    Everything,
    Rooms(BTreeSet<RoomNumber>),
}

impl Indexer {
    /// An index that goes so far, in a database that has published as far as this when `publications` began, or further.
    pub fn new(progress: Progress, publications: Receiver<Arc<Publication>>, published: Position) -> Self {
        Self {
            writer: None,
            progress,
            uncommitted: 0,
            is_broken: false,
            publications,
            reached: published,
            changed: Changed::Everything,
            visit: Visit::All,
        }
    }

    /// Takes in what was published since: every event that was acknowledged before.
    fn listen(&mut self) {
        loop {
            match self.publications.try_recv() {
                Ok(publication) => {
                    self.reached = publication.position.max(self.reached);
                    let rooms = publication.notices.iter().filter_map(|notice| notice.subject::<Timeline>());
                    if let Changed::Rooms(changed) = &mut self.changed {
                        changed.extend(rooms);
                        if changed.len() > MAX_CHANGED {
                            self.changed = Changed::Everything;
                        }
                    }
                }
                Err(TryRecvError::Lagged(_)) => self.changed = Changed::Everything,
                // The store has stopped: nothing will come any more.
                Err(TryRecvError::Empty | TryRecvError::Closed) => return,
            }
        }
    }

    /// The pass that is to go on: the one that was begun, or a new one over what has changed.
    pub fn pass(&mut self) -> Option<PassRow> {
        self.listen();
        if self.progress.pass.is_some() {
            return self.progress.pass;
        }
        let target = self.reached;
        let changed = std::mem::replace(&mut self.changed, Changed::Rooms(BTreeSet::new()));
        self.visit = match changed {
            Changed::Rooms(rooms) if rooms.is_empty() => {
                self.progress.done = target;
                return None;
            }
            Changed::Rooms(rooms) => Visit::These(rooms),
            Changed::Everything => Visit::All,
        };
        self.progress.pass = Some(PassRow { target, room: RoomNumber(0), reached: self.progress.done });
        self.progress.pass
    }

    /// Writes a piece. Blocks.
    pub fn write(&mut self, index: &StoredIndex, piece: Piece) -> Result<(), TantivyError> {
        // Whatever goes wrong from here on: this writer is not used again.
        self.is_broken = true;
        let mut writer = match self.writer.take() {
            Some(writer) => writer,
            None => index.writer()?,
        };
        index.write(&writer, &piece.changes)?;
        self.progress = piece.progress;
        self.uncommitted += piece.changes.len();
        if self.uncommitted >= UNCOMMITTED {
            index.commit(&mut writer, &self.progress)?;
            self.uncommitted = 0;
        }
        self.writer = Some(writer);
        self.is_broken = false;
        Ok(())
    }

    /// Commits what was written. Blocks.
    pub fn commit(&mut self, index: &StoredIndex) -> Result<(), TantivyError> {
        self.is_broken = true;
        if let Some(writer) = &mut self.writer {
            index.commit(writer, &self.progress)?;
        }
        self.uncommitted = 0;
        self.is_broken = false;
        Ok(())
    }

    /// How far the index goes, and the rooms of the pass that it is in.
    pub fn place(&self) -> (&Progress, &Visit) {
        (&self.progress, &self.visit)
    }

    /// Whether something was written that is not committed.
    pub fn has_uncommitted(&self) -> bool {
        self.uncommitted > 0
    }

    /// Gives up the writer, and with it the lock of the folder.
    pub fn stop_writing(&mut self) {
        self.writer = None;
    }

    /// Goes on from a commit.
    pub fn resume(&mut self, progress: Progress) {
        self.progress = progress;
        self.uncommitted = 0;
        (self.changed, self.visit) = (Changed::Everything, Visit::All);
        self.is_broken = false;
    }
}
