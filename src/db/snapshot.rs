//! Reads: a consistent view of the database.
//!
//! Owns: typed reads over an engine's view. Does not own: which view (that is [`crate::db`]).
//!
//! Invariants: a snapshot holds every batch up to its position, whole; it may hold newer ones, whole too, so a reader that must not
//! see those compares the positions in the rows. Snapshots are short: one keeps the database from dropping what was
//! deleted since.

use crate::codec::{CodecError, Decoder, decode_all};
use crate::engine::{Direction, EngineError, Scan, View};
use crate::keyspace::{KeyRange, Keyspace, parse_key, stored_key};
use crate::position::Position;

/// The most rows of a page, whatever limit was asked for.
pub const MAX_PAGE_ROWS: usize = 10_000;

/// A page takes no further row once its stored keys and values have this many bytes.
pub const MAX_PAGE_BYTES: usize = 4 << 20;

/// A read that failed. Either means damage, or a disk that does not answer: the edge logs it and answers with an internal error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    #[error("a row of keyspace {keyspace} cannot be decoded: {error}")]
    Corrupt { keyspace: &'static str, error: CodecError },
    #[error("keyspace {keyspace} cannot be read: {error}")]
    Engine { keyspace: &'static str, error: EngineError },
}

/// Rows of a scan, in its order.
#[derive(Debug)]
pub struct Page<K: Keyspace> {
    pub rows: Vec<(K::Key, K::Value)>,
    /// Whether the range holds rows beyond these.
    pub more: bool,
}

/// A consistent view. Cheap to clone.
#[derive(Clone)]
pub struct Snapshot {
    position: Position,
    view: View,
}

impl Snapshot {
    pub(crate) fn new(position: Position, view: View) -> Snapshot {
        Snapshot { position, view }
    }

    /// The engine's view, for what reads bytes.
    pub(crate) fn view(&self) -> &View {
        &self.view
    }

    /// Everything at or below this position is in the snapshot.
    pub fn position(&self) -> Position {
        self.position
    }

    /// The value of one row.
    pub async fn get<K: Keyspace>(&self, key: &K::Key) -> Result<Option<K::Value>, ReadError> {
        let found = self.view.get(K::PROFILE, stored_key::<K>(key).bytes).await.map_err(engine_error::<K>)?;
        found.as_ref().map(|value| decode_all(Decoder::shared(value)).map_err(corrupt::<K>)).transpose()
    }

    /// The values of several rows, in the order of `keys`. One round for all of them.
    pub async fn get_many<K: Keyspace>(&self, keys: &[K::Key]) -> Result<Vec<Option<K::Value>>, ReadError> {
        let stored = keys.iter().map(|key| stored_key::<K>(key).bytes).collect();
        let found = self.view.get_many(K::PROFILE, stored).await.map_err(engine_error::<K>)?;
        let decode = |value| decode_all(Decoder::shared(value)).map_err(corrupt::<K>);
        found.iter().map(|value| value.as_ref().map(decode).transpose()).collect()
    }

    /// The first rows of a range in a direction, at most `limit` (and at most [`MAX_PAGE_ROWS`], about [`MAX_PAGE_BYTES`]).
    /// To go on, narrow the range by the key of the last row.
    pub async fn scan<K: Keyspace>(
        &self,
        range: KeyRange<K>,
        direction: Direction,
        limit: usize,
    ) -> Result<Page<K>, ReadError> {
        let (start, end) = range.bounds();
        let rows = limit.min(MAX_PAGE_ROWS);
        let scan = Scan { table: K::PROFILE, start, end, direction, rows, bytes: MAX_PAGE_BYTES };
        let found = self.view.scan(scan).await.map_err(engine_error::<K>)?;
        let rows = found.rows.iter().map(|(key, value)| {
            let key = parse_key::<K>(key).map_err(corrupt::<K>)?;
            let value = decode_all(Decoder::shared(value)).map_err(corrupt::<K>)?;
            Ok((key, value))
        });
        Ok(Page { rows: rows.collect::<Result<_, ReadError>>()?, more: found.more })
    }
}

pub(crate) fn engine_error<K: Keyspace>(error: EngineError) -> ReadError {
    ReadError::Engine { keyspace: K::NAME, error }
}

pub(crate) fn corrupt<K: Keyspace>(error: CodecError) -> ReadError {
    ReadError::Corrupt { keyspace: K::NAME, error }
}
