//! Files that are announced first and uploaded later (client-server API, `POST /_matrix/media/v1/create`).
//!
//! Owns: the announcement and how many of them a user may have. Does not own: the upload ([`crate::uploading`]), waiting for one ([`crate::reading`]).
//!
//! Invariant: a user has at most so many at a time; what has expired counts no more, whether it has been swept or not.

use std::time::Duration;

use plop_base::{Actor, UnixMillis};
use plop_db::{Batch, CommitError, Direction, KeyRange, ReadError};

use crate::parts::Media;
use crate::schema::{PendingByExpiry, PendingByUser, PendingMedia, PendingRow};
use crate::uploading::{ID_LENGTH, uploader};

/// A file that is waited for.
#[derive(Clone, Debug)]
pub struct Created {
    pub id: String,
    /// Until when it can be uploaded.
    pub expires: UnixMillis,
}

/// Why a file is not announced.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    #[error("only users upload files")]
    Forbidden,
    #[error("so many files are waited for already")]
    TooMany {
        /// Until the first of them expires.
        retry_after: Duration,
    },
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Commit(#[from] CommitError),
}

impl Media {
    /// Announces a file.
    pub async fn create(&self, actor: &Actor) -> Result<Created, CreateError> {
        let user = uploader(actor).ok_or(CreateError::Forbidden)?;
        let inner = &self.0;
        let (now, most) = (inner.clock.now(), inner.settings.max_pending);
        let guard = inner.counting.lock(user.as_str()).await;
        let range = KeyRange::<PendingByUser>::prefix(&user.to_owned());
        // Expired ones are here until the sweep comes: twice as many is more than can have been announced since.
        let page = inner.db.snapshot().scan(range, Direction::Forward, most.saturating_mul(2)).await?;
        let waiting: Vec<_> =
            page.rows.into_iter().map(|(_, expires)| expires).filter(|expires| *expires > now).collect();
        if waiting.len() >= most || page.more {
            let first = waiting.iter().min().copied().unwrap_or(now);
            return Err(CreateError::TooMany { retry_after: first.since(now).max(Duration::from_secs(1)) });
        }
        let id = inner.random.token(ID_LENGTH);
        let row = PendingRow { user: user.to_owned(), expires: now.plus(inner.settings.pending_lifetime) };
        let mut batch = Batch::durable();
        batch.put::<PendingMedia>(&id, &row);
        batch.put::<PendingByUser>(&(row.user.clone(), id.clone()), &row.expires);
        batch.put::<PendingByExpiry>(&(row.expires, id.clone()), &());
        inner.db.commit_under(guard, batch).await?;
        Ok(Created { id, expires: row.expires })
    }
}
