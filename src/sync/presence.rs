//! Presence (client-server API, "Presence").
//!
//! Owns: whose presence is given, and its form. Does not own: what is known of it.
//!
//! Invariants: only users who share a room with the reader are told of, and never the reader. Those who are not there cost a read
//! only when that is what changed.

use std::collections::BTreeSet;

use plop_base::UnixMillis;
use plop_db::ReadError;
use plop_ephemeral::{LivePosition, Presence, PresenceSnapshot, PresenceState};
use plop_rooms::reader::filter::EventFilter;
use plop_state::json::write_string;
use ruma::{OwnedUserId, UserId};

use crate::changes::SharedChanges;
use crate::memberships::{Memberships, UserRoomSet};
use crate::response::Events;
use crate::shared::Parts;

const PRESENCE: &str = "m.presence";

/// Whether the filter wants any.
pub fn is_wanted(filter: &EventFilter) -> bool {
    filter.keeps_type(PRESENCE)
}

/// Users whose presence changed and who share a room with the reader. After a restart nobody is there until seen, and what was before is known
/// to nobody: then it is everybody who was seen since.
pub async fn changed(
    presence: &Presence,
    since: LivePosition,
    user: &UserId,
    rooms: &UserRoomSet,
    memberships: &Memberships,
    changes: &SharedChanges,
) -> Result<BTreeSet<OwnedUserId>, ReadError> {
    let first = LivePosition { counter: 0, ..presence.position() };
    let changed = presence.users_changed_since(since).or_else(|| presence.users_changed_since(first));
    let mut shared = BTreeSet::new();
    for other in changed.unwrap_or_default() {
        if other != user && rooms.shares_room_with(&*memberships.of(&other, changes).await?) {
            shared.insert(other);
        }
    }
    Ok(shared)
}

/// The presence of users for whom it changed.
pub async fn of_changed(
    parts: &Parts,
    changed: &BTreeSet<OwnedUserId>,
    filter: &EventFilter,
) -> Result<Events, ReadError> {
    let changed: Vec<OwnedUserId> =
        changed.iter().filter(|user| filter.keeps_sender(user)).cloned().collect();
    if changed.is_empty() {
        return Ok(Events::new());
    }
    let known = parts.presence.get_many(&changed).await?;
    Ok(known.iter().map(|known| event(known, parts.clock.now())).collect())
}

/// The presence of users whom one has met, as far as they are there.
pub fn of_met<'u>(parts: &Parts, met: impl Iterator<Item = &'u OwnedUserId>, filter: &EventFilter) -> Events {
    if !is_wanted(filter) {
        return Events::new();
    }
    let met: Vec<OwnedUserId> = met.filter(|user| filter.keeps_sender(user)).cloned().collect();
    let known = parts.presence.get_present(&met);
    known.iter().map(|known| event(known, parts.clock.now())).collect()
}

fn event(known: &PresenceSnapshot, now: UnixMillis) -> String {
    let mut out = String::from("{\"content\":{");
    if known.state == PresenceState::Online {
        out.push_str("\"currently_active\":");
        out.push_str(if known.currently_active { "true," } else { "false," });
    }
    out.push_str("\"last_active_ago\":");
    out.push_str(&now.since(known.last_active).as_millis().to_string());
    out.push_str(",\"presence\":\"");
    out.push_str(word(known.state));
    out.push('"');
    if let Some(status) = &known.status_msg {
        out.push_str(",\"status_msg\":");
        write_string(&mut out, status);
    }
    out.push_str("},\"sender\":");
    write_string(&mut out, known.user.as_str());
    out.push_str(",\"type\":\"m.presence\"}");
    out
}

fn word(state: PresenceState) -> &'static str {
    match state {
        PresenceState::Online => "online",
        PresenceState::Unavailable => "unavailable",
        PresenceState::Offline => "offline",
    }
}
