//! Thumbnails: made when somebody asks for one, and kept.
//!
//! Owns: making each once, also for many who ask at the same time; that there is none of a file; the threads that decode. Does not own: which shapes there are
//! ([`crate::shapes`]), what is done with a picture ([`crate::pictures`]), what asking costs (the edge's).
//!
//! Invariants: a thumbnail is of a file that is there: its row is written with the file's row expected. What a decoder does wrong ends with the request. A picture that
//! cannot be decoded is not tried again for a while, whichever shape is asked for.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use plop_base::blocking::PoolEnded;
use plop_db::{Batch, CommitError, ReadError};

use crate::blobs::{BlobError, BlobSource};
use crate::parts::Media;
use crate::pictures::{Fitted, PictureError, fit, survived};
use crate::reading::{BlobStream, Found, OpenError};
use crate::schema::{MediaFiles, Shape, ThumbnailRow, Thumbnails, Unfit, UnfitFiles, UnfitRow};
use crate::shapes::{Wanted, shape};
use crate::uploading::{NotReceived, Received};

/// Largest file that is decoded, in bytes: decoders of some formats read all of it.
const MAX_SOURCE_BYTES: u64 = 64 << 20;
/// A file that is read all the time has its row changed once a day.
const TRIES: usize = 3;
/// When a file is tried again of which there was no thumbnail.
const TRIED_AGAIN: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// A thumbnail that is there.
#[derive(Clone, Debug)]
pub struct Thumbnail {
    pub row: ThumbnailRow,
    /// The name of the blob that it is.
    blob: String,
    /// Another text for another shape.
    pub version: String,
}

