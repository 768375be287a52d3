//! The index follows the live streams.
//!
//! Owns: bringing the index on, by the follower or by a search that cannot wait for it. Does not own: what is read ([`crate::passes`]), what is to be done
//! next ([`crate::indexer`]).
//!
//! Invariants: one brings it on at a time; each piece is applied whole, whether whoever began it still waits or not. After a failed write the index is opened
//! again, or made anew where it is damaged, and goes on from its last commit.

use std::sync::Arc;
use std::time::Duration;

use plop_base::blocking::PoolEnded;
use plop_db::{ReadError, changed_stream};
use plop_rooms::schema::Timeline;
use tantivy::TantivyError;
use tokio::sync::OwnedMutexGuard;

use crate::index::{IndexError, StoredIndex};
use crate::indexer::Indexer;
use crate::passes::next_piece;
use crate::search::Search;

/// How long new events are gathered before a commit, unless somebody searches.
const COMMIT_EVERY: Duration = Duration::from_secs(3);

/// The index cannot go on; it is tried again later.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Index(#[from] IndexError),
}

impl From<PoolEnded> for FollowError {
    fn from(ended: PoolEnded) -> Self {
        Self::Index(ended.into())
    }
}

type Held = OwnedMutexGuard<Indexer>;

impl Search {
    /// Follows the streams, for ever: for a background task.
    pub async fn run(&self) -> Result<(), FollowError> {
        let mut publications = self.parts().rooms.db().subscribe();
        loop {
            self.catch_up().await?;
            if !changed_stream::<Timeline>(&mut publications).await {
                return Ok(());
            }
            self.parts().clock.sleep(COMMIT_EVERY).await;
        }
    }

    /// Brings the index to what is published, and commits it: who searches then finds every event that was acknowledged before.
    pub async fn catch_up(&self) -> Result<(), FollowError> {
        let parts = self.parts();
        loop {
            let mut held = Arc::clone(&parts.indexer).lock_owned().await;
            if held.is_broken {
                held = self.reopen(held).await?;
            }
            let Some(pass) = held.pass() else {
                if held.has_uncommitted() {
                    self.blocking(held, |indexer, index| indexer.commit(index)).await?;
                }
                return Ok(());
            };
            let (progress, visit) = held.place();
            let piece = next_piece(&parts.rooms, progress, pass, visit).await?;
            self.blocking(held, |indexer, index| indexer.write(index, piece)).await?;
        }
    }

    /// Runs work on the indexer on the writing thread, to its end.
    async fn blocking(
        &self,
        mut held: Held,
        work: impl FnOnce(&mut Indexer, &StoredIndex) -> Result<(), TantivyError> + Send + 'static,
    ) -> Result<(), FollowError> {
        let index = self.parts().index.load_full();
        let done = self.parts().writing.run(move || work(&mut held, &index)).await?;
        Ok(done.map_err(IndexError::from)?)
    }

    /// Opens the index again, as it was committed last.
    async fn reopen(&self, mut held: Held) -> Result<Held, FollowError> {
        let parts = self.parts();
        let (language, before) = (parts.language, parts.index.load_full());
        let database = parts.rooms.db();
        let (stamp, published) = (StoredIndex::stamp(language, database.identity()), database.published());
        let opened = parts.writing.run(move || {
            held.stop_writing();
            let (index, progress) = StoredIndex::open_with_care(before.place(), language, &stamp, published)?;
            held.resume(progress);
            Ok::<_, IndexError>((held, index))
        });
        let (held, index) = opened.await??;
        parts.index.store(Arc::new(index));
        Ok(held)
    }

    /// The index could not be read: it is opened again before anything else is done with it.
    pub(crate) async fn doubt(&self) {
        self.parts().indexer.lock().await.is_broken = true;
    }
}
