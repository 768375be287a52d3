//! `m.room.power_levels`: the content parsed once, and the rule for changing it.
//!
//! Owns what a level may be written as in each room version and what a missing one stands for. Does not know
//! who the creators are, nor what a level is needed for: that is `authority`.
//!
//! A `PowerLevels` only exists for content that the room version allows, so that nobody who holds one asks again.

use std::collections::BTreeMap;

use crate::json::{Object, Value};
use crate::version::Rules;

use super::error::{AuthError, MalformedLevels};

/// The largest level that a version with strict numbers allows, as its negative is the smallest
/// (`m.room.power_levels` in the client-server API, after canonical JSON).
const MAX_STRICT_LEVEL: i64 = (1 << 53) - 1;

/// What `notifications.room`, or any other notification without a level, asks for.
const DEFAULT_NOTIFICATION_LEVEL: i64 = 50;

/// How much a user may do: a level, or the unbounded power of a room's creators since room version 12.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Power {
    Level(i64),
    Infinite,
}

impl Power {
    /// Whether this is enough for something that asks for `level`.
    pub fn reaches(self, level: i64) -> bool {
        self >= Self::Level(level)
    }
}

/// The properties of `m.room.power_levels` that hold one level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LevelField {
    UsersDefault,
    EventsDefault,
    StateDefault,
    Ban,
    Redact,
    Kick,
    Invite,
}

impl LevelField {
    pub const ALL: [Self; 7] = [
        Self::UsersDefault,
        Self::EventsDefault,
        Self::StateDefault,
        Self::Ban,
        Self::Redact,
        Self::Kick,
        Self::Invite,
    ];

    /// The property's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::UsersDefault => "users_default",
            Self::EventsDefault => "events_default",
            Self::StateDefault => "state_default",
            Self::Ban => "ban",
            Self::Redact => "redact",
            Self::Kick => "kick",
            Self::Invite => "invite",
        }
    }

    /// What it stands for when it is absent, or when there is no event at all.
    ///
    /// Without an event `state_default` is 50 as well (client-server API, `m.room.power_levels`).
    pub fn default_level(self) -> i64 {
        match self {
            Self::UsersDefault | Self::EventsDefault | Self::Invite => 0,
            Self::StateDefault | Self::Ban | Self::Redact | Self::Kick => 50,
        }
    }
}

/// The content of an `m.room.power_levels` event. [`PowerLevels::default`] is a room without one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PowerLevels {
    fields: [Option<i64>; LevelField::ALL.len()],
    events: BTreeMap<String, i64>,
    notifications: BTreeMap<String, i64>,
    users: BTreeMap<String, i64>,
}

impl PowerLevels {
    /// Parses `content` as the room version allows it.
    ///
    /// Versions 10 and up take integers only. Older ones take strings too, and versions 1 to 5 take floats,
    /// cut at the decimal point; a level beyond 64 bits becomes the nearest that fits. Before version 10 the
    /// rules name only `users` as a reason to reject, but a level that cannot be read cannot be compared
    /// either, so such an event is refused in every version.
    pub(super) fn parse(mut content: Object, rules: &Rules) -> Result<Self, MalformedLevels> {
        let mut levels = Self::default();
        for field in LevelField::ALL {
            if let Some(value) = content.get(field.name()) {
                let level = parse_level(value, rules).ok_or(MalformedLevels::Field(field.name()))?;
                levels.fields[field as usize] = Some(level);
            }
        }
        levels.events = parse_map(content.remove("events"), rules).ok_or(MalformedLevels::Field("events"))?;
        levels.notifications = match parse_map(content.remove("notifications"), rules) {
            Some(notifications) => notifications,
            // Before version 6 no rule reads this property.
            None if !rules.spec.authorization.limit_notifications_power_levels => BTreeMap::new(),
            None => return Err(MalformedLevels::Field("notifications")),
        };
        levels.users = parse_map(content.remove("users"), rules).ok_or(MalformedLevels::Field("users"))?;
        if levels.users.keys().any(|user| <&ruma::UserId>::try_from(user.as_str()).is_err()) {
            return Err(MalformedLevels::UserId);
        }
        Ok(levels)
    }

    /// The level of a property, or its default.
    pub fn field(&self, field: LevelField) -> i64 {
        self.fields[field as usize].unwrap_or_else(|| field.default_level())
    }

    /// The level given to `user`, by name or by `users_default`. Creators are not known here.
    pub fn user(&self, user: &str) -> i64 {
        self.users.get(user).copied().unwrap_or_else(|| self.field(LevelField::UsersDefault))
    }

