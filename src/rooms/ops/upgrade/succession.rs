//! What a new room takes over from the one that it replaces.
//!
//! Owns: the contents of the new room's events and of the old one's last power levels, as pure functions of the old room.
//!
//! Invariants: no content holds what the new room's version refuses: levels are integers, numbers are those of its JSON, nobody is named in
//! the power levels who is a creator.

use plop_base::limits::MAX_SAFE_INT;
use plop_state::Rules;
use plop_state::auth::{LevelField, PowerLevels};
use plop_state::json::{NumberRule, Object, Value, canonical, parse};
use ruma::{OwnedEventId, OwnedRoomAliasId, OwnedUserId, UserId};

use crate::event::RoomEvent;
use crate::ops::aliases::without;
use crate::ops::create::content::{ADMIN, TOMBSTONE, object, set_origin, text};
use crate::view::RoomView;

/// The settings that are taken over as they are ("Server behaviour", step 3), besides aliases, bans and power levels.
const SETTINGS: [&str; 8] = [
    "m.room.server_acl",
    "m.room.encryption",
    "m.room.name",
    "m.room.avatar",
    "m.room.topic",
    "m.room.guest_access",
    "m.room.history_visibility",
    "m.room.join_rules",
];

/// A room and the one that comes after it.
pub struct Succession<'r> {
    /// Who upgrades, and so creates the new room.
    pub user: &'r UserId,
    pub old: &'r RoomView,
    /// The new room's.
    pub rules: &'static Rules,
    pub additional_creators: &'r [OwnedUserId],
}

impl Succession<'_> {
    /// `m.room.create` of the new room.
    pub fn create(&self, last_event: Option<&OwnedEventId>) -> Object {
        let mut predecessor = text("room_id", self.old.id.as_str());
        predecessor.extend(last_event.map(|event| ("event_id".to_owned(), event.as_str().into())));
        let mut content = object([("predecessor", predecessor.into())]);
        set_origin(&mut content, self.user, self.rules);
        let old = self.content("m.room.create").unwrap_or_default();
        let kept = |key: &str, is_valid: fn(&Value) -> bool| {
            old.get(key).filter(|value| is_valid(value)).map(|value| (key.to_owned(), value.clone()))
        };
        content.extend(kept("type", |value| value.as_str().is_some()));
        content.extend(kept("m.federate", |value| value.as_bool().is_some()));
        if self.rules.spec.authorization.additional_room_creators && !self.additional_creators.is_empty() {
            let creators: Vec<&str> = self.additional_creators.iter().map(|user| user.as_str()).collect();
            content.insert("additional_creators".to_owned(), creators.into());
        }
        content
    }

    /// Whether a user has a creator's power in the new room.
    pub fn is_creator(&self, user: &UserId) -> bool {
        self.rules.spec.authorization.explicitly_privilege_room_creators
            && (user == self.user || self.additional_creators.iter().any(|creator| creator == user))
    }

    /// The settings that the old room has.
    pub fn settings(&self) -> Vec<(&'static str, Object)> {
        let setting = |kind: &'static str| Some((kind, self.content(kind)?));
        let mut settings: Vec<_> = SETTINGS.into_iter().filter_map(setting).collect();
        for (kind, content) in &mut settings {
            if *kind == "m.room.join_rules" && !self.knows_join_rule(content) {
                *content = text("join_rule", "invite");
            }
        }
        settings
    }

    fn knows_join_rule(&self, content: &Object) -> bool {
        let flags = &self.rules.spec.authorization;
        match content.get("join_rule").and_then(Value::as_str) {
            Some("knock") => flags.knocking,
            Some("restricted") => flags.restricted_join_rule,
            Some("knock_restricted") => flags.knock_restricted_join_rule,
            _ => true,
        }
    }

    /// What the old room claims of the aliases that move.
    pub fn canonical_alias(&self, moved: &[OwnedRoomAliasId]) -> Option<Object> {
        let is_left = |alias: &str| !moved.iter().any(|moved| moved.as_str() == alias);
        Some(without(self.content("m.room.canonical_alias")?, is_left)).filter(|content| !content.is_empty())
    }

    /// The ban of a user who is banned from the old room.
    pub fn ban(&self, event: &RoomEvent) -> Object {
        let mut content = text("membership", "ban");
        content.extend(self.carried(event).remove_entry("reason"));
        content
    }

    /// `m.room.power_levels`: those of the old room, with its creators' power put where the new version wants it.
    pub fn power_levels(&self) -> Option<Object> {
        let authority = self.old.authority()?;
        let levels = authority.levels()?;
        let mut content = self.old.kept_type("m.room.power_levels")?.pdu.content_object();
        make_plain(&mut content, levels);
        content.retain(|_, value| fits(value, self.rules.numbers));
        let mut users = take(&mut content, "users");
        if self.rules.spec.authorization.explicitly_privilege_room_creators {
            let is_creator = |user: &str| <&UserId>::try_from(user).is_ok_and(|user| self.is_creator(user));
            users.retain(|user, _| !is_creator(user));
            let mut events = take(&mut content, "events");
            let given = events.get("m.room.tombstone").and_then(Value::as_int).unwrap_or(TOMBSTONE);
            events.insert("m.room.tombstone".to_owned(), Value::Int(given.max(TOMBSTONE)));
            content.insert("events".to_owned(), events.into());
        } else {
            let highest = users.values().filter_map(Value::as_int).fold(ADMIN, i64::max);
            users.extend(authority.privileged().map(|user| (user.to_owned(), Value::Int(highest))));
        }
        content.insert("users".to_owned(), users.into());
        Some(content)
    }

    /// The content of a state event of the old room, as far as the new version can hold it.
    pub fn carried(&self, event: &RoomEvent) -> Object {
        let mut content = event.pdu.content_object();
        content.retain(|_, value| fits(value, self.rules.numbers));
        content
    }

    fn content(&self, kind: &str) -> Option<Object> {
        self.old.kept_type(kind).map(|event| self.carried(event))
    }
}

