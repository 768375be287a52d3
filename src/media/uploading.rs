//! Files come in.
//!
//! Owns: what may be uploaded, by whom, how much and how fast; the batch that makes a file out of a blob. Does not own: announcing one before
//! ([`crate::pending`]), the form of a request.
//!
//! Invariants: a file is taken part by part, at most a part of it is in memory; a file that is not taken leaves nothing. The blob is written and synced before its row
//! is, and is in `unplaced_blobs` until then. What a user has is looked at before the first byte, and again, under the user's guard, with the row.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use plop_base::shares::Share;
use plop_base::{Actor, UnixMillis};
use plop_db::{Batch, CommitError, ReadError};
use ruma::{OwnedUserId, UserId};
use tokio::sync::OwnedSemaphorePermit;

use crate::blobs::{BlobError, BlobStore, BlobWriter};
use crate::parts::Media;
use crate::schema::{
    MediaByAccess, MediaFiles, MediaKey, MediaKind, MediaRow, PendingByExpiry, PendingByUser, PendingMedia,
    PendingRow, Total, UnplacedBlobs, UploadTotals, UploadsByUser,
};

/// Longest name of a file, in bytes.
pub const MAX_FILE_NAME_BYTES: usize = 1_024;
/// Longest content type that is kept, in bytes; a longer one is none.
const MAX_CONTENT_TYPE_BYTES: usize = 255;
/// Letters of an id: 143 bits, nobody finds one by guessing.
pub(crate) const ID_LENGTH: usize = 24;
/// Uploads of one user at a time.
const UPLOADS_OF_USER: u32 = 8;
/// How long the client may send nothing.
const IDLE: Duration = Duration::from_secs(30);
/// How slow it may be: so many bytes a second, counted from the beginning, and a minute more.
const SLOWEST: u64 = 4 << 10;
const GRACE: Duration = Duration::from_secs(60);
/// After how many bytes of a file the room on the disk is looked at again.
const LOOK_AGAIN: u64 = 4 << 20;

/// What a client says of a file that it sends.
#[derive(Clone, Debug, Default)]
pub struct Upload {
    pub content_type: Option<String>,
    pub file_name: Option<String>,
    /// How long it will be, if that was said.
    pub announced: Option<u64>,
}

