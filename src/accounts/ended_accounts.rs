//! Accounts that have ended, until what other parts kept for them is gone, too.
//!
//! Owns: the list of them. Does not own: what was kept for a user (key backups), whose owner strikes the user off; rooms, which have a list of
//! their own ([`crate::member_updates`]).
//!
//! Invariants: an account is on the list from the batch of its end on, so no crash loses one.

use plop_db::{Batch, Direction, KeyRange, ReadError, Snapshot};
use ruma::{OwnedUserId, UserId};

use crate::schema::EndedAccounts;

/// Puts an account on the list that ends in the batch.
pub(crate) fn note_ended_account(batch: &mut Batch, user: &UserId) {
    batch.put::<EndedAccounts>(&user.to_owned(), &());
}

/// Accounts on the list, at most `limit`.
pub async fn ended_accounts(snapshot: &Snapshot, limit: usize) -> Result<Vec<OwnedUserId>, ReadError> {
    let page = snapshot.scan(KeyRange::<EndedAccounts>::all(), Direction::Forward, limit).await?;
    Ok(page.rows.into_iter().map(|(user, ())| user).collect())
}

/// Strikes an account off in the batch that deletes what was kept for it.
pub fn strike_off_ended(batch: &mut Batch, user: &UserId) {
    batch.delete::<EndedAccounts>(&user.to_owned());
}
