//! Rooms that the user is invited to, or knocks at, seen from outside (client-server API, "Stripped state").
//!
//! Owns: what is shown of them. Does not own: who is shown a room.
//!
//! Invariants: the user's own member event, which says who invites, is among what is shown, and that of who invites, for their name and picture; all is as it
//! was with the invite: who is only invited does not follow what becomes of the room.

use std::collections::BTreeSet;

use plop_accounts::invite_permission::{InvitePermission, InviteWishes};
use plop_db::Db;
use plop_rooms::StoreFault;
use plop_rooms::reader::stripped::stripped;
use plop_rooms::schema::StrippedState;
use plop_state::StateKey;
use plop_state_store::RoomNumber;
use ruma::{OwnedUserId, UserId};
use serde_json::Value;

use crate::memberships::UserRoom;
use crate::response::Events;
use crate::scene::Scene;

/// What another server handed over, or what is here.
pub async fn shown(
    db: &Db,
    scene: Option<&Scene<'_>>,
    user: &UserId,
    room: RoomNumber,
    row: UserRoom,
) -> Result<Events, StoreFault> {
    if let Some(handed_over) = db.snapshot().get::<StrippedState>(&(user.to_owned(), room)).await? {
        return Ok(handed_over.events);
    }
    let Some(scene) = scene else { return Ok(Events::new()) };
    let event = match row.event {
        Some(number) => scene.events(&[number]).await?.pop(),
        None => None,
    };
    let state = event.as_ref().and_then(|event| event.state_after()).unwrap_or(scene.view.root);
    let mut events = scene.reader.stripped_state_of(state).await?;
    let Some(event) = event else { return Ok(events) };
    events.push(stripped(&event.pdu));
    // Clients name an invite to a room without a name, a direct chat mostly, by who invites. Who knocks has invited nobody.
    if event.pdu.sender() != user {
        let inviter = [StateKey::member(event.pdu.sender().as_str())];
        let members = scene.reader.state_events(state, &inviter).await?;
        events.extend(members.iter().map(|member| stripped(&member.pdu)));
    }
    Ok(events)
}

/// Whether an invite by another is one that the user wants to see (client-server API, "Invite permission", "Ignoring Users").
pub fn is_wanted(inviter: &UserId, ignored: &BTreeSet<OwnedUserId>, wishes: &InviteWishes) -> bool {
    !ignored.contains(inviter) && wishes.permission(inviter) == InvitePermission::Allowed
}

/// Who invites, by what is shown of an invite.
pub fn inviter(shown: &Events, user: &UserId) -> Option<OwnedUserId> {
    let sender = |event: &String| {
        let event: Value = serde_json::from_str(event).ok()?;
        let is_own = event["type"] == "m.room.member" && event["state_key"] == user.as_str();
        let sender = UserId::parse(event["sender"].as_str()?).ok()?;
        is_own.then_some(sender)
    };
    // The newest says who invites now.
    shown.iter().rev().find_map(sender)
}
