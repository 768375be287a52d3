//! Media alone.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, stream};
use plop_base::Clock;
use plop_bed::{Ground, server, user};
use plop_media::schema::{KEYSPACES, UnplacedBlobs};
use plop_media::{BlobStore, Found, Media, OpenError, Parts, Previewing, Settings, Upload, UploadError};

pub struct Bed {
    pub ground: Ground,
    pub media: Media,
}

impl Bed {
    pub fn new() -> Self {
        Self::with(BlobStore::memory(), Settings::default())
    }

    pub fn with(blobs: BlobStore, settings: Settings) -> Self {
        let ground = Ground::new(KEYSPACES.to_vec(), 7);
        let media = Self::media(&ground, blobs, settings);
        Self { ground, media }
    }

    /// With previews, whose client is made with the clock.
    pub fn previewing(
        blobs: BlobStore,
        settings: Settings,
        previewing: impl FnOnce(&Clock) -> Option<Previewing>,
    ) -> Self {
        let ground = Ground::new(KEYSPACES.to_vec(), 7);
        let previewing = previewing(&ground.clock);
        let Ground { db, clock, random } = ground.clone();
        let media = Media::new(Parts { db, clock, random, server: server(), blobs, settings, previewing });
        Self { ground, media }
    }

    /// The part on rows that are there already.
    pub fn media(ground: &Ground, blobs: BlobStore, settings: Settings) -> Media {
        let Ground { db, clock, random } = ground.clone();
        Media::new(Parts { db, clock, random, server: server(), blobs, settings, previewing: None })
    }

    pub async fn upload(&self, name: &str, bytes: &[u8]) -> Result<String, UploadError> {
        self.media.upload(&user(name), Upload::default(), body(bytes)).await
    }

    pub async fn find(&self, id: &str) -> Result<Found, OpenError> {
        self.media.find(&server(), id, Duration::ZERO).await
    }

    pub async fn bytes(&self, id: &str) -> Vec<u8> {
        let found = self.find(id).await.expect("a file");
        let mut parts = self.media.read(&found, None).await.expect("bytes");
        let mut bytes = BytesMut::new();
        while let Some(part) = parts.next().await {
            bytes.extend_from_slice(&part.expect("a part"));
        }
        bytes.to_vec()
    }

    /// Blobs that no row has.
    pub async fn unplaced(&self) -> usize {
        let all = plop_db::KeyRange::<UnplacedBlobs>::all();
        let page = self.ground.db.snapshot().scan(all, plop_db::Direction::Forward, 1_000).await;
        page.expect("a page").rows.len()
    }

    pub async fn pass(&self, time: Duration) {
        self.ground.clock.sleep(time).await;
    }

    /// What `plop check` finds.
    pub async fn check(&self) {
        let report = self.ground.db.check(&plop_media::check::reference_checks()).await;
        assert!(report.is_sound(), "{:?}", report.problems);
    }
}

/// A body that comes in parts.
pub fn body(bytes: &[u8]) -> impl futures_util::Stream<Item = Result<Bytes, String>> + Send + Unpin {
    let parts: Vec<_> = bytes.chunks(700_000).map(|part| Ok(Bytes::copy_from_slice(part))).collect();
    stream::iter(parts)
}
