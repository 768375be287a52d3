//! Reading a whole range, page by page.

use plop_db::{Direction, KeyRange, Keyspace, ReadError, Snapshot};

const PAGE: usize = 1_000;

/// All rows of a range. For the rows of one user or device: [`crate::device_rows`] and [`crate::account_data`] bound their number.
pub(crate) async fn all_rows<K: Keyspace>(
    snapshot: &Snapshot,
    range: KeyRange<K>,
) -> Result<Vec<(K::Key, K::Value)>, ReadError> {
    let mut rows = Vec::new();
    let mut rest = range;
    loop {
        let page = snapshot.scan(rest.clone(), Direction::Forward, PAGE).await?;
        rows.extend(page.rows);
        match rows.last() {
            Some((last, _)) if page.more => rest = rest.after(last),
            _ => return Ok(rows),
        }
    }
}
