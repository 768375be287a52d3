//! Which invites a user wants to see (client-server API, "Invite permission", "Ignoring Users").
//!
//! Owns: reading what that is made from, where it is needed: an invite that is not wanted is never sent, so every look meets it again. Does not own: what the user
//! says of invites, and whom they ignore (account data).
//!
//! Invariants: no older than the last change of account data that was acknowledged before it is asked for; what else it is made from is in the invite.

use plop_accounts::invite_permission::InviteWishes;
use plop_rooms::StoreFault;
use plop_rooms::schema::Membership;
use plop_state_store::RoomNumber;

use crate::asking::Asking;
use crate::memberships::UserRoom;
use crate::outside;

/// Whether it is no invite that the user does not want to see. Such a one is not sent, and comes once it is wanted.
pub async fn is_wanted(asking: &Asking, room: RoomNumber, row: UserRoom) -> Result<bool, StoreFault> {
    if row.membership != Membership::Invite {
        return Ok(true);
    }
    let (shared, user) = (&asking.shared, &asking.user);
    let key = (user.clone(), room);
    let (known, reached) = {
        let (changes, reached) = shared.changes.now();
        let account_data = &changes.logs.account_data;
        let is_right =
            |as_of, &(invite, _): &_| invite == row.position && !account_data.may_have_changed(user, as_of);
        (shared.sliding.invites.get(&key, is_right), reached)
    };
    if let Some((_, is_wanted)) = known {
        return Ok(is_wanted);
    }
    let db = &shared.parts.db;
    // Not those of the request, which may be older than `reached`.
    let ignored = shared.ignored.of(user, &shared.changes).await?;
    let wishes = InviteWishes::of(&db.snapshot(), user).await?;
    let scene = asking.scene(room).await?;
    let shown = outside::shown(db, scene.as_ref(), user, room, row).await?;
    let is_wanted = outside::is_wanted(&shown, user, &ignored, &wishes);
    shared.sliding.invites.insert(key, reached, (row.position, is_wanted));
    Ok(is_wanted)
}
