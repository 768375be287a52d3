//! Where the bytes are: a folder, or a store that speaks S3.
//!
//! Owns: names of blobs, writing in parts, reading ranges, room on the disk. Does not own: what a blob is of ([`crate::schema`]).
//!
//! Invariants: a blob appears whole and synced (the folder's file, then its name and the folders above), or not at all; it is never changed. A name is 32 random
//! letters and digits, whose first two are a folder.

use std::io::{self, Read as _, Seek as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream, Stream};
use object_store::aws::AmazonS3Builder;
use object_store::client::{HttpClient, HttpConnector};
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path as Location;
use object_store::{
    ClientOptions, GetOptions, GetRange, GetResultPayload, MultipartUpload, ObjectStore, ObjectStoreExt as _,
    PutPayload,
};
use plop_base::Random;
use plop_base::blocking::{BlockingPool, PoolEnded};

/// The size of a part, in bytes: the smallest that S3 takes.
const S3_PART: usize = 5 << 20;
/// The same for a folder.
const FOLDER_PART: usize = 1 << 20;
/// What is read of a file at once, in bytes: a thumbnail is one part, and a download keeps no more than this in memory.
const READ_PART: u64 = 256 << 10;
/// Files that are read or looked at, at the same time.
const READERS: usize = 16;
/// Letters of a name.
const NAME_LENGTH: usize = 32;

/// Why a blob cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    #[error("the folder {}: {error}", path.display())]
    Folder { path: PathBuf, error: io::Error },
    #[error("a file cannot be read: {0}")]
    File(io::Error),
    #[error(transparent)]
    Ended(#[from] PoolEnded),
    #[error(transparent)]
    Client(#[from] plop_outbound::client::ClientError),
    #[error(transparent)]
    Store(#[from] object_store::Error),
}

impl BlobError {
    /// Whether there is no such blob.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Store(object_store::Error::NotFound { .. }))
    }
}

/// Where a store that speaks S3 is.
#[derive(Clone)]
pub struct S3 {
    /// Its address; without one, that of the region at Amazon.
    pub endpoint: Option<String>,
    pub region: String,
    pub bucket: String,
    pub key_id: String,
    pub secret: String,
}

/// A store of blobs. Cheap to clone.
#[derive(Clone)]
pub struct BlobStore {
    store: Arc<dyn ObjectStore>,
    part: usize,
    folder: Option<Arc<Folder>>,
    /// For what the store does not do itself with the files of a folder.
    pool: BlockingPool,
}

/// What is known of a local one.
struct Folder {
    path: PathBuf,
    /// Bytes that are left to others.
    keep_free: u64,
}

/// S3 through the client of this server: TLS of its own, no proxies of the environment.
#[derive(Debug)]
struct Connector(HttpClient);

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(self.0.clone())
    }
}

impl BlobStore {
    /// A folder, made if it is not there. Files are taken while `keep_free` bytes stay free on its disk.
    pub fn folder(path: &Path, keep_free: u64) -> Result<Self, BlobError> {
        let failed = |error| BlobError::Folder { path: path.to_owned(), error };
        std::fs::create_dir_all(path).map_err(failed)?;
        if let Some(parent) = path.parent() {
            let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
            std::fs::File::open(parent).and_then(|parent| parent.sync_all()).map_err(failed)?;
        }
        let store = LocalFileSystem::new_with_prefix(path)?.with_fsync(true);
        let folder = Folder { path: path.to_owned(), keep_free };
        Ok(Self::new(Arc::new(store), FOLDER_PART, Some(Arc::new(folder))))
    }

    /// A store that speaks S3.
    pub fn s3(at: &S3) -> Result<Self, BlobError> {
        let client = HttpClient::new(plop_outbound::trusted()?);
        let mut builder = AmazonS3Builder::new()
            .with_region(&at.region)
            .with_bucket_name(&at.bucket)
            .with_access_key_id(&at.key_id)
            .with_secret_access_key(&at.secret)
            .with_http_connector(Connector(client));
        if let Some(endpoint) = &at.endpoint {
            builder = builder.with_endpoint(endpoint).with_allow_http(endpoint.starts_with("http://"));
        }
        Ok(Self::new(Arc::new(builder.build()?), S3_PART, None))
    }

    /// In memory: for tests, and for what nothing is in.
    pub fn memory() -> Self {
        Self::new(Arc::new(InMemory::new()), FOLDER_PART, None)
    }

    fn new(store: Arc<dyn ObjectStore>, part: usize, folder: Option<Arc<Folder>>) -> Self {
        Self { store, part, folder, pool: BlockingPool::new(READERS) }
    }

