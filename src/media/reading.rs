//! Files go out.
//!
//! Owns: finding a file, waiting for one that is announced, its bytes, and when it was asked for last. Does not own: headers.
//!
//! Invariants: an id that no server could have given finds nothing and is in no path. That a file was read is written down at most once a day, and nobody waits for it.

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use plop_db::{Batch, CommitError, ReadError};
use ruma::ServerName;

use crate::blobs::BlobError;
use crate::parts::Media;
use crate::schema::{MediaByAccess, MediaFiles, MediaKey, MediaRow, PendingMedia};

/// Longest id that is looked for, in bytes.
const MAX_ID_BYTES: usize = 255;
/// Longest that anybody waits for a file.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// How exactly it is known when a file was asked for.
const ACCESS_STEP: Duration = Duration::from_secs(24 * 60 * 60);

/// Parts of a blob.
pub type BlobStream = BoxStream<'static, Result<Bytes, BlobError>>;

/// A file that is here.
#[derive(Clone, Debug)]
pub struct Found {
    pub(crate) key: MediaKey,
    pub row: MediaRow,
}

/// Why there is no file, or none of its bytes.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("there is no such file here")]
    NotFound,
    #[error("the file has not been uploaded yet")]
    NotYetUploaded,
    /// The row is there, and nothing behind it.
    #[error("the blob of a file is missing")]
    Lost,
    #[error(transparent)]
    Blob(BlobError),
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl From<BlobError> for OpenError {
    fn from(error: BlobError) -> Self {
        if error.is_not_found() { Self::Lost } else { Self::Blob(error) }
    }
}

impl Media {
    /// The file of an `mxc://` address. One that is announced is waited for, at most `wait`.
    pub async fn find(&self, server: &ServerName, id: &str, wait: Duration) -> Result<Found, OpenError> {
        let is_id = (1..=MAX_ID_BYTES).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
        if !is_id {
            return Err(OpenError::NotFound);
        }
        let clock = &self.0.clock;
        let ends = clock.monotonic().saturating_add(wait.min(LONGEST_WAIT));
        let key = (server.to_owned(), id.to_owned());
        loop {
            let mut arrives = std::pin::pin!(self.arrival(id).notified());
            // From here on no arrival is missed, also one between the look and the wait.
            arrives.as_mut().enable();
            let snapshot = self.0.db.snapshot();
            if let Some(row) = snapshot.get::<MediaFiles>(&key).await? {
                let found = Found { key, row };
                self.touch(&found).await;
                return Ok(found);
            }
            let pending =
                snapshot.get::<PendingMedia>(&key.1).await?.filter(|pending| pending.expires > clock.now());
            if pending.is_none() || key.0 != self.0.server {
                return Err(OpenError::NotFound);
            }
            let left = ends.saturating_sub(clock.monotonic());
            clock.timeout(left, arrives).await.ok_or(OpenError::NotYetUploaded)?;
        }
    }

    /// The bytes of a file, or a range of them, which must lie within it and not be empty.
    pub async fn read(&self, found: &Found, range: Option<Range<u64>>) -> Result<BlobStream, OpenError> {
        Ok(self.0.blobs.read(&found.row.blob, range).await?)
    }

    /// Writes down that a file was asked for, if that was not known of this day.
    async fn touch(&self, found: &Found) {
        let (row, now) = (&found.row, self.0.clock.now());
        if now.since(row.accessed) < ACCESS_STEP {
            return;
        }
        let mut batch = Batch::relaxed();
        batch.expect::<MediaFiles>(&found.key, Some(row));
        batch.put::<MediaFiles>(&found.key, &MediaRow { accessed: now, ..row.clone() });
        let by_access = |at| (row.kind, at, found.key.0.clone(), found.key.1.clone());
        batch.delete::<MediaByAccess>(&by_access(row.accessed));
        batch.put::<MediaByAccess>(&by_access(now), &());
        match self.0.db.commit(batch).await {
            // A conflict: somebody else did it, or the file is gone.
            Ok(_) | Err(CommitError::Conflict { .. } | CommitError::ReadOnly(_)) => {}
            Err(error) => tracing::warn!(%error, "it could not be written down that a file was read"),
        }
    }
}
