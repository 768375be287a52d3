//! Accounts that have ended, until what other parts kept for them is gone, too.
//!
//! Owns: writing the stream of them ([`AccountEnds`]). Does not own: what was kept for a user, whose owner reads the stream with a cursor of its own
//! ([`plop_db::Cursor`]); rooms, which have a list of their own ([`crate::member_updates`]).
//!
//! Invariants: an account is in the stream from the batch of its end on, so no crash loses one.

use plop_db::{Batch, Position};
use ruma::UserId;

use crate::schema::AccountEnds;

/// Tells the end of an account, in its batch.
pub(crate) fn note_ended_account(batch: &mut Batch, user: &UserId) {
    let user = user.to_owned();
    batch.append::<AccountEnds>(&user, &(Position::pending(0), user.clone()), &());
}
