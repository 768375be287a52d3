//! Forgetting a room (client-server API, `POST /rooms/{roomId}/forget`).
//!
//! Owns: the mark that keeps a room out of a user's sight: one that they have forgotten, or an invite that they ignore. Does not own: what readers do
//! with it; the deletion of rooms that everyone has forgotten.
//!
//! Invariants: only what has been left can be forgotten. The mark is in the user's row of the room, so joining, knocking or being
//! invited, which write that row, end it.

use plop_base::Actor;
use plop_db::{Batch, CommitError};
use plop_state_store::EventNumber;
use ruma::{RoomId, UserId};

use crate::fault::StoreFault;
use crate::operation::Operation;
use crate::ops::refusal::{Guests, Refusal, sender};
use crate::rooms::Rooms;
use crate::schema::{Membership, UserRoomRow, UserRooms};

/// How often the row may change under us: it changes with the user's own membership.
const ATTEMPTS: u32 = 4;

/// Keeps out of a user's sight the room in which the newest event of an operation, a member event, is theirs.
pub(super) fn hide(operation: &mut Operation<'_>, user: &UserId, event: EventNumber) {
    let view = operation.view();
    let (key, membership) = ((user.to_owned(), view.number), view.members.membership(user));
    let Some(position) = operation.newest_position() else { return };
    let row = UserRoomRow { membership, event: Some(event), position, forgotten: true };
    operation.batch().put::<UserRooms>(&key, &row);
}

impl Rooms {
    /// Forgets a room. To do so again changes nothing.
    ///
    /// # Errors
    /// `StillInRoom` for a member, an invited user and one who knocks; `NotInRoom` for one who never had to do with it.
    pub async fn forget(&self, actor: &Actor, room: &RoomId) -> Result<(), Refusal> {
        let user = sender(actor, Guests::MayNot)?;
        let number = self.number(room).await?.ok_or(Refusal::NotInRoom)?;
        let key = (user.to_owned(), number);
        let mut attempt = 1;
        loop {
            let row = self.core().db.snapshot().get::<UserRooms>(&key).await?.ok_or(Refusal::NotInRoom)?;
            match row.membership {
                Membership::Join | Membership::Invite | Membership::Knock => {
                    return Err(Refusal::StillInRoom);
                }
                Membership::Leave | Membership::Ban if row.forgotten => return Ok(()),
                Membership::Leave | Membership::Ban => {}
            }
            let mut batch = Batch::durable();
            batch.expect::<UserRooms>(&key, Some(&row));
            batch.append::<UserRooms>(&key, &key, &UserRoomRow { forgotten: true, ..row });
            match self.core().db.commit(batch).await {
                Ok(_) => return Ok(()),
                Err(CommitError::Conflict { .. }) if attempt < ATTEMPTS => attempt += 1,
                Err(error) => return Err(StoreFault::from(error).into()),
            }
        }
    }
}