    /// A name that no blob has.
    pub(crate) fn name(random: &Random) -> String {
        random.token(NAME_LENGTH)
    }

    /// Whether so many bytes fit; a store elsewhere says so itself when they come.
    pub(crate) async fn has_room(&self, bytes: u64) -> bool {
        let Some(folder) = self.folder.clone() else { return true };
        let free = move || {
            let status = rustix::fs::statvfs(&folder.path).ok()?;
            let free = status.f_bavail.saturating_mul(status.f_frsize);
            Some(free >= folder.keep_free.saturating_add(bytes))
        };
        // Where nobody can say, the write finds out.
        self.pool.run(free).await.ok().flatten().unwrap_or(true)
    }

    /// Begins a blob, of about so many bytes as far as is known: what comes is then written into memory once.
    pub(crate) fn write(&self, name: &str, expected: u64) -> BlobWriter {
        let expected = usize::try_from(expected).unwrap_or(usize::MAX);
        BlobWriter {
            store: Arc::clone(&self.store),
            location: location(name),
            part: self.part,
            buffer: BytesMut::with_capacity(expected.min(self.part)),
            upload: None,
        }
    }

    /// The bytes of a blob, or of a range of them, which must lie within it.
    pub(crate) async fn read(
        &self,
        name: &str,
        range: Option<Range<u64>>,
    ) -> Result<BoxStream<'static, Result<Bytes, BlobError>>, BlobError> {
        let options = GetOptions { range: range.map(GetRange::Bounded), ..GetOptions::default() };
        let found = self.store.get_opts(&location(name), options).await?;
        Ok(match found.payload {
            GetResultPayload::File(file, _) => file_parts(file, found.range, self.pool.clone()).boxed(),
            GetResultPayload::Stream(parts) => parts.map(|part| part.map_err(BlobError::from)).boxed(),
        })
    }

    /// How long a blob is, in bytes; `None` if there is none.
    pub(crate) async fn size(&self, name: &str) -> Result<Option<u64>, BlobError> {
        match self.store.head(&location(name)).await.map_err(BlobError::from) {
            Ok(found) => Ok(Some(found.size)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All that is there: where it is in the store, and how long. What is being written is not.
    pub(crate) fn list(&self) -> BoxStream<'static, Result<(String, u64), BlobError>> {
        let found = self.store.list(None);
        found
            .map(|found| found.map(|found| (found.location.into(), found.size)).map_err(BlobError::from))
            .boxed()
    }

    /// A blob for somebody who goes back and forth in it: its file, or all its bytes, which must be at most `most`.
    pub(crate) async fn open(&self, name: &str, most: u64) -> Result<Option<BlobSource>, BlobError> {
        let found = self.store.get(&location(name)).await?;
        match found.payload {
            GetResultPayload::File(file, _) => Ok(Some(BlobSource::File(file))),
            _ if found.meta.size > most => Ok(None),
            GetResultPayload::Stream(_) => Ok(Some(BlobSource::Bytes(found.bytes().await?))),
        }
    }

    /// Deletes a blob; none is as good.
    pub(crate) async fn delete(&self, name: &str) -> Result<(), BlobError> {
        if let Some(folder) = self.folder.clone() {
            let unfinished = folder.path.join(format!("{}#1", location(name)));
            // Of a write that a crash cut short; that is how the store names it.
            let _ = self.pool.run(move || std::fs::remove_file(unfinished)).await;
        }
        match self.store.delete(&location(name)).await.map_err(BlobError::from) {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }
}

/// A range of a file, part by part. The store's own stream has parts of 8 KiB, and each goes to another thread and back.
fn file_parts(
    file: std::fs::File,
    range: Range<u64>,
    pool: BlockingPool,
) -> impl Stream<Item = Result<Bytes, BlobError>> {
    let file = Arc::new(file);
    stream::try_unfold(range, move |left| {
        let (file, pool) = (Arc::clone(&file), pool.clone());
        async move {
            if left.is_empty() {
                return Ok(None);
            }
            let end = left.end.min(left.start + READ_PART);
            let part = pool.run(move || read_part(&file, left.start..end)).await?.map_err(BlobError::File)?;
            Ok(Some((part, end..left.end)))
        }
    })
}

/// Reads a part, whole. One reader of the file is at work at a time: where it stands is the file's own place.
fn read_part(mut file: &std::fs::File, part: Range<u64>) -> io::Result<Bytes> {
    let length = part.end - part.start;
    // Memory that is not filled with zeros first.
    let mut bytes = Vec::with_capacity(usize::try_from(length).map_err(|_| io::ErrorKind::FileTooLarge)?);
    file.seek(io::SeekFrom::Start(part.start))?;
    if file.take(length).read_to_end(&mut bytes)? as u64 != length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Bytes::from(bytes))
}

/// A blob to go back and forth in.
pub(crate) enum BlobSource {
    File(std::fs::File),
    Bytes(Bytes),
}

impl BlobSource {
    /// Reads it, whichever it is.
    pub fn with<T>(
        self,
        file: impl FnOnce(std::io::BufReader<std::fs::File>) -> T,
        bytes: impl FnOnce(std::io::Cursor<Bytes>) -> T,
    ) -> T {
        match self {
            Self::File(source) => file(std::io::BufReader::new(source)),
            Self::Bytes(source) => bytes(std::io::Cursor::new(source)),
        }
    }
}

/// A blob that is being written. Dropped unfinished, it leaves nothing in a folder; parts in S3 stay until a rule of the bucket ends them.
pub(crate) struct BlobWriter {
    store: Arc<dyn ObjectStore>,
    location: Location,
    part: usize,
    /// At most a part.
    buffer: BytesMut,
    upload: Option<Box<dyn MultipartUpload>>,
}

impl BlobWriter {
    /// Takes more bytes; waits while they are written.
    ///
    /// They are copied: a body may come in chunks of one byte, and each would be kept with all that it was read with. All parts but the last are of one
    /// size, which some stores that speak S3 insist on.
    pub async fn write(&mut self, mut bytes: Bytes) -> Result<(), BlobError> {
        while !bytes.is_empty() {
            // Only now: what ends with a part is one write where that is all.
            if self.buffer.len() == self.part {
                let part = std::mem::take(&mut self.buffer).freeze();
                self.put_part(part.into()).await?;
            }
            let fits = bytes.len().min(self.part - self.buffer.len());
            self.buffer.extend_from_slice(&bytes.split_to(fits));
        }
        Ok(())
    }

    async fn put_part(&mut self, payload: PutPayload) -> Result<(), BlobError> {
        if self.upload.is_none() {
            self.upload = Some(self.store.put_multipart(&self.location).await?);
        }
        if let Some(upload) = &mut self.upload {
            upload.put_part(payload).await?;
        }
        Ok(())
    }

    /// The blob is there, whole and on disk.
    pub async fn finish(mut self) -> Result<(), BlobError> {
        let rest = self.buffer.split().freeze();
        if self.upload.is_none() {
            self.store.put(&self.location, rest.into()).await?;
            return Ok(());
        }
        if !rest.is_empty() {
            self.put_part(rest.into()).await?;
        }
        if let Some(upload) = &mut self.upload {
            upload.complete().await?;
        }
        Ok(())
    }

    /// There will be no blob.
    pub async fn abort(mut self) {
        if let Some(upload) = &mut self.upload
            && let Err(error) = upload.abort().await
        {
            tracing::warn!(%error, "an unfinished upload could not be taken back");
        }
    }
}

/// Where a blob is in its store.
pub(crate) fn path(name: &str) -> String {
    location(name).into()
}

fn location(name: &str) -> Location {
    let (folder, rest) = name.split_at_checked(2).unwrap_or((name, ""));
    Location::from_iter([folder, rest])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bodies come in chunks of any size: each costs its bytes and nothing besides.
    #[tokio::test]
    async fn chunks_of_one_byte_cost_one_byte() {
        let mut writer = BlobStore::memory().write("chunks", 0);
        let read_with = Bytes::from(vec![7; 64 << 10]);
        for at in 0..10_000 {
            writer.write(read_with.slice(at..=at)).await.expect("written");
        }
        assert!(writer.buffer.capacity() <= 2 * 10_000, "{}", writer.buffer.capacity());
    }

    /// What a client announces is believed as far as a part.
    #[tokio::test]
    async fn a_file_of_one_part_is_written_at_once_and_from_where_it_came_to() {
        let mut writer = BlobStore::memory().write("part", u64::MAX);
        let place = writer.buffer.as_ptr();
        for _ in 0..16 {
            writer.write(Bytes::from(vec![7; FOLDER_PART / 16])).await.expect("written");
        }
        assert_eq!((writer.buffer.as_ptr(), writer.buffer.len()), (place, FOLDER_PART));
        assert_eq!((writer.buffer.capacity(), writer.upload.is_none()), (FOLDER_PART, true));
        writer.write(Bytes::from_static(b"more")).await.expect("written");
        assert_eq!((writer.buffer.len(), writer.upload.is_some()), (4, true));
    }
}
