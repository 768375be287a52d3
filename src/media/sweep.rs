//! What goes by itself: files that nobody asks for, announcements that expired, blobs without a row.
//!
//! Owns: the steps of the sweep, and deleting one file. Does not own: when it comes ([`crate`]'s owner calls it).
//!
//! Invariants: a file goes with all that is made of it: first its rows, in one batch that lists the blobs as unplaced, then the blobs. A step takes a bounded page; what
//! fails is found again by the next sweep.

use plop_base::UnixMillis;
use plop_db::{Batch, CommitError, Direction, KeyRange, ReadError};

use crate::parts::Media;
use crate::previews::{PREVIEWS, PreviewError, forget_preview};
use crate::schema::{
    MediaByAccess, MediaFiles, MediaKey, MediaKind, MediaRow, PendingByExpiry, PendingMedia, PreviewTotal,
    PreviewTotals, PreviewsByExpiry, Thumbnails, UnfitFiles, UnplacedBlobs, UploadsByUser,
};
use crate::uploading::{count, forget_pending, is_abandoned, signed};

/// Rows that are looked at in one step.
const STEP: usize = 256;
/// What `unplaced_blobs` has of a blob that is about to be deleted: no upload began then.
const GIVEN_UP: UnixMillis = UnixMillis(0);

/// How long a picture of a preview is kept that nobody asks for. Clients keep previews for a while.
const PICTURES_OF_PREVIEWS: std::time::Duration = std::time::Duration::from_secs(30 * 24 * 60 * 60);

/// Pictures that one new picture moves out at most. They are larger than it more often than not, so that the bound is kept.
const MOVED_OUT: usize = 64;

/// Why a sweep ended early.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Commit(#[from] CommitError),
}

impl From<SweepError> for PreviewError {
    fn from(error: SweepError) -> Self {
        match error {
            SweepError::Read(error) => Self::Read(error),
            SweepError::Commit(error) => Self::Commit(error),
        }
    }
}

impl Media {
    /// Deletes what has had its time.
    pub async fn sweep(&self) -> Result<(), SweepError> {
        self.sweep_pending().await?;
        if let Some(age) = self.0.settings.retention.uploads {
            self.sweep_unused(MediaKind::Upload, age).await?;
        }
        self.sweep_previews().await?;
        self.sweep_unused(MediaKind::Preview, PICTURES_OF_PREVIEWS).await?;
        self.sweep_blobs().await
    }

    async fn sweep_pending(&self) -> Result<(), SweepError> {
        loop {
            let now = self.0.clock.now();
            let range = KeyRange::<PendingByExpiry>::all().before(&now);
            let snapshot = self.0.db.snapshot();
            let page = snapshot.scan(range, Direction::Forward, STEP).await?;
            let mut batch = Batch::relaxed();
            for ((expires, id), ()) in &page.rows {
                match snapshot.get::<PendingMedia>(id).await?.filter(|row| row.expires == *expires) {
                    Some(row) => forget_pending(&mut batch, id, &row),
                    None => batch.delete::<PendingByExpiry>(&(*expires, id.clone())),
                }
            }
            self.0.db.commit(batch).await?;
            if !page.more {
                return Ok(());
            }
        }
    }

    /// Files of a kind that nobody asked for since `age` ago.
    async fn sweep_unused(&self, kind: MediaKind, age: std::time::Duration) -> Result<(), SweepError> {
        let oldest_kept = self.0.clock.now().minus(age);
        let mut range = KeyRange::<MediaByAccess>::prefix(&kind).before(&(kind, oldest_kept));
        loop {
            let page = self.0.db.snapshot().scan(range.clone(), Direction::Forward, STEP).await?;
            for ((_, accessed, server, id), ()) in &page.rows {
                let key = (server.clone(), id.clone());
                let row = self.0.db.snapshot().get::<MediaFiles>(&key).await?;
                match row.filter(|row| row.accessed == *accessed) {
                    Some(row) => self.delete(&key, &row).await?,
                    // It was asked for since the page was read.
                    None => continue,
                }
            }
            let Some((last, ())) = page.rows.last().filter(|_| page.more) else { return Ok(()) };
            range = range.after(last);
        }
    }

