//! Joining a restricted room by being in another one (client-server API and server-server API, "Restricted rooms").
//!
//! Owns: whether a user meets a condition of a join rule, and who of this server may vouch for it. Does not own: which the conditions are
//! ([`crate::summary::allowed_rooms`]), the rule that accepts the join ([`plop_state::auth`]).
//!
//! Invariants: our own users and those of other servers are let in by the same conditions. One that cannot be confirmed is not met: of a room
//! that none of our users is in any more, this server does not know who is in it.

use std::collections::BTreeSet;

use plop_db::{ReadError, Snapshot};
use plop_state::auth::LevelField;
use plop_state_store::RoomNumber;
use ruma::{OwnedUserId, UserId};

use crate::loading::{LoadError, if_here};
use crate::rooms::Rooms;
use crate::schema::{Membership, RoomIds, UserRooms};
use crate::summary::allowed_rooms;
use crate::view::RoomView;

/// Rooms that are loaded to see whether a user of another server is in them.
const MAX_LOADED: usize = 8;

/// What is known of a user of another server who wants to come in by a restricted join rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirmation {
    /// A condition is met.
    Met,
    /// None is.
    NotMet,
    /// None is as far as this server knows, and it does not know all rooms that they name.
    Unknown,
}

/// Whether a user of this server meets a condition.
///
/// Our rows are the whole truth here, also of rooms that are not here or that none of ours is in any more: a user of ours comes into a room only
/// through this server, which writes the row, and a room that they are in sends us what ends that. Two things they miss, and neither can be made good
/// by asking elsewhere: an end that has not arrived yet, and for a moment one among more changes of members than fit into a batch
/// ([`crate::projection`]).
pub async fn meets(snapshot: &Snapshot, view: &RoomView, user: &UserId) -> Result<bool, ReadError> {
    let rooms = snapshot.get_many::<RoomIds>(&allowed_rooms(view)).await?;
    let rooms: Vec<_> = rooms.into_iter().flatten().collect();
    Ok(!joined(snapshot, &rooms, user).await?.is_empty())
}

/// A joined user of this server who may let others in.
pub fn authoriser(view: &RoomView) -> Option<&OwnedUserId> {
    view.members.local().find(|user| may_authorise(view, user))
}

/// Whether a user may let others in: joined, with the power to invite, in a room with a restricted join rule.
pub fn may_authorise(view: &RoomView, user: &UserId) -> bool {
    let may_invite = view.authority().is_some_and(|may| may.may(user.as_str(), LevelField::Invite));
    view.join_rule().is_restricted() && view.members.is_joined(user) && may_invite
}

impl Rooms {
    /// Whether a user of another server meets a condition. It is not met for certain only where this server knows who is in each of the rooms.
    pub(crate) async fn confirm(
        &self,
        snapshot: &Snapshot,
        view: &RoomView,
        user: &UserId,
    ) -> Result<Confirmation, LoadError> {
        let rooms = snapshot.get_many::<RoomIds>(&allowed_rooms(view)).await?;
        let mut knows_all = rooms.iter().all(Option::is_some);
        let rooms: BTreeSet<RoomNumber> = rooms.into_iter().flatten().collect();
        let rooms: Vec<RoomNumber> = rooms.into_iter().collect();
        // First those in which the user is by our rows: one is enough.
        let likely = joined(snapshot, &rooms, user).await?;
        let others = rooms.iter().filter(|room| !likely.contains(*room));
        for (looked_at, room) in likely.iter().chain(others).enumerate() {
            let could_be_met = looked_at < likely.len();
            if looked_at == MAX_LOADED || !(knows_all || could_be_met) {
                return Ok(Confirmation::Unknown);
            }
            match self.has_member(*room, user).await? {
                Some(true) => return Ok(Confirmation::Met),
                Some(false) => {}
                None => knows_all = false,
            }
        }
        Ok(if knows_all { Confirmation::NotMet } else { Confirmation::Unknown })
    }

    /// Whether a user is in a room. `None`: this server does not know, for none of its users is in the room and nothing of it arrives here.
    async fn has_member(&self, room: RoomNumber, user: &UserId) -> Result<Option<bool>, LoadError> {
        let Some(view) = if_here(self.view(room).await)? else { return Ok(None) };
        let takes_part = view.members.has_server(&self.core().server);
        Ok(takes_part.then(|| view.members.is_joined(user)))
    }
}

/// Those of some rooms in which a user is joined, by the rows of the user's rooms.
async fn joined(
    snapshot: &Snapshot,
    rooms: &[RoomNumber],
    user: &UserId,
) -> Result<Vec<RoomNumber>, ReadError> {
    let keys: Vec<_> = rooms.iter().map(|room| (user.to_owned(), *room)).collect();
    let standing = snapshot.get_many::<UserRooms>(&keys).await?;
    let is_joined =
        standing.iter().map(|row| row.as_ref().map(|row| row.membership) == Some(Membership::Join));
    Ok(rooms.iter().zip(is_joined).filter(|(_, is_joined)| *is_joined).map(|(room, _)| *room).collect())
}
