//! What goes into an engine and what comes out: plain bytes, the same for every engine.

use bytes::Bytes;

/// What a table is tuned for: how the rows in it are used. (For RocksDB a column family for each.) A keyspace names the one that it lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Profile {
    /// Looked up by whole keys: filters over whole keys, small blocks.
    Point,
    /// Read in order: larger blocks.
    Scan,
    /// Rows that live shortly: written, read once, deleted.
    Queue,
    /// Small numbers that change all the time.
    Counter,
    /// Rows of many kilobytes.
    Large,
}

impl Profile {
    /// Every profile, in the order of their discriminants.
    pub const ALL: [Profile; 5] =
        [Profile::Point, Profile::Scan, Profile::Queue, Profile::Counter, Profile::Large];
}

/// How an engine is opened.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EngineOptions {
    /// Memory for what is read and for what is being written together, in bytes.
    pub cache_bytes: usize,
    /// Whether to make the database; else it has to be there.
    pub create: bool,
}

/// One operation of an atomic write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Write {
    Put { table: Profile, key: Vec<u8>, value: Vec<u8> },
    Delete { table: Profile, key: Vec<u8> },
    DeleteRange { table: Profile, start: Vec<u8>, end: Vec<u8> },
}

/// The engine could not do it. The text is for the log and the admin; it holds no rows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EngineError(pub String);

/// Why a write is not in the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum WriteError {
    /// Nothing of it is there. The engine takes no writes until [`super::Engine::revive`] has succeeded.
    Refused(EngineError),
    /// A sync that the engine made in its background failed before: as final as a failed [`super::Engine::sync`].
    SyncFailed(EngineError),
}

impl From<WriteError> for EngineError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Refused(error) | WriteError::SyncFailed(error) => error,
        }
    }
}

/// In which order a scan goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Forward,
    Backward,
}

/// A part of a table to read: from `start` on, before `end`.
#[derive(Debug, Clone)]
pub(crate) struct Scan {
    pub table: Profile,
    pub start: Vec<u8>,
    pub end: Vec<u8>,
    pub direction: Direction,
    /// At most so many rows.
    pub rows: usize,
    /// No further row once keys and values have this many bytes.
    pub bytes: usize,
}

/// The rows of a scan in its order, and whether the range holds more.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub rows: Vec<(Bytes, Bytes)>,
    pub more: bool,
}

/// What an engine says about itself. Bytes; zero where an engine has no such thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EngineStats {
    /// Rows on disk, compressed.
    pub table_bytes: u64,
    /// Rows in memory that are only in the log so far.
    pub memtable_bytes: u64,
    /// Memory of the block cache.
    pub cache_bytes: u64,
    /// Log files, those kept for reuse included.
    pub log_bytes: u64,
    /// What compaction still has to rewrite.
    pub compaction_debt_bytes: u64,
    /// Reads that were answered without waiting, and those that went to the blocking pool.
    pub inline_reads: u64,
    pub pooled_reads: u64,
}

impl Rows {
    /// Takes rows until the scan's limits are reached; says whether the next one is still wanted.
    pub fn push(&mut self, scan: &Scan, taken_bytes: &mut usize, key: &[u8], value: &[u8]) -> bool {
        if self.is_full(scan, *taken_bytes) {
            self.more = true;
            return false;
        }
        *taken_bytes += key.len() + value.len();
        self.rows.push((Bytes::copy_from_slice(key), Bytes::copy_from_slice(value)));
        true
    }

    fn is_full(&self, scan: &Scan, taken_bytes: usize) -> bool {
        self.rows.len() >= scan.rows || taken_bytes >= scan.bytes
    }
}
