//! A change of the current state and what follows from it in memory and in rows.
//!
//! Owns: what a state event means for the picture of a room ([`show`]), and the projected rows of a member: members by room, rooms by user.
//! Does not own: the state tree, which the caller has changed already; when the rows are written ([`crate::operation`]).

use std::sync::Arc;

use plop_db::{Batch, Position};
use plop_state::json::Value;
use plop_state::{Rules, StateKey};
use plop_state_store::RoomNumber;
use ruma::{OwnedUserId, ServerName};

use crate::event::RoomEvent;
use crate::members::Member;
use crate::schema::{MemberRow, Members, Membership, StrippedState, UserRoomRow, UserRooms};
use crate::view::{RoomView, is_kept};

/// What a change of the current state means for a user.
pub struct MemberChange {
    pub user: OwnedUserId,
    pub was_joined: bool,
    pub membership: Membership,
}

/// Makes `event` (or, with `None`, nothing) the current state event under `key` in the picture. Says what that means for a user where it is a
/// member event.
pub fn show(
    view: &mut RoomView,
    key: &StateKey,
    event: Option<&Arc<RoomEvent>>,
    our_server: &ServerName,
) -> Option<MemberChange> {
    if is_kept(key) {
        view.set_kept(key.clone(), event.cloned());
    }
    let user = OwnedUserId::try_from(key.key()).ok().filter(|_| key.kind() == "m.room.member")?;
    let was_joined = view.members.is_joined(&user);
    let membership = event.map_or(Membership::Leave, |event| membership_of(event, view.rules));
    let member = event.map(|event| Member { membership, event: event.number });
    view.members.set(user.clone(), member, our_server);
    Some(MemberChange { user, was_joined, membership })
}

/// Writes the rows of a user whose current member event is `event`.
pub fn put_member(
    batch: &mut Batch,
    room: RoomNumber,
    change: MemberChange,
    event: Option<&RoomEvent>,
    position: Position,
    our_server: &ServerName,
) {
    let MemberChange { user, was_joined, membership } = change;
    match event {
        Some(event) => batch.put::<Members>(&(room, user.clone()), &member_row(event, membership)),
        None => batch.delete::<Members>(&(room, user.clone())),
    }
    // A member's new name or picture moves nothing among their rooms: those who look are woken by the room.
    if !(was_joined && membership == Membership::Join) {
        let event = event.map(|event| event.number);
        let row = UserRoomRow { membership, event, position, forgotten: false };
        let key = (user.clone(), room);
        batch.append::<UserRooms>(&key, &key, &row);
    }
    if !matches!(membership, Membership::Invite | Membership::Knock) && user.server_name() == our_server {
        batch.delete::<StrippedState>(&(user, room));
    }
}

/// Writes the projected row of a member event anew, if it is the current one of its user.
pub fn rewrite_member(view: &RoomView, batch: &mut Batch, key: &StateKey, event: &RoomEvent) {
    if key.kind() != "m.room.member" {
        return;
    }
    if let Ok(user) = OwnedUserId::try_from(key.key())
        && view.member_event(&user) == Some(event.number)
    {
        batch.put::<Members>(&(view.number, user), &member_row(event, membership_of(event, view.rules)));
    }
}

/// What a current member event says. An event with a word that is no membership never becomes current: the rules refuse it.
pub fn membership_of(event: &RoomEvent, rules: &Rules) -> Membership {
    Membership::of(&event.pdu, rules).unwrap_or(Membership::Leave)
}

/// The projected row of a member event.
pub fn member_row(event: &RoomEvent, membership: Membership) -> MemberRow {
    let content = event.pdu.content_object();
    let text = |name: &str| content.get(name).and_then(Value::as_str).map(ToOwned::to_owned);
    MemberRow {
        membership,
        event: event.number,
        displayname: text("displayname"),
        avatar_url: text("avatar_url"),
    }
}
