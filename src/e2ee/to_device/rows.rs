//! The rows of an inbox and of what was done: their keys, what they count for, how they go.

use std::sync::Arc;

use plop_base::UnixMillis;
use plop_db::{Batch, CommitError, Db, Guard, KeyRange, Keyspace, Position};

use crate::schema::{
    Inbox, ToDeviceBytes, ToDeviceMessages, ToDeviceRow, ToDeviceTransactionTimes, Transaction,
};

/// The key of a message.
pub(super) type Key = <ToDeviceMessages as Keyspace>::Key;

/// What a message takes besides its text.
const ROW_BYTES: usize = 128;

/// Where a message of an inbox stands.
pub(super) fn key(inbox: &Inbox, position: Position) -> Key {
    let (user, device, since) = inbox.clone();
    (user, device, since, position)
}

/// The messages of an inbox.
pub(super) fn messages(inbox: &Inbox) -> KeyRange<ToDeviceMessages> {
    KeyRange::prefix(inbox)
}

/// Where it stands when a request was done.
pub(crate) fn done_at(
    at: UnixMillis,
    transaction: &Transaction,
) -> <ToDeviceTransactionTimes as Keyspace>::Key {
    let (user, device, kind, id) = transaction.clone();
    (at, user, device, kind, id)
}

/// What a message counts for in its inbox.
pub(super) fn counted(row: &ToDeviceRow) -> i64 {
    // A message is limited.
    i64::try_from(row.event.0.len() + ROW_BYTES).unwrap_or(i64::MAX)
}

/// Deletes messages of an inbox, under the guard of its user. The first of them is expected, so that nothing is ever counted twice.
/// Relaxed: what a power cut brings back is below every token that the device still uses, and goes with the next one.
pub(super) async fn delete(
    db: &Db,
    guard: &Guard,
    inbox: &Inbox,
    rows: &[(Key, ToDeviceRow)],
) -> Result<(), CommitError> {
    let mut batch = Batch::relaxed();
    if let Some((key, row)) = rows.first() {
        batch.expect::<ToDeviceMessages>(key, Some(row));
    }
    for (key, _) in rows {
        batch.delete::<ToDeviceMessages>(key);
    }
    let bytes: i64 = rows.iter().map(|(_, row)| counted(row)).sum();
    batch.add::<ToDeviceBytes>(inbox, -bytes);
    db.commit_under(Arc::clone(guard), batch).await.map(drop)
}
