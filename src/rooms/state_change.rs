//! A change of the current state and what follows from it in memory and in rows.
//!
//! Owns: the projections that are written with the event: members by room, rooms by user. Does not own: the state tree, which the caller has
//! changed already.
//!
//! Invariants: after [`apply`] the view's members and kept events, and the projected rows of the batch, are those of the new state.

use std::sync::Arc;

use plop_db::{Batch, Position};
use plop_state::StateKey;
use plop_state::auth;
use ruma::{OwnedUserId, ServerName};
use serde_json::Value;

use crate::event::RoomEvent;
use crate::members::Member;
use crate::schema::{MemberRow, Members, Membership, StrippedState, UserRoomRow, UserRooms};
use crate::view::{RoomView, is_kept};

/// Makes `event` (or, with `None`, nothing) the current state event under `key`.
pub fn apply(
    view: &mut RoomView,
    batch: &mut Batch,
    key: &StateKey,
    event: Option<&Arc<RoomEvent>>,
    position: Position,
    our_server: &ServerName,
) {
    if is_kept(key) {
        view.set_kept(key.clone(), event.cloned());
    }
    if key.kind() == "m.room.member"
        && let Ok(user) = OwnedUserId::try_from(key.key())
    {
        apply_member(view, batch, user, event, position, our_server);
    }
}

fn apply_member(
    view: &mut RoomView,
    batch: &mut Batch,
    user: OwnedUserId,
    event: Option<&Arc<RoomEvent>>,
    position: Position,
    our_server: &ServerName,
) {
    let membership = event.map_or(Membership::Leave, |event| membership_of(event, view));
    let room = view.number;
    match event {
        Some(event) => batch.put::<Members>(&(room, user.clone()), &member_row(event, membership)),
        None => batch.delete::<Members>(&(room, user.clone())),
    }
    let was_joined = view.members.is_joined(&user);
    // A member's new name or picture moves nothing among their rooms: those who look are woken by the room.
    if !(was_joined && membership == Membership::Join) {
        let event = event.map(|event| event.number);
        let row = UserRoomRow { membership, event, position, forgotten: false };
        batch.append::<UserRooms>(&user, &(user.clone(), room), &row);
    }
    if !matches!(membership, Membership::Invite | Membership::Knock) && user.server_name() == our_server {
        batch.delete::<StrippedState>(&(user.clone(), room));
    }
    let member = event.map(|event| Member { membership, event: event.number });
    view.members.set(user, member, our_server);
}

/// Writes the projected row of a member event anew, if it is the current one of its user.
pub fn rewrite_member(view: &RoomView, batch: &mut Batch, key: &StateKey, event: &RoomEvent) {
    if key.kind() != "m.room.member" {
        return;
    }
    if let Ok(user) = OwnedUserId::try_from(key.key())
        && view.member_event(&user) == Some(event.number)
    {
        batch.put::<Members>(&(view.number, user), &member_row(event, membership_of(event, view)));
    }
}

/// What a current member event says. An event with a word that is no membership never becomes current: the rules refuse it.
fn membership_of(event: &RoomEvent, view: &RoomView) -> Membership {
    auth::Membership::of(&event.pdu, view.rules).map_or(Membership::Leave, Membership::from)
}

/// The projected row of a member event.
pub fn member_row(event: &RoomEvent, membership: Membership) -> MemberRow {
    let content: Value = serde_json::from_str(event.pdu.content_text()).unwrap_or_default();
    let text = |name: &str| content.get(name).and_then(Value::as_str).map(ToOwned::to_owned);
    MemberRow {
        membership,
        event: event.number,
        displayname: text("displayname"),
        avatar_url: text("avatar_url"),
    }
}
