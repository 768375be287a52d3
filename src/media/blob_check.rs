//! What `plop check` asks of blobs: that each file and each thumbnail has its own, with the length that its row says, and what there is besides.
//!
//! Owns: the comparison of rows with the store. Repairs and deletes nothing. For a server that is not running: what is being uploaded would look like something missing.
//!
//! Invariants: of the blobs that rows name 16 bytes each are in memory, of at most [`NAMES`] at a time, and of what is wrong the first
//! [`KEPT`]; where there are more names, the store is listed once for each part of them.

use std::fmt;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use plop_db::{Db, Direction, KeyRange, Keyspace, ReadError};

use crate::blobs::{BlobError, BlobStore, path};
use crate::schema::{MediaFiles, Thumbnails, UnplacedBlobs};

/// Rows of one page.
const STEP: usize = 1_024;
/// Blobs that are asked for at a time: each is a request to a store elsewhere.
const AT_ONCE: usize = 32;
/// Names that are compared at a time: 64 MiB of them.
const NAMES: u64 = 4 << 20;
/// Lines of one kind that are kept.
pub const KEPT: usize = 1_000;

/// Why the blobs could not be checked.
#[derive(Debug, thiserror::Error)]
pub enum BlobCheckError {
    #[error(transparent)]
    Blob(#[from] BlobError),
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Lines as they are found: the first [`KEPT`] of them, and how many there are.
#[derive(Debug, Default)]
pub struct Lines {
    pub kept: Vec<String>,
    pub count: u64,
}

impl Lines {
    fn add(&mut self, line: impl fmt::Display) {
        self.count += 1;
        if self.kept.len() < KEPT {
            self.kept.push(line.to_string());
        }
    }
}

/// The outcome.
#[derive(Debug, Default)]
pub struct BlobReport {
    /// Blobs that rows name.
    pub blobs: u64,
    /// Of these, as the rows say.
    pub bytes: u64,
    /// Blobs that are missing, or of another length.
    pub broken: Lines,
    /// Blobs that no row names. They harm nothing; a restored backup leaves those of later uploads.
    pub unnamed: Lines,
    /// Of these.
    pub unnamed_bytes: u64,
}

impl BlobReport {
    pub fn is_sound(&self) -> bool {
        self.broken.count == 0
    }
}

/// What a row says of a blob.
struct Named {
    blob: String,
    size: u64,
    /// What it is of, for people.
    of: String,
}

/// Compares the rows of files with a store.
pub async fn check_blobs(db: &Db, store: &BlobStore) -> Result<BlobReport, BlobCheckError> {
    check_in_parts(db, store, NAMES).await
}

async fn check_in_parts(db: &Db, store: &BlobStore, most: u64) -> Result<BlobReport, BlobCheckError> {
    let mut report = BlobReport::default();
    each::<MediaFiles>(db, async |rows| {
        let named = rows.into_iter().map(|((server, id), row)| Named {
            blob: row.blob,
            size: row.size,
            of: format!("the file {server}/{id}"),
        });
        follow(store, named, &mut report).await
    })
    .await?;
    each::<Thumbnails>(db, async |rows| {
        let named = rows.into_iter().filter_map(|((server, id, _), row)| {
            Some(Named { blob: row.blob?, size: row.size, of: format!("a thumbnail of {server}/{id}") })
        });
        follow(store, named, &mut report).await
    })
    .await?;
    let parts = report.blobs.div_ceil(most).max(1);
    for part in 0..parts {
        find_unnamed(db, store, (part, parts), &mut report).await?;
    }
    Ok(report)
}

/// Looks for the blobs that rows name.
async fn follow(
    store: &BlobStore,
    named: impl Iterator<Item = Named>,
    report: &mut BlobReport,
) -> Result<(), BlobCheckError> {
    let asked = stream::iter(named).map(|named| async move {
        let size = store.size(&named.blob).await?;
        Ok::<_, BlobCheckError>((named, size))
    });
    let mut found = asked.buffer_unordered(AT_ONCE);
    while let Some((Named { blob, size, of }, is)) = found.try_next().await? {
        report.blobs += 1;
        report.bytes += size;
        match is {
            None => report.broken.add(format_args!("{of}: its blob {} is missing", path(&blob))),
            Some(is) if is != size => {
                report.broken.add(format_args!("{of}: its blob {} has {is} bytes, not {size}", path(&blob)));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// Names the blobs of one part that no row does.
async fn find_unnamed(
    db: &Db,
    store: &BlobStore,
    part: (u64, u64),
    report: &mut BlobReport,
) -> Result<(), BlobCheckError> {
    let mut known = Vec::new();
    let mut learn = |name: &str| known.extend(digest(&path(name), part));
    each::<MediaFiles>(db, async |rows| {
        rows.iter().for_each(|(_, row)| learn(&row.blob));
        Ok(())
    })
    .await?;
    each::<Thumbnails>(db, async |rows| {
        rows.iter().filter_map(|(_, row)| row.blob.as_deref()).for_each(&mut learn);
        Ok(())
    })
    .await?;
    // The server knows of these, and deletes them by itself.
    each::<UnplacedBlobs>(db, async |rows| {
        rows.iter().for_each(|(name, _)| learn(name));
        Ok(())
    })
    .await?;
    known.sort_unstable();
    let mut listed = store.list();
    while let Some((path, size)) = listed.try_next().await? {
        let Some(digest) = digest(&path, part) else { continue };
        if known.binary_search(&digest).is_err() {
            report.unnamed_bytes += size;
            report.unnamed.add(format_args!("the blob {path} of {size} bytes belongs to no file"));
        }
    }
    Ok(())
}

/// Half of a path's hash, if it is of this part of so many: for two paths to share one there would have to be 2^64.
fn digest(path: &str, (part, parts): (u64, u64)) -> Option<u128> {
    let half =
        blake3::hash(path.as_bytes()).as_bytes().first_chunk().map(|half| u128::from_be_bytes(*half))?;
    (half % u128::from(parts) == u128::from(part)).then_some(half)
}

/// All rows of a keyspace, page by page.
async fn each<K: Keyspace>(
    db: &Db,
    mut work: impl AsyncFnMut(Vec<(K::Key, K::Value)>) -> Result<(), BlobCheckError>,
) -> Result<(), BlobCheckError> {
    let mut range = KeyRange::<K>::all();
    loop {
        let page = db.snapshot().scan(range.clone(), Direction::Forward, STEP).await?;
        let next = page.rows.last().filter(|_| page.more).map(|(last, _)| range.clone().after(last));
        work(page.rows).await?;
        match next {
            Some(next) => range = next,
            None => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each path is looked for in one part, and only there.
    #[test]
    fn parts_are_apart_and_together_whole() {
        for path in ["ab/cd", "ab/ce", "x"] {
            let found: Vec<_> = (0..7).filter_map(|part| digest(path, (part, 7))).collect();
            assert_eq!(found, [digest(path, (0, 1)).expect("the only part")]);
        }
    }
}
