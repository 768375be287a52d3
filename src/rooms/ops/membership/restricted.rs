//! Joining a restricted room by being in another one (client-server API, "Restricted rooms").
//!
//! Owns: whether the user meets a condition of the join rules, and who of this server vouches for it. Does not own: the
//! rule that accepts the join ([`plop_state::auth`]).
//!
//! Invariants: a condition that cannot be confirmed is not met.

use plop_state::auth::LevelField;
use ruma::{OwnedUserId, UserId};

use crate::fault::StoreFault;
use crate::operation::Operation;
use crate::ops::refusal::Refusal;
use crate::schema::{Membership, RoomIds, UserRooms};
use crate::summary::allowed_rooms;

/// The user to name in the join: a joined user of this server who may invite.
///
/// # Errors
/// `NotAdmitted` when no condition is met; `UnableToAuthorise` when nobody here can vouch.
pub async fn authoriser(operation: &Operation<'_>, user: &UserId) -> Result<OwnedUserId, Refusal> {
    if !is_in_allowed_room(operation, user).await? {
        return Err(Refusal::NotAdmitted);
    }
    let view = operation.view();
    let authority = view.authority().ok_or(Refusal::UnableToAuthorise)?;
    let may = |local: &&OwnedUserId| {
        view.members.is_joined(local) && authority.may(local.as_str(), LevelField::Invite)
    };
    view.members.local().find(may).cloned().ok_or(Refusal::UnableToAuthorise)
}

async fn is_in_allowed_room(operation: &Operation<'_>, user: &UserId) -> Result<bool, StoreFault> {
    let snapshot = operation.snapshot();
    let allowed = snapshot.get_many::<RoomIds>(&allowed_rooms(operation.view())).await?;
    let keys: Vec<_> = allowed.into_iter().flatten().map(|room| (user.to_owned(), room)).collect();
    let standing = snapshot.get_many::<UserRooms>(&keys).await?;
    Ok(standing.into_iter().flatten().any(|row| row.membership == Membership::Join))
}
