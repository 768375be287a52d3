//! Users whose rooms have to follow a change of the account: another name or picture, or the end of it.
//!
//! Owns: the list of them. Does not own: rooms, which do what is to be done and strike a user off.
//!
//! Invariants: a user is on the list from the batch of the change on, so no crash loses one; changes that come before the rooms have followed
//! are one; a change that comes while they follow keeps the user on the list.

use plop_db::{Batch, CommitError, Direction, KeyRange, Position, ReadError};
use ruma::{OwnedUserId, UserId};

use crate::accounts::Accounts;
use crate::schema::MemberUpdates;

/// A user on the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberUpdate {
    pub user: OwnedUserId,
    change: Position,
}

/// Puts a user on the list.
pub(crate) fn note_member_update(batch: &mut Batch, user: &UserId) {
    batch.append::<MemberUpdates>(&(), &user.to_owned(), &Position::pending(0));
}

impl Accounts {
    /// Users on the list, at most `limit`.
    pub async fn member_updates(&self, limit: usize) -> Result<Vec<MemberUpdate>, ReadError> {
        let page = self.snapshot().scan(KeyRange::<MemberUpdates>::all(), Direction::Forward, limit).await?;
        Ok(page.rows.into_iter().map(|(user, change)| MemberUpdate { user, change }).collect())
    }

    /// Strikes a user off whose rooms have followed. May be lost by a power cut: then they follow once more, which changes nothing.
    pub async fn finish_member_update(&self, update: &MemberUpdate) -> Result<(), CommitError> {
        let mut batch = Batch::relaxed();
        batch.expect::<MemberUpdates>(&update.user, Some(&update.change));
        batch.delete::<MemberUpdates>(&update.user);
        match self.parts().db.commit(batch).await {
            // There was another change.
            Ok(_) | Err(CommitError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
