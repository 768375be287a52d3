//! The room as it is shown from outside: its summary, a walk that begins at it.

use serde_json::Value;

use super::expected::{STEPS, Then};
use super::reader::Reader;
use super::script::name;
use crate::chat::encoded;

/// Whom it is shown to: "the user is joined to the room, or can join it", and everybody may look into one that is world-readable. Nobody
/// can join this one without an invitation.
fn is_shown(reader: &Reader<'_>) -> bool {
    reader.visibility() == "world_readable" || reader.standing.stood[STEPS - 1] != Then::Out
}

/// What of a room's state may be told, besides what the state itself is asked for.
const TOLD: [&str; 15] = [
    "allowed_room_ids",
    "avatar_url",
    "canonical_alias",
    "children_state",
    "encryption",
    "guest_can_join",
    "im.nheko.summary.room_version",
    "join_rule",
    "membership",
    "name",
    "num_joined_members",
    "room_id",
    "room_type",
    "room_version",
    "topic",
];

pub async fn outside(reader: &mut Reader<'_>) {
    let room = encoded(&reader.script.room);
    for path in ["v1/room_summary", "unstable/im.nheko.summary/summary"] {
        let answer = reader.script.bed.get(&format!("/_matrix/client/{path}/{room}")).by(reader.user).await;
        let Some(summary) = reader.allowed(path, answer, is_shown(reader), 404) else { continue };
        told(reader, path, &summary);
        let membership = match reader.standing.stood[STEPS - 1] {
            Then::Joined => "join",
            Then::Invited => "invite",
            Then::Out if reader.standing.name == "banned" => "ban",
            Then::Out => "leave",
        };
        reader.expect(path, summary["membership"].clone(), membership.into());
    }
    let answer = reader.get_v1("/hierarchy").await;
    let Some(page) = reader.allowed("hierarchy", answer, is_shown(reader), 403) else { return };
    reader.expect("hierarchy", page["rooms"].as_array().map(Vec::len), Some(1));
    told(reader, "hierarchy", &page["rooms"][0]);
}

fn told(reader: &mut Reader<'_>, way: &str, summary: &Value) {
    reader.expect(way, summary["name"].clone(), name(STEPS - 1).into());
    reader.expect(way, reader.told(summary).len(), 0);
    let keys = summary.as_object().expect("an object").keys();
    let others = keys.filter(|key| !TOLD.contains(&key.as_str()) && *key != "world_readable");
    reader.expect(way, others.count(), 0);
}