/// The power levels that end a room: nobody speaks or invites without being given the power (step 6). `None` where nothing is to be changed.
pub fn closed(old: &RoomView) -> Option<Object> {
    let authority = old.authority()?;
    let mut content = old.kept_type("m.room.power_levels")?.pdu.content_object();
    let least = authority.level(LevelField::UsersDefault).saturating_add(1).max(50);
    let low = [LevelField::EventsDefault, LevelField::Invite]
        .into_iter()
        .filter(|field| authority.level(*field) < least);
    let raised: Vec<_> = low.map(|field| (field.name().to_owned(), Value::Int(least))).collect();
    let is_open = !raised.is_empty();
    content.extend(raised);
    is_open.then_some(content)
}

/// Writes every level as the integer that it was read as: old versions take strings and floats.
fn make_plain(content: &mut Object, levels: &PowerLevels) {
    let limit = MAX_SAFE_INT as i64;
    let plain = |level: i64| Value::Int(level.clamp(-limit, limit));
    for field in LevelField::ALL {
        if let Some(value) = content.get_mut(field.name()) {
            *value = plain(levels.field(field));
        }
    }
    let mut each = |name: &str, level: &dyn Fn(&str) -> i64| {
        if let Some(Value::Object(entries)) = content.get_mut(name) {
            entries.iter_mut().for_each(|(key, value)| *value = plain(level(key)));
        }
    };
    each("users", &|user| levels.user(user));
    each("events", &|kind| levels.event(kind, true));
    each("notifications", &|key| levels.notification(key));
}

/// Whether a value may stand in an event under a number rule.
fn fits(value: &Value, rule: NumberRule) -> bool {
    parse(canonical(value).as_bytes(), rule).is_ok()
}

/// Takes an object out of an object; an empty one where there is none.
fn take(content: &mut Object, name: &str) -> Object {
    match content.remove(name) {
        Some(Value::Object(object)) => object,
        _ => Object::new(),
    }
}