/// Why a body did not become a blob.
#[derive(Debug, thiserror::Error)]
pub enum NotReceived {
    #[error("the file is larger than what is taken here")]
    TooLarge,
    #[error("the file did not come in time")]
    TooSlow,
    #[error("the connection broke: {0}")]
    Broken(String),
    #[error("there is no room for it")]
    Full,
    #[error(transparent)]
    Blob(#[from] BlobError),
    #[error(transparent)]
    Commit(#[from] CommitError),
}

/// Why a file is not taken.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    #[error("only users upload files")]
    Forbidden,
    #[error("the name of the file is too long")]
    NameTooLong,
    #[error("you have as much here as you may")]
    Quota,
    #[error("too much is being uploaded")]
    Busy,
    #[error("nothing of this name was announced, or it has expired")]
    NotPending,
    #[error("somebody else announced it")]
    NotYours,
    #[error("it has been uploaded")]
    AlreadyUploaded,
    #[error(transparent)]
    NotReceived(#[from] NotReceived),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Commit(#[from] CommitError),
}

/// A place among those who upload.
struct Place {
    _user: Share<OwnedUserId>,
    _all: OwnedSemaphorePermit,
}

/// A blob without a row.
pub(crate) struct Received {
    pub blob: String,
    pub size: u64,
    /// Its row in `unplaced_blobs`.
    since: UnixMillis,
}

impl Received {
    /// Adds that the blob belongs to a row now. The batch is refused if the sweep has given the blob up meanwhile.
    pub fn place(&self, batch: &mut Batch) {
        batch.expect::<UnplacedBlobs>(&self.blob, Some(&self.since));
        batch.delete::<UnplacedBlobs>(&self.blob);
    }
}

/// Who may have files here. An account that is not seen by others uploads like any other: nobody gets to know the ids.
pub(crate) fn uploader(actor: &Actor) -> Option<&UserId> {
    match actor {
        Actor::User { user, .. }
        | Actor::AppService { user, .. }
        | Actor::AdminAs { user, .. }
        | Actor::ShadowBanned { user, .. }
        | Actor::ServerAs { user } => Some(user),
        // Client-server API, "Guest access": guests download.
        Actor::Guest { .. } | Actor::Server => None,
    }
}

impl Media {
    /// Takes a file under an id of its own, which is returned.
    pub async fn upload<E: ToString>(
        &self,
        actor: &Actor,
        upload: Upload,
        body: impl Stream<Item = Result<Bytes, E>> + Send + Unpin,
    ) -> Result<String, UploadError> {
        let user = uploader(actor).ok_or(UploadError::Forbidden)?;
        let _place = self.admit(user, &upload).await?;
        let received = self.receive(body, upload.announced, self.0.settings.max_upload).await?;
        let id = self.0.random.token(ID_LENGTH);
        match self.place(user, &id, upload, &received, None).await {
            Ok(()) => Ok(id),
            // Nobody else has the id: the blob was given up.
            Err(UploadError::Commit(CommitError::Conflict { .. })) => Err(NotReceived::TooSlow.into()),
            Err(error) => Err(error),
        }
    }

    /// Takes the file that was announced as `id`.
    pub async fn upload_to<E: ToString>(
        &self,
        actor: &Actor,
        id: &str,
        upload: Upload,
        body: impl Stream<Item = Result<Bytes, E>> + Send + Unpin,
    ) -> Result<(), UploadError> {
        let user = uploader(actor).ok_or(UploadError::Forbidden)?;
        let pending = self.announced(user, id).await?;
        let _place = self.admit(user, &upload).await?;
        let received = self.receive(body, upload.announced, self.0.settings.max_upload).await?;
        match self.place(user, id, upload, &received, Some(&pending)).await {
            // Somebody with the same account was faster, or it has expired meanwhile; else the blob was given up.
            Err(UploadError::Commit(CommitError::Conflict { .. })) => {
                Err(self.announced(user, id).await.err().unwrap_or(NotReceived::TooSlow.into()))
            }
            Err(error) => Err(error),
            Ok(()) => {
                self.arrival(id).notify_waiters();
                Ok(())
            }
        }
    }

    /// What `user` announced as `id`, if it can still be uploaded.
    async fn announced(&self, user: &UserId, id: &str) -> Result<PendingRow, UploadError> {
        let snapshot = self.0.db.snapshot();
        if let Some(there) = snapshot.get::<MediaFiles>(&self.key(id)).await? {
            let theirs = there.uploader.as_deref() == Some(user);
            return Err(if theirs { UploadError::AlreadyUploaded } else { UploadError::NotYours });
        }
        let pending = snapshot.get::<PendingMedia>(&id.to_owned()).await?;
        let pending =
            pending.filter(|pending| pending.expires > self.0.clock.now()).ok_or(UploadError::NotPending)?;
        if pending.user == user { Ok(pending) } else { Err(UploadError::NotYours) }
    }

    /// A place, if the user may upload so much at all.
    async fn admit(&self, user: &UserId, upload: &Upload) -> Result<Place, UploadError> {
        let inner = &self.0;
        if upload.file_name.as_ref().is_some_and(|name| name.len() > MAX_FILE_NAME_BYTES) {
            return Err(UploadError::NameTooLong);
        }
        let announced = upload.announced.unwrap_or(0);
        if announced > inner.settings.max_upload {
            return Err(NotReceived::TooLarge.into());
        }
        let of_user =
            inner.uploads_of_user.take(user.to_owned(), UPLOADS_OF_USER).ok_or(UploadError::Busy)?;
        let of_all = inner.uploads.clone().try_acquire_owned().map_err(|_| UploadError::Busy)?;
        self.check_quota(user, announced).await?;
        if !inner.blobs.has_room(announced).await {
            return Err(NotReceived::Full.into());
        }
        Ok(Place { _user: of_user, _all: of_all })
    }

    async fn check_quota(&self, user: &UserId, more: u64) -> Result<(), UploadError> {
        let quota = self.0.settings.quota;
        if quota.bytes == 0 && quota.files == 0 {
            return Ok(());
        }
        let keys = [Total::Bytes, Total::Files].map(|total| (user.to_owned(), total));
        let totals = self.0.db.snapshot().get_many::<UploadTotals>(&keys).await?;
        let mut totals =
            totals.into_iter().map(|total| u64::try_from(total.unwrap_or_default().0).unwrap_or(0));
        let (bytes, files) = (totals.next().unwrap_or(0), totals.next().unwrap_or(0));
        let over = |most: u64, would_be: u64| most > 0 && would_be > most;
        if over(quota.bytes, bytes.saturating_add(more)) || over(quota.files, files.saturating_add(1)) {
            return Err(UploadError::Quota);
        }
        Ok(())
    }

    /// Makes a blob out of a body of at most `most` bytes, `announced` of them if that was said.
    pub(crate) async fn receive<E: ToString>(
        &self,
        body: impl Stream<Item = Result<Bytes, E>> + Send + Unpin,
        announced: Option<u64>,
        most: u64,
    ) -> Result<Received, NotReceived> {
        let blob = BlobStore::name(&self.0.random);
        let since = self.0.clock.now();
        // Durable, as the blob is: also after a power cut there is no blob that nobody knows of.
        let mut begun = Batch::durable();
        begun.put::<UnplacedBlobs>(&blob, &since);
        self.0.db.commit(begun).await?;
        let mut writer = self.0.blobs.write(&blob, announced.unwrap_or(0));
        let received = match self.pour(body, &mut writer, most).await {
            Ok(size) => writer.finish().await.map(|()| size).map_err(NotReceived::from),
            Err(error) => {
                writer.abort().await;
                Err(error)
            }
        };
        match received {
            Ok(size) => Ok(Received { blob, size, since }),
            Err(error) => {
                self.discard(&blob).await;
                Err(error)
            }
        }
    }

    async fn pour<E: ToString>(
        &self,
        mut body: impl Stream<Item = Result<Bytes, E>> + Send + Unpin,
        writer: &mut BlobWriter,
        most: u64,
    ) -> Result<u64, NotReceived> {
        let clock = &self.0.clock;
        let begun = clock.monotonic();
        let (mut size, mut room_until): (u64, u64) = (0, LOOK_AGAIN);
        while let Some(part) = clock.timeout(IDLE, body.next()).await.ok_or(NotReceived::TooSlow)? {
            let part = part.map_err(|error| NotReceived::Broken(error.to_string()))?;
            size = size.saturating_add(part.len() as u64);
            if size > most {
                return Err(NotReceived::TooLarge);
            }
            if clock.monotonic().saturating_sub(begun) > GRACE + Duration::from_secs(size / SLOWEST) {
                return Err(NotReceived::TooSlow);
            }
            if size > room_until {
                // Others upload as well, and not everybody says how much it will be.
                if !self.0.blobs.has_room(0).await {
                    return Err(NotReceived::Full);
                }
                room_until = size.saturating_add(LOOK_AGAIN);
            }
            writer.write(part).await?;
        }
        Ok(size)
    }

    /// Deletes a blob that has no row. What fails is done by the sweep.
    pub(crate) async fn discard(&self, blob: &str) {
        if let Err(error) = self.0.blobs.delete(blob).await {
            tracing::warn!(%error, "a blob could not be deleted yet");
            return;
        }
        let mut gone = Batch::relaxed();
        gone.delete::<UnplacedBlobs>(&blob.to_owned());
        if let Err(error) = self.0.db.commit(gone).await {
            tracing::warn!(%error, "a deleted blob could not be forgotten yet");
        }
    }

    fn row(&self, user: &UserId, upload: Upload, received: &Received) -> MediaRow {
        let now = self.0.clock.now();
        let is_text = |text: &String| {
            text.len() <= MAX_CONTENT_TYPE_BYTES && text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
        };
        MediaRow {
            kind: MediaKind::Upload,
            blob: received.blob.clone(),
            size: received.size,
            content_type: upload.content_type.filter(is_text).filter(|text| !text.is_empty()),
            file_name: upload.file_name.filter(|name| !name.is_empty()),
            uploader: Some(user.to_owned()),
            created: now,
            accessed: now,
        }
    }

    /// Writes the row of an upload, unless the user has too much by now. `pending` is its announcement.
    async fn place(
        &self,
        user: &UserId,
        id: &str,
        upload: Upload,
        received: &Received,
        pending: Option<&PendingRow>,
    ) -> Result<(), UploadError> {
        let guard = self.0.counting.lock(user.as_str()).await;
        let row = self.row(user, upload, received);
        let placed = match self.check_quota(user, row.size).await {
            Ok(()) => {
                let mut batch = file_batch(&self.key(id), &row, received);
                if let Some(pending) = pending {
                    batch.expect::<PendingMedia>(&id.to_owned(), Some(pending));
                    forget_pending(&mut batch, id, pending);
                }
                self.0.db.commit_under(guard, batch).await.map(drop).map_err(UploadError::from)
            }
            Err(error) => Err(error),
        };
        match placed {
            // Nobody knows whether the row is there: the sweep looks.
            Ok(()) | Err(UploadError::Commit(CommitError::Unknown)) => {}
            Err(_) => self.discard(&received.blob).await,
        }
        placed
    }

    /// What an id of this server names.
    pub(crate) fn key(&self, id: &str) -> MediaKey {
        (self.0.server.clone(), id.to_owned())
    }
}

/// A batch that makes a file of a blob.
pub(crate) fn file_batch(key: &MediaKey, row: &MediaRow, received: &Received) -> Batch {
    let mut batch = Batch::durable();
    batch.expect::<MediaFiles>(key, None);
    batch.put::<MediaFiles>(key, row);
    batch.put::<MediaByAccess>(&(row.kind, row.accessed, key.0.clone(), key.1.clone()), &());
    received.place(&mut batch);
    if let Some(user) = &row.uploader {
        batch.put::<UploadsByUser>(&(user.clone(), row.created, key.1.clone()), &row.size);
        count(&mut batch, user, 1, signed(row.size));
    }
    batch
}

/// Adds to what a user has.
pub(crate) fn count(batch: &mut Batch, user: &OwnedUserId, files: i64, bytes: i64) {
    batch.add::<UploadTotals>(&(user.clone(), Total::Files), files);
    batch.add::<UploadTotals>(&(user.clone(), Total::Bytes), bytes);
}

/// No file is that large.
pub(crate) fn signed(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

/// Deletes the rows of an announcement.
pub(crate) fn forget_pending(batch: &mut Batch, id: &str, pending: &PendingRow) {
    batch.delete::<PendingMedia>(&id.to_owned());
    batch.delete::<PendingByUser>(&(pending.user.clone(), id.to_owned()));
    batch.delete::<PendingByExpiry>(&(pending.expires, id.to_owned()));
}

/// When an unplaced blob is so old that nobody writes it any more: the slowest upload of the largest file, twice.
pub(crate) fn is_abandoned(since: UnixMillis, now: UnixMillis, max_upload: u64) -> bool {
    now.since(since) > 2 * (GRACE + IDLE + Duration::from_secs(max_upload / SLOWEST))
}