/// Why there is no thumbnail.
#[derive(Debug, thiserror::Error)]
pub enum ThumbnailError {
    #[error("a thumbnail has a width and a height")]
    NoSize,
    #[error("there are thumbnails of PNG, JPEG, GIF and WebP only")]
    NotAPicture,
    #[error("the picture cannot be decoded")]
    Broken,
    #[error("the picture is too large for a thumbnail")]
    TooLarge,
    #[error("too many thumbnails are being made")]
    Busy,
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    NotStored(#[from] NotReceived),
    #[error(transparent)]
    Ended(#[from] PoolEnded),
}

impl From<Unfit> for ThumbnailError {
    fn from(reason: Unfit) -> Self {
        match reason {
            Unfit::NotAPicture => Self::NotAPicture,
            Unfit::TooLarge => Self::TooLarge,
            Unfit::Broken => Self::Broken,
        }
    }
}

impl From<ReadError> for ThumbnailError {
    fn from(error: ReadError) -> Self {
        Self::Open(error.into())
    }
}

impl Media {
    /// The thumbnail of a file that covers what is wanted. One that is made costs a look-up, and so does to know that there is none; before one is made `pay`
    /// takes what a decoder costs, or refuses.
    pub async fn thumbnail<E: From<ThumbnailError>>(
        &self,
        found: &Found,
        wanted: &Wanted,
        pay: impl FnOnce() -> Result<(), E>,
    ) -> Result<Thumbnail, E> {
        if wanted.width == 0 || wanted.height == 0 {
            return Err(ThumbnailError::NoSize.into());
        }
        if found.row.size > MAX_SOURCE_BYTES {
            return Err(ThumbnailError::TooLarge.into());
        }
        let shape = shape(wanted);
        let row = match self.known(found, &shape).await? {
            Some(row) => row,
            None => {
                pay()?;
                self.made(found, &shape).await?
            }
        };
        Ok(thumbnail(found, &shape, row))
    }

    /// Makes one, when it is the file's turn, unless somebody else has made it before.
    async fn made(&self, found: &Found, shape: &Shape) -> Result<ThumbnailRow, ThumbnailError> {
        let _waits = self.0.waiting.try_acquire().map_err(|_| ThumbnailError::Busy)?;
        let _turn = self.0.thumbnails.turn(&found.key).await;
        match self.known(found, shape).await? {
            Some(row) => Ok(row),
            None => self.make(found, shape).await,
        }
    }

    /// Its bytes.
    pub async fn read_thumbnail(&self, thumbnail: &Thumbnail) -> Result<BlobStream, OpenError> {
        Ok(self.0.blobs.read(&thumbnail.blob, None).await?)
    }

    /// What came of it before.
    async fn known(&self, found: &Found, shape: &Shape) -> Result<Option<ThumbnailRow>, ThumbnailError> {
        let (server, id) = found.key.clone();
        let snapshot = self.0.db.snapshot();
        if let Some(row) = snapshot.get::<Thumbnails>(&(server, id, shape.clone())).await? {
            return Ok(Some(row));
        }
        let unfit = snapshot.get::<UnfitFiles>(&found.key).await?;
        match unfit.filter(|unfit| self.0.clock.now().since(unfit.since) < TRIED_AGAIN) {
            Some(unfit) => Err(unfit.reason.into()),
            None => Ok(None),
        }
    }

    async fn make(&self, found: &Found, shape: &Shape) -> Result<ThumbnailRow, ThumbnailError> {
        // Where the store is elsewhere, what is opened is in memory: not before there is a decoder for it.
        let turn = self.0.decoders.turn().await?;
        let opened = self.0.blobs.open(&found.row.blob, MAX_SOURCE_BYTES).await.map_err(OpenError::from)?;
        let source = opened.ok_or(ThumbnailError::TooLarge)?;
        let (asked, most) = (shape.clone(), self.0.settings.max_pixels);
        let fitted = turn.run(move || decode(source, &asked, most)).await?;
        let Fitted { bytes, format, width, height } = match fitted {
            Ok(fitted) => fitted,
            Err(error) => return Err(self.unfit(found, error).await?),
        };
        let received = match bytes {
            Some(bytes) => {
                let size = bytes.len() as u64;
                let body = stream::iter([Ok::<_, BlobError>(Bytes::from(bytes))]);
                Some(self.receive(body, Some(size), u64::MAX).await?)
            }
            None => None,
        };
        let size = received.as_ref().map_or(found.row.size, |received| received.size);
        let blob = received.as_ref().map(|received| received.blob.clone());
        let row = ThumbnailRow { blob, size, format, width, height };
        self.keep(found, shape, &row, received.as_ref()).await?;
        Ok(row)
    }

    /// Notes that there is no thumbnail of a file, unless it is the disk that fails; why it is so.
    async fn unfit(&self, found: &Found, error: PictureError) -> Result<ThumbnailError, ThumbnailError> {
        tracing::debug!(%error, "no thumbnail");
        let reason = match error {
            PictureError::NotAPicture => Unfit::NotAPicture,
            PictureError::TooLarge => Unfit::TooLarge,
            PictureError::Broken(_) => Unfit::Broken,
            PictureError::Unread(error) => return Err(OpenError::Blob(BlobError::File(error)).into()),
        };
        let mut batch = Batch::relaxed();
        batch.put::<UnfitFiles>(&found.key, &UnfitRow { reason, since: self.0.clock.now() });
        self.commit_beside(found, &batch).await?;
        Ok(reason.into())
    }

    /// Writes the row of a thumbnail, if its file is there still.
    async fn keep(
        &self,
        found: &Found,
        shape: &Shape,
        row: &ThumbnailRow,
        received: Option<&Received>,
    ) -> Result<(), ThumbnailError> {
        let (server, id) = found.key.clone();
        let mut batch = Batch::durable();
        batch.put::<Thumbnails>(&(server, id, shape.clone()), row);
        if let Some(received) = received {
            received.place(&mut batch);
        }
        let kept = self.commit_beside(found, &batch).await;
        if let (Err(ThumbnailError::Open(OpenError::NotFound)), Some(received)) = (&kept, received) {
            self.discard(&received.blob).await;
        }
        kept
    }

    /// Commits what belongs to a file, if it is there still.
    async fn commit_beside(&self, found: &Found, batch: &Batch) -> Result<(), ThumbnailError> {
        for _ in 0..TRIES {
            let Some(file) = self.0.db.snapshot().get::<MediaFiles>(&found.key).await? else { break };
            let mut batch = batch.clone();
            batch.expect::<MediaFiles>(&found.key, Some(&file));
            match self.0.db.commit(batch).await {
                Ok(_) => return Ok(()),
                Err(CommitError::Conflict { .. }) => {}
                Err(error) => return Err(NotReceived::from(error).into()),
            }
        }
        Err(OpenError::NotFound.into())
    }
}

fn thumbnail(found: &Found, shape: &Shape, row: ThumbnailRow) -> Thumbnail {
    let moves = if shape.animated { "-moving" } else { "" };
    Thumbnail {
        blob: row.blob.clone().unwrap_or_else(|| found.row.blob.clone()),
        version: format!("{}-{:?}-{}x{}{moves}", found.key.1, shape.method, shape.width, shape.height),
        row,
    }
}

/// On a thread of the pool. A panic of a decoder is a picture that cannot be decoded.
fn decode(source: BlobSource, shape: &Shape, max_pixels: u64) -> Result<Fitted, PictureError> {
    survived(|| source.with(|file| fit(file, shape, max_pixels), |bytes| fit(bytes, shape, max_pixels)))
}
