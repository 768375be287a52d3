//! A room as it looks from outside (client-server API, "Room previews", "Spaces").
//!
//! Owns: who is shown a room that they need not be in: those who may enter it, or ask to, or read it anyway. Does not own: what is shown
//! ([`crate::summary`]), and what members read ([`crate::reader`]).
//!
//! Invariants: a room that is not here and one that is not shown are the same. No room is taken into memory for it.

use plop_base::Actor;
use plop_db::{ReadError, Snapshot};
use plop_state::auth::{HistoryVisibility, JoinRule};
use plop_state_store::RoomNumber;
use ruma::{RoomId, UserId};

use crate::fault::StoreFault;
use crate::loading::{if_here, load_shown};
use crate::parts::Core;
use crate::reader::access::{ReadRefusal, reading_user};
use crate::restricted_join::meets;
use crate::rooms::Rooms;
use crate::schema::{Membership, UserRooms};
use crate::summary::RoomSummary;
use crate::view::RoomView;

/// A room for one who looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    pub summary: RoomSummary,
    /// How the user stands to the room; one who never had to do with it is as one who left. `None` for strangers.
    pub membership: Option<Membership>,
}

impl Rooms {
    /// A room as this user sees it from outside, or as everybody does.
    ///
    /// # Errors
    /// [`ReadRefusal::NotInRoom`] where it is not here or not shown.
    pub async fn preview(&self, viewer: Option<&Actor>, room: &RoomId) -> Result<Preview, ReadRefusal> {
        let viewer = viewer.map(reading_user).transpose()?;
        let number = self.number(room).await?.ok_or(ReadRefusal::NotInRoom)?;
        let snapshot = self.core().db.snapshot();
        preview(self.core(), &snapshot, number, viewer).await?.ok_or(ReadRefusal::NotInRoom)
    }
}

/// A room as it is shown; `None` if it is not.
pub(crate) async fn preview(
    core: &Core,
    snapshot: &Snapshot,
    room: RoomNumber,
    viewer: Option<&UserId>,
) -> Result<Option<Preview>, StoreFault> {
    let Some((view, summary)) = if_here(load_shown(core, snapshot, room).await)? else { return Ok(None) };
    let membership = match viewer {
        Some(viewer) => Some(membership(snapshot, viewer, room).await?),
        None => None,
    };
    // A room that everyone has left cannot be entered through this server.
    let is_inhabited = summary.joined_members > 0;
    let is_shown = is_inhabited && is_shown(snapshot, &view, viewer.zip(membership)).await?;
    Ok(is_shown.then_some(Preview { summary, membership }))
}

/// Client-server API, `GET /rooms/{roomId}/hierarchy`: what the user is in, may join or knock on, and what everyone may read.
async fn is_shown(
    snapshot: &Snapshot,
    view: &RoomView,
    viewer: Option<(&UserId, Membership)>,
) -> Result<bool, ReadError> {
    if view.history_visibility() == HistoryVisibility::WorldReadable {
        return Ok(true);
    }
    match viewer {
        Some((_, Membership::Join | Membership::Invite)) => return Ok(true),
        // No rule lets them in.
        Some((_, Membership::Ban)) => return Ok(false),
        Some((_, Membership::Knock | Membership::Leave)) | None => {}
    }
    match view.join_rule() {
        JoinRule::Public | JoinRule::Knock | JoinRule::KnockRestricted => Ok(true),
        JoinRule::Restricted => match viewer {
            Some((user, _)) => meets(snapshot, view, user).await,
            None => Ok(false),
        },
        JoinRule::Invite | JoinRule::Closed => Ok(false),
    }
}

async fn membership(snapshot: &Snapshot, user: &UserId, room: RoomNumber) -> Result<Membership, ReadError> {
    let row = snapshot.get::<UserRooms>(&(user.to_owned(), room)).await?;
    Ok(row.map_or(Membership::Leave, |row| row.membership))
}