    /// Deletes a file, unless it has changed.
    pub(crate) async fn delete(&self, key: &MediaKey, row: &MediaRow) -> Result<(), SweepError> {
        // Nothing is made of it meanwhile.
        let _turn = self.0.thumbnails.turn(key).await;
        let thumbnails = KeyRange::<Thumbnails>::prefix(key);
        // As many as there are shapes.
        let made = self.0.db.snapshot().scan(thumbnails.clone(), Direction::Forward, STEP).await?;
        let of_thumbnails = made.rows.into_iter().filter_map(|(_, row)| row.blob);
        let blobs: Vec<String> = of_thumbnails.chain([row.blob.clone()]).collect();
        let now = self.0.clock.now();
        let mut batch = Batch::durable();
        batch.expect::<MediaFiles>(key, Some(row));
        batch.delete::<MediaFiles>(key);
        batch.delete::<MediaByAccess>(&(row.kind, row.accessed, key.0.clone(), key.1.clone()));
        batch.delete_range::<Thumbnails>(thumbnails);
        batch.delete::<UnfitFiles>(key);
        if let Some(user) = &row.uploader {
            batch.delete::<UploadsByUser>(&(user.clone(), row.created, key.1.clone()));
            count(&mut batch, user, -1, -signed(row.size));
        }
        if row.kind == MediaKind::Preview {
            batch.add::<PreviewTotals>(&PreviewTotal::PictureBytes, -signed(row.size));
        }
        for blob in &blobs {
            batch.put::<UnplacedBlobs>(blob, &now);
        }
        match self.0.db.commit(batch).await {
            Ok(_) => {}
            Err(CommitError::Conflict { .. }) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        for blob in &blobs {
            self.discard(blob).await;
        }
        Ok(())
    }

    /// Deletes the pictures of previews that nobody asked for longest, until those that are left are at most `most` bytes.
    pub(crate) async fn make_room(&self, most: u64) -> Result<(), SweepError> {
        let pictures = KeyRange::<MediaByAccess>::prefix(&MediaKind::Preview);
        for _ in 0..MOVED_OUT {
            let snapshot = self.0.db.snapshot();
            let bytes = snapshot.get::<PreviewTotals>(&PreviewTotal::PictureBytes).await?;
            if bytes.unwrap_or_default().0 <= signed(most) {
                return Ok(());
            }
            let page = snapshot.scan(pictures.clone(), Direction::Forward, 1).await?;
            let Some(((_, _, server, id), ())) = page.rows.into_iter().next() else { return Ok(()) };
            let key = (server, id);
            let Some(row) = snapshot.get::<MediaFiles>(&key).await? else { return Ok(()) };
            self.delete(&key, &row).await?;
        }
        Ok(())
    }

    /// Deletes previews that have expired. Their pictures go when nobody asks for them any more.
    async fn sweep_previews(&self) -> Result<(), SweepError> {
        loop {
            let guard = self.0.counting.lock(PREVIEWS).await;
            let range = KeyRange::<PreviewsByExpiry>::all().before(&self.0.clock.now());
            let page = self.0.db.snapshot().scan(range, Direction::Forward, STEP).await?;
            let mut batch = Batch::relaxed();
            for ((expires, key), ()) in page.rows {
                forget_preview(&mut batch, expires, key);
            }
            self.0.db.commit_under(guard, batch).await?;
            if !page.more {
                return Ok(());
            }
        }
    }

    /// Blobs that a crash or a refused deletion left.
    async fn sweep_blobs(&self) -> Result<(), SweepError> {
        let mut range = KeyRange::<UnplacedBlobs>::all();
        loop {
            let page = self.0.db.snapshot().scan(range.clone(), Direction::Forward, STEP).await?;
            let now = self.0.clock.now();
            for (blob, since) in &page.rows {
                if is_abandoned(*since, now, self.0.settings.max_upload) && self.give_up(blob, *since).await?
                {
                    self.discard(blob).await;
                }
            }
            let Some((last, _)) = page.rows.last().filter(|_| page.more) else { return Ok(()) };
            range = range.after(last);
        }
    }

    /// From here on no batch places the blob: it would expect the row as it was. A wall clock that was set right makes the oldest of a blob that is being written.
    async fn give_up(&self, blob: &String, since: UnixMillis) -> Result<bool, SweepError> {
        let mut batch = Batch::relaxed();
        batch.expect::<UnplacedBlobs>(blob, Some(&since));
        batch.put::<UnplacedBlobs>(blob, &GIVEN_UP);
        match self.0.db.commit(batch).await {
            Ok(_) => Ok(true),
            Err(CommitError::Conflict { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
