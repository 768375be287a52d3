//! A range of a keyspace, page by page.
//!
//! Owns: going on after the last row. Does not own: the snapshot, which the caller gives for each page and keeps short.

use crate::engine::Direction;
use crate::keyspace::{KeyRange, Keyspace};
use crate::snapshot::{ReadError, Snapshot};

/// Where a scan over pages stands.
pub struct Pages<K: Keyspace> {
    rest: KeyRange<K>,
    rows: usize,
    more: bool,
}

impl<K: Keyspace> Pages<K> {
    /// Pages of at most `rows` rows, forward through the range.
    pub fn new(range: KeyRange<K>, rows: usize) -> Pages<K> {
        Pages { rest: range, rows, more: true }
    }

    /// The next page; nothing after the last one. Only the first page of an empty range has no rows.
    pub async fn next(&mut self, snapshot: &Snapshot) -> Result<Option<Vec<(K::Key, K::Value)>>, ReadError> {
        if !self.more {
            return Ok(None);
        }
        let page = snapshot.scan(self.rest.clone(), Direction::Forward, self.rows).await?;
        self.more = page.more;
        if let Some((last, _)) = page.rows.last() {
            self.rest = self.rest.clone().after(last);
        }
        Ok(Some(page.rows))
    }
}