    /// The users who are given a level by name, in the order of their ids.
    pub fn users(&self) -> impl Iterator<Item = (&str, i64)> {
        self.users.iter().map(|(user, level)| (user.as_str(), *level))
    }

    /// The level needed to send an event of type `kind`.
    pub fn event(&self, kind: &str, is_state: bool) -> i64 {
        let default = if is_state { LevelField::StateDefault } else { LevelField::EventsDefault };
        self.events.get(kind).copied().unwrap_or_else(|| self.field(default))
    }

    /// The level needed to trigger the notification `key` (`room` for `@room`).
    pub fn notification(&self, key: &str) -> i64 {
        self.notifications.get(key).copied().unwrap_or(DEFAULT_NOTIFICATION_LEVEL)
    }

    /// Whether `user` is given a level by name.
    pub fn names(&self, user: &str) -> bool {
        self.users.contains_key(user)
    }

    /// The rules for replacing these levels by `new`: nobody changes, adds or removes what is above their own
    /// power, nor the level of another user who has as much. (Rule 9 of version 6 and its like, from "for the
    /// properties" on.)
    pub fn check_change(
        &self,
        new: &Self,
        sender: &str,
        power: Power,
        rules: &Rules,
    ) -> Result<(), AuthError> {
        for field in LevelField::ALL {
            // An absent property counts as its default: power levels are inferred when not given.
            let changed = self.fields[field as usize] != new.fields[field as usize];
            if changed && !(power.reaches(self.field(field)) && power.reaches(new.field(field))) {
                return Err(AuthError::LevelChangeAboveSender(field.name()));
            }
        }
        let above = |_: &str, level: i64| !power.reaches(level);
        check_map_change("events", &self.events, &new.events, power, above)?;
        if rules.spec.authorization.limit_notifications_power_levels {
            check_map_change("notifications", &self.notifications, &new.notifications, power, above)?;
        }
        check_map_change("users", &self.users, &new.users, power, |user, level| {
            user != sender && Power::Level(level) >= power
        })
    }
}

/// Each entry that differs: its current value must not be `protected`, its new one must be within `power`.
fn check_map_change(
    property: &'static str,
    current: &BTreeMap<String, i64>,
    new: &BTreeMap<String, i64>,
    power: Power,
    protected: impl Fn(&str, i64) -> bool,
) -> Result<(), AuthError> {
    let changed_or_removed = current.iter().filter(|(key, level)| new.get(*key) != Some(level));
    for (key, level) in changed_or_removed {
        if protected(key, *level) {
            return Err(AuthError::LevelChangeAboveSender(property));
        }
    }
    let added_or_changed = new.iter().filter(|(key, level)| current.get(*key) != Some(level));
    for (_, level) in added_or_changed {
        if !power.reaches(*level) {
            return Err(AuthError::LevelChangeAboveSender(property));
        }
    }
    Ok(())
}

fn parse_map(value: Option<Value>, rules: &Rules) -> Option<BTreeMap<String, i64>> {
    match value {
        None => Some(BTreeMap::new()),
        Some(Value::Object(entries)) => {
            entries.into_iter().map(|(key, value)| Some((key, parse_level(&value, rules)?))).collect()
        }
        Some(_) => None,
    }
}

fn parse_level(value: &Value, rules: &Rules) -> Option<i64> {
    match value {
        Value::Int(level) => Some(*level),
        Value::Number(token) => parse_float(token),
        Value::String(text) if !rules.spec.authorization.integer_power_levels => {
            let level = parse_integer_text(text)?;
            let in_range = (-MAX_STRICT_LEVEL..=MAX_STRICT_LEVEL).contains(&level);
            (in_range || !rules.spec.authorization.strict_canonical_json).then_some(level)
        }
        _ => None,
    }
}

/// A number that is no 64-bit integer: exponents applied, then cut at the decimal point. Beyond the range of a
/// double it is refused (room version 1, "accept values as floats").
fn parse_float(token: &str) -> Option<i64> {
    let value: f64 = token.parse().ok()?;
    // The conversion cuts towards zero and saturates.
    value.is_finite().then_some(value as i64)
}

/// Digits with an optional sign and surrounding whitespace (room version 1, "accept values as strings").
fn parse_integer_text(text: &str) -> Option<i64> {
    let text = text.trim();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // Only the size can make this fail now.
    let magnitude: i64 = digits.parse().unwrap_or(i64::MAX);
    Some(if negative { -magnitude } else { magnitude })
}
