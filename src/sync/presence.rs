//! Presence (client-server API, "Presence").
//!
//! Owns: whose presence is given, and its form. Does not own: what is known of it.
//!
//! Invariants: only users who share a room with the reader are told of, and never the reader. Those who are not there cost a read
//! only when that is what changed. The name and the picture are read once for all who are told. What is new costs what changed in the reader's rooms.

use std::collections::{BTreeMap, BTreeSet};

use plop_accounts::profile::MemberProfile;
use plop_base::UnixMillis;
use plop_db::ReadError;
use plop_ephemeral::{LivePosition, Presence, PresenceSnapshot, PresenceState};
use plop_rooms::MemberTable;
use plop_rooms::reader::filter::EventFilter;
use plop_state::json::TextWriter;
use ruma::{OwnedUserId, UserId};

use crate::memberships::UserRoomSet;
use crate::presence_rooms::{PresenceRooms, Sources};
use crate::response::Events;
use crate::shared::Shared;
use crate::turns::take_turns;

const PRESENCE: &str = "m.presence";
/// Users who are looked at in one go; most rooms have fewer, and give nobody a turn.
const USERS_AT_ONCE: usize = 256;

/// Whether the filter wants any.
pub fn is_wanted(filter: &EventFilter) -> bool {
    filter.keeps_type(PRESENCE)
}

/// Users whose presence changed and who share a room with the reader. After a restart nobody is there until seen, and what was before is known
/// to nobody: then it is everybody who was seen since.
pub async fn changed(
    by_room: &PresenceRooms,
    sources: Sources<'_>,
    since: LivePosition,
    (user, rooms): (&UserId, &UserRoomSet),
) -> Result<BTreeSet<OwnedUserId>, ReadError> {
    let Sources { presence, memberships, changes } = sources;
    let first = LivePosition { counter: 0, ..presence.position() };
    let since = if since.start == first.start { since } else { first };
    if let Some(changed) = by_room.changed(sources, (user, rooms), since).await? {
        return Ok(changed);
    }
    // Further back than is filed by room.
    let changed = presence.changes_since(since).or_else(|| presence.changes_since(first));
    let mut shared = BTreeSet::new();
    for (index, (_, other)) in changed.unwrap_or_default().into_iter().enumerate() {
        take_turns(index, USERS_AT_ONCE).await;
        if other != user && rooms.shares_room_with(&*memberships.of(&other, changes).await?) {
            shared.insert(other);
        }
    }
    Ok(shared)
}

/// Members of a room who are there: the smaller of all members of this server and all who are there are looked at.
pub async fn present_in(presence: &Presence, members: &MemberTable) -> BTreeSet<OwnedUserId> {
    let mut present = BTreeSet::new();
    if members.local_count() <= presence.known() {
        let joined: Vec<&OwnedUserId> = members.local().filter(|user| members.is_joined(user)).collect();
        for (index, some) in joined.chunks(USERS_AT_ONCE).enumerate() {
            take_turns(index, 2).await;
            present.extend(presence.known_of(some.iter().copied()));
        }
        return present;
    }
    let mut last = None;
    for index in 0.. {
        take_turns(index, 2).await;
        let some = presence.known_after(last.as_deref(), USERS_AT_ONCE);
        let Some(user) = some.last() else { break };
        last = Some(user.clone());
        present.extend(some.into_iter().filter(|user| members.is_joined(user)));
    }
    present
}

/// The presence of users for whom it changed. Of whom nothing is known any more is offline.
pub async fn of_changed(
    shared: &Shared,
    changed: &BTreeSet<OwnedUserId>,
    filter: &EventFilter,
) -> Result<Events, ReadError> {
    let changed: Vec<OwnedUserId> =
        changed.iter().filter(|user| filter.keeps_sender(user)).cloned().collect();
    if changed.is_empty() {
        return Ok(Events::new());
    }
    let known = shared.parts.presence.get_many(&changed).await?;
    events(shared, changed, known).await
}

/// The presence of users whom one has met, as far as they are there.
pub async fn of_met<'u>(
    shared: &Shared,
    met: impl Iterator<Item = &'u OwnedUserId>,
    filter: &EventFilter,
) -> Result<Events, ReadError> {
    if !is_wanted(filter) {
        return Ok(Events::new());
    }
    let met: Vec<OwnedUserId> = met.filter(|user| filter.keeps_sender(user)).cloned().collect();
    let known = shared.parts.presence.get_present(&met);
    let there = known.iter().map(|known| known.user.clone()).collect();
    events(shared, there, known).await
}

/// The events of these users, of whom this is known.
async fn events(
    shared: &Shared,
    users: Vec<OwnedUserId>,
    known: Vec<PresenceSnapshot>,
) -> Result<Events, ReadError> {
    if users.is_empty() {
        return Ok(Events::new());
    }
    let known: BTreeMap<OwnedUserId, PresenceSnapshot> =
        known.into_iter().map(|known| (known.user.clone(), known)).collect();
    let Shared { parts, presence_profiles, presence_rooms, .. } = shared;
    let profiles = presence_profiles.of(&parts.db, presence_rooms, &users).await?;
    let (users, now) = (users.iter().zip(&profiles), parts.clock.now());
    Ok(users.map(|(user, profile)| event(user, known.get(user), profile, now)).collect())
}

fn event(
    user: &UserId,
    known: Option<&PresenceSnapshot>,
    profile: &MemberProfile,
    now: UnixMillis,
) -> String {
    let mut out = TextWriter::new();
    out.object();
    out.key("content");
    out.object();
    out.key("presence");
    out.string(word(known.map_or(PresenceState::Offline, |known| known.state)));
    let texts = [
        ("avatar_url", profile.avatar_url.as_deref()),
        ("displayname", profile.displayname.as_deref()),
        ("status_msg", known.and_then(|known| known.status_msg.as_deref())),
    ];
    for (key, value) in texts {
        if let Some(value) = value {
            out.key(key);
            out.string(value);
        }
    }
    if let Some(known) = known {
        if known.state == PresenceState::Online {
            out.key("currently_active");
            out.boolean(known.currently_active);
        }
        out.key("last_active_ago");
        out.number(u64::try_from(now.since(known.last_active).as_millis()).unwrap_or(u64::MAX));
    }
    out.close();
    out.key("sender");
    out.string(user.as_str());
    out.key("type");
    out.string(PRESENCE);
    out.finish()
}

fn word(state: PresenceState) -> &'static str {
    match state {
        PresenceState::Online => "online",
        PresenceState::Unavailable => "unavailable",
        PresenceState::Offline => "offline",
    }
}
