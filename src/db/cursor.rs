//! Streams that several readers work off, each at its own pace.
//!
//! Owns: [`Cursor`], how far a reader has come; what it has not read yet; what all have read. Does not own: what a reader does with a row,
//! when it is run, when the stream is trimmed.
//!
//! Invariants: the keys of such a stream begin with the position of their batch, so whatever is written comes behind every cursor. A cursor
//! moves in the batch that does what the rows ask for: a reader that fails, or that a crash cuts short, finds them again. A row may go when
//! all readers that are declared have it behind them, those included that have not read anything yet: so readers know nothing of each
//! other, and the writer knows none of them.

use crate::batch::Batch;
use crate::codec::{Codec, Decoder, decode_all};
use crate::db::Db;
use crate::engine::Direction;
use crate::keyspace::{KeyRange, Keyspace, Stream};
use crate::position::Position;
use crate::snapshot::{Page, ReadError, Snapshot, corrupt, engine_error};

/// Keys that are in the order of the commits.
pub trait ByPosition: Codec {}

impl<A: Codec> ByPosition for (Position, A) {}
impl<A: Codec, B: Codec> ByPosition for (Position, A, B) {}
impl<A: Codec, B: Codec, C: Codec> ByPosition for (Position, A, B, C) {}

/// How far a reader of a stream has come: the last row that it is done with. A keyspace of one row, declared as `cursor of` the stream.
pub trait Cursor: Keyspace<Key = (), Value = <<Self as Cursor>::Of as Keyspace>::Key> {
    type Of: Stream<Key: ByPosition>;
}

impl Batch {
    /// A reader is done with this row of its stream and all before it.
    pub fn read_to<C: Cursor>(&mut self, last: &<C::Of as Keyspace>::Key) {
        self.put::<C>(&(), last);
    }
}

/// The first rows that a reader is not done with, at most `limit`.
pub async fn unread<C: Cursor>(snapshot: &Snapshot, limit: usize) -> Result<Page<C::Of>, ReadError> {
    let all = KeyRange::<C::Of>::all();
    let rest = match snapshot.get::<C>(&()).await? {
        Some(last) => all.after(&last),
        None => all,
    };
    snapshot.scan(rest, Direction::Forward, limit).await
}

/// The rows of a stream that all its readers are done with; `None` if there are no such rows.
pub async fn read_by_all<S: Stream<Key: ByPosition>>(db: &Db) -> Result<Option<KeyRange<S>>, ReadError> {
    let snapshot = db.snapshot();
    let mut lowest: Option<S::Key> = None;
    let mut bytes = None;
    for cursor in db.registry().iter().filter(|info| info.cursor_of == Some(S::ID)) {
        let key = cursor.id.to_be_bytes().to_vec();
        let found = snapshot.view().get(cursor.profile, key).await.map_err(engine_error::<S>)?;
        let Some(found) = found else { return Ok(None) };
        // Their order is that of the keys.
        if bytes.as_ref().is_none_or(|bytes| found < *bytes) {
            lowest = Some(decode_all(Decoder::shared(&found)).map_err(corrupt::<S>)?);
            bytes = Some(found);
        }
    }
    let Some(lowest) = lowest else { return Ok(None) };
    let read = KeyRange::<S>::all().to(&lowest);
    let first = snapshot.scan(read.clone(), Direction::Forward, 1).await?;
    Ok((!first.rows.is_empty()).then_some(read))
}
