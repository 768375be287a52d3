//! Whose device lists a client has to look at anew, or need not keep up with any more (client-server API, "Extensions to /sync": `device_lists`).
//!
//! Owns: who is told to whom. Does not own: the lists, the keys.
//!
//! Invariants: a user who shares a room with the reader, and did not at the client's position, is told as changed, and so is one whose list
//! changed, once for each answer; one who did share and does not any more, as left. Nobody is both. Filters do not matter: a client keeps up
//! with the lists of rooms that it does not show, too. The cost follows what changed: lists, members of the reader's rooms, rooms of the reader.

mod lists;
mod moves;
mod reader;
mod sharing;

use std::collections::BTreeSet;

use plop_db::Position;
use plop_rooms::schema::Membership;
use plop_rooms::{RoomView, StoreFault};
use plop_state_store::RoomNumber;
use ruma::OwnedUserId;

use crate::past::membership_at;
use crate::response::DeviceLists;
use crate::scene::{self, Scene};
use crate::shared::Shared;
use crate::turns::take_turns;

pub use reader::Reader;
use sharing::shares_room;

/// Users who are looked at before others get a turn.
const USERS_AT_ONCE: usize = 64;

/// What changed in a span of time. Reads nothing if that is remembered and nothing did.
pub async fn between(shared: &Shared, reader: Reader<'_>) -> Result<DeviceLists, StoreFault> {
    if reader.since >= reader.to {
        return Ok(DeviceLists::default());
    }
    let mut met = Met::default();
    own_moves(shared, reader, &mut met).await?;
    for (room, users) in moves::in_rooms_of(shared, reader).await? {
        others_moves(shared, reader, (room, users), &mut met).await?;
    }
    let Met { here: mut changed, gone } = met;
    changed.remove(reader.user);
    changed.extend(lists::changed(shared, reader).await?);
    let mut left = BTreeSet::new();
    for (index, user) in gone.into_iter().enumerate() {
        take_turns(index, USERS_AT_ONCE).await;
        if user != *reader.user && !shares_room(shared, reader, &user).await? {
            changed.remove(&user);
            left.insert(user);
        }
    }
    Ok(DeviceLists { changed, left })
}

/// Who was met in a span of time.
#[derive(Default)]
struct Met {
    /// Who is in a room with the reader since.
    here: BTreeSet<OwnedUserId>,
    /// Who was, and perhaps is in none any more.
    gone: BTreeSet<OwnedUserId>,
}

/// The reader came to rooms, or left them.
async fn own_moves(shared: &Shared, reader: Reader<'_>, met: &mut Met) -> Result<(), StoreFault> {
    let rooms = &shared.parts.rooms;
    let moved = reader.rooms.moved_after(reader.since);
    let moved = moved.filter_map(|room| Some((room, reader.rooms.row(room)?)));
    // What moved after the span is told by the next answer, up to where it then is.
    for (index, (room, row)) in moved.filter(|(_, row)| row.position <= reader.to).enumerate() {
        take_turns(index, USERS_AT_ONCE).await;
        let Some(scene) = Scene::open(rooms, reader.actor, reader.user, room).await? else { continue };
        let is_in = row.membership == Membership::Join;
        if membership_at(&scene, reader.user, reader.since).await? == Some(Membership::Join) {
            let moved = moves::in_room(shared, reader, room).await?;
            if !is_in {
                met.gone.extend(joined(&scene.view).filter(|user| !moved.contains(user)));
            }
            // Who left in the same span is among the members no more.
            met.gone.extend(were_in(&scene, moved, reader.since).await?);
        }
        if is_in {
            met.here.extend(joined(&scene.view));
        }
    }
    Ok(())
}

/// Others came to a room that the reader is in, or left it.
async fn others_moves(
    shared: &Shared,
    reader: Reader<'_>,
    (room, users): (RoomNumber, BTreeSet<OwnedUserId>),
    met: &mut Met,
) -> Result<(), StoreFault> {
    // Of a room that the reader came to, too, everybody is told.
    if reader.rooms.row(room).is_none_or(|row| row.position > reader.since) {
        return Ok(());
    }
    let rooms = &shared.parts.rooms;
    let Some(view) = scene::view(rooms, room).await? else { return Ok(()) };
    let (here, others): (Vec<_>, Vec<_>) = users.into_iter().partition(|user| view.members.is_joined(user));
    met.here.extend(here);
    if others.is_empty() {
        return Ok(());
    }
    let Some(scene) = Scene::open(rooms, reader.actor, reader.user, room).await? else { return Ok(()) };
    met.gone.extend(were_in(&scene, others, reader.since).await?);
    Ok(())
}

/// Those of some users who were in a room at a position: of others, who had been invited, say, nothing ended.
async fn were_in(
    scene: &Scene<'_>,
    users: impl IntoIterator<Item = OwnedUserId>,
    at: Position,
) -> Result<Vec<OwnedUserId>, StoreFault> {
    let mut were = Vec::new();
    for (index, user) in users.into_iter().enumerate() {
        take_turns(index, USERS_AT_ONCE).await;
        if membership_at(scene, &user, at).await? == Some(Membership::Join) {
            were.push(user);
        }
    }
    Ok(were)
}

fn joined(view: &RoomView) -> impl Iterator<Item = OwnedUserId> {
    let joined = view.members.iter().filter(|(_, member)| member.membership == Membership::Join);
    joined.map(|(user, _)| user.clone())
}
