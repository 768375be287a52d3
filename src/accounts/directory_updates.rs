//! Users whose entry in the user directory has to follow: a new account, another name, the end of the account.
//!
//! Owns: the list of them. Does not own: the directory, which works it off and strikes users off; what puts users of other servers on it (rooms do,
//! with their member events).
//!
//! Invariants: a user is on the list from the batch of the change on, so no crash loses one; changes that come before the directory has followed
//! are one; a change that comes meanwhile keeps the user on the list.

use plop_db::{Batch, Position};
use ruma::UserId;

use crate::schema::DirectoryUpdates;

/// Puts a user on the list.
pub fn note_directory_update(batch: &mut Batch, user: &UserId) {
    batch.append::<DirectoryUpdates>(&(), &user.to_owned(), &Position::pending(0));
}
