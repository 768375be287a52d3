//! Values that are larger than one row may be: cut into chunks, one row each.
//!
//! Owns: the row type [`Chunk`], writing all chunks and reading them back. A keyspace for it has keys `(id, u32)` and values [`Chunk`],
//! where `id` is any encodable type.
//!
//! Invariants: the chunks of a value are numbered from 0 without a gap and the last one says so; a value is written whole, in one
//! batch, and replaces the older one whole. Larger than [`MAX_CHUNKED_BYTES`] is refused: what has no bound belongs into the blob store.

use bytes::Bytes;

use crate::batch::Batch;
use crate::codec::{Codec, CodecError, Tail};
use crate::engine::Direction;
use crate::keyspace::{KeyRange, Keyspace};
use crate::record;
use crate::snapshot::{ReadError, Snapshot};

/// Largest chunked value, in bytes: half of what a batch may hold.
pub const MAX_CHUNKED_BYTES: usize = 4_000_000;

/// Bytes of value in one row.
const CHUNK_BYTES: usize = 64 << 10;

record! {
    /// A part of a value.
    pub struct Chunk = 1 {
        /// Whether the value ends with this part.
        pub(crate) last: bool,
        pub(crate) bytes: Tail<Bytes>,
    }
}

/// A value that is larger than [`MAX_CHUNKED_BYTES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a value of {0} bytes; the limit is {MAX_CHUNKED_BYTES}")]
pub struct ChunkedTooLarge(pub usize);

impl Batch {
    /// Writes a value in chunks, in place of the one that is there.
    pub fn put_chunked<K, I>(&mut self, id: &I, value: &Bytes) -> Result<(), ChunkedTooLarge>
    where
        I: Codec + Clone,
        K: Keyspace<Key = (I, u32), Value = Chunk>,
    {
        if value.len() > MAX_CHUNKED_BYTES {
            return Err(ChunkedTooLarge(value.len()));
        }
        self.delete_chunked::<K, I>(id);
        // An empty value is one empty chunk.
        let count = value.len().div_ceil(CHUNK_BYTES).max(1);
        for (index, number) in (0..count).zip(0u32..) {
            let start = index * CHUNK_BYTES;
            let end = value.len().min(start + CHUNK_BYTES);
            let chunk = Chunk { last: index + 1 == count, bytes: Tail(value.slice(start..end)) };
            self.put::<K>(&(id.clone(), number), &chunk);
        }
        Ok(())
    }

    /// Deletes a value that was written in chunks.
    pub fn delete_chunked<K, I>(&mut self, id: &I)
    where
        I: Codec,
        K: Keyspace<Key = (I, u32), Value = Chunk>,
    {
        self.delete_range::<K>(KeyRange::prefix(id));
    }
}

impl Snapshot {
    /// Reads a value that was written in chunks.
    pub async fn get_chunked<K, I>(&self, id: &I) -> Result<Option<Bytes>, ReadError>
    where
        I: Codec,
        K: Keyspace<Key = (I, u32), Value = Chunk>,
    {
        // Two more rows than the largest value has: a longer one is damaged.
        let limit = MAX_CHUNKED_BYTES / CHUNK_BYTES + 2;
        let page = self.scan::<K>(KeyRange::prefix(id), Direction::Forward, limit).await?;
        let Some((_, last)) = page.rows.last() else { return Ok(None) };
        let numbered = page.rows.iter().zip(0u32..).all(|(((_, number), _), expected)| *number == expected);
        if page.more || !last.last || !numbered {
            let error = CodecError::Invalid("sequence of chunks");
            return Err(ReadError::Corrupt { keyspace: K::NAME, error });
        }
        let parts: Vec<&[u8]> = page.rows.iter().map(|(_, chunk)| chunk.bytes.0.as_ref()).collect();
        Ok(Some(parts.concat().into()))
    }
}
